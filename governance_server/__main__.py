"""The server's command line: `python -m governance_server serve`, or `gateway` for the gateway alone.

`mesh serve` and `mesh gateway` start these. Prints one JSON line when ready; logs go to standard error.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from governance_server.config import InvalidSettings, Settings, load_settings
from governance_server.gateway_process import OF_SERVER, GatewayProcess
from governance_server.key_command import KEY_USAGE, run_key_command
from governance_server.serving_lock import serving
from governance_server.stop_request import StopRequest
from governance_server.storage.errors import StorageError
from governance_server.timely_end import TimelyEnd
from governance_server.warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from governance_server.app import Control

_LOG = logging.getLogger("governance_server")
_RECOVERY_SECONDS = 5.0
_ALLOCATIONS = 10_000
_END_SECONDS = 20.0
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
    try:
        settings = load_settings()
        return _COMMANDS[arguments[0]](settings) if is_known else run_key_command(settings, arguments[1:])
    except (InvalidSettings, StorageError, WarehouseError, OSError) as error:
        _tell(arguments[0], error)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception:  # noqa: BLE001  # the process's edge: its status is told in any case, and no thread is waited for
        _LOG.exception("%s failed", arguments[0])
        return 1


def _tell(command: str, error: Exception) -> None:
    """What is to be mended is told once: of a gateway by the server that started it."""
    if command == "gateway" and os.environ.get("MESH_PARENT_PIPE") == OF_SERVER:
        with suppress(OSError):  # the server has gone and hears it no more
            print(json.dumps({"failed": str(error)}), flush=True)
    else:
        print(f"mesh {command}: {error}", file=sys.stderr)


def _serve(settings: Settings) -> int:
    with serving(settings.home) as is_shared:
        if is_shared:
            print(
                f"mesh serve: another server is serving {settings.home} already. End one, unless you want both on the same data.",
                file=sys.stderr,
                flush=True,
            )
        elif settings.scratch.exists():  # what a killed server left there may be rows that were erased since
            shutil.rmtree(settings.scratch)
        return _served(settings)


def _served(settings: Settings) -> int:
    stop = StopRequest()
    gateway = GatewayProcess(settings, stop)
    end = _asked_to_end(stop, gateway.stop)
    control: Control | None = None
    try:
        gateway.launch()  # first, so that both processes load at the same time
        from governance_server.app import build_control

        control = build_control(settings, gateway=lambda: _advertised(gateway.address))
        gateway.await_ready()
        end.has_started()
        _collect_seldom()
        print(json.dumps(_ready(settings, control, gateway)), flush=True)
        recovery = threading.Thread(target=_recover, args=(control.publisher,), name="recovery", daemon=True)
        recovery.start()
        stop.wait()
        recovery.join(_RECOVERY_SECONDS)
    finally:
        end.has_started()  # or never will
        gateway.stop()
        if control is not None:
            control.stop()
    return 0


def _collect_seldom() -> None:
    """What is loaded by now is looked at by no garbage collection, and what comes later seldom.

    Every event and message is hundreds of short-lived objects without a cycle: looking for cycles among them, by default after
    each 700, took a twelfth of the time of taking in an event.
    """
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 10, 10)


def _ready(settings: Settings, control: Control, gateway: GatewayProcess) -> dict[str, object]:
    return {
        "url": _url(settings, control.port),
        "gateway": gateway.address,
        "http": _url(settings, control.http.port),
        "home": str(settings.home),
        "administrator_token_file": str(settings.administrator_token_file),
        "is_first_start": control.is_first_start,
    }


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


def _gateway(settings: Settings) -> int:
    stop = StopRequest()
    end = _asked_to_end(stop)
    from governance_server.app import build_gateway
    from governance_server.vector_access import modules_in_use

    gateway = build_gateway(settings)
    end.has_started()
    print(json.dumps({"gateway": f"{settings.host}:{gateway.port}", "files": gateway.files.port}), flush=True)
    _warm("governance_server.gateway.scan", *modules_in_use(settings.vectors_url))
    stop.wait()
    gateway.stop()
    return 0


def _asked_to_end(stop: StopRequest, on_giving_up: Callable[[], None] = lambda: None) -> TimelyEnd:
    """Signals, and the end of the process that started this one, ask for its end from now on."""
    stop.set_by(signal.SIGTERM, signal.SIGINT)
    _end_with_parent(stop)
    end = TimelyEnd(stop, seconds=_END_SECONDS, on_giving_up=on_giving_up)
    end.watch()
    return end


def _end_with_parent(stop: StopRequest) -> None:
    """If MESH_PARENT_PIPE is set, standard input is a pipe from the parent: it ends when that process does, however it does."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        stop.set()

    if os.environ.get("MESH_PARENT_PIPE"):
        threading.Thread(target=wait, name="parent", daemon=True).start()


def _verify(settings: Settings) -> int:
    from governance_server.audit.offline import prove_offline

    print(json.dumps(prove_offline(settings, os.environ)))
    return 0


def _rebuild(settings: Settings) -> int:
    from governance_server.journal.rebuild import rebuild
    from governance_server.storage.engine import open_database

    report = rebuild(open_database(settings.database_url), swap=True)
    print(
        json.dumps({"changes": report.changes, "rows": report.rows, "differences": report.differences, "swapped": report.swapped})
    )
    return 0


def _recover_administrator(settings: Settings) -> int:
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
