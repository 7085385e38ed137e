"""The one generic table of resources: reading states of it, and executing the row writes that `apply` decided.

Owns the SQL on `resource`. Used by the catalog (any thread, committed state) and by a journal transaction (the locked head).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from governance_server.rules.apply import RowWrite
from governance_server.rules.listings import LISTED
from governance_server.storage.drivers import Connection

__all__ = ["ResourceList", "Selection", "get_resource", "list_resources", "list_under", "write_rows"]

ResourceList = list[tuple[str, bytes]]

_GET_CURRENT = "SELECT body FROM resource WHERE kind = ? AND name = ? AND to_revision IS NULL"
_GET_AS_OF = (
    "SELECT body, to_revision FROM resource WHERE kind = ? AND name = ? AND from_revision <= ? "
    "ORDER BY from_revision DESC LIMIT 1"
)
_CLOSE = "UPDATE {table} SET to_revision = ? WHERE kind = ? AND name = ? AND to_revision IS NULL"
_OPEN = "INSERT INTO {table} (kind, name, from_revision, to_revision, domain, body) VALUES (?, ?, ?, NULL, ?, ?)"
_UNLIST = "DELETE FROM {table} WHERE kind = ? AND name = ?"
_LIST = "INSERT INTO {table} (kind, key, name) VALUES (?, ?, ?)"
_UNDER = (
    "SELECT listing.key, resource.body FROM listing JOIN resource ON resource.kind = listing.kind "
    "AND resource.name = listing.name AND resource.to_revision IS NULL "
    "WHERE listing.kind = ? AND listing.key > ? AND listing.key < ? ORDER BY listing.key {order} LIMIT ?"
)
_LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which resources of a kind a list holds.

    Args:
        domain: Only those of this domain; all if None.
        prefix: Only names that start so.
        after_name: Only names after this one in byte order (keyset paging), excluding it.
        limit: At most so many; all if None.
        as_of: The state at this revision; the current one if None.
        is_descending: From the last name to the first; `after_name` then excludes itself and all after it.
    """

    domain: str | None = None
    prefix: str | None = None
    after_name: str = ""
    limit: int | None = None
    as_of: int | None = None
    is_descending: bool = False


def get_resource(connection: Connection, kind: str, name: str, *, as_of: int | None = None) -> bytes | None:
    """The stored message of one resource; None if it does not exist (then) or that state was erased."""
    if as_of is None:
        row = connection.execute(_GET_CURRENT, (kind, name)).fetchone()
        return None if row is None else row[0]
    row = connection.execute(_GET_AS_OF, (kind, name, as_of)).fetchone()
    return None if row is None or (row[1] is not None and row[1] <= as_of) else row[0]


def list_resources(connection: Connection, kind: str, selection: Selection) -> ResourceList:
    """Names and stored messages, by name in byte order; erased states are left out."""
    sql = ["SELECT name, body FROM resource WHERE kind = ? AND body IS NOT NULL"]
    parameters: list[object] = [kind]
    for clause, values in _clauses(selection):
        sql.append(clause)
        parameters += values
    sql.append("ORDER BY name DESC" if selection.is_descending else "ORDER BY name")
    if selection.limit is not None:
        sql.append("LIMIT ?")
        parameters.append(selection.limit)
    return [(name, body) for name, body in connection.execute(" ".join(sql), parameters)]


def list_under(
    connection: Connection, kind: str, listed: str, *, limit: int, after: str = "", is_descending: bool = False
) -> ResourceList:
    """Places and current messages of a list (`rules.listings`), from beyond the place `after`, in the order that is asked for."""
    start = f"{listed} "
    bounds = (start, start + (after or _LAST_CHARACTER)) if is_descending else (start + after, start + _LAST_CHARACTER)
    rows = connection.execute(_UNDER.format(order="DESC" if is_descending else "ASC"), (kind, *bounds, limit))
    return [(key[len(start) :], body) for key, body in rows]


def write_rows(connection: Connection, rows: Iterable[RowWrite], *, prefix: str = "") -> None:
    """Every row write is executed, in order, in `resource` and `listing`, or tables of their shape with this prefix."""
    close, insert = _CLOSE.format(table=f"{prefix}resource"), _OPEN.format(table=f"{prefix}resource")
    unlist, put = _UNLIST.format(table=f"{prefix}listing"), _LIST.format(table=f"{prefix}listing")
    for row in rows:
        connection.execute(close, (row.revision, row.kind, row.name))
        if row.body is not None:
            connection.execute(insert, (row.kind, row.name, row.revision, row.domain, row.body))
        if row.kind in LISTED:
            connection.execute(unlist, (row.kind, row.name))
            for key in row.keys:
                connection.execute(put, (row.kind, key, row.name))


def _clauses(selection: Selection) -> list[tuple[str, list[object]]]:
    clauses: list[tuple[str, list[object]]] = []
    if selection.as_of is None:
        clauses.append(("AND to_revision IS NULL", []))
    else:
        clauses.append(
            ("AND from_revision <= ? AND (to_revision IS NULL OR to_revision > ?)", [selection.as_of, selection.as_of])
        )
    if selection.domain is not None:
        clauses.append(("AND domain = ?", [selection.domain]))
    if selection.prefix:
        clauses.append(("AND name >= ? AND name < ?", [selection.prefix, selection.prefix + _LAST_CHARACTER]))
    if selection.after_name:
        clauses.append((f"AND name {'<' if selection.is_descending else '>'} ?", [selection.after_name]))
    return clauses
