"""Periodic work: one thread, and among all servers on one database only the one that holds the lease `maintenance` works.

Owns when tasks run and who runs them. What they do is registered by the composition root. Nothing that decides access may be
a task: what expires is expired at the decision, whether this loop lives or not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from governance_server.storage.errors import StorageError
from governance_server.storage.leases import Leases

__all__ = ["LEASE", "Maintenance", "Task"]

LEASE = "maintenance"
_LOG = logging.getLogger(__name__)
_LONGEST_LEASE_SECONDS, _SHORTEST_LEASE_SECONDS = 30.0, 3.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of periodic work.

    `run` must be safe to repeat and to lose at any point: after a crash another server runs it again from the start. It is
    called on the maintenance thread; what takes longer than a few seconds does a part of its work each time.
    """

    name: str
    run: Callable[[], object]
    every_seconds: float = 0.0
    """At least so long between two runs; 0 for every round."""


class Maintenance:
    """Runs tasks in rounds, as long as this server holds the lease.

    A server that dies keeps the lease for at most `lease_seconds`; another one looks three times as often, and goes on.

    Args:
        leases: Of the database that all servers share.
        holder: This server's own name, different from every other's.
        interval_seconds: From the end of one round to the begin of the next; 0 for never.
        clock: Monotonic seconds, for `every_seconds`.
    """

    def __init__(
        self,
        leases: Leases,
        *,
        holder: str,
        interval_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lease_seconds = min(_LONGEST_LEASE_SECONDS, max(_SHORTEST_LEASE_SECONDS, 3 * interval_seconds))
        self._leases = leases
        self._holder = holder
        self._interval = interval_seconds
        self._clock = clock
        self._tasks: list[Task] = []
        self._last_run: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def register(self, tasks: Sequence[Task]) -> None:
        """The tasks run from the next round on, in this order. Before `start` only."""
        self._tasks.extend(tasks)

    def start(self) -> None:
        """Rounds are run until `stop`; none ever if the interval is 0."""
        if self._interval > 0:
            self._thread = threading.Thread(target=self._work, name="maintenance", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """No task is begun any more, and the lease is free for another server; waits a few seconds for one that runs."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def run_round(self) -> bool:
        """True if this server holds the lease and every task that was due has been run. Raises: StorageError."""
        if self._leases.holder(LEASE) not in (None, self._holder):  # a look costs no write
            return False
        if not self._leases.acquire(LEASE, self._holder, self.lease_seconds):
            return False
        lost, done = threading.Event(), threading.Event()
        keeper = threading.Thread(target=self._keep, args=(lost, done), name="maintenance-lease", daemon=True)
        keeper.start()
        try:
            for task in self._tasks:
                if lost.is_set() or self._stopping.is_set():
                    return False
                self._run(task)
        finally:
            done.set()
            keeper.join()
        return True

    def _run(self, task: Task) -> None:
        last, now = self._last_run.get(task.name), self._clock()
        if last is not None and now - last < task.every_seconds:
            return
        self._last_run[task.name] = now
        try:
            task.run()
        except Exception:  # noqa: BLE001  # the loop's edge: one task's failure is logged and must not stop the others
            _LOG.exception("maintenance task failed task=%s", task.name)

    def _keep(self, lost: threading.Event, done: threading.Event) -> None:
        """The lease is renewed until the round is over, or known to be lost."""
        while not done.wait(self.lease_seconds / 3):
            try:
                kept = self._leases.renew(LEASE, self._holder, self.lease_seconds)
            except StorageError:
                _LOG.exception("maintenance lease not renewed holder=%s", self._holder)
                kept = False
            if not kept:
                lost.set()
                return

    def _work(self) -> None:
        next_round = time.monotonic()
        while not self._stopping.is_set():
            is_due = time.monotonic() >= next_round
            if self._try(self.run_round if is_due else self._hold) and is_due:
                next_round = time.monotonic() + self._interval
            # Whoever does not hold the lease looks again soon: a dead holder is followed as soon as its lease is over.
            until_due = max(0.0, next_round - time.monotonic()) or self.lease_seconds / 3
            self._stopping.wait(min(until_due, self.lease_seconds / 3))
        self._try(lambda: self._leases.release(LEASE, self._holder))

    def _hold(self) -> bool:
        """Between rounds the holder stays the holder, so that servers do not take turns."""
        return self._leases.renew(LEASE, self._holder, self.lease_seconds)

    def _try(self, step: Callable[[], bool]) -> bool:
        try:
            return step()
        except Exception:  # noqa: BLE001  # the thread's edge: nothing above it would see the error
            _LOG.exception("maintenance failed holder=%s", self._holder)
            return False
