"""Weaviate dies or freezes in the middle of a publication: nothing of it becomes visible, and it ends when that is back."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from domain_sdk import Mesh, StorageUnavailable
from mesh_core.vectors.store import open_store
from tests.integration.test_documents_published import CONTRACT
from tests.integration.weaviate_server import free_ports, running_weaviate, weaviate_binary
from tests.integration.weaviate_wire import Wire
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.weaviate, pytest.mark.timeout(400, func_only=True)]

PAGES = "policy.notes.pages"
TERMS = CONTRACT.replace("dimensions: 384", "dimensions: 256")
SECTIONS = 2500
AFTER_BYTES = 2_000_000


@dataclass
class Desk:
    """A mesh with one published page, and the Weaviate that its passages are in."""

    server: RunningServer
    paul: Mesh
    url: str
    wire: Wire
    pages: Path
    start: Callable[[], None]
    processes: list[subprocess.Popen[bytes]]

    def publish(self) -> int:
        """The version that has become visible."""
        return self.paul.domain("policy").product("notes", contract=TERMS).publish(pages=self.pages, progress=False).version

    def fails_to_publish(self, happening: Callable[[], None]) -> None:
        """A publication of many passages during which it happens is told of in one sentence, and nothing of it is visible."""
        many = "\n".join(f"## Rule {number}\n\nRule number {number} is about lunch.\n" for number in range(SECTIONS))
        (self.pages / "rules.md").write_text(many)
        self.wire.after(AFTER_BYTES, happening)
        for call, said in ((self.publish, "The vector store did not take"), (lambda: found(self.paul), "cannot be searched")):
            with pytest.raises(StorageUnavailable, match=f"{said}.*Weaviate at 127.0.0.1.*: check that it"):  # in one line
                call()
        assert self.paul.show("policy.notes").version == 1

    def holds_both(self, version: int) -> None:
        """Each version is what was published as that."""
        assert self.paul.show("policy.notes").version == version
        assert set(found_soon(self.paul)) == {"lunch.md", "rules.md"}
        assert set(found(self.paul, version=1)) == {"lunch.md"}
        with closing(open_store(self.url)) as store:
            assert [store.count(PAGES, it) for it in range(1, version + 1)] == [1] + [SECTIONS + 1] * (version - 1)


@pytest.fixture
def desk(new_server: Callable[..., RunningServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    ports, folder = free_ports(), tmp_path / "weaviate"
    folder.mkdir()
    processes: list[subprocess.Popen[bytes]] = []
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "lunch.md").write_text("# Lunch\n\nLunch is at noon.\n")
    with ExitStack() as stack:

        def start() -> None:
            stack.enter_context(running_weaviate(weaviate_binary(), folder, ports=ports, started=processes.append))

        start()
        wire = Wire(ports["grpc"])
        url = f"weaviate://127.0.0.1:{ports['http']}?grpc_port={wire.port}"
        server = new_server(MESH_EMBEDDER="hashing", MESH_VECTORS=url)
        with server.admin() as admin:
            admin.admin.create_domain("policy", owners=["user:paul"])
        paul = stack.enter_context(server.user("user:paul"))
        desk = Desk(server, paul, url, wire, tmp_path / "pages", start, processes)
        assert desk.publish() == 1
        yield desk


def test_a_publication_whose_vector_server_is_killed_is_invisible_and_ends_later(desk: Desk) -> None:
    desk.fails_to_publish(desk.processes[0].kill)
    assert desk.processes[0].wait(10)
    desk.start()
    assert found_soon(desk.paul) == ["lunch.md"]
    with desk.server.admin() as admin:
        admin.admin.repair()
    desk.holds_both(2)


def test_the_next_publication_ends_what_a_dead_vector_server_broke_off_and_succeeds(desk: Desk) -> None:
    desk.fails_to_publish(desk.processes[0].kill)
    assert desk.processes[0].wait(10)
    with pytest.raises(StorageUnavailable, match="cannot be reached: check that it runs"):
        desk.publish()
    desk.start()
    assert found_soon(desk.paul) == ["lunch.md"]
    desk.holds_both(desk.publish())


@pytest.mark.soak
def test_a_publication_whose_vector_server_freezes_is_invisible_and_ends_when_it_is_resumed(desk: Desk) -> None:
    """It freezes for longer than anybody waits for it; what was sent meanwhile reaches it afterwards."""
    desk.fails_to_publish(partial(desk.processes[0].send_signal, signal.SIGSTOP))
    desk.processes[0].send_signal(signal.SIGCONT)
    assert found_soon(desk.paul) == ["lunch.md"]
    desk.holds_both(desk.publish())


def found(mesh: Mesh, version: int | None = None) -> list[str]:
    """The documents of the passages found."""
    return [hit.document for hit in mesh.retrieve(PAGES, "lunch", limit=100, version=version)]


def found_soon(mesh: Mesh) -> list[str]:
    """The same; the server's connection comes back by itself, within moments."""
    for _ in range(50):
        try:
            return found(mesh)
        except StorageUnavailable:
            time.sleep(0.2)
    return found(mesh)
