"""Event streams: what was received, append-only, chained by itself and prunable from its start.

Owns the `event` and `stream_head` tables. A stream is no part of the journal: it neither moves its head nor is rebuilt
from it (design §3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from governance_server.storage.drivers import Connection, Row
from governance_server.storage.engine import Database
from governance_server.storage.many_rows import put_rows
from governance_server.storage.times import from_microseconds, to_microseconds

__all__ = ["Event", "EventLog", "StreamProblem", "StreamVerification", "verify_stream"]

_LABEL = b"domainmesh.event.v1\x00"
_GENESIS = bytes(32)
_PAGE = 1000
_MOST_PROBLEMS = 100
_CREATE_HEAD = (
    "INSERT INTO stream_head (stream, sequence, hash, pruned_sequence, pruned_hash) VALUES (?, 0, ?, 0, ?) "
    "ON CONFLICT (stream) DO NOTHING"
)
_HEAD = "SELECT sequence, hash, pruned_sequence, pruned_hash FROM stream_head WHERE stream = ?"
_TAKE_HEAD = "UPDATE stream_head SET sequence = sequence + ? WHERE stream = ? RETURNING sequence, hash"
_MOVE_HEAD = "UPDATE stream_head SET hash = ? WHERE stream = ?"
_INSERT = "INSERT INTO event (stream, sequence, received_at_us, hash, body)"
_EARLIER = "SELECT sequence FROM event WHERE stream = ? AND sequence <= ? ORDER BY sequence LIMIT 100"
_READ = "SELECT sequence, received_at_us, hash, body FROM event WHERE stream = ? AND sequence > ? ORDER BY sequence LIMIT ?"
_RECEIVED = "SELECT received_at_us FROM event WHERE stream = ? AND sequence = ?"
_WALK = (
    "SELECT sequence, received_at_us, hash, body, body_digest FROM event WHERE stream = ? AND sequence > ? "
    "ORDER BY sequence LIMIT ?"
)
_WHOLE = (
    "SELECT sequence, body FROM event WHERE stream = ? AND received_at_us < ? AND body_digest IS NULL AND sequence > ? "
    "ORDER BY sequence LIMIT ?"
)
_COMPACT = "UPDATE event SET body = ?, body_digest = ? WHERE stream = ? AND sequence = ?"
_COMPACTABLE = frozenset({"openlineage"})
"""Streams whose old bodies may be gone, their digests kept."""


@dataclass(frozen=True, slots=True)
class Event:
    """One received event, as received; `sequence` counts from 1 without gaps."""

    sequence: int
    received_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class StreamProblem:
    """One contradiction; `sequence` is where it shows."""

    sequence: int
    text: str


@dataclass(frozen=True, slots=True)
class StreamVerification:
    """How many events were checked, the first hundred contradictions, and where the chain begins and ends."""

    checked: int
    problems: tuple[StreamProblem, ...]
    last: int
    hash: bytes
    pruned: int
    pruned_hash: bytes

    @property
    def ok(self) -> bool:
        """True if nothing contradicts."""
        return not self.problems

    @property
    def problem(self) -> str | None:
        """The first contradiction in words, None if there is none."""
        return self.problems[0].text if self.problems else None


class EventLog:
    """One stream of events. Any thread and process may append; a batch is durable as a whole or not at all.

    No command of the journal may append: it writes in a transaction of its own.
    """

    def __init__(self, database: Database, stream: str, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._stream = stream
        self._clock = clock

    def append_events(
        self,
        bodies: Sequence[bytes],
        *,
        connection: Connection | None = None,
        along: Callable[[Connection, int, int], None] | None = None,
        is_durable: bool = True,
    ) -> int:
        """The sequence of the first of `bodies`; all are written, in their order, without a gap. 0 for an empty batch.

        Args:
            bodies: What was received.
            connection: The connection to write on; a new one if absent.
            along: Writes more in the same transaction; is given it, the first sequence and the time in microseconds.
            is_durable: See Database.write.
        """
        if not bodies:
            return 0
        with self._database.write(connection, is_durable=is_durable) as used:
            time_us = to_microseconds(self._clock())
            used.execute(_CREATE_HEAD, (self._stream, _GENESIS, _GENESIS))
            last, digest = used.execute(_TAKE_HEAD, (len(bodies), self._stream)).fetchall()[0]
            first = last - len(bodies) + 1
            rows = []
            for sequence, body in enumerate(bodies, first):
                digest = _event_hash(digest, sequence, time_us, hashlib.sha256(body).digest())
                rows.append((self._stream, sequence, time_us, digest, body))
            put_rows(used, _INSERT, rows)
            used.execute(_MOVE_HEAD, (digest, self._stream))
            if along is not None:
                along(used, first, time_us)
        return int(first)

    def sequence_at(self, time_us: int) -> int:
        """The sequence of the last event that was received by then, microseconds since 1970 UTC; 0 if there is none."""
        reader = self._database.reader()
        last, _, low, _ = self._head(reader)
        while low < last:
            middle = (low + last + 1) // 2
            row = reader.execute(_RECEIVED, (self._stream, middle)).fetchone()
            if row is not None and row[0] <= time_us:
                low = middle
            else:
                last = middle - 1
        return int(low)

    def head(self) -> int:
        """The last event's sequence; 0 while the stream is empty."""
        return int(self._head(self._database.reader())[0])

    def read_events(self, after: int, limit: int) -> list[Event]:
        """The events after sequence `after`, oldest first, at most `limit`; pruned ones are gone."""
        rows = self._database.reader().execute(_READ, (self._stream, after, limit))
        return [Event(sequence, from_microseconds(time_us), body) for sequence, time_us, _, body in rows]

    def prune(self, through: int, *, along: Callable[[Connection, bytes], None] | None = None) -> int:
        """Events up to and including sequence `through` are gone, their number is returned; the chain goes on from there.

        `along` writes more in the same transaction; it is given the hash of the last event that went.
        """
        with self._database.write() as connection:
            found = connection.execute("SELECT hash FROM event WHERE stream = ? AND sequence = ?", (self._stream, through))
            row = found.fetchone()
            if row is None:
                return 0
            anchor = (through, row[0], self._stream)
            connection.execute("UPDATE stream_head SET pruned_sequence = ?, pruned_hash = ? WHERE stream = ?", anchor)
            deleted = connection.execute("DELETE FROM event WHERE stream = ? AND sequence <= ?", (self._stream, through))
            if along is not None:
                along(connection, row[0])
            return deleted.rowcount

    def compact(self, before_us: int, *, after: int, limit: int) -> int:
        """Of events received before `before_us` only the digest of the body is left; the chain verifies as before.

        Returned is the last sequence looked at, of at most `limit` after sequence `after`; `after` if nothing is left to do.
        """
        assert self._stream in _COMPACTABLE, f"the bodies of {self._stream} stay"
        with self._database.write() as connection:
            rows = connection.execute(_WHOLE, (self._stream, before_us, after, limit)).fetchall()
            digests = [(b"", hashlib.sha256(body).digest(), self._stream, sequence) for sequence, body in rows]
            connection.executemany(_COMPACT, digests)
        return int(rows[-1][0]) if rows else after

    def verify(self) -> StreamVerification:
        """What a walk along the stream's chain, from what was pruned to its head, found; in one consistent state."""
        with self._database.snapshot() as connection:
            return verify_stream(connection, self._stream)

    def _head(self, connection: Connection) -> Row:
        return _stream_head(connection, self._stream)


def verify_stream(
    connection: Connection, stream: str, *, visit: Callable[[int, int, bytes, bytes], None] | None = None
) -> StreamVerification:
    """What a walk along the chain of `stream` found, from what was pruned to its head.

    `visit` is given sequence, time in microseconds, hash and body of each event that is what was received.
    """
    head_sequence, head_hash, pruned, pruned_hash = head = _stream_head(connection, stream)
    if not all(map(isinstance, head, (int, bytes, int, bytes))):
        problem = StreamProblem(0, f"the head of {stream} holds a value of another type")
        return StreamVerification(0, (problem,), 0, _GENESIS, 0, _GENESIS)
    walk = _StreamWalk(stream, pruned, pruned_hash, visit)
    walk.run(connection)
    if (head_sequence, head_hash) != (walk.sequence, walk.digest):
        walk.report(walk.sequence, f"{stream} ends at event {walk.sequence}, not at {head_sequence}: the end was dropped")
    return StreamVerification(walk.checked, tuple(walk.problems), walk.sequence, walk.digest, pruned, pruned_hash)


@dataclass(slots=True)
class _StreamWalk:
    stream: str
    sequence: int
    digest: bytes
    visit: Callable[[int, int, bytes, bytes], None] | None
    checked: int = 0
    problems: list[StreamProblem] = field(default_factory=list)

    def run(self, connection: Connection) -> None:
        for (sequence,) in connection.execute(_EARLIER, (self.stream, self.sequence)).fetchall():
            self.report(sequence, f"event {sequence} of {self.stream} lies before the chain's beginning")
        while page := connection.execute(_WALK, (self.stream, self.sequence, _PAGE)).fetchall():
            for row in page:
                if not isinstance(row[0], int) or row[0] < 1:
                    self.report(0, f"an event of {self.stream} has a number that is none")
                    return
                self._check(row)

    def report(self, sequence: int, text: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(StreamProblem(sequence, text))

    def _check(self, row: Row) -> None:
        sequence, time_us, digest, body, compacted = row
        if sequence != self.sequence + 1:
            self.report(self.sequence + 1, f"event {self.sequence + 1} of {self.stream} is missing")
        elif not all(map(isinstance, row[1:4], (int, bytes, bytes))) or not isinstance(compacted, bytes | None):
            self.report(sequence, f"event {sequence} of {self.stream} holds a value of another type")
            digest = digest if isinstance(digest, bytes) else self.digest
        elif compacted is not None and (body or self.stream not in _COMPACTABLE):
            self.report(sequence, f"event {sequence} of {self.stream} has a digest in the place of its body")
        elif _event_hash(self.digest, sequence, time_us, compacted or hashlib.sha256(body).digest()) != digest:
            self.report(sequence, f"event {sequence} of {self.stream} is not what was received")
        elif self.visit is not None:
            self.visit(sequence, time_us, digest, body)
        self.sequence, self.digest, self.checked = sequence, digest, self.checked + 1


def _stream_head(connection: Connection, stream: str) -> Row:
    row: Row | None = connection.execute(_HEAD, (stream,)).fetchone()
    return (0, _GENESIS, 0, _GENESIS) if row is None else row


def _event_hash(previous: bytes, sequence: int, time_us: int, body_digest: bytes) -> bytes:
    fields = sequence.to_bytes(8, "big") + time_us.to_bytes(8, "big", signed=True)
    return hashlib.sha256(_LABEL + previous + fields + body_digest).digest()
