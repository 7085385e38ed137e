"""The initial schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_ORDINAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates every table and the head row of an empty journal."""
    _create_journal()
    _create_resource()
    _create_streams_and_leases()
    zero = "'\\x" + "00" * 32 + "'" if op.get_context().dialect.name == "postgresql" else "x'" + "00" * 32 + "'"
    op.execute(f"INSERT INTO head (id, revision, hash, time_us) VALUES (1, 0, {zero}, 0)")


def _create_journal() -> None:
    op.create_table(
        "head",
        sa.Column("id", _ORDINAL, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "kind_head",
        sa.Column("kind", _TEXT, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "change",
        sa.Column("revision", _ORDINAL, primary_key=True, autoincrement=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("principal", _TEXT, nullable=False),
        sa.Column("request_id", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("subject", _TEXT, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("body_digest", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "payload",
        sa.Column("revision", _ORDINAL, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=True),
    )
    op.create_table(
        "change_kind",
        sa.Column("kind", _TEXT, primary_key=True),
        sa.Column("revision", sa.BigInteger, primary_key=True),
    )
    op.create_table(
        "request",
        sa.Column("principal", _TEXT, primary_key=True),
        sa.Column("request_id", _TEXT, primary_key=True),
        sa.Column("request_digest", sa.LargeBinary, nullable=False),
        sa.Column("reply", sa.LargeBinary, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )


def _create_resource() -> None:
    op.create_table(
        "resource",
        sa.Column("kind", _TEXT, primary_key=True),
        sa.Column("name", _TEXT, primary_key=True),
        sa.Column("from_revision", sa.BigInteger, primary_key=True),
        sa.Column("to_revision", sa.BigInteger, nullable=True),
        sa.Column("domain", _TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=True),
    )
    still_valid = sa.text("to_revision IS NULL")
    op.create_index(
        "resource_current", "resource", ["kind", "name"], unique=True, sqlite_where=still_valid, postgresql_where=still_valid
    )
    op.create_index("resource_domain", "resource", ["kind", "domain", "name", "from_revision", "to_revision"])


def _create_streams_and_leases() -> None:
    op.create_table(
        "lease",
        sa.Column("name", _TEXT, primary_key=True),
        sa.Column("holder", _TEXT, nullable=False),
        sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("stream", _TEXT, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("received_at_us", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "stream_head",
        sa.Column("stream", _TEXT, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("pruned_sequence", sa.BigInteger, nullable=False),
        sa.Column("pruned_hash", sa.LargeBinary, nullable=False),
    )
