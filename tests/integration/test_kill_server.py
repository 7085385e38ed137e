"""SIGKILL of the server at each step of a publication: the old or the new version is served, whole, and the next one succeeds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain_sdk import MeshError, Release
from tests.integration.crash_shop import assert_whole, publish, seen, set_up
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240, func_only=True)]

SERVER = {"MESH_EMBEDDER": "hashing", "MESH_PUBLICATION_TTL_SECONDS": "1"}

BEFORE_INTENT = [
    "publish.begun",
    "take_over.file",
    "take_over.done",
    "take_over.file:3",
    "take_over.done:3",
    "publish.verified",
]
AFTER_INTENT = [
    "publish.intent",
    "take_over.file:4",
    "take_over.done:4",
    "take_over.file:5",
    "take_over.done:5",
    "publish.taken_over",
    "publish.taken_over:2",
    "commit_version.before_log",
    "commit_version.before_log:2",
    "commit_version.after_log",
    "commit_version.after_log:2",
    "publish.port_written",
    "publish.port_written:2",
    "publish.passage",
    "publish.passage:4",
    "publish.port_written:3",
    "publish.before_final",
    "publish.final",
]
SAMPLE = ["publish.verified", "commit_version.after_log:2", "publish.passage:4", "publish.final"]


@pytest.fixture(scope="module")
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESH_EMBEDDER", "hashing")
        yield


@pytest.fixture(scope="module")
def prepared(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a stopped server with version 1 published."""
    folder = tmp_path_factory.mktemp("prepared")
    server = RunningServer(folder / "mesh", **SERVER)
    with server.admin() as mesh:
        set_up(mesh)
        publish(mesh, folder, "one")
    server.stop()
    return folder / "mesh"


def crash_and_recover(prepared: Path, folder: Path, fault: str) -> None:
    """Version 2 is attempted with a server that dies at the fault point; then everything is looked at."""
    home = folder / "mesh"
    shutil.copytree(prepared, home)
    server = RunningServer(home, **SERVER, MESH_FAULT=fault)
    try:
        released = {1: "one"}
        with server.admin() as mesh:
            released.update(attempt(lambda: publish(mesh, folder, "two"), "two"))
        assert server.wait() == -9, f"the server did not reach {fault}"
        is_rolled_forward = fault not in BEFORE_INTENT
        if is_rolled_forward:  # what was promised needs nothing of the publisher's any more
            shutil.rmtree(home / "drop")
        server.environment = SERVER
        server.start()
        with server.admin() as mesh:
            assert seen(mesh) in {"one", "two"}
            mesh.admin.repair()
            mesh.admin.repair()
            assert seen(mesh) == ("two" if is_rolled_forward else "one")
            released.update({2: "two"} if is_rolled_forward else {})
            assert_whole(mesh, home, released)
            third = publish(mesh, folder, "three")
            assert third.version == 3
            assert_whole(mesh, home, {**released, third.version: "three"})
    finally:
        server.stop()


def attempt(action: object, name: str) -> dict[int, str]:
    """What was acknowledged: the released version, or nothing if the call failed."""
    try:
        release = action()  # type: ignore[operator]
    except MeshError:
        return {}
    assert isinstance(release, Release)
    return {release.version: name}


@pytest.mark.parametrize("fault", SAMPLE)
def test_a_server_killed_while_publishing_serves_the_old_or_the_new_version_whole(
    prepared: Path, tmp_path: Path, fault: str
) -> None:
    crash_and_recover(prepared, tmp_path, fault)


@pytest.mark.soak
@pytest.mark.parametrize("fault", [fault for fault in BEFORE_INTENT + AFTER_INTENT if fault not in SAMPLE])
def test_a_server_killed_at_any_other_step_serves_the_old_or_the_new_version_whole(
    prepared: Path, tmp_path: Path, fault: str
) -> None:
    crash_and_recover(prepared, tmp_path, fault)
