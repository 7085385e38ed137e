"""Event streams: what was received, append-only, chained by itself and prunable from its start.

Owns the `event` and `stream_head` tables. A stream is no part of the journal: it neither moves its head nor is rebuilt
from it (design §3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from governance_server.storage.drivers import Connection, Row
from governance_server.storage.engine import Database
from governance_server.storage.times import from_microseconds, to_microseconds

__all__ = ["Event", "EventLog", "StreamVerification"]

_LABEL = b"domainmesh.event.v1\x00"
_GENESIS = bytes(32)
_PAGE = 1000
_CREATE_HEAD = (
    "INSERT INTO stream_head (stream, sequence, hash, pruned_sequence, pruned_hash) VALUES (?, 0, ?, 0, ?) "
    "ON CONFLICT (stream) DO NOTHING"
)
_HEAD = "SELECT sequence, hash, pruned_sequence, pruned_hash FROM stream_head WHERE stream = ?"
_TAKE_HEAD = "UPDATE stream_head SET sequence = sequence + ? WHERE stream = ? RETURNING sequence, hash"
_MOVE_HEAD = "UPDATE stream_head SET hash = ? WHERE stream = ?"
_INSERT = "INSERT INTO event (stream, sequence, received_at_us, hash, body) VALUES (?, ?, ?, ?, ?)"
_READ = "SELECT sequence, received_at_us, hash, body FROM event WHERE stream = ? AND sequence > ? ORDER BY sequence LIMIT ?"


@dataclass(frozen=True, slots=True)
class Event:
    """One received event, as received; `sequence` counts from 1 without gaps."""

    sequence: int
    received_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class StreamVerification:
    """How many events were checked, and the first contradiction, None if there is none."""

    checked: int
    problem: str | None

    @property
    def ok(self) -> bool:
        """True if nothing contradicts."""
        return self.problem is None


class EventLog:
    """One stream of events. Any thread and process may append; a batch is durable as a whole or not at all.

    No command of the journal may append: it writes in a transaction of its own.
    """

    def __init__(self, database: Database, stream: str, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._stream = stream
        self._clock = clock

    def append_events(self, bodies: Sequence[bytes]) -> int:
        """The sequence of the first of `bodies`; all are durable, in their order, without a gap. 0 for an empty batch."""
        if not bodies:
            return 0
        time_us = to_microseconds(self._clock())
        with self._database.write() as connection:
            connection.execute(_CREATE_HEAD, (self._stream, _GENESIS, _GENESIS))
            last, digest = connection.execute(_TAKE_HEAD, (len(bodies), self._stream)).fetchall()[0]
            first = last - len(bodies) + 1
            rows = []
            for sequence, body in enumerate(bodies, first):
                digest = _event_hash(digest, sequence, time_us, body)
                rows.append((self._stream, sequence, time_us, digest, body))
            connection.executemany(_INSERT, rows)
            connection.execute(_MOVE_HEAD, (digest, self._stream))
        return int(first)

    def head(self) -> int:
        """The last event's sequence; 0 while the stream is empty."""
        return int(self._head(self._database.reader())[0])

    def read_events(self, after: int, limit: int) -> list[Event]:
        """The events after sequence `after`, oldest first, at most `limit`; pruned ones are gone."""
        rows = self._database.reader().execute(_READ, (self._stream, after, limit))
        return [Event(sequence, from_microseconds(time_us), body) for sequence, time_us, _, body in rows]

    def prune(self, through: int) -> int:
        """Events up to and including sequence `through` are gone, their number is returned; the chain goes on from there."""
        with self._database.write() as connection:
            found = connection.execute("SELECT hash FROM event WHERE stream = ? AND sequence = ?", (self._stream, through))
            row = found.fetchone()
            if row is None:
                return 0
            anchor = (through, row[0], self._stream)
            connection.execute("UPDATE stream_head SET pruned_sequence = ?, pruned_hash = ? WHERE stream = ?", anchor)
            deleted = connection.execute("DELETE FROM event WHERE stream = ? AND sequence <= ?", (self._stream, through))
            return deleted.rowcount

    def verify(self) -> StreamVerification:
        """What a walk along the stream's chain, from what was pruned to its head, found; in one consistent state."""
        checked = 0
        with self._database.snapshot() as connection:
            last, head_hash, sequence, digest = self._head(connection)
            while page := connection.execute(_READ, (self._stream, sequence, _PAGE)).fetchall():
                for row in page:
                    if row[0] != sequence + 1:
                        return StreamVerification(checked, f"event {sequence + 1} of {self._stream} is missing")
                    digest = _event_hash(digest, row[0], row[1], row[3])
                    if digest != row[2]:
                        return StreamVerification(checked, f"event {row[0]} of {self._stream} is not what was received")
                    sequence, checked = row[0], checked + 1
            if (last, head_hash) != (sequence, digest):
                return StreamVerification(checked, f"{self._stream} ends at event {sequence}, not at {last}: the end was dropped")
        return StreamVerification(checked, None)

    def _head(self, connection: Connection) -> Row:
        row: Row | None = connection.execute(_HEAD, (self._stream,)).fetchone()
        return (0, _GENESIS, 0, _GENESIS) if row is None else row


def _event_hash(previous: bytes, sequence: int, time_us: int, body: bytes) -> bytes:
    fields = sequence.to_bytes(8, "big") + time_us.to_bytes(8, "big", signed=True)
    return hashlib.sha256(_LABEL + previous + fields + hashlib.sha256(body).digest()).digest()
