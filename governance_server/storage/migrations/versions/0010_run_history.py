"""What a run was before its last event, so that runs can be read as of then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Makes the table; of runs that ended before there was one nothing earlier is known."""
    op.create_table(
        "lineage_run_past",
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("first_us", sa.BigInteger, nullable=False),
        sa.Column("last_us", sa.BigInteger, nullable=False),
        sa.Column("parent", _TEXT, nullable=False),
        sa.Column("job_version", _TEXT, nullable=False),
        sa.Column("io", sa.Text, nullable=False),
    )
