"""Grants, access requests and contracts stand in more lists than before: theirs are made anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_PAGE = 1000
_KINDS = ("access_request", "contract", "grant")


def upgrade() -> None:
    """The current state of each stands in the lists of today."""
    if not op.get_context().as_sql:
        _list_anew(op.get_bind())


def _list_anew(connection: sa.Connection) -> None:
    from governance_server.rules.listings import keys_of

    read = sa.text(
        "SELECT name, body FROM resource WHERE kind = :kind AND name > :after AND to_revision IS NULL AND body IS NOT NULL "
        "ORDER BY name LIMIT :page"
    )
    put = sa.text("INSERT INTO listing VALUES (:kind, :key, :name)")
    for kind in _KINDS:
        connection.execute(sa.text("DELETE FROM listing WHERE kind = :kind"), {"kind": kind})
        after = ""
        while page := connection.execute(read, {"kind": kind, "after": after, "page": _PAGE}).fetchall():
            rows = [{"kind": kind, "key": key, "name": name} for name, body in page for key in keys_of(kind, body)]
            if rows:
                connection.execute(put, rows)
            after = page[-1][0]
