"""Every end of a server in time, with one message at most, and with no process left: while it starts, too."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.test_cli_serve import FREE_PORTS, Start, assert_all_end, children, start
from tests.servers import RunningServer

__all__ = ["start"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """What takes connections, like a PostgreSQL behind a broken network, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield listener


def silent_database(listener: socket.socket) -> str:
    return f"postgresql://mesh@127.0.0.1:{listener.getsockname()[1]}/mesh?connect_timeout=600"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_a_server_that_hangs_while_it_starts_ends_when_it_is_asked_to(
    start: Start, tmp_path: Path, silent: socket.socket, number: signal.Signals, status: int
) -> None:
    process = start("serve", "--home", str(tmp_path / "home"), *FREE_PORTS, MESH_DATABASE=silent_database(silent))
    connections = [silent.accept()[0] for _ in range(2)]  # the server's and its gateway's
    below = children(process.pid)
    assert len(below) == 2
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    for connection in connections:
        connection.close()
    assert (process.returncode, out) == (status, "")
    assert err.strip() in ("", "Interrupted.")
    assert_all_end(below)


def test_a_server_that_hangs_while_it_starts_ends_with_who_started_it(
    start: Start, tmp_path: Path, silent: socket.socket
) -> None:
    process = start("serve", "--home", str(tmp_path / "home"), *FREE_PORTS, MESH_DATABASE=silent_database(silent))
    connections = [silent.accept()[0] for _ in range(2)]
    below = children(process.pid)
    process.kill()
    process.communicate(timeout=60)
    assert_all_end(below)
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("command", ["rebuild", "recover-administrator"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_command_on_the_servers_files_ends_when_it_is_asked_to(
    tmp_path: Path, silent: socket.socket, command: str, number: signal.Signals, status: int
) -> None:
    environment = {**os.environ, "MESH_HOME": str(tmp_path), "MESH_DATABASE": silent_database(silent)}
    process = subprocess.Popen(
        [sys.executable, "-m", "governance_server", command], env=environment, stderr=subprocess.PIPE, text=True
    )
    with silent.accept()[0]:
        process.send_signal(number)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == status
    assert err == ""


def taken() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.parametrize("option", ["--port", "--gateway-port", "--files-port", "--http-port"])
def test_a_port_that_is_taken_is_told_once(start: Start, tmp_path: Path, option: str) -> None:
    with taken() as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        ports = [*FREE_PORTS, "--http-port", "0"]
        ports[ports.index(option) + 1] = address.rpartition(":")[2]
        process = start("serve", "--home", str(tmp_path / "home"), *ports)
        out, err = process.communicate(timeout=90)
    assert (process.returncode, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("mesh serve: ")
    assert f"{address} cannot be listened on: another program has it." in line


def corrupt_keys(home: Path) -> str:
    (home / "keys.json").write_text("{nonsense")
    return "is damaged"


def from_a_newer_release(home: Path) -> str:
    import sqlite3

    connection = sqlite3.connect(home / "mesh.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    return "the database is at schema 9999"


def no_database(home: Path) -> str:
    for path in home.glob("mesh.db*"):
        path.unlink()
    (home / "mesh.db").write_bytes(b"garbage!" * 4096)
    return "file is not a database"


@pytest.mark.parametrize("spoil", [corrupt_keys, from_a_newer_release, no_database])
def test_a_home_that_is_not_usable_is_told_once(start: Start, tmp_path: Path, spoil: Callable[[Path], str]) -> None:
    server = RunningServer(tmp_path / "home")
    server.stop()
    words = spoil(server.home)
    process = start("serve", "--home", str(server.home), *FREE_PORTS)
    out, err = process.communicate(timeout=90)
    assert (process.returncode, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("mesh serve: ")
    assert words in line


def test_certificates_that_cannot_be_used_are_told(start: Start, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    files = dict.fromkeys(["MESH_TLS_CERTIFICATE", "MESH_TLS_KEY"], str(tmp_path / "no.pem"))
    process = start("serve", "--home", str(tmp_path / "home"), *FREE_PORTS, **files)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 2
    (line,) = err.splitlines()
    assert "MESH_TLS_CERTIFICATE" in line
