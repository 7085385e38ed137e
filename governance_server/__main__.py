"""The server's command line: `python -m governance_server serve`, or `gateway` for the gateway alone.

`mesh serve` and `mesh gateway` start these. Prints one JSON line when ready; logs go to standard error.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from importlib import import_module

from governance_server.config import InvalidSettings, Settings, load_settings
from governance_server.key_command import KEY_USAGE, run_key_command
from governance_server.stop_request import StopRequest
from governance_server.storage.errors import StorageError
from governance_server.warehouse.errors import WarehouseError

_LOG = logging.getLogger("governance_server")
_RECOVERY_SECONDS = 5.0
_ALLOCATIONS = 10_000
_USAGE = f"usage: python -m governance_server serve | gateway | rebuild | verify | recover-administrator | {KEY_USAGE}"


def main(arguments: list[str]) -> int:
    """Runs the command; the exit status is 0 after an orderly end, 2 for what the caller must mend."""
    is_known = len(arguments) == 1 and arguments[0] in _COMMANDS
    if not is_known and arguments[:1] != ["keys"]:
        print(_USAGE, file=sys.stderr)
        return 2
    level = os.environ.get("MESH_LOG_LEVEL", "WARNING").upper()
    if level not in logging.getLevelNamesMapping():
        print(f"mesh: MESH_LOG_LEVEL={level!r} is no level: use DEBUG, INFO, WARNING or ERROR.", file=sys.stderr)
        return 2
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop = StopRequest()
    stop.set_by(signal.SIGTERM, signal.SIGINT)
    try:
        settings = load_settings()
        return _COMMANDS[arguments[0]](settings, stop) if is_known else run_key_command(settings, arguments[1:])
    except (InvalidSettings, StorageError, WarehouseError, OSError) as error:
        print(f"mesh {arguments[0]}: {error}", file=sys.stderr)
        return 2


def _http_url(settings: Settings, port: int) -> str:
    return f"{'https' if settings.has_tls else 'http'}://{settings.host}:{port}"


def _serve(settings: Settings, stop: StopRequest) -> int:
    gateway = _GatewayProcess(settings, stop)
    gateway.launch()  # first, so that both processes load at the same time
    try:
        from governance_server.app import build_control

        control = build_control(settings, gateway=lambda: _advertised(gateway.address))
    except BaseException:
        gateway.stop()
        raise
    try:
        gateway.await_ready()
        ready = {
            "url": _url(settings, control.port),
            "gateway": gateway.address,
            "http": _http_url(settings, control.http.port),
            "home": str(settings.home),
            "administrator_token_file": str(settings.administrator_token_file),
            "is_first_start": control.is_first_start,
        }
        _collect_seldom()
        print(json.dumps(ready), flush=True)
        _end_with_parent(stop)
        recovery = threading.Thread(target=_recover, args=(control.publisher,), name="recovery", daemon=True)
        recovery.start()
        stop.wait()
        recovery.join(_RECOVERY_SECONDS)
    finally:
        gateway.stop()
        control.stop()
    return 0


def _collect_seldom() -> None:
    """What is loaded by now is looked at by no garbage collection, and what comes later seldom.

    Every event and message is hundreds of short-lived objects without a cycle: looking for cycles among them, by default after
    each 700, took a twelfth of the time of taking in an event.
    """
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 10, 10)


def _recover(publisher: object) -> None:
    """What a crash left half-done is rolled forward; a failure is logged and the next publication tries again."""
    from governance_server.publishing.publisher import Publisher

    assert isinstance(publisher, Publisher)
    try:
        committed, aborted = publisher.repair()
        if committed or aborted:
            _LOG.warning("recovered publications committed=%s aborted=%s", committed, aborted)
    except Exception:  # noqa: BLE001  # the thread's edge: nothing above it would see the error
        _LOG.exception("recovery of publications failed")


def _warm(*modules: str) -> None:
    """What the first caller would wait for is loaded meanwhile."""

    def load() -> None:
        for module in modules:
            import_module(module)

    threading.Thread(target=load, name="warm", daemon=True).start()


def _gateway(settings: Settings, stop: StopRequest) -> int:
    from governance_server.app import build_gateway

    gateway = build_gateway(settings)
    print(json.dumps({"gateway": f"{settings.host}:{gateway.port}", "files": gateway.files.port}), flush=True)
    _warm("governance_server.gateway.scan")
    _end_with_parent(stop)
    stop.wait()
    gateway.stop()
    return 0


def _end_with_parent(stop: StopRequest) -> None:
    """If MESH_PARENT_PIPE is set, standard input is a pipe from the parent: it ends when that process does, however it does."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        stop.set()

    if os.environ.get("MESH_PARENT_PIPE"):
        threading.Thread(target=wait, name="parent", daemon=True).start()


def _verify(settings: Settings, stop: StopRequest) -> int:
    from governance_server.audit.offline import prove_offline

    print(json.dumps(prove_offline(settings, os.environ)))
    return 0


def _rebuild(settings: Settings, stop: StopRequest) -> int:
    from governance_server.journal.rebuild import rebuild
    from governance_server.storage.engine import open_database

    report = rebuild(open_database(settings.database_url), swap=True)
    print(
        json.dumps({"changes": report.changes, "rows": report.rows, "differences": report.differences, "swapped": report.swapped})
    )
    return 0


def _recover_administrator(settings: Settings, stop: StopRequest) -> int:
    from datetime import UTC, datetime

    from governance_server.bootstrap import FIRST_ADMINISTRATOR, recover_administrator
    from governance_server.journal.journal import Journal
    from governance_server.keyring import Keyring
    from governance_server.storage.engine import open_database

    database = open_database(settings.database_url)
    journal = Journal(database, clock=lambda: datetime.now(UTC))
    try:
        keys = Keyring.open(settings.keys, now=datetime.now(UTC))
        recover_administrator(database, journal, settings.administrator_token_file, keys=keys)
    finally:
        journal.close()
        database.close()
    print(json.dumps({"principal": FIRST_ADMINISTRATOR, "token_file": str(settings.administrator_token_file)}))
    return 0


_GATEWAY_ENVIRONMENT = {
    # One question is embedded at a time: more BLAS threads wait for each other by spinning, on a busy machine for a second.
    "OPENBLAS_NUM_THREADS": "1",
    # Messages of megabytes come and go: given back to the system each time, they cost a third of a stream in page faults.
    "MALLOC_MMAP_THRESHOLD_": str(64 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
}


class _GatewayProcess:
    """The gateway as a child process: started once, restarted when it dies, ended with the server."""

    def __init__(self, settings: Settings, stop: StopRequest) -> None:
        self._settings = settings
        self._stop = stop
        self._process: subprocess.Popen[str] | None = None
        self.address = ""

    def launch(self) -> None:
        """The process has been started; it does not serve yet."""
        environment = {**_GATEWAY_ENVIRONMENT, **os.environ, **_environment(self._settings), "MESH_PARENT_PIPE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "governance_server", "gateway"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            start_new_session=True,
        )

    def await_ready(self) -> None:
        """The gateway serves and is kept serving. Raises: OSError if it does not start."""
        self._read_address()
        threading.Thread(target=self._keep, name="gateway-keeper", daemon=True).start()

    def stop(self) -> None:
        """The gateway has ended."""
        self._stop.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _read_address(self) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise OSError(f"the gateway did not start (exit status {process.wait()}): its message is above")
        ready = json.loads(line)
        self.address = ready["gateway"]
        port = int(self.address.rpartition(":")[2])
        self._settings = replace(self._settings, gateway_port=port, files_port=int(ready["files"]))

    def _keep(self) -> None:
        while not self._stop.is_set():
            process = self._process
            if process is not None:
                status = process.wait()
                if self._stop.is_set():
                    return
                _LOG.error("gateway ended status=%s, starting it again", status)
            try:
                self.launch()
                self._read_address()
            except OSError:
                _LOG.exception("gateway did not start again")
                self._process = None
                self._stop.wait(1)


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "MESH_HOME": str(settings.home),
        "MESH_HOST": settings.host,
        "MESH_PORT": str(settings.port),
        "MESH_GATEWAY_PORT": str(settings.gateway_port),
        "MESH_FILES_PORT": str(settings.files_port),
        "MESH_DATABASE": settings.database_url,
    }


def _advertised(address: str) -> str:
    """The gateway's address as clients are told it: only `:port` if it listens on every address of the machine."""
    host, _, port = address.rpartition(":")
    return f":{port}" if host in ("0.0.0.0", "::", "[::]") else address


def _url(settings: Settings, port: int) -> str:
    return f"{'https' if settings.has_tls else 'http'}://{settings.host}:{port}"


_COMMANDS = {
    "serve": _serve,
    "gateway": _gateway,
    "rebuild": _rebuild,
    "verify": _verify,
    "recover-administrator": _recover_administrator,
}

if __name__ == "__main__":
    _status = main(sys.argv[1:])
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)  # everything is durable: nothing of the interpreter's own end, which waits for every thread, is needed
