"""The journal: the one way anything is ever changed.

Owns the queue of commands and the writer thread that commits them in groups (design §3, ADR 0001 decision 2). What a group
appends is in `append`, what was appended is read in `feed`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from governance_server.journal.append import Appender
from governance_server.journal.command import Command, Receipt
from governance_server.journal.errors import JournalClosed, Overloaded
from governance_server.journal.feed import read_changes
from governance_server.journal.following import NOBODY, Follower
from governance_server.journal.rebuild import rebuild
from governance_server.journal.verification import Checkpoint, Problem, Verification, verify
from governance_server.rules.apply import Change
from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database
from governance_server.storage.errors import StorageUnavailable

__all__ = ["Journal"]

_LOG = logging.getLogger(__name__)
_QUEUE_LIMIT = 1000
_POLL_SECONDS = 0.1


_Answer: TypeAlias = Receipt | BaseException


class _Job:
    """A queued command and the promise of its receipt."""

    __slots__ = ("command", "future")

    def __init__(self, command: Command) -> None:
        self.command = command
        self.future: Future[Receipt] = Future()


class Journal:
    """Appends changes, one writer thread for any number of callers. Other processes may append to the same database.

    Args:
        database: Where the journal lies.
        clock: The current time, UTC-aware.
        follower: Is told what each command of a group wrote, so that the next one is decided on it.
        queue_limit: How many commands may wait.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime],
        follower: Follower = NOBODY,
        queue_limit: int = _QUEUE_LIMIT,
    ) -> None:
        self._database = database
        self._clock = clock
        self._follower = follower
        self._queue_limit = queue_limit
        self._queue: deque[_Job] = deque()
        self._queued = threading.Condition()
        self._committed = threading.Condition()
        self._committed_revision = 0
        self._connection: Connection | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="journal-writer", daemon=True)
        self._thread.start()

    def submit(self, command: Command) -> Receipt:
        """The command's receipt, once its change is durable. Any thread may call it; it blocks for about one commit.

        Raises:
            Overloaded: Too many commands wait; nothing was done.
            JournalClosed: The journal takes no more commands.
            RequestIdReused: The request id belongs to another request.
            OutcomeRejected: The command's texts or outcome cannot be stored.
            StorageUnavailable: The commit failed; nothing was written.
            Exception: Whatever the command itself raises.
        """
        job = _Job(command)
        with self._queued:
            if self._is_closed:
                raise JournalClosed("the journal is closed: the server is shutting down, try another one")
            if len(self._queue) >= self._queue_limit:
                raise Overloaded(f"{self._queue_limit} commands wait for the journal already: try again later")
            self._queue.append(job)
            self._queued.notify()
        return job.future.result()

    def read_changes(self, after: int, limit: int, kinds: Iterable[str] | None = None) -> list[Change]:
        """The committed changes after revision `after`, oldest first, at most `limit`; with `kinds` only those that wrote one."""
        try:
            return read_changes(self._database.reader(), after, limit, kinds)
        except self._database.driver.errors as error:
            raise self._database.unavailable(error) from error

    def wait_for(self, revision: int, timeout_seconds: float) -> int:
        """The head's revision, as soon as it is at least `revision`, or after `timeout_seconds`, or when the journal closes.

        A commit of this process wakes it at once, another process's is seen within a tenth of a second.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            head = self._database.head().revision
            remaining = deadline - time.monotonic()
            if head >= revision or remaining <= 0 or self._is_closed:
                return head
            with self._committed:
                if self._committed_revision < revision and not self._is_closed:
                    self._committed.wait(min(remaining, _POLL_SECONDS))

    def verify(self, from_revision: int = 1, *, checkpoint: Checkpoint | None = None, deep: bool = False) -> Verification:
        """What a walk along the stored chain found; if nothing, `deep` holds the tables against the fold of all changes."""
        found = verify(self._database, from_revision, checkpoint=checkpoint)
        if not deep or not found.ok:
            return found
        return replace(found, problems=tuple(Problem(0, text) for text in rebuild(self._database).differences))

    def close(self) -> None:
        """Every command taken is answered, and the writer thread has ended."""
        with self._queued:
            self._is_closed = True
            self._queued.notify()
        self._thread.join()
        with self._committed:
            self._committed.notify_all()

    def _work(self) -> None:
        while jobs := self._take():
            self._commit_group(jobs)
        self._drop_connection()

    def _take(self) -> list[_Job]:
        """Everything queued, as soon as there is something; empty once the journal is closed and nothing is left."""
        with self._queued:
            while not self._queue and not self._is_closed:
                self._queued.wait()
            jobs = list(self._queue)
            self._queue.clear()
        return jobs

    def _commit_group(self, jobs: list[_Job]) -> None:
        answers: list[_Answer] = []
        try:
            head = self._execute(jobs, answers)
        except Exception as error:  # noqa: BLE001 (the writer outlives every failure; each caller gets it)
            self._fail(jobs, error)
            return
        self._put_back(jobs[len(answers) :])
        with self._committed:
            self._committed_revision = head
            self._committed.notify_all()
        for job, answer in zip(jobs, answers, strict=False):
            if isinstance(answer, Receipt):
                job.future.set_result(answer)
            else:
                job.future.set_exception(answer)

    def _execute(self, jobs: list[_Job], answers: list[_Answer]) -> int:
        """Runs and commits the jobs, up to one after which the group must end; `answers` gets one for each that ran."""
        if self._connection is None:
            self._connection = self._database.connect()
        is_committed = False
        try:
            with self._database.write(self._connection) as connection:
                appender = Appender(self._database.driver, connection, self._clock, self._follower)
                for job in jobs:
                    answers.append(self._answer(appender, job))
                    if appender.must_end:
                        break
                head = appender.finish()
            is_committed = True
        finally:
            self._follower.end_group(is_committed=is_committed)
        return head

    def _answer(self, appender: Appender, job: _Job) -> _Answer:
        try:
            return appender.run(job.command)
        except self._database.driver.errors:
            raise
        except BaseException as error:  # noqa: BLE001 (handed to the caller that submitted the command)
            return error

    def _fail(self, jobs: list[_Job], error: Exception) -> None:
        """The group's callers learn that nothing of it counts; the next group starts on a fresh connection."""
        _LOG.error("journal.commit_failed commands=%d error=%s", len(jobs), type(error).__name__, exc_info=error)
        self._drop_connection()
        for job in jobs:
            failure = StorageUnavailable(f"the change was not journaled: {error}; repeat the request with the same request id")
            failure.__cause__ = error
            job.future.set_exception(failure)

    def _put_back(self, jobs: list[_Job]) -> None:
        if jobs:
            with self._queued:
                self._queue.extendleft(reversed(jobs))

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._database.driver.errors):  # a broken connection may fail to close; it is given up either way
                connection.close()
