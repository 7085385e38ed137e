"""Verification: is the stored journal the one that was written?

Owns the walk along the hash chain. It finds a changed byte in any column of `change`, `payload` and `head`, a missing, added or
moved change, and a dropped end: against the head row, and against a checkpoint kept elsewhere when both were rewound.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from governance_server.journal.append import ERASURE
from governance_server.journal.body import BodyUnreadable, decode_body
from governance_server.journal.chain import GENESIS, Link, link_hash
from governance_server.storage.drivers import Connection, Row
from governance_server.storage.engine import Database

__all__ = ["Checkpoint", "Problem", "Verification", "verify"]

_PAGE = 1000
_MOST_PROBLEMS = 100
_WALK = (
    "SELECT c.revision, c.time_us, c.principal, c.request_id, c.kind, c.subject, c.previous_hash, c.hash, c.body_digest, "
    "p.revision, p.body FROM change c LEFT JOIN payload p ON p.revision = c.revision "
    "WHERE c.revision > ? ORDER BY c.revision LIMIT ?"
)
_STRAYS = (
    "SELECT revision FROM change WHERE revision < 1 UNION "
    "SELECT p.revision FROM payload p LEFT JOIN change c ON c.revision = p.revision WHERE c.revision IS NULL"
)
_TYPES = (int, int, str, str, str, str, bytes, bytes, bytes)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A revision and its hash, kept where whoever can write the database cannot reach."""

    revision: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """One contradiction; `revision` is where it shows, 0 if it belongs to no single change."""

    revision: int
    text: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The result: how many changes were checked, and the first hundred problems in order."""

    checked: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """True if nothing contradicts."""
        return not self.problems


def verify(database: Database, from_revision: int = 1, *, checkpoint: Checkpoint | None = None) -> Verification:
    """What a walk along the chain from `from_revision` (at least 1) to the head found, in one consistent state.

    An erased payload is accepted if a later change records its erasure.
    """
    walk = _Walk(next_revision=max(from_revision, 1), checkpoint=checkpoint)
    try:
        with database.snapshot() as connection:
            database.driver.read_damaged_text(connection)
            walk.run(connection)
    except database.driver.errors as error:
        walk.report(walk.next_revision, f"the database cannot be read from here on: {error}")
    return Verification(checked=walk.checked, problems=tuple(walk.problems))


@dataclass(slots=True)
class _Walk:
    next_revision: int
    checkpoint: Checkpoint | None
    checked: int = 0
    problems: list[Problem] = field(default_factory=list)
    _hash: object = GENESIS
    _time_us: object = 0
    _erased: set[int] = field(default_factory=set)
    _recorded: set[str] = field(default_factory=set)

    def run(self, connection: Connection) -> None:
        self._start(connection)
        for row in _rows(connection, self.next_revision - 1):
            self._check(row)
            self.checked += 1
        for revision in sorted(self._erased):
            if str(revision) not in self._recorded:
                self.report(revision, "its payload was erased, and no later change records that")
        for (revision,) in connection.execute(_STRAYS).fetchall():
            self.report(revision, "a stray row lies outside the chain")
        self._check_head(connection)
        if self.checkpoint is not None:
            self._check_checkpoint(connection, self.checkpoint)

    def report(self, revision: int, text: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(revision, text))

    def _start(self, connection: Connection) -> None:
        if self.next_revision == 1:
            return
        row = connection.execute("SELECT hash, time_us FROM change WHERE revision = ?", (self.next_revision - 1,)).fetchone()
        if row is None:
            self.report(self.next_revision - 1, "the change before the first one to check is missing")
        else:
            self._hash, self._time_us = row

    def _check(self, row: Row) -> None:
        revision, time_us, *_ = row
        if revision != self.next_revision:
            self.report(self.next_revision, f"the changes up to revision {revision - 1} are missing")
        if row[6] != self._hash:
            self.report(revision, "its previous hash is not the hash of the change before it")
        if not all(isinstance(value, kind) for value, kind in zip(row, _TYPES, strict=False)):
            self.report(revision, "a column holds a value of another type")
        elif link_hash(_link(row)) != row[7]:
            self.report(revision, "its fields do not give its hash")
        elif time_us < self._time_us:
            self.report(revision, "its time is earlier than that of the change before it")
        self._check_payload(revision, row)
        self.next_revision, self._hash, self._time_us = revision + 1, row[7], time_us

    def _check_payload(self, revision: int, row: Row) -> None:
        digest, payload_revision, body = row[8:]
        if payload_revision is None:
            self.report(revision, "its payload is missing")
        elif body is None:
            self._erased.add(revision)
        elif not isinstance(body, bytes) or hashlib.sha256(body).digest() != digest:
            self.report(revision, "its payload does not give its digest")
        elif ERASURE.encode() in body:
            self._record_erasures(revision, body)

    def _record_erasures(self, revision: int, body: bytes) -> None:
        try:
            self._recorded.update(write.name for write in decode_body(body) if write.kind == ERASURE)
        except BodyUnreadable as error:
            self.report(revision, str(error))

    def _check_head(self, connection: Connection) -> None:
        rows = connection.execute("SELECT revision, hash, time_us FROM head WHERE id = 1").fetchall()
        if [tuple(row) for row in rows] != [(self.next_revision - 1, self._hash, self._time_us)]:
            self.report(
                self.next_revision - 1, "the head row is not the last change: the end was dropped, or the head was changed"
            )

    def _check_checkpoint(self, connection: Connection, checkpoint: Checkpoint) -> None:
        row = connection.execute("SELECT hash FROM change WHERE revision = ?", (checkpoint.revision,)).fetchone()
        found = GENESIS if checkpoint.revision == 0 else row and row[0]
        if found != checkpoint.hash:
            self.report(
                checkpoint.revision, "the checkpoint's change is missing or another one: history was rewritten or its end dropped"
            )


def _link(row: Row) -> Link:
    revision, time_us, principal, request_id, kind, subject, previous_hash, _, body_digest, *_ = row
    return Link(revision, time_us, principal, request_id, kind, subject, previous_hash, body_digest)


def _rows(connection: Connection, after: int) -> Iterator[Row]:
    last = after
    while page := connection.execute(_WALK, (last, _PAGE)).fetchall():
        yield from page
        last = page[-1][0]
