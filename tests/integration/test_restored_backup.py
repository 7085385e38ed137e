"""A database restored from a backup older than its warehouse: publishing goes on, and nothing that was served is lost."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import Conflict, Mesh, StorageUnavailable, WrongState
from tests.integration.mixed_documents import CONTRACT as FILES
from tests.integration.mixed_documents import mixed_folder
from tests.servers import RunningServer

CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
id: shop.orders
version: 1.0.0
status: active
schema:
  - name: orders
    physicalType: table
    properties:
      - {name: n, logicalType: integer, required: true}
"""


def publish(mesh: Mesh, n: int) -> int:
    return (
        mesh.domain("shop").product("orders", contract=CONTRACT).publish(orders=pl.DataFrame({"n": [n]}), progress=False).version
    )


def test_publishing_goes_on_after_the_database_alone_was_restored(
    new_server: Callable[..., RunningServer], tmp_path: Path
) -> None:
    server = new_server()
    with server.admin() as admin:
        admin.admin.create_principal("user:olga")
        admin.admin.create_domain("shop", owners=["user:olga"])
        token = admin.admin.create_token("user:olga").secret
    with Mesh.connect(server.url, token) as olga:
        publish(olga, 1)
        server.stop()
        source = sqlite3.connect(server.home / "mesh.db")
        source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        source.close()
        shutil.copy(server.home / "mesh.db", tmp_path / "backup.db")
    server.start()
    with Mesh.connect(server.url, token) as olga:
        publish(olga, 2)
    server.stop()
    for path in server.home.glob("mesh.db*"):
        path.unlink()
    shutil.copy(tmp_path / "backup.db", server.home / "mesh.db")
    server.start()
    with Mesh.connect(server.url, token) as olga:
        assert olga.read("shop.orders.orders")["n"].to_list() == [1]
        refused = 0
        while True:
            try:
                publish(olga, 3)
                break
            except Conflict:
                refused += 1
                assert refused < 4
        assert olga.read("shop.orders.orders")["n"].to_list() == [3]


def test_a_collection_is_published_on_after_the_database_alone_was_restored(
    new_server: Callable[..., RunningServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found before the intent: after it the product could never be published again."""
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    server = new_server(MESH_EMBEDDER="hashing")

    def release(edition: str) -> int:
        with server.admin() as admin:
            product = admin.domain("desk").product("files", contract=FILES)
            return product.publish(pages=mixed_folder(tmp_path / edition, 2, edition), progress=False).version

    with server.admin() as admin:
        admin.admin.create_domain("desk", owners=["user:admin"])
    assert release("a") == 1
    server.stop()
    shutil.copy(server.home / "mesh.db", tmp_path / "backup.db")
    server.start()
    assert [release("b"), release("c")] == [2, 3]
    server.stop()
    for path in server.home.glob("mesh.db*"):
        path.unlink()
    shutil.copy(tmp_path / "backup.db", server.home / "mesh.db")
    server.start()
    with pytest.raises(Conflict, match=r"newer backup than the journal\. Restore both from one, or publish again"):
        release("d")
    assert release("d") == 3
    with server.admin() as admin:
        for version, edition in ((1, "a"), (3, "d")):
            hits = admin.retrieve("desk.files.pages", "the shelf", version=version, limit=10)
            assert len(hits) == 2
            assert all(f"zq{edition}" in hit.text for hit in hits)


@pytest.mark.timeout(150, func_only=True)
def test_a_collection_whose_store_lost_everything_is_told_as_such_and_published_again(
    new_server: Callable[..., RunningServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers had been told to create a collection."""
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    server = new_server(MESH_EMBEDDER="hashing")
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "shelf.md").write_text("# The shelf\n\nThe shelf is full.\n")
    with server.admin() as admin:
        admin.admin.create_domain("desk", owners=["user:admin"])
        files = admin.domain("desk").product("files", contract=FILES)
        files.publish(pages=folder, progress=False)
    server.stop()
    shutil.rmtree(server.home / "vectors")
    server.start()
    with server.admin() as admin:
        with pytest.raises(StorageUnavailable, match=r"lost passages of version 1, .* `mesh reindex desk\.files`"):
            admin.retrieve("desk.files.pages", "the shelf")
        files = admin.domain("desk").product("files", contract=FILES)
        with pytest.raises(WrongState, match=r"desk\.files\.pages is not there at all: .* publish desk\.files again"):
            files.upkeep.reindex()
        assert files.publish(pages=folder, progress=False).version == 2
        assert [it.document for it in admin.retrieve("desk.files.pages", "the shelf")] == ["shelf.md"]
