"""The index of the stream `decisions`: which records are about whom and what, without decoding any.

Owns the `decision` table. It can be made anew from the stream's bodies, and verification holds it against them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database
from governance_server.storage.events import Event
from governance_server.storage.times import from_microseconds

__all__ = [
    "STREAM",
    "DecisionQuery",
    "IndexEntry",
    "delete_index",
    "every_decision",
    "find_decisions",
    "first_since",
    "insert_index",
    "log_start",
]

STREAM = "decisions"

_INSERT = "INSERT INTO decision (sequence, resource, time_us, principal, kind, outcome) VALUES (?, ?, ?, ?, ?, ?)"
_PAGE = 1000
_SKEWED = 1000
"""So many records may lie before an older one, as the clocks of several servers differ a little."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What one record is found by; it has a row for each resource."""

    resources: tuple[str, ...]
    principal: str
    kind: int
    outcome: int


@dataclass(frozen=True, slots=True)
class DecisionQuery:
    """Which records: every condition given must hold.

    Args:
        principal: Who asked.
        resource: A domain, product or port, and everything within it.
        since_us: From when on, inclusive.
        until_us: Until when, exclusive.
        kinds: Only these kinds, if any.
        outcomes: Only these ends, if any.
    """

    principal: str = ""
    resource: str = ""
    since_us: int | None = None
    until_us: int | None = None
    kinds: tuple[int, ...] = ()
    outcomes: tuple[int, ...] = ()


def insert_index(connection: Connection, first: int, time_us: int, entries: Sequence[IndexEntry]) -> None:
    """The entries of the records from sequence `first` on are written."""
    connection.executemany(
        _INSERT,
        [
            (sequence, resource, time_us, entry.principal, entry.kind, entry.outcome)
            for sequence, entry in enumerate(entries, first)
            for resource in entry.resources
        ],
    )


def delete_index(connection: Connection, through: int) -> None:
    """The entries of the records up to `through` are gone."""
    connection.execute("DELETE FROM decision WHERE sequence <= ?", (through,))


def find_decisions(database: Database, query: DecisionQuery, *, before: int | None = None, limit: int = _PAGE) -> list[Event]:
    """The records that match, newest first, only those below sequence `before`, at most `limit`."""
    conditions, parameters = _conditions(query)
    if query.since_us is not None:
        first = first_since(database, query.since_us)
        if first is None:
            return []
        conditions.append("sequence >= ?")  # spares the walk over all that is older
        parameters.append(first - _SKEWED)
    if before is not None:
        conditions.append("sequence < ?")
        parameters.append(before)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    found = f"SELECT DISTINCT sequence FROM decision{where} ORDER BY sequence DESC LIMIT ?"
    sql = (
        f"SELECT e.sequence, e.received_at_us, e.body FROM ({found}) AS d "
        "JOIN event e ON e.stream = ? AND e.sequence = d.sequence ORDER BY e.sequence DESC"
    )
    try:
        rows = database.reader().execute(sql, (*parameters, limit, STREAM)).fetchall()
    except database.driver.errors as error:
        raise database.unavailable(error) from error
    return [Event(sequence, from_microseconds(time_us), body) for sequence, time_us, body in rows]


def every_decision(database: Database, query: DecisionQuery) -> Iterator[Event]:
    """All the records that match, newest first, read in pages."""
    before = None
    while page := find_decisions(database, query, before=before):
        yield from page
        before = page[-1].sequence


def log_start(database: Database) -> Event | None:
    """The oldest record that is still there."""
    sql = "SELECT sequence, received_at_us, body FROM event WHERE stream = ? ORDER BY sequence LIMIT 1"
    try:
        row = database.reader().execute(sql, (STREAM,)).fetchone()
    except database.driver.errors as error:
        raise database.unavailable(error) from error
    return None if row is None else Event(row[0], from_microseconds(row[1]), row[2])


def first_since(database: Database, time_us: int) -> int | None:
    """The record that was the first at that time or later; None if there is none."""
    sql = "SELECT sequence FROM decision WHERE time_us >= ? ORDER BY time_us, sequence LIMIT 1"
    try:
        row = database.reader().execute(sql, (time_us,)).fetchone()
    except database.driver.errors as error:
        raise database.unavailable(error) from error
    return None if row is None else int(row[0])


def _conditions(query: DecisionQuery) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    parameters: list[object] = []
    if query.principal:
        conditions.append("principal = ?")
        parameters.append(query.principal)
    if query.resource:  # "." is followed by "/" in byte order, so this is everything that begins with the name and a dot
        conditions.append("(resource = ? OR resource >= ? AND resource < ?)")
        parameters += [query.resource, f"{query.resource}.", f"{query.resource}/"]
    if query.since_us is not None:
        conditions.append("time_us >= ?")
        parameters.append(query.since_us)
    if query.until_us is not None:
        conditions.append("time_us < ?")
        parameters.append(query.until_us)
    for column, values in (("kind", query.kinds), ("outcome", query.outcomes)):
        if values:
            conditions.append(f"{column} IN ({_marks(values)})")
            parameters += values
    return conditions, parameters


def _marks(values: Collection[int]) -> str:
    return ",".join("?" * len(values))
