"""Threads for calls that are all computation: few work at once, as more only take the interpreter's lock from each other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from typing import Any, NamedTuple

__all__ = ["SparingPool", "arrival", "standing_aside"]

_here = threading.local()


class _Job(NamedTuple):
    future: Future[Any]
    work: Callable[[], Any]
    arrival: float


class SparingPool(ThreadPoolExecutor):
    """Runs jobs in the order they come, `busy` at a time; one that stands aside lets another take its place.

    It is a `ThreadPoolExecutor` because grpc takes no other kind for a method's own threads.

    Args:
        busy: Jobs that compute at the same time.
        most: Threads in all, those of jobs that stand aside included; when they are used up, jobs wait.
        name: What the threads' names begin with.
    """

    def __init__(self, *, busy: int, most: int, name: str) -> None:
        super().__init__(max_workers=most, thread_name_prefix=name)
        self._busy = busy
        self._jobs: deque[_Job] = deque()
        self._running = 0
        self._guard = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401  # as the base's
        """The promise of the job's result. Raises: RuntimeError after `shutdown`."""
        job = _Job(Future(), lambda: fn(*args, **kwargs), monotonic())
        with self._guard:
            self._jobs.append(job)
            self._take_place()
        return job.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # as the base's
        """No job is taken any more; those that wait for a thread are cancelled or run."""
        if cancel_futures:
            with self._guard:
                jobs, self._jobs = self._jobs, deque()
            for job in jobs:
                job.future.cancel()
        super().shutdown(wait=wait, cancel_futures=cancel_futures)

    @contextmanager
    def stand_aside(self) -> Iterator[None]:
        """Within the block the job counts for nothing; afterwards it goes on at once, one too many until another ends."""
        with self._guard:
            self._running -= 1
            self._take_place()
        try:
            yield
        finally:
            with self._guard:
                self._running += 1

    def _take_place(self) -> None:
        if self._jobs and self._running < self._busy:
            super().submit(self._work)
            self._running += 1

    def _work(self) -> None:
        _here.pool = self
        while job := self._next():
            _here.arrival = job.arrival
            if job.future.set_running_or_notify_cancel():
                _run(job)

    def _next(self) -> _Job | None:
        with self._guard:
            if self._jobs and self._running <= self._busy:
                return self._jobs.popleft()
            self._running -= 1
            return None


def _run(job: _Job) -> None:
    try:
        result = job.work()
    except BaseException as error:  # noqa: BLE001  # belongs to whoever holds the promise
        job.future.set_exception(error)
    else:
        job.future.set_result(result)


def arrival() -> float:
    """When the job that this thread does was handed to its `SparingPool`, by `time.monotonic`; now, if it belongs to none."""
    arrived: float | None = getattr(_here, "arrival", None)
    return monotonic() if arrived is None else arrived


@contextmanager
def standing_aside() -> Iterator[None]:
    """Within the block this thread waits or does long work: if it belongs to a `SparingPool`, others go on meanwhile."""
    pool: SparingPool | None = getattr(_here, "pool", None)
    if pool is None:
        yield
        return
    with pool.stand_aside():
        yield
