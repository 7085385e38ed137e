"""Turns of conversations on their way into a product."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "turn",
        sa.Column("answer_id", _TEXT, primary_key=True),
        sa.Column("product", _TEXT, nullable=False),
        sa.Column("principal", _TEXT, nullable=False),
        sa.Column("conversation", _TEXT, nullable=False),
        sa.Column("feedback", sa.LargeBinary, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("is_waiting", sa.BigInteger, nullable=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
    )
    op.create_index("turn_waiting", "turn", ["product", "is_waiting", "position"])
    op.create_index("turn_position", "turn", ["position"])
    op.create_index("turn_time", "turn", ["time_us"])
