"""When the newest access token of each identity was issued."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates the table; nothing is known of identities before it."""
    op.create_table(
        "identity_issue",
        sa.Column("identity", _TEXT, primary_key=True),
        sa.Column("issued_at_us", sa.BigInteger, nullable=False),
    )
