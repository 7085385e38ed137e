"""The server's keys at work: rotated under load without a restart, retired, removed, lost and made anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain_sdk import Mesh, MeshError, Unauthenticated
from governance_server.keyring import PURPOSES
from tests.integration.crash_shop import until
from tests.integration.mesh_setup import contract
from tests.servers import RunningServer

pytestmark = pytest.mark.slow

PORT = "hr.staff.people"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path / "mesh")
    with running.admin() as admin:
        admin.admin.create_domain("hr", owners=["user:admin"])
        text = contract("hr.staff", {"people": ["name: string"]})
        admin.domain("hr").product("staff", contract=text).publish(people=pl.DataFrame({"name": ["Ada", "Bo"]}), progress=False)
    yield running
    running.stop()


def keys(home: Path, *words: str) -> Any:
    """What `mesh keys …` answers; a refusal is raised with its words."""
    command = [str(Path(sys.executable).with_name("mesh")), "keys", *words, "--home", str(home), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if ended.returncode:
        raise AssertionError(ended.stderr)
    return json.loads(ended.stdout)


def test_the_command_lists_keys_without_their_secrets_and_rotates_one(server: RunningServer) -> None:
    listed = keys(server.home, "list")
    assert [(key["purpose"], key["state"], key["version"]) for key in listed] == [(p, "active", 1) for p in PURPOSES]
    secrets = [entry["secret"] for entry in json.loads((server.home / "keys.json").read_text())["keys"]]
    assert not any(secret in json.dumps(listed) for secret in secrets)
    made = keys(server.home, "rotate", "checkpoints")
    assert [(k["version"], k["state"]) for k in keys(server.home, "list") if k["purpose"] == "checkpoints"] == [
        (1, "retired"), (2, "active"),
    ]  # fmt: skip
    with pytest.raises(AssertionError, match="no retired key"):
        keys(server.home, "remove", made["id"])
    with pytest.raises(AssertionError, match="no purpose of keys"):
        keys(server.home, "rotate", "everything")
    with pytest.raises(AssertionError, match="exists"):
        keys(server.home, "init")


def test_keys_rotate_under_load_without_a_failed_valid_call_and_removed_ones_fail_closed(server: RunningServer) -> None:
    """Control server and gateway are two processes; both see each rotation at their next call."""
    failures: list[BaseException] = []
    done = threading.Event()
    made: list[str] = [server.admin_token]

    def call() -> None:
        turn = 0
        while not done.is_set():
            turn += 1
            try:
                with Mesh.connect(server.url, made[turn % len(made)]) as mesh:
                    mesh.whoami()
                    assert mesh.read(PORT, via="stream").height == 2
            except BaseException as error:  # noqa: BLE001 # shown below
                failures.append(error)

    def mint() -> None:
        with server.admin() as admin:
            while not done.is_set():
                try:
                    made.append(admin.admin.create_token().secret)
                except MeshError as error:
                    failures.append(error)
                time.sleep(0.05)

    threads = [threading.Thread(target=work) for work in (call, call, mint)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            keys(server.home, "rotate", "tokens")
        assert until(lambda: len(made) > 10 or bool(failures), seconds=30)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[:3]
    first = next(key for key in keys(server.home, "list") if key["purpose"] == "tokens")
    assert first["state"] == "retired"
    with server.admin() as admin:
        last = admin.admin.create_token().secret
    keys(server.home, "remove", first["id"])
    with Mesh.connect(server.url, server.admin_token) as mesh:
        for use in (mesh.whoami, lambda: mesh.read(PORT, via="stream")):
            with pytest.raises(Unauthenticated):
                use()
    assert f"The key '{first['id']}' is not in the key file" in server.log.read_text()
    with Mesh.connect(server.url, last) as mesh:
        assert mesh.whoami().name == "user:admin"


def test_without_its_key_file_a_server_that_needs_it_does_not_start_and_new_keys_let_the_administrator_in(
    server: RunningServer,
) -> None:
    old = server.admin_token
    server.stop()
    (server.home / "keys.json").rename(server.home / "lost.json")
    environment = {
        **os.environ,
        "MESH_HOME": str(server.home),
        "MESH_PORT": "0",
        "MESH_GATEWAY_PORT": "0",
        "MESH_FILES_PORT": "0",
    }
    command = [sys.executable, "-m", "governance_server", "serve"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "keys.json is gone" in ended.stderr
    assert "mesh keys init" in ended.stderr
    assert "Traceback" not in ended.stderr
    keys(server.home, "init")
    server.start()
    with server.admin() as admin:
        assert admin.whoami().name == "user:admin"
    with Mesh.connect(server.url, old) as mesh, pytest.raises(Unauthenticated):
        mesh.whoami()


def test_a_key_file_that_becomes_readable_by_others_stops_every_use_of_it(server: RunningServer) -> None:
    path = server.home / "keys.json"
    path.chmod(0o644)
    with server.admin() as admin:
        with pytest.raises(MeshError, match="keys"):
            admin.whoami()
        path.chmod(0o600)
        assert admin.whoami().is_administrator


def test_what_a_reader_gets_under_a_keyed_salt_is_the_same_again_after_the_cache_was_dropped(server: RunningServer) -> None:
    with server.admin() as admin:
        admin.grant("user:ana", "hr.staff", masks={"name": "sha-256-query-local"})
        admin.grant("user:bo", "hr.staff", masks={"name": "sha-256-query-local"})
    with server.user("user:ana") as ana, server.user("user:bo") as bo:
        seen = [ana.read(PORT, via="files").sort("name")["name"].to_list()]
        for entry in sorted((server.home / "files").rglob("*"), reverse=True):
            entry.unlink() if entry.is_file() else entry.rmdir()
        seen.append(ana.read(PORT, via="files").sort("name")["name"].to_list())
        assert seen[0] == seen[1]
        assert set(seen[0]).isdisjoint(bo.read(PORT, via="files")["name"])
        keys(server.home, "rotate", "masks")
        assert ana.read(PORT, via="files").height == 2
