"""Queries in processes of their own: started when needed, kept warm for the next one, and killed when a query will not end.

A query can therefore take nothing but its own process with it: not the gateway, not another reader. Knows nothing of policy, of
gRPC and of SQL.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from governance_server.gateway.encode import ARROW_OFFSET
from governance_server.gateway.sql_errors import EngineFailed, EngineOutOfMemory, EngineTimeout
from governance_server.gateway.sql_jobs import Frame, Kind, QueryJob, receive, send_job, to_failure

__all__ = ["SqlWorkers", "schema_of", "table_of"]

_KEPT_IDLE = 2
_MOST_IDLE_BYTES = 512 << 20
_CHECK_SECONDS = 1.0
_GRACE_SECONDS = 2.0
_PLAN_SECONDS = 30.0
_ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Arrow's own would take a gigabyte of the memory allowed before it is needed."""


class SqlWorkers:
    """Runs queries, each in a process of its own at that moment. Safe to use from several threads; nothing is started before.

    Args:
        folder: The only place on disk where queries write: what does not fit into memory. Emptied after each.
        memory_bytes: What one query may hold in memory.
    """

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        self._root = folder
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._folder: Path | None = None
        self._is_closed = False

    def plan(self, job: QueryJob) -> tuple[pa.Schema, str]:
        """The schema of the answer and the engine's own plan; no row is read. Raises: ScanError, EngineError."""
        frames = self.run(replace(job, is_plan=True, timeout_seconds=_PLAN_SECONDS))
        schema, text = (frame.payload for frame in frames)
        return schema_of(schema), text.decode()

    def run(
        self,
        job: QueryJob,
        *,
        may_go_on: Callable[[], None] = lambda: None,
        on_start: Callable[[Callable[[], None]], None] = lambda stop: None,
        on_stuck: Callable[[], None] = lambda: None,
    ) -> Generator[Frame, None, None]:
        """The answer's frames up to the last one; closing the iterator stops the query.

        `may_go_on` is called about every second while the answer is waited for; what it raises ends the query. `on_start` gets
        what stops the query from another thread. `on_stuck` is called some seconds after its time was over if nobody has taken
        the answer meanwhile.

        Raises: ScanError, EngineError.
        """
        with self._worker() as worker, _Query(worker, job, on_stuck) as query:
            on_start(query.stop)
            try:
                yield from worker.answer(job, may_go_on)
            except _WorkerGone as gone:
                raise (EngineTimeout() if query.was_stopped else gone.failure()) from None

    def close(self) -> None:
        """No process is left but those whose query runs, which end with the gateway."""
        with self._lock:
            idle, self._idle, self._is_closed = self._idle, [], True
        for worker in idle:
            worker.end()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        worker = self._take()
        try:
            yield worker
        finally:
            with self._lock:
                is_kept = worker.is_at_rest and len(self._idle) < _KEPT_IDLE and not self._is_closed
                if is_kept:
                    self._idle.append(worker)
            if not is_kept:
                worker.end()

    def _take(self) -> _Worker:
        with self._lock:
            if self._folder is None:
                self._folder = _own_folder(self._root)
            while self._idle:
                worker = self._idle.pop()
                if worker.is_at_rest:
                    return worker
                worker.end()
            folder = self._folder / secrets.token_hex(8)
        return _Worker(folder, self._memory_bytes)


def schema_of(response: bytes) -> pa.Schema:
    """The schema that the first frame of an answer holds."""
    return pa.ipc.read_schema(pa.py_buffer(memoryview(response)[ARROW_OFFSET:]))


def table_of(responses: Iterable[bytes]) -> pa.Table:
    """The whole answer that frames hold, for one that is small."""
    messages = [memoryview(response)[ARROW_OFFSET:] for response in responses]
    return pa.ipc.open_stream(b"".join(messages)).read_all()


class _WorkerGone(Exception):
    """The process ended under a query."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self._status = status

    def failure(self) -> EngineFailed | EngineOutOfMemory:
        """What its end means for the query."""
        if self._status in (-signal.SIGKILL, -signal.SIGABRT):  # not by us: the system was short of memory, or gave it none
            return EngineOutOfMemory()
        return EngineFailed(f"the query's process ended with status {self._status}")


class _Worker:
    """One process; runs one job at a time."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700)
        self._link, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            arguments = [str(descriptor), str(folder), str(memory_bytes)]
            command = [sys.executable, "-m", "governance_server.gateway.sql_worker", *arguments]
            environment = {**os.environ, **_ENVIRONMENT}
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[descriptor], env=environment)
        self._is_free = True

    @property
    def is_at_rest(self) -> bool:
        """True if it can take the next job."""
        return self._is_free and self._process.poll() is None and _resident_bytes(self._process.pid) < _MOST_IDLE_BYTES

    def answer(self, job: QueryJob, may_go_on: Callable[[], None]) -> Iterator[Frame]:
        """The frames up to the last one. Raises: _WorkerGone, and what a FAILED frame tells of."""
        self._is_free = False
        try:
            send_job(self._link, job)
        except ConnectionError:
            raise _WorkerGone(self._process.wait()) from None
        while True:
            frame = self._next(may_go_on)
            if frame.kind is not Kind.ARROW:
                self._is_free = True
            if frame.kind is Kind.FAILED:
                raise to_failure(frame.payload)
            yield frame
            if self._is_free:
                return

    def kill(self) -> None:
        """The process ends now."""
        self._process.kill()

    def end(self) -> None:
        """The process has ended, and nothing of what it wrote is left."""
        self._process.kill()
        self._process.wait()
        self._link.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _next(self, may_go_on: Callable[[], None]) -> Frame:
        waiting = select.poll()
        waiting.register(self._link, select.POLLIN)
        while not waiting.poll(_CHECK_SECONDS * 1000):
            may_go_on()
        frame = receive(self._link)
        if frame is None:
            raise _WorkerGone(self._process.wait())
        return frame


class _Query:
    """A job on its worker: may be stopped by any thread until it is over, and is stopped when its time is."""

    def __init__(self, worker: _Worker, job: QueryJob, on_stuck: Callable[[], None]) -> None:
        self.was_stopped = False
        self._worker = worker
        self._on_stuck = on_stuck
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._timer = threading.Timer(job.timeout_seconds + _GRACE_SECONDS, self._expire)
        self._timer.daemon = True

    def stop(self) -> None:
        """The query ends now. Nothing happens if it is over."""
        with self._lock:
            if not self._is_over.is_set():
                self.was_stopped = True
                self._worker.kill()

    def __enter__(self) -> _Query:
        """The clock runs."""
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """It is over: the worker may be another query's from now on."""
        self._timer.cancel()
        with self._lock:
            self._is_over.set()

    def _expire(self) -> None:
        self.stop()
        if not self._is_over.wait(_GRACE_SECONDS):
            self._on_stuck()


def _own_folder(root: Path) -> Path:
    """A new folder below the root, held as long as this process lives. Those of processes that are gone are removed."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    root.chmod(0o700)
    for left in root.iterdir():
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(descriptor)
    folder = root / secrets.token_hex(8)
    folder.mkdir(mode=0o700)
    fcntl.flock(os.open(folder, os.O_RDONLY | os.O_CLOEXEC), fcntl.LOCK_EX)
    return folder


def _resident_bytes(pid: int) -> int:
    """What the process holds in memory; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
