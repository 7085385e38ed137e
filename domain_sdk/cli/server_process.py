"""The server as a child process: started, heard when it is ready, and ended by its process id.

Server and SDK never import each other, so the server is a program here: `python -m governance_server`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import IO, Any, Literal

from domain_sdk.errors import NotConfigured, WrongState

__all__ = ["ServerProcess", "forwarded_signals"]

Role = Literal["serve", "gateway", "rebuild", "verify", "recover-administrator"]
_NEEDED = ("governance_server", "sqlmodel", "alembic", "casbin", "deltalake", "lancedb", "aiohttp", "sqlglot", "grpc_health")
_STOP_SECONDS = 25.0
_LAST_WORDS_SECONDS = 5.0
_SIGNALS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__)


class ServerProcess:
    """A running `governance_server` command."""

    def __init__(
        self,
        role: Role,
        *,
        settings: Mapping[str, str],
        log: IO[str] | None = None,
        is_isolated: bool = False,
        is_heard: bool = False,
    ) -> None:
        """The process is started; `ready` tells when it serves.

        Args:
            role: What it does.
            settings: `MESH_*` variables, over those of this environment.
            log: Where its log goes; standard error when None.
            is_isolated: True if no `MESH_*` variable of this environment counts, but for the embedding model.
            is_heard: True if what it writes to its log before it is ready is held back, to be in the error if it never is.

        Raises:
            NotConfigured: the server is not installed.
        """
        _check_installed(role)
        self.role = role
        self._process = subprocess.Popen(
            [sys.executable, "-m", "governance_server", role],
            env={**_inherited(is_isolated), **settings, "MESH_PARENT_PIPE": "1"},
            stdin=subprocess.PIPE,  # ends when this process does, however it does; the server ends then, too
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if is_heard else log,
            text=True,
            start_new_session=True,  # Ctrl-C comes to it by us alone, and as a request to end
        )
        self._held = _HeldLog(self._process.stderr) if self._process.stderr else None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ready(self) -> dict[str, Any]:
        """What the server says once it serves (or, of `rebuild`, when it is done).

        Raises:
            WrongState: it ended before; its own message is on standard error or, if it is heard, in the error's.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            if self._held and (words := self._held.words(f"mesh {self.role}: ")):
                raise WrongState(words)
            raise WrongState(
                f"`governance_server {self.role}` ended with status {status} before it was ready: "
                "its own message is above; correct that and start it again."
            )
        if self._held:
            self._held.release()
        said: dict[str, Any] = json.loads(line)
        return said

    def signal(self, number: int) -> None:
        """The process has the signal, if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self) -> int:
        """The exit status, once it has ended."""
        return self._process.wait()

    def stop(self) -> None:
        """The process has ended, and its gateway with it: asked first, killed if it does not listen."""
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class _HeldLog:
    """The lines of a log: held back until they are released, and on standard error from then on."""

    def __init__(self, source: IO[str]) -> None:
        self._lines: list[str] = []
        self._is_held = True
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, args=(source,), name="server-log", daemon=True)
        self._reader.start()

    def release(self) -> None:
        """Nothing is held back any more."""
        with self._lock:
            self._is_held = False
            _write(self._lines)

    def words(self, prefix: str) -> str:
        """What a process that has ended said, each line without the prefix."""
        self._reader.join(_LAST_WORDS_SECONDS)  # a child of it may hold the pipe
        with self._lock:
            return "\n".join(line.rstrip().removeprefix(prefix) for line in self._lines)

    def _read(self, source: IO[str]) -> None:
        with source:
            for line in source:
                with self._lock:
                    if self._is_held:
                        self._lines.append(line)
                    else:
                        _write([line])


def _write(lines: Iterable[str]) -> None:
    with suppress(OSError, ValueError):  # nobody reads it any more; the server is not to stop for that
        sys.stderr.writelines(lines)
        sys.stderr.flush()


@contextmanager
def forwarded_signals(process: ServerProcess) -> Iterator[list[int]]:
    """While in the block, Ctrl-C and requests to end go to the process instead of ending this one; yields those that came.

    A thread forwards them: the main thread may have begun to wait for the process in the moment that the signal came, and would
    notice it only at the end of that.
    """
    received: list[int] = []
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def forward() -> None:
        while numbers := os.read(reader, 64):
            received.extend(numbers)
            process.signal(signal.SIGTERM)

    before = {number: signal.signal(number, _noticed) for number in _SIGNALS}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    forwarder = threading.Thread(target=forward, name="signals", daemon=True)
    forwarder.start()
    try:
        yield received
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writer)
        forwarder.join()
        os.close(reader)


def _noticed(number: int, frame: FrameType | None) -> None:
    """A handler of Python's is what makes the interpreter write to the pipe."""


def _inherited(is_isolated: bool) -> dict[str, str]:
    kept = ("MESH_EMBEDDER", "MESH_EMBEDDER_API_KEY", "MESH_LOG_LEVEL")
    return {
        name: value for name, value in os.environ.items() if not (is_isolated and name.startswith("MESH_") and name not in kept)
    }


def _check_installed(role: str) -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise NotConfigured(
            f"`mesh {role}` runs the governance server, which is not installed here (missing: {', '.join(missing)}). "
            "Install it: pip install 'domain-mesh[server]'."
        )
