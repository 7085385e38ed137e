"""Weaviate dies in the middle of a publication: nothing of it becomes visible, it is told clearly, and ends when it is back."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from domain_sdk import Mesh, StorageUnavailable
from mesh_core.vectors.store import open_store
from tests.integration.test_documents_published import CONTRACT
from tests.integration.weaviate_server import free_ports, running_weaviate, weaviate_binary
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.weaviate, pytest.mark.timeout(240, func_only=True)]

PAGES = "policy.notes.pages"
TERMS = CONTRACT.replace("dimensions: 384", "dimensions: 256")
SECTIONS = 2500
KILLED_AFTER_BYTES = 2_000_000


def test_a_publication_whose_vector_server_is_killed_is_invisible_and_ends_later(
    new_server: Callable[..., RunningServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    ports, folder, processes = free_ports(), tmp_path / "weaviate", []
    folder.mkdir()

    def weaviate() -> Any:
        return running_weaviate(weaviate_binary(), folder, ports=ports, started=processes.append)

    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "lunch.md").write_text("# Lunch\n\nLunch is at noon.\n")
    with ExitStack() as stack:
        url = stack.enter_context(weaviate())
        wire = _Wire(ports["grpc"])
        url = url.replace(f"grpc_port={ports['grpc']}", f"grpc_port={wire.port}")
        server = new_server(MESH_EMBEDDER="hashing", MESH_VECTORS=url)
        with server.admin() as admin:
            admin.admin.create_domain("policy", owners=["user:paul"])
        paul = stack.enter_context(server.user("user:paul"))
        product = paul.domain("policy").product("notes", contract=TERMS)
        product.publish(pages=tmp_path / "pages", progress=False)
        many = "\n".join(f"## Rule {number}\n\nRule number {number} is about lunch.\n" for number in range(SECTIONS))
        (tmp_path / "pages" / "rules.md").write_text(many)
        wire.kill_after(KILLED_AFTER_BYTES, processes[0])
        with pytest.raises(StorageUnavailable, match="vector store"):
            product.publish(pages=tmp_path / "pages", progress=False)
        assert processes[0].poll() is not None
        assert paul.show("policy.notes").version == 1
        with pytest.raises(StorageUnavailable, match="Weaviate"):
            paul.retrieve(PAGES, "When is lunch?")
        stack.enter_context(weaviate())
        assert [hit.document for hit in _retrieved(paul)] == ["lunch.md"]
        with server.admin() as admin:
            admin.admin.repair()
        assert paul.show("policy.notes").version == 2
        assert {hit.document for hit in _retrieved(paul)} == {"lunch.md", "rules.md"}
        assert {hit.document for hit in paul.retrieve(PAGES, "lunch", limit=100, version=1)} == {"lunch.md"}
        with closing(open_store(url)) as store:
            assert [store.count(PAGES, version) for version in (1, 2)] == [1, SECTIONS + 1]


def _retrieved(mesh: Mesh) -> list[Any]:
    """The server's connection comes back by itself, within moments."""
    for _ in range(50):
        try:
            return mesh.retrieve(PAGES, "lunch", limit=100)
        except StorageUnavailable:
            time.sleep(0.2)
    return mesh.retrieve(PAGES, "lunch", limit=100)


class _Wire:
    """A port through which the mesh speaks gRPC with Weaviate; the server is killed once so many bytes have gone to it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._left: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def kill_after(self, byte_count: int, process: subprocess.Popen[bytes]) -> None:
        self._left, self._process = byte_count, process

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                near.close()
                continue
            for source, target, is_sent in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pump, args=(source, target, is_sent), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_sent: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if is_sent and self._left is not None and self._process is not None:
                    self._left -= len(data)
                    if self._left < 0:
                        self._left = None
                        self._process.kill()
                        self._process.wait()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):  # the other direction's thread may have ended it
                end.shutdown(socket.SHUT_RDWR)
            end.close()
