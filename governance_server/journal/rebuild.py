"""Rebuild: the tables, once more, from the journal alone.

Owns folding every change through the same `apply` as the live write into shadow tables, and holding them against the live ones.
An erased payload cannot be replayed; its rows are taken over from the live table, without their bodies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from governance_server.journal.errors import JournalDamaged
from governance_server.journal.feed import read_changes
from governance_server.journal.verification import verify
from governance_server.rules.apply import Change, apply
from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database
from governance_server.storage.resources import write_rows

__all__ = ["RebuildReport", "rebuild"]

_PAGE = 500
_MOST_DIFFERENCES = 100
_COLUMNS = {
    "resource": "kind, name, from_revision, to_revision, domain, body",
    "listing": "kind, key, name",
    "change_kind": "kind, revision",
    "kind_head": "kind, revision",
}
_CLOSE_ERASED = (
    "UPDATE shadow_resource SET to_revision = ? WHERE to_revision IS NULL AND EXISTS (SELECT 1 FROM resource AS live "
    "WHERE live.kind = shadow_resource.kind AND live.name = shadow_resource.name AND live.to_revision = ?)"
)
_UNLIST_ERASED = (
    "DELETE FROM shadow_listing WHERE EXISTS (SELECT 1 FROM resource AS live WHERE live.kind = shadow_listing.kind "
    "AND live.name = shadow_listing.name AND live.to_revision = ?)"
)
_OPEN_ERASED = (
    "INSERT INTO shadow_resource (kind, name, from_revision, to_revision, domain, body) "
    "SELECT kind, name, from_revision, NULL, domain, NULL FROM resource WHERE from_revision = ?"
)
_KINDS_OF_ERASED = "INSERT INTO shadow_change_kind (kind, revision) SELECT kind, revision FROM change_kind WHERE revision = ?"
_FOLD_KIND_HEADS = (
    "INSERT INTO shadow_kind_head (kind, revision) SELECT kind, max(revision) FROM shadow_change_kind GROUP BY kind"
)


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild found.

    Args:
        changes: How many changes were folded.
        rows: How many resource rows they give.
        differences: The first hundred rows in which the live tables were different; empty means equal.
        swapped: True if the live tables now are the rebuilt ones.
    """

    changes: int
    rows: int
    differences: tuple[str, ...]
    swapped: bool

    @property
    def was_equal(self) -> bool:
        """True if the live tables were the fold of the journal."""
        return not self.differences


def rebuild(database: Database, *, swap: bool = False, progress: Callable[[int], None] | None = None) -> RebuildReport:
    """The live tables are compared with the fold of the journal and, with `swap`, replaced by it in one transaction.

    Without `swap` writers go on meanwhile; with it they wait. `progress` is told how many changes are folded.

    Raises:
        JournalDamaged: The chain does not verify; nothing was changed.
    """
    found = verify(database)
    if not found.ok:
        first = found.problems[0]
        raise JournalDamaged(f"the journal cannot be rebuilt from: revision {first.revision}: {first.text}; restore a backup")
    with database.write() if swap else database.snapshot() as connection:
        _create_shadows(connection)
        changes = _fold(connection, progress)
        differences = tuple(text for table in _COLUMNS for text in _compare(connection, table))[:_MOST_DIFFERENCES]
        rows = connection.execute("SELECT count(*) FROM shadow_resource").fetchone()[0]
        if swap:
            _swap(connection)
        _drop_shadows(connection)
    return RebuildReport(changes=changes, rows=rows, differences=differences, swapped=swap)


def _create_shadows(connection: Connection) -> None:
    for table, columns in _COLUMNS.items():
        connection.execute(f"CREATE TEMPORARY TABLE shadow_{table} AS SELECT {columns} FROM {table} WHERE 1 = 0")
    connection.execute("CREATE INDEX shadow_current ON shadow_resource (kind, name, to_revision)")
    connection.execute("CREATE INDEX shadow_listed ON shadow_listing (kind, name)")


def _drop_shadows(connection: Connection) -> None:
    for table in _COLUMNS:
        connection.execute(f"DROP TABLE shadow_{table}")


def _fold(connection: Connection, progress: Callable[[int], None] | None) -> int:
    folded = last = 0
    while page := read_changes(connection, last, _PAGE):
        for change in page:
            _fold_one(connection, change)
        last = page[-1].revision
        folded += len(page)
        if progress is not None:
            progress(folded)
    connection.execute(_FOLD_KIND_HEADS)
    return folded


def _fold_one(connection: Connection, change: Change) -> None:
    revision = change.revision
    if change.body is None:
        connection.execute(_CLOSE_ERASED, (revision, revision))
        connection.execute(_UNLIST_ERASED, (revision,))
        connection.execute(_OPEN_ERASED, (revision,))
        connection.execute(_KINDS_OF_ERASED, (revision,))
        return
    if hashlib.sha256(change.body).digest() != change.body_digest:
        raise JournalDamaged(f"the payload of revision {revision} does not give its digest: restore a backup")
    write_rows(connection, apply(change), prefix="shadow_")
    kinds = dict.fromkeys(write.kind for write in change.writes)
    connection.executemany("INSERT INTO shadow_change_kind (kind, revision) VALUES (?, ?)", [(kind, revision) for kind in kinds])


def _compare(connection: Connection, table: str) -> list[str]:
    columns = _COLUMNS[table]
    live, rebuilt = f"SELECT {columns} FROM {table}", f"SELECT {columns} FROM shadow_{table}"
    texts = []
    for only_in, left, right in (("the live table", live, rebuilt), ("the rebuilt table", rebuilt, live)):
        for row in connection.execute(
            f"SELECT * FROM ({left} EXCEPT {right}) AS difference ORDER BY 1, 2 LIMIT ?", (_MOST_DIFFERENCES,)
        ):
            key = " ".join(str(value) for value in row[:3] if not isinstance(value, bytes))
            texts.append(f"{table}: {key} is so only in {only_in}")
    return texts


def _swap(connection: Connection) -> None:
    for table, columns in _COLUMNS.items():
        connection.execute(f"DELETE FROM {table}")
        connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM shadow_{table}")
