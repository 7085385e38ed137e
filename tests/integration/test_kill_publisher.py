"""A publisher that dies, is interrupted, or meets another one: the served version stays whole and nothing of it is left."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from domain_sdk import Conflict, Mesh, Release
from domain_sdk._calling_thread import streaming
from domainmesh.v1.publication_service_pb2 import CommitPublicationRequest
from tests.integration.crash_publisher import STEPS, broken_stream
from tests.integration.crash_shop import assert_whole, orphans, publish, seen, set_up, until
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180, func_only=True)]

DEATHS = [step for step in STEPS if step != "interrupted"]
SAMPLE = ["begun", "half a file written", "commit sent"]


@dataclass
class Shop:
    """A server with the product, and what was acknowledged so far."""

    server: RunningServer
    mesh: Mesh
    folder: Path
    released: dict[int, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.server.home

    def publish(self, attempt: str) -> Release:
        release = publish(self.mesh, self.folder, attempt)
        self.released[release.version] = attempt
        return release

    def child(self, attempt: str, step: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.integration.crash_publisher"]
        arguments = [self.server.url, self.server.admin_token, str(self.folder), attempt, step]
        return subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def repair(self) -> None:
        """What was begun and not ended is over its time, and given up."""
        time.sleep(1.1)
        self.mesh.admin.repair()

    def adopt(self) -> None:
        """What a publisher did not live to hear of counts as released, if it is whole."""
        for release in self.mesh.domain("shop").product("stock").releases():
            if release.version not in self.released:
                self.released[release.version] = seen(self.mesh, release.version)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("publisher")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESH_EMBEDDER", "hashing")
        server = RunningServer(folder / "mesh", MESH_PUBLICATION_TTL_SECONDS="1")
        with server.admin() as mesh:
            set_up(mesh)
            found = Shop(server, mesh, folder)
            found.publish("one")
            yield found
        server.stop()


@pytest.fixture
def shop(opened: Shop) -> Shop:
    """The shop, with what an earlier test may have left cleared away."""
    opened.repair()
    opened.adopt()
    return opened


def test_a_publisher_killed_at_a_step_leaves_the_served_version_whole(shop: Shop) -> None:
    for step in SAMPLE:
        check_death(shop, step)


@pytest.mark.soak
@pytest.mark.parametrize("step", DEATHS)
def test_a_publisher_killed_at_any_step_leaves_the_served_version_whole(shop: Shop, step: str) -> None:
    check_death(shop, step)


def check_death(shop: Shop, step: str) -> None:
    before = seen(shop.mesh)
    with shop.child("two", step) as child:
        assert child.wait(60) == -signal.SIGKILL, child.stderr.read() if child.stderr else ""
    if step.startswith("commit"):
        until(lambda: seen(shop.mesh) != before, seconds=3)
        shop.adopt()
    else:
        assert seen(shop.mesh) == before
    shop.repair()
    shop.adopt() if step.startswith("commit") else None
    assert_whole(shop.mesh, shop.home, shop.released)
    shop.publish("next")
    assert_whole(shop.mesh, shop.home, shop.released)


def test_ctrl_c_in_the_middle_of_publishing_publishes_nothing_and_cleans_up(shop: Shop) -> None:
    before = seen(shop.mesh)
    with shop.child("two", "interrupted") as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "reading\n"
        assert [path for path in (shop.home / "drop").rglob("*") if path.is_file()]
        child.send_signal(signal.SIGINT)
        assert child.wait(60) in (-signal.SIGINT, 130)
    assert seen(shop.mesh) == before
    assert until(lambda: not orphans(shop.home), seconds=30)
    shop.publish("next")
    assert_whole(shop.mesh, shop.home, shop.released)


def test_of_two_publishers_at_once_one_wins_and_the_other_gets_a_conflict(shop: Shop) -> None:
    is_reading, may_go_on = threading.Event(), threading.Event()

    def pause() -> None:
        is_reading.set()
        assert may_go_on.wait(30)

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(lambda: publish(shop.mesh, shop.folder, "two", items=broken_stream("items", 1, pause)))
        assert is_reading.wait(30)
        shop.publish("winner")
        may_go_on.set()
        with pytest.raises(Conflict, match=r"shop\.stock was published meanwhile"):
            late.result(30)
    assert_whole(shop.mesh, shop.home, shop.released)


def test_many_publishers_at_once_leave_one_whole_version_served(shop: Shop) -> None:
    def race(number: int) -> tuple[int, str] | None:
        try:
            return publish(shop.mesh, shop.folder, f"racer{number}").version, f"racer{number}"
        except Conflict:
            return None

    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(race, range(5)))
    won = dict(result for result in results if result)
    assert won, "nobody won"
    shop.released.update(won)
    assert_whole(shop.mesh, shop.home, shop.released)


def test_a_commit_repeated_gets_the_same_release(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = shop.mesh._transport
    call = transport.call
    sent: list[tuple[Any, CommitPublicationRequest]] = []

    def watched(method: Any, request: Any, **options: Any) -> Any:
        if isinstance(request, CommitPublicationRequest):
            sent.append((method, request))
        return call(method, request, **options)

    monkeypatch.setattr(transport, "call", watched)
    release = shop.publish("once")
    method, request = sent[0]
    answers = [call(method, request), call(method, request)]
    assert answers[0] == answers[1]
    assert (answers[0].version, answers[0].publication) == (release.version, request.id)
    assert_whole(shop.mesh, shop.home, shop.released)


def test_a_commit_whose_answer_was_lost_is_answered_when_it_is_sent_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = shop.mesh._transport
    call = transport.call

    def forgetful(method: Any, request: Any, **options: Any) -> Any:
        if isinstance(request, CommitPublicationRequest):
            lost = streaming(method)(request, timeout=30, metadata=transport._metadata())
            time.sleep(0.02)
            lost.cancel()
        return call(method, request, **options)

    monkeypatch.setattr(transport, "call", forgetful)
    before = max(shop.released)
    assert shop.publish("lost").version == before + 1
    monkeypatch.undo()
    assert_whole(shop.mesh, shop.home, shop.released)
