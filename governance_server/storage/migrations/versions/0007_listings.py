"""Lists of resources by more than their name, so that none is read through to show a page of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_PAGE = 1000


def upgrade() -> None:
    """Makes the table, and the lists of what there is."""
    op.create_table(
        "listing",
        sa.Column("kind", _TEXT, primary_key=True),
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("name", _TEXT, primary_key=True),
    )
    op.create_index("listing_resource", "listing", ["kind", "name"])
    if not op.get_context().as_sql:
        _list_resources(op.get_bind())


def _list_resources(connection: sa.Connection) -> None:
    from governance_server.rules.listings import LISTED, keys_of

    read = sa.text(
        "SELECT name, body FROM resource WHERE kind = :kind AND name > :after AND to_revision IS NULL AND body IS NOT NULL "
        "ORDER BY name LIMIT :page"
    )
    put = sa.text("INSERT INTO listing VALUES (:kind, :key, :name)")
    for kind in LISTED:
        after = ""
        while page := connection.execute(read, {"kind": kind, "after": after, "page": _PAGE}).fetchall():
            rows = [{"kind": kind, "key": key, "name": name} for name, body in page for key in keys_of(kind, body)]
            if rows:
                connection.execute(put, rows)
            after = page[-1][0]
