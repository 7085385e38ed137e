"""The decision log: who was given or refused what, durable before any of it counts.

Owns the queue of records and the writer thread that commits them in groups to the stream `decisions` (ADR 0013). Nothing that
was queued is ever dropped: a full queue makes callers wait, a full disk makes them fail.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from itertools import count

from domainmesh.v1 import decision_log_pb2 as pb
from governance_server.rules.errors import Unavailable
from governance_server.storage.decisions import STREAM, IndexEntry, insert_index
from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database
from governance_server.storage.events import EventLog

__all__ = ["DecisionLog", "index_name", "index_of"]

_LOG = logging.getLogger(__name__)
_WINDOW_SECONDS = 0.003
_UNAWAITED_SECONDS = 0.05
"""Nor closer than this while nobody waits for any of them: a commit costs as much as many decisions."""
_MOST_IN_GROUP = 2000
_QUEUE_RECORDS, _QUEUE_BYTES = 10_000, 32 << 20
_ROOM_SECONDS = 5.0
_RETRY_SECONDS = 0.2
_REFUSED = "The decision log cannot be written, and what is not logged is not served: try again, and check disk space."


class _Entry:
    """A queued record, and the promise of its sequence if somebody waits for it."""

    __slots__ = ("body", "future", "index", "is_durable")

    def __init__(self, record: pb.DecisionRecord, future: Future[int] | None, *, is_durable: bool = True) -> None:
        self.body = record.SerializeToString()
        self.index = index_of(record)
        self.future = future
        self.is_durable = is_durable


class DecisionLog:
    """Writes records, one writer thread for any number of callers. Other processes may write to the same log.

    Args:
        database: Where the log lies.
        clock: The current time, UTC-aware.
        log_checks: Of answers that were allowed one in so many is logged; 0 logs none of them. Refusals and data always are.
        window_seconds: Groups begin at least so far apart, so that what arrives meanwhile shares a commit; further apart while
            nobody waits.
    """

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime], log_checks: int = 1, window_seconds: float = _WINDOW_SECONDS
    ) -> None:
        self._database = database
        self._events = EventLog(database, STREAM, clock=clock)
        self.clock = clock
        self._log_checks = log_checks
        self._answers = count()
        self._window_seconds = window_seconds
        self._queue: deque[_Entry] = deque()
        self._queued_bytes = 0
        lock = threading.Lock()
        self._filled, self._emptied = threading.Condition(lock), threading.Condition(lock)
        self._is_failing = self._is_closed = self._is_awaited = False
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._work, name="decision-log", daemon=True)
        self._thread.start()

    def submit(self, record: pb.DecisionRecord) -> Future[int]:
        """The promise of the record's sequence, kept once it is durable; else it fails with Unavailable.

        Raises:
            Unavailable: The queue stayed full, or the server ends.
        """
        future: Future[int] = Future()
        self._put(_Entry(record, future))
        return future

    def write(self, record: pb.DecisionRecord) -> int:
        """The record's sequence, once it is durable. Raises: Unavailable."""
        return self.submit(record).result()

    def write_end(self, record: pb.DecisionRecord) -> int:
        """The record's sequence, once all can read it: how a call ended whose beginning is durable. Raises: Unavailable.

        A process that dies takes nothing of it along; a machine that does may leave the beginning alone.
        """
        future: Future[int] = Future()
        self._put(_Entry(record, future, is_durable=False))
        return future.result()

    def note(self, record: pb.DecisionRecord) -> None:
        """The record of an answer that gives no data will be durable within milliseconds; while the log fails, it fails at once.

        Of allowed answers only the configured share is logged. Raises: Unavailable.
        """
        if record.is_allowed and (not self._log_checks or next(self._answers) % self._log_checks):
            return
        if self._is_failing:
            self.write(record)
        else:
            self._put(_Entry(record, None))

    def close(self) -> None:
        """Every record taken is durable, or its caller knows that it is not; the writer thread has ended."""
        with self._filled:
            self._is_closed = True
            self._filled.notify_all()
            self._emptied.notify_all()
        self._thread.join()

    def _put(self, entry: _Entry) -> None:
        deadline = time.monotonic() + _ROOM_SECONDS
        with self._filled:
            while len(self._queue) >= _QUEUE_RECORDS or self._queued_bytes >= _QUEUE_BYTES:
                remaining = deadline - time.monotonic()
                if remaining <= 0 or self._is_closed:
                    raise Unavailable("The decision log does not keep up: try again later.")
                self._emptied.wait(remaining)
            if self._is_closed:
                raise Unavailable("The server is shutting down: try another one.")
            is_first = not self._queue
            self._queue.append(entry)
            self._queued_bytes += len(entry.body)
            if is_first or (entry.future is not None and not self._is_awaited):
                self._filled.notify_all()
            self._is_awaited |= entry.future is not None

    def _work(self) -> None:
        begun, pause = 0.0, 0.0
        while entries := self._take(begun, pause):
            begun = time.monotonic()
            self._is_failing = not self._commit(entries)
            pause = self._window_seconds
            if self._is_failing:
                begun, pause = time.monotonic(), _RETRY_SECONDS
        self._drop_connection()

    def _take(self, begun: float, pause: float) -> list[_Entry]:
        """What is queued, once the pause since the last group began is over; empty if closed and nothing is left."""
        with self._filled:
            while not self._is_closed:
                due = begun + (pause if self._is_awaited else max(pause, _UNAWAITED_SECONDS))
                remaining = due - time.monotonic()
                if self._queue and remaining <= 0:
                    break
                self._filled.wait(remaining if self._queue else None)
            entries = [self._queue.popleft() for _ in range(min(len(self._queue), _MOST_IN_GROUP))]
            self._queued_bytes -= sum(len(entry.body) for entry in entries)
            self._is_awaited = any(entry.future is not None for entry in self._queue)
            self._emptied.notify_all()
        return entries

    def _commit(self, entries: list[_Entry]) -> bool:
        """True once all of them are durable; else whoever waits has been told, and the others are queued again."""
        try:
            if self._connection is None:
                self._connection = self._database.connect()
            indexed = [entry.index for entry in entries]
            first = self._events.append_events(
                [entry.body for entry in entries],
                connection=self._connection,
                along=lambda connection, first, time_us: insert_index(connection, first, time_us, indexed),
                is_durable=any(entry.is_durable for entry in entries),
            )
        except Exception as error:  # noqa: BLE001 (the writer outlives every failure; each caller gets it)
            self._fail(entries, error)
            return False
        for sequence, entry in enumerate(entries, first):
            if entry.future is not None:
                entry.future.set_result(sequence)
        return True

    def _fail(self, entries: Sequence[_Entry], error: Exception) -> None:
        self._drop_connection()
        kept = [entry for entry in entries if entry.future is None]
        with self._filled:
            is_lost = bool(kept) and self._is_closed
            if not is_lost:
                self._queue.extendleft(reversed(kept))
                self._queued_bytes += sum(len(entry.body) for entry in kept)
        if not self._is_failing or is_lost:
            what = "decision_log.lost" if is_lost else "decision_log.commit_failed"
            _LOG.error("%s records=%d error=%s", what, len(kept if is_lost else entries), type(error).__name__, exc_info=error)
        for entry in entries:
            if entry.future is not None:
                failure = Unavailable(_REFUSED)
                failure.__cause__ = error
                entry.future.set_exception(failure)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._database.driver.errors):  # a broken connection may fail to close; it is given up either way
                connection.close()


def index_of(record: pb.DecisionRecord) -> IndexEntry:
    """What the record is found by: its port, product or domain; of many checks and of answers all that is listed."""
    if record.HasField("answer"):
        return _about_many(record, sorted(set(record.answer.ports)))
    if not record.HasField("checks"):
        return IndexEntry(record.resource.partition("#")[0], "", record.principal, record.kind, record.end)
    named = {question.split(" ", 2)[1].partition("#")[0] for question in record.checks.questions if " " in question}
    return _about_many(record, sorted(named))


def _about_many(record: pb.DecisionRecord, names: Sequence[str]) -> IndexEntry:
    return IndexEntry("", f" {'. '.join(names)}." if names else "", record.principal, record.kind, record.end)


def index_name(question: str) -> str:
    """What one of many questions is about: `read finance.ledger.entries (audit)` is about the port."""
    return f"{question} ".split(" ")[1]
