"""Runs, what they read and wrote, the lineage they tell, and the digest that a compacted event leaves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates the tables; events from before it were the mesh's own and are not read anew."""
    op.add_column("event", sa.Column("body_digest", sa.LargeBinary, nullable=True))
    op.create_table(
        "lineage_run",
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("namespace", _TEXT, nullable=False),
        sa.Column("job", _TEXT, nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("first_us", sa.BigInteger, nullable=False),
        sa.Column("last_us", sa.BigInteger, nullable=False),
        sa.Column("parent", _TEXT, nullable=False),
        sa.Column("job_version", _TEXT, nullable=False),
        sa.Column("last_sequence", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("lineage_run_job", "lineage_run", ["namespace", "job", "first_us"])
    op.create_index("lineage_run_id", "lineage_run", ["run_id"])
    op.create_index("lineage_run_time", "lineage_run", ["last_us"])
    op.create_table(
        "lineage_io",
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("side", _TEXT, primary_key=True),
        sa.Column("node", _TEXT, primary_key=True),
        sa.Column("version", _TEXT, nullable=False),
    )
    op.create_index("lineage_io_node", "lineage_io", ["node", "side"])
    op.create_table(
        "lineage_output",
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("target", _TEXT, primary_key=True),
        sa.Column("namespace", _TEXT, nullable=False),
        sa.Column("job", _TEXT, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("weight", sa.BigInteger, nullable=False),
        sa.Column("replaces", sa.BigInteger, nullable=False),
        sa.Column("first_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("lineage_output_job", "lineage_output", ["namespace", "job", "target", "weight", "digest"])
    op.create_table(
        "lineage_evidence",
        sa.Column("digest", _TEXT, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "lineage_due",
        sa.Column("namespace", _TEXT, primary_key=True),
        sa.Column("job", _TEXT, primary_key=True),
        sa.Column("target", _TEXT, primary_key=True),
        sa.Column("principal", _TEXT, nullable=False),
    )
    op.create_table(
        "lineage_summary",
        sa.Column("namespace", _TEXT, primary_key=True),
        sa.Column("job", _TEXT, primary_key=True),
        sa.Column("owner", _TEXT, primary_key=True),
        sa.Column("state", _TEXT, primary_key=True),
        sa.Column("runs", sa.BigInteger, nullable=False),
        sa.Column("first_us", sa.BigInteger, nullable=False),
        sa.Column("last_us", sa.BigInteger, nullable=False),
    )
