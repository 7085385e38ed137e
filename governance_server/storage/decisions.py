"""The index of the stream `decisions`: which records are about whom and what, without decoding any.

Owns the tables `decision` and `decision_topics`. They can be made anew from the stream's bodies, and verification holds them
against these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database
from governance_server.storage.events import Event
from governance_server.storage.many_rows import put_rows
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

_INSERT = "INSERT INTO decision (sequence, resource, time_us, principal, kind, outcome)"
_INSERT_TOPICS = "INSERT INTO decision_topics (sequence, topics)"
_BODIES = "SELECT sequence, received_at_us, body FROM event WHERE stream = ? AND sequence IN ({marks}) ORDER BY sequence DESC"
_PAGE = 1000
_SKEWED = 1000
"""So many records may lie before an older one, as the clocks of several servers differ a little."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What one record is found by."""

    resource: str
    """A domain, product or port; empty if it is about many."""
    topics: str
    """Of many, each between a space and a dot: what begins with a space, a name and a dot lies in what the name says."""
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
    rows = [
        (sequence, entry.resource, time_us, entry.principal, entry.kind, entry.outcome)
        for sequence, entry in enumerate(entries, first)
    ]
    topics = [(sequence, entry.topics) for sequence, entry in enumerate(entries, first) if entry.topics]
    put_rows(connection, _INSERT, rows)
    put_rows(connection, _INSERT_TOPICS, topics)


def delete_index(connection: Connection, through: int) -> None:
    """The entries of the records up to `through` are gone."""
    connection.execute("DELETE FROM decision WHERE sequence <= ?", (through,))
    connection.execute("DELETE FROM decision_topics WHERE sequence <= ?", (through,))


def find_decisions(database: Database, query: DecisionQuery, *, before: int | None = None, limit: int = _PAGE) -> list[Event]:
    """The records that match, newest first, only those below sequence `before`, at most `limit`."""
    conditions, parameters = _conditions(query)
    if query.since_us is not None:
        first = first_since(database, query.since_us)
        if first is None:
            return []
        conditions.append("d.sequence >= ?")  # spares the walk over all that is older
        parameters.append(first - _SKEWED)
    if before is not None:
        conditions.append("d.sequence < ?")
        parameters.append(before)
    try:
        found = [
            [row[0] for row in database.reader().execute(sql, (*values, *parameters, limit))]
            for sql, values in _searches(query.resource, conditions)
        ]
        sequences = list(islice(merge(*found, reverse=True), limit))
        pages = (sequences[start : start + _PAGE] for start in range(0, len(sequences), _PAGE))
        return [event for page in pages for event in _events(database, page)]
    except database.driver.errors as error:
        raise database.unavailable(error) from error


def _searches(resource: str, conditions: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The statements that find numbers of records, newest first, each with what comes before the parameters of the conditions.

    Records about many are read one after the other, as far as the conditions and the limit let them.
    """
    newest = "SELECT d.sequence FROM {} WHERE {} ORDER BY d.sequence DESC LIMIT ?"
    if not resource:
        yield newest.format("decision d", " AND ".join(conditions) or "1 = 1"), ()
        return
    for name in ("d.resource = ?", "d.resource >= ? AND d.resource < ?"):
        values = (resource,) if name.endswith("= ?") else (f"{resource}.", f"{resource}/")  # "." is followed by "/" in byte order
        yield newest.format("decision d", " AND ".join([name, *conditions])), values
    joined = "decision_topics t JOIN decision d ON d.sequence = t.sequence"
    yield newest.format(joined, " AND ".join(["replace(t.topics, ?, '') <> t.topics", *conditions])), (f" {resource}.",)


def _events(database: Database, sequences: Sequence[int]) -> list[Event]:
    rows = database.reader().execute(_BODIES.format(marks=_marks(sequences)), (STREAM, *sequences)).fetchall()
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
        conditions.append("d.principal = ?")
        parameters.append(query.principal)
    if query.since_us is not None:
        conditions.append("d.time_us >= ?")
        parameters.append(query.since_us)
    if query.until_us is not None:
        conditions.append("d.time_us < ?")
        parameters.append(query.until_us)
    for column, values in (("kind", query.kinds), ("outcome", query.outcomes)):
        if values:
            conditions.append(f"d.{column} IN ({_marks(values)})")
            parameters += values
    return conditions, parameters


def _marks(values: Collection[int]) -> str:
    return ",".join("?" * len(values))
