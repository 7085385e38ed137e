"""`mesh serve`, `gateway` and `rebuild`: the server as a child of the command, and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain_sdk import Mesh

MESH = Path(sys.executable).with_name("mesh")
FREE_PORTS = ("--port", "0", "--gateway-port", "0", "--files-port", "0")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `mesh` in a process group of its own, as a terminal would."""
    running: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(MESH), *arguments], env={**os.environ, "COLUMNS": "100", **environment},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    found = [int(word) for word in listed.split()]
    return [*found, *(below for child in found for below in children(child))]


def is_alive(pid: int) -> bool:
    status = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return bool(status) and not status.startswith("Z")


def assert_all_end(pids: list[int]) -> None:
    deadline = time.monotonic() + 40
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in pids if is_alive(pid)]


ENDS = [(signal.SIGINT, 130, True), (signal.SIGINT, 130, False), (signal.SIGTERM, 0, False)]


@pytest.mark.parametrize(("number", "status", "whole_group"), ENDS)
def test_ending_serve_ends_the_server_and_its_gateway(
    start: Start, tmp_path: Path, number: signal.Signals, status: int, whole_group: bool
) -> None:
    process = start("serve", "--home", str(tmp_path / "home"), *FREE_PORTS, "--json")
    ready = json.loads(line_of(process))
    assert Path(ready["administrator_token_file"]).stat().st_mode & 0o777 == 0o600
    with Mesh.connect(ready["url"], Path(ready["administrator_token_file"]).read_text().strip()) as mesh:
        assert mesh.status().principal == "user:admin"
    below = children(process.pid)
    assert len(below) == 2  # the server and its gateway
    if whole_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    assert process.wait(60) == status
    assert_all_end(below)


def test_serve_says_where_it_is_and_how_to_log_in(start: Start, tmp_path: Path) -> None:
    process = start("serve", "--home", str(tmp_path / "home"), *FREE_PORTS)
    assert process.stdout is not None
    block = ""
    for line in process.stdout:
        block += line
        if line.startswith("mesh login"):
            break
    words = " ".join(block.replace("│", " ").split())
    assert "url http://127.0.0.1:" in words
    assert block.splitlines()[-1].startswith("mesh login --url http://127.0.0.1:")
    assert block.splitlines()[-1].endswith(f"--token-file {tmp_path / 'home' / 'admin.token'}")
    assert "first start" in words
    assert "\x1b" not in block


def test_a_server_that_cannot_start_says_why(start: Start, tmp_path: Path) -> None:
    process = start("serve", "--home", str(tmp_path / "home"), "--host", "0.0.0.0", *FREE_PORTS)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert "TLS is off" in err
    assert "Wrong state" not in err  # the server's own message is enough
    assert "Traceback" not in err


def test_a_server_that_cannot_start_says_why_in_one_json_object(start: Start, tmp_path: Path) -> None:
    process = start("serve", "--home", str(tmp_path / "home"), "--host", "0.0.0.0", *FREE_PORTS, "--json")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    told = json.loads(err)["error"]
    assert "TLS is off" in told["message"]
    assert told["exit_status"] == 2


def test_rebuild_replays_the_journal_of_a_stopped_server(start: Start, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    server = start("serve", "--home", home, *FREE_PORTS, "--json")
    line_of(server)
    server.terminate()
    server.communicate(timeout=60)
    rebuilt = start("rebuild", "--home", home, "--json")
    out, err = rebuilt.communicate(timeout=60)
    assert rebuilt.returncode == 0, err
    said = json.loads(out)
    assert said["changes"] >= 1
    assert said["differences"] in (0, [], {})
    shown = start("rebuild", "--home", home)
    out, _ = shown.communicate(timeout=60)
    assert "changes replayed" in out


def test_a_gateway_runs_alone(start: Start, tmp_path: Path) -> None:
    server = start("serve", "--home", str(tmp_path / "home"), *FREE_PORTS, "--json")
    line_of(server)
    gateway = start("gateway", "--home", str(tmp_path / "home"), "--gateway-port", "0", "--files-port", "0", "--json")
    assert json.loads(line_of(gateway))["gateway"].startswith("127.0.0.1:")
    below = children(gateway.pid)
    gateway.send_signal(signal.SIGINT)
    assert gateway.wait(60) == 130
    assert_all_end(below)
