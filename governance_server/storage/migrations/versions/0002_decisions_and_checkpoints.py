"""The index of the decision log, and signed checkpoints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_ORDINAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates both tables; a decision log from before them would not be found, and no release wrote one."""
    op.create_table(
        "decision",
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("resource", _TEXT, primary_key=True),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("principal", _TEXT, nullable=False),
        sa.Column("kind", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.BigInteger, nullable=False),
    )
    op.create_index("decision_time", "decision", ["time_us", "sequence"])
    op.create_index("decision_principal", "decision", ["principal", "sequence"])
    op.create_index("decision_resource", "decision", ["resource", "sequence"])
    op.create_table(
        "checkpoint",
        sa.Column("number", _ORDINAL, primary_key=True, autoincrement=False),
        sa.Column("stream", _TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("cause", sa.BigInteger, nullable=False),
        sa.Column("key_id", _TEXT, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
    )
    op.create_index("checkpoint_stream", "checkpoint", ["stream", "sequence"])
