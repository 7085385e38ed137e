"""What is written for every lineage event is stored by its key alone in SQLite: one tree a table, not a second of row numbers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INDEXES = {
    "lineage_io": ("lineage_io_node", ["node", "side"]),
    "lineage_output": ("lineage_output_job", ["namespace", "job", "target", "weight", "digest"]),
}


def upgrade() -> None:
    """The tables are made anew with their rows; PostgreSQL has no such choice."""
    if op.get_context().dialect.name != "sqlite":
        return
    _remake(
        "lineage_io",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("side", sa.Text, primary_key=True),
        sa.Column("node", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, nullable=False),
    )
    _remake(
        "lineage_output",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("weight", sa.BigInteger, nullable=False),
        sa.Column("replaces", sa.BigInteger, nullable=False),
        sa.Column("first_ns", sa.BigInteger, nullable=False),
    )
    _remake(
        "lineage_run_past",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("first_us", sa.BigInteger, nullable=False),
        sa.Column("last_us", sa.BigInteger, nullable=False),
        sa.Column("parent", sa.Text, nullable=False),
        sa.Column("job_version", sa.Text, nullable=False),
        sa.Column("io", sa.Text, nullable=False),
    )


def _remake(table: str, *columns: sa.Column[object]) -> None:
    names = ", ".join(f'"{column.name}"' for column in columns)
    op.rename_table(table, f"{table}_old")
    op.create_table(table, *columns, sqlite_with_rowid=False)
    op.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM {table}_old")
    op.drop_table(f"{table}_old")
    if table in _INDEXES:
        name, indexed = _INDEXES[table]
        op.create_index(name, table, indexed)
