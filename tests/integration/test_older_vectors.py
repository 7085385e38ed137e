"""A vector store older than its journal: a version that lacks passages is not answered from, until it has them again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from domain_sdk import Mesh, MeshError, StorageUnavailable, WrongState
from mesh_core.vectors.store import open_store
from tests.integration.crash_shop import until
from tests.integration.letters import CONTRACT
from tests.integration.weaviate_server import free_ports, running_weaviate, weaviate_binary
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180, func_only=True)]

PAGES = "crm.letters.pages"
SUBJECT = "ana.erased@subject.example"
OTHER = "ben.erased@subject.example"


@dataclass
class Desk:
    """A mesh whose vector store can be copied and put back."""

    folder: Path
    kind: str
    ports: dict[str, int] = field(default_factory=free_ports)
    weaviate: ExitStack = field(default_factory=ExitStack)

    def start_weaviate(self) -> None:
        self.vectors.parent.mkdir(exist_ok=True)
        self.weaviate.enter_context(running_weaviate(weaviate_binary(), self.vectors.parent, ports=self.ports))

    @property
    def vectors(self) -> Path:
        """Where the store's files are."""
        return self.folder / ("mesh/vectors" if self.kind == "lancedb" else "weaviate/data")

    @property
    def url(self) -> str:
        """Of the store."""
        if self.kind == "lancedb":
            return f"lancedb://{self.vectors}"
        return f"weaviate://127.0.0.1:{self.ports['http']}?grpc_port={self.ports['grpc']}"

    def while_stopped(self, act: Callable[[], object], server: RunningServer) -> None:
        """It is done while nobody uses the store: LanceDB's files are the server's own, Weaviate goes under a running server."""
        if self.kind == "lancedb":
            server.stop()
        else:
            self.weaviate.close()
        act()
        if self.kind == "lancedb":
            server.start()
        else:
            self.start_weaviate()

    def publish(self, mesh: Mesh, edition: str, names: Sequence[str]) -> int:
        """The version that holds a letter of each."""
        target = self.folder / edition
        target.mkdir(exist_ok=True)
        for left in target.iterdir():
            left.unlink()
        for name in names:
            (target / f"{name}.md").write_text(f"# Letter\n\nA letter of {name}, in edition {edition}.\n")
        return mesh.domain("crm").product("letters", CONTRACT).publish(pages=target, progress=False).version


@pytest.fixture(params=["lancedb", pytest.param("weaviate", marks=pytest.mark.weaviate)])
def desk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    desk = Desk(tmp_path, request.param)
    if desk.kind == "weaviate":
        desk.start_weaviate()
    yield desk
    desk.weaviate.close()


def found(mesh: Mesh, version: int | None = None) -> int:
    return len(mesh.retrieve(PAGES, "a letter", limit=20, version=version))


def is_refused(mesh: Mesh) -> bool:
    """What Weaviate's number of objects does not tell is noticed within a minute."""
    try:
        found_soon(mesh)
    except StorageUnavailable:
        return True
    return False


def found_soon(mesh: Mesh, version: int | None = None) -> int:
    """The same; a connection to a Weaviate that was away comes back within moments."""
    for _ in range(100):
        try:
            return found(mesh, version)
        except StorageUnavailable as refused:
            if "lost passages" in str(refused):
                raise
            time.sleep(0.1)
    return found(mesh, version)


@pytest.mark.parametrize(
    ("edition", "names"),
    [
        ("b", ["ann", "bob"]),  # as many as before
        pytest.param("b", ["ann", "bob", "cy", "dan"], marks=pytest.mark.soak),
        pytest.param("a", ["ann"], marks=pytest.mark.soak),  # one is retracted, nothing is new
    ],
)
def test_a_store_of_an_older_backup_is_refused_until_the_product_is_published_again(
    desk: Desk, new_server: Callable[..., RunningServer], edition: str, names: list[str]
) -> None:
    server = new_server(MESH_EMBEDDER="hashing", MESH_VECTORS=desk.url)
    backup = desk.folder / "backup"
    with server.admin() as mesh:
        mesh.admin.create_domain("crm", owners=["user:admin"])
        assert desk.publish(mesh, "a", ["ann", "bob"]) == 1
    desk.while_stopped(lambda: shutil.copytree(desk.vectors, backup), server)
    with server.admin() as mesh:
        assert until(lambda: found_soon(mesh) == 2, seconds=10)
        assert desk.publish(mesh, edition, names) == 2
        assert (found(mesh), found(mesh, 1)) == (len(names), 2)

    def restore() -> None:
        shutil.rmtree(desk.vectors)
        shutil.copytree(backup, desk.vectors)

    desk.while_stopped(restore, server)
    with server.admin() as mesh:
        assert until(lambda: is_refused(mesh), seconds=90)
        for version in (None, 2):
            with pytest.raises(
                StorageUnavailable, match=r"lost passages of version 2, .*run `mesh reindex crm\.letters`"
            ) as told:
                found(mesh, version)
            assert "were published" not in str(told.value)
        upkeep = mesh.domain("crm").product("letters").upkeep
        with pytest.raises(WrongState, match=rf"version 2 of {PAGES} has .* were published: .* publish crm\.letters again"):
            upkeep.reindex()
        assert desk.publish(mesh, "c", ["ann", "cy", "eve"]) == 3
        assert (found(mesh), found(mesh, 1)) == (3, 2)
        with pytest.raises(StorageUnavailable, match="lost passages of version 2"):
            found(mesh, 2)
        upkeep.retire(2, reason="lost")
        assert upkeep.reindex()[0].passages


@pytest.mark.parametrize(
    "fault", ["erase.port_cleared", *(pytest.param(fault, marks=pytest.mark.soak) for fault in ("", "erase.completed"))]
)
def test_what_an_erasure_took_is_not_lost_and_what_was_lost_besides_is(
    desk: Desk, new_server: Callable[..., RunningServer], fault: str
) -> None:
    server = new_server(MESH_EMBEDDER="hashing", MESH_VECTORS=desk.url)
    with server.admin() as mesh:
        mesh.admin.create_domain("crm", owners=["user:admin"])
        desk.publish(mesh, "a", ["bob", SUBJECT])
        desk.publish(mesh, "b", ["bob", "cy", "dan", SUBJECT])
    if fault:
        server.stop()
        server.start({"MESH_FAULT": fault})
        with server.admin() as mesh, pytest.raises(MeshError):
            mesh.admin.erase("pii.email", SUBJECT, reason="she asked")
        assert server.wait() == -9
        server.start()
    with server.admin() as mesh:
        if fault:
            assert (found(mesh), found(mesh, 1)) == (3, 1)
        mesh.admin.erase("pii.email", SUBJECT, reason="she asked")
        assert (found(mesh), found(mesh, 1)) == (3, 1)
        product = mesh.domain("crm").product("letters")
        assert [release.ports[0].row_count for release in product.releases()] == [3, 1]
        assert mesh.show("crm.letters").ports[0].row_count == 3
        with closing(open_store(desk.url)) as store:
            assert store.erase(PAGES, lambda text: "dan" in text) == 1
        with pytest.raises(StorageUnavailable, match="lost passages of version 2"):
            found(mesh)
        assert found(mesh, 1) == 1
        assert mesh.audit.verify(include_tables=True).is_intact


def test_what_is_lost_after_an_erasure_broke_off_is_noticed_before_it_is_repeated(
    desk: Desk, new_server: Callable[..., RunningServer]
) -> None:
    server = new_server(MESH_EMBEDDER="hashing", MESH_VECTORS=desk.url)
    with server.admin() as mesh:
        mesh.admin.create_domain("crm", owners=["user:admin"])
        desk.publish(mesh, "a", ["bob", SUBJECT])
        desk.publish(mesh, "b", ["bob", "cy", "dan", SUBJECT])
    server.stop()
    server.start({"MESH_FAULT": "erase.port_cleared"})
    with server.admin() as mesh, pytest.raises(MeshError):
        mesh.admin.erase("pii.email", SUBJECT, reason="she asked")
    assert server.wait() == -9
    server.start({"MESH_MAINTENANCE_SECONDS": "1"})
    with server.admin() as mesh:
        product = mesh.domain("crm").product("letters")
        assert until(lambda: [release.ports[0].row_count for release in product.releases()] == [3, 1], seconds=60)
        assert (found(mesh), found(mesh, 1)) == (3, 1)
        with closing(open_store(desk.url)) as store:
            assert store.erase(PAGES, lambda text: "dan" in text) == 1
        with pytest.raises(StorageUnavailable, match="lost passages of version 2"):
            found(mesh)
        assert found(mesh, 1) == 1
        (receipt,) = mesh.admin.erase("pii.email", SUBJECT, reason="she asked")
        assert receipt.is_complete


def test_another_erasure_while_one_is_broken_off_leaves_the_collection_as_it_was_published(
    desk: Desk, new_server: Callable[..., RunningServer]
) -> None:
    server = new_server(MESH_EMBEDDER="hashing", MESH_VECTORS=desk.url)
    with server.admin() as mesh:
        mesh.admin.create_domain("crm", owners=["user:admin"])
        desk.publish(mesh, "a", ["bob", SUBJECT, OTHER])
    server.stop()
    server.start({"MESH_FAULT": "erase.port_cleared"})
    with server.admin() as mesh, pytest.raises(MeshError):
        mesh.admin.erase("pii.email", SUBJECT, reason="she asked")
    assert server.wait() == -9
    server.start()
    with server.admin() as mesh:
        assert mesh.domain("crm").product("letters").upkeep.reindex()[0].passages == 2
        for subject in (OTHER, SUBJECT):
            mesh.admin.erase("pii.email", subject, reason="they asked")
            assert found(mesh) == 1
        assert mesh.domain("crm").product("letters").upkeep.reindex()[0].passages == 1
        (release,) = mesh.domain("crm").product("letters").releases()
        assert release.ports[0].row_count == 1
        with closing(open_store(desk.url)) as store:
            assert store.erase(PAGES, lambda text: "bob" in text) == 1
        with pytest.raises(StorageUnavailable, match="lost passages of version 1"):
            found(mesh)
