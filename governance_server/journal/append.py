"""Appending: one group of commands inside one open write transaction.

Owns revisions, times, the chain and the idempotency of requests; the only code that writes the journal's tables. It neither
begins nor commits the transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from governance_server.journal.body import encode_body
from governance_server.journal.chain import Link, link_hash
from governance_server.journal.command import Command, Outcome, Receipt, Transaction
from governance_server.journal.errors import InvalidText, OutcomeRejected, RequestIdReused
from governance_server.journal.following import Follower
from governance_server.rules.apply import Change, ResourceWrite, apply
from governance_server.storage.drivers import Connection, Driver
from governance_server.storage.resources import write_rows
from governance_server.storage.times import from_microseconds, to_microseconds

__all__ = ["ERASURE", "Appender"]

ERASURE = "erasure"
"""The kind of the resource that records the erasure of a payload; its name is the erased revision."""

_LONGEST_REQUEST_ID = 500
_REQUEST = "SELECT request_digest, reply, revision FROM request WHERE principal = ? AND request_id = ?"
_INSERT_REQUEST = "INSERT INTO request (principal, request_id, request_digest, reply, revision) VALUES (?, ?, ?, ?, ?)"
_INSERT_CHANGE = (
    "INSERT INTO change (revision, time_us, principal, request_id, kind, subject, previous_hash, hash, body_digest) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_PAYLOAD = "INSERT INTO payload (revision, body) VALUES (?, ?)"
_INSERT_KIND = "INSERT INTO change_kind (kind, revision) VALUES (?, ?)"
_MOVE_HEAD = "UPDATE head SET revision = ?, hash = ?, time_us = ? WHERE id = 1"
_MOVE_KIND_HEAD = (
    "INSERT INTO kind_head (kind, revision) VALUES (?, ?) ON CONFLICT (kind) DO UPDATE SET revision = excluded.revision"
)
_STILL_VALID = "SELECT kind, name FROM resource WHERE from_revision = ? AND to_revision IS NULL LIMIT 1"
_CHANGE_TIME = "SELECT time_us FROM change WHERE revision = ?"


class Appender:
    """The head of the journal inside one write transaction, moved by each command that succeeds."""

    def __init__(self, driver: Driver, connection: Connection, clock: Callable[[], datetime], follower: Follower) -> None:
        self._driver = driver
        self._connection = connection
        self._clock = clock
        self._follower = follower
        self.must_end = False
        """True once a command wrote what cannot be followed: the next one must be decided on committed state."""
        self._revision, self._hash, self._time_us = driver.lock_head(connection)
        self._first_revision = self._revision
        self._moved_kinds: dict[str, int] = {}

    def run(self, command: Command) -> Receipt:
        """The command's receipt, its change appended unless it is a repetition.

        Raises:
            RequestIdReused: The request id belongs to another request.
            OutcomeRejected: The outcome cannot be stored.
            Exception: Whatever the command itself raises. In every case nothing of the command is written. After any other
                error of the driver (a full disk, a lost connection) the transaction cannot be used any more.
        """
        self._connection.execute("SAVEPOINT command")
        try:
            result = self._decide(command)
        except self._driver.statement_errors as error:
            self._undo()
            raise OutcomeRejected(f"the outcome of {command.principal}'s command cannot be stored: {error}") from error
        except self._driver.errors:
            raise
        except BaseException:
            self._undo()
            raise
        self._connection.execute("RELEASE SAVEPOINT command")
        return result

    def finish(self) -> int:
        """The head row and the heads of the written kinds are moved; returns the revision of the head."""
        if self._revision != self._first_revision:
            self._connection.execute(_MOVE_HEAD, (self._revision, self._hash, self._time_us))
            for kind, revision in self._moved_kinds.items():
                self._connection.execute(_MOVE_KIND_HEAD, (kind, revision))
        return int(self._revision)

    def _undo(self) -> None:
        self._connection.execute("ROLLBACK TO SAVEPOINT command")
        self._connection.execute("RELEASE SAVEPOINT command")

    def _decide(self, command: Command) -> Receipt:
        _check_request_id(command.request_id)
        _check_texts(command.principal, command.request_id)
        if command.request_id and (stored := self._stored_reply(command)) is not None:
            return stored
        time_us = max(to_microseconds(self._clock()), self._time_us)
        time = from_microseconds(time_us)
        outcome = command.run(Transaction(self._connection, self._revision + 1, time))
        if not outcome.writes and not outcome.erases:
            return Receipt(self._revision, time, outcome.reply)
        change = self._append(command, outcome, time_us)
        self._follow(command, change)
        self._revision, self._hash, self._time_us = change.revision, change.hash, time_us
        self._moved_kinds.update(dict.fromkeys((write.kind for write in change.writes), change.revision))
        return Receipt(self._revision, time, outcome.reply)

    def _follow(self, command: Command, change: Change) -> None:
        """The last step: once a change is followed, nothing of its command can fail that does not fail the whole group."""
        try:
            self.must_end = not self._follower.follow(change.writes, change.revision)
        except ValueError as error:
            raise OutcomeRejected(f"no decision could rest on the outcome of {command.principal}'s command: {error}") from error

    def _stored_reply(self, command: Command) -> Receipt | None:
        row = self._connection.execute(_REQUEST, (command.principal, command.request_id)).fetchone()
        if row is None:
            return None
        digest, reply, revision = row
        if digest != command.request_digest:
            raise RequestIdReused(command.principal, command.request_id)
        time_us = self._connection.execute(_CHANGE_TIME, (revision,)).fetchone()[0]
        return Receipt(revision, from_microseconds(time_us), reply, replayed=True)

    def _append(self, command: Command, outcome: Outcome, time_us: int) -> Change:
        writes = outcome.writes + tuple(ResourceWrite(ERASURE, str(revision), b"") for revision in outcome.erases)
        _check_texts(outcome.kind, outcome.subject)
        _check_writes(writes)
        body = encode_body(writes)
        change = self._link(command, outcome, (time_us, body, writes))
        self._insert(change, time_us)
        write_rows(self._connection, apply(change))
        for revision in outcome.erases:
            self._erase(revision)
        if command.request_id:
            row = (command.principal, command.request_id, command.request_digest, outcome.reply, change.revision)
            self._connection.execute(_INSERT_REQUEST, row)
        return change

    def _link(self, command: Command, outcome: Outcome, content: tuple[int, bytes, tuple[ResourceWrite, ...]]) -> Change:
        time_us, body, writes = content
        link = Link(
            revision=self._revision + 1,
            time_us=time_us,
            principal=command.principal,
            request_id=command.request_id,
            kind=outcome.kind,
            subject=outcome.subject,
            previous_hash=self._hash,
            body_digest=hashlib.sha256(body).digest(),
        )
        return Change(
            revision=link.revision,
            time=from_microseconds(time_us),
            principal=link.principal,
            request_id=link.request_id,
            kind=link.kind,
            subject=link.subject,
            previous_hash=link.previous_hash,
            hash=link_hash(link),
            body_digest=link.body_digest,
            body=body,
            writes=writes,
        )

    def _insert(self, change: Change, time_us: int) -> None:
        texts = (change.principal, change.request_id, change.kind, change.subject)
        hashes = (change.previous_hash, change.hash, change.body_digest)
        self._connection.execute(_INSERT_CHANGE, (change.revision, time_us, *texts, *hashes))
        self._connection.execute(_INSERT_PAYLOAD, (change.revision, change.body))
        for kind in dict.fromkeys(write.kind for write in change.writes):
            self._connection.execute(_INSERT_KIND, (kind, change.revision))

    def _erase(self, revision: int) -> None:
        if not 0 < revision <= self._revision:
            raise OutcomeRejected(f"revision {revision} cannot be erased: the journal holds 1 to {self._revision}")
        valid = self._connection.execute(_STILL_VALID, (revision,)).fetchone()
        if valid is not None:
            raise OutcomeRejected(
                f"revision {revision} cannot be erased: its {valid[0]} {valid[1]} is still valid, replace or remove it first"
            )
        self._connection.execute("UPDATE payload SET body = NULL WHERE revision = ?", (revision,))
        self._connection.execute("UPDATE resource SET body = NULL WHERE from_revision = ?", (revision,))


def _check_request_id(request_id: str) -> None:
    if len(request_id) > _LONGEST_REQUEST_ID:  # it is kept for ever, in an index
        raise InvalidText(f"The request id has {len(request_id):,} characters: send one of at most {_LONGEST_REQUEST_ID}")


def _check_texts(*texts: str) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidText(f"{text!a} is no valid Unicode text: send UTF-8") from error
        if "\x00" in text:
            raise InvalidText(f"{text!a} contains a zero character, which no database stores: leave it out")


def _check_writes(writes: tuple[ResourceWrite, ...]) -> None:
    seen: set[tuple[str, str]] = set()
    for write in writes:
        _check_texts(write.kind, write.name)
        key = (write.kind, write.name)
        if not write.kind or not write.name or key in seen:
            raise OutcomeRejected(
                f"a change writes {write.kind!r} {write.name!r}, which is nameless or written twice: give each state once"
            )
        seen.add(key)
