"""Server and gateway killed at random times under publishers that never stop: nothing acknowledged is lost, all is whole.

`MESH_SOAK_SEED` draws the times, `MESH_SOAK_RUNS` says how many there are (default 200), and `MESH_SOAK_CASES=38-90` which of
them are run, counted from 1: what one run of the test did not come to, the next does. Each case that has passed says so (`-s`).
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from domain_sdk import Mesh, MeshError
from tests.integration.crash_shop import PRODUCT, orphans, publish, seen, set_up
from tests.servers import RunningServer

RUNS = int(os.environ.get("MESH_SOAK_RUNS", "200"))
pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600 + 60 * RUNS)]

CASES = os.environ.get("MESH_SOAK_CASES", f"1-{RUNS}")
SETTINGS = {"MESH_EMBEDDER": "hashing", "MESH_PUBLICATION_TTL_SECONDS": "1"}


@dataclass(frozen=True)
class Kill:
    """When the server dies, and how long before it the gateway did (None: it does not)."""

    number: int
    after_seconds: float
    gateway_seconds: float | None


def kills(seed: int) -> list[Kill]:
    """The cases that are asked for; a case is the same whichever others are run."""
    chance = random.Random(seed)
    drawn = [Kill(i, chance.uniform(0.1, 4), chance.uniform(0, 1) if i % 4 == 0 else None) for i in range(1, RUNS + 1)]
    first, _, last = CASES.partition("-")
    return drawn[int(first) - 1 : int(last or first)]


@contextmanager
def publishing(server: RunningServer, folder: Path, acknowledged: dict[int, str], run: int) -> Iterator[None]:
    """Two publishers publish one version after the other; what is acknowledged is noted down."""
    is_over = threading.Event()

    def work(number: int) -> None:
        with Mesh.connect(server.url, server.admin_token, timeout_seconds=10) as mesh:
            for turn in range(10_000):
                if is_over.is_set():
                    return
                attempt = f"{run}-{number}-{turn}"
                try:
                    acknowledged[publish(mesh, folder, attempt).version] = attempt
                except MeshError:
                    continue

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def test_a_server_killed_at_random_times_loses_nothing_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    seed = int(os.environ.get("MESH_SOAK_SEED", time.time_ns() % 1_000_000))
    print(f"MESH_SOAK_SEED={seed}")
    server = RunningServer(tmp_path / "mesh", **SETTINGS)
    acknowledged: dict[int, str] = {}
    try:
        with server.admin() as mesh:
            set_up(mesh)
            acknowledged[publish(mesh, tmp_path, "first").version] = "first"
        for kill in kills(seed):
            with publishing(server, tmp_path, acknowledged, kill.number):
                time.sleep(kill.after_seconds)
                if kill.gateway_seconds is not None:
                    os.kill(server.gateway_pid, signal.SIGKILL)
                    time.sleep(kill.gateway_seconds)
                server.kill()
            server.start()
            check(server, acknowledged)
            print(f"case {kill.number} passed, {len(acknowledged)} versions acknowledged so far", flush=True)
    finally:
        server.stop()


def check(server: RunningServer, acknowledged: dict[int, str]) -> None:
    with server.admin() as mesh:
        seen(mesh)
        time.sleep(1.1)
        mesh.admin.repair()
        released = {release.version for release in mesh.domain("shop").product("stock").releases()}
        assert set(acknowledged) <= released, f"{PRODUCT} lost {set(acknowledged) - released}"
        for version in sorted(released)[-10:]:
            assert acknowledged.get(version, seen(mesh, version)) == seen(mesh, version)
        assert seen(mesh) == seen(mesh, max(released))
        assert mesh.audit.verify().is_intact
        assert orphans(server.home) == []
