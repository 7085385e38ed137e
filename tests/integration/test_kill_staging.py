"""A publisher of files into Weaviate is killed over and over: what is published in the end is what it would have been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from domain_sdk import Mesh
from mesh_core.expressions.tree import TRUE
from mesh_core.vectors.passages import StoredPassage
from mesh_core.vectors.store import AllowedScope, open_store
from tests.integration.embedding_server import DIMENSIONS, EmbeddingServer, running_embeddings
from tests.integration.mixed_documents import CONTRACT
from tests.integration.weaviate_server import free_ports, running_weaviate, weaviate_binary
from tests.integration.weaviate_wire import Wire
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.weaviate, pytest.mark.timeout(240, func_only=True)]

FEW = 20
PAGES = "desk.files.pages"


@dataclass
class Desk:
    """A mesh whose collections lie on a Weaviate behind a wire, a publisher to kill, and what its readers saw."""

    server: RunningServer
    mesh: Mesh
    store_url: str
    wire: Wire
    embeddings: EmbeddingServer
    folder: Path
    seen: set[tuple[int, str]] = field(default_factory=set)
    failures: list[Exception] = field(default_factory=list)

    def files(self, edition: str, count: int) -> Path:
        """A folder of so many short files that say of which edition they are."""
        target = self.folder / edition
        target.mkdir()
        for number in range(count):
            text = f"# Note {number}\n\nItem {number} of the shelf, in edition={edition} of the list.\n"
            (target / f"{number:05d}.md").write_text(text)
        return target

    def publisher(self, product: str, folder: Path, *, cache: str = "cache") -> subprocess.Popen[str]:
        """A process that publishes the folder."""
        contract = self.folder / f"{product}.yaml"
        contract.write_text(CONTRACT.replace("desk.files", f"desk.{product}"))
        command = [str(Path(sys.executable).with_name("mesh")), "publish", f"desk.{product}"]
        own = {"MESH_URL": self.server.url, "MESH_TOKEN": self.server.admin_token, "MESH_EMBEDDER": self.embeddings.url}
        return subprocess.Popen(
            [*command, "--contract", str(contract), f"pages={folder}"],
            env={**os.environ, **own, "MESH_DOCUMENT_CACHE": str(self.folder / cache)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def publish(self, product: str, folder: Path, *, cache: str = "cache") -> int:
        """The version that was published; again, if what a dead publisher had committed came in between."""
        with self.publisher(product, folder, cache=cache) as child:
            said, _ = child.communicate(timeout=200)
        if "published meanwhile" in said:
            return self.publish(product, folder, cache=cache)
        assert child.returncode == 0, said
        return self.mesh.show(f"desk.{product}").version

    def kept(self) -> int:
        """How many documents need no embedding any more."""
        return len(list((self.folder / "cache").glob("*/*.arrow")))

    def staging(self, documents: int, sent: int, happening: Callable[[], None]) -> None:
        """It happens when the server has sent so many bytes to Weaviate since so many documents need no embedding any more."""
        while self.kept() < documents:
            time.sleep(0.01)
        self.wire.after(sent, happening)

    def stored(self, product: str, version: int) -> list[StoredPassage]:
        """Every passage of the version."""
        name, vector = f"desk.{product}.pages", [1.0] * DIMENSIONS
        with closing(open_store(self.store_url)) as store:
            hits = store.search(name, text="", vector=vector, version=version, scope=AllowedScope(TRUE), limit=5000, alpha=1)
            assert len(hits) == store.count(name, version)
        return sorted((hit.passage for hit in hits), key=lambda it: it.document)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within the block somebody searches all the time."""
        is_over = threading.Event()

        def search() -> None:
            while not is_over.wait(0.02):
                try:
                    hits = self.mesh.retrieve(PAGES, "an item of the shelf", limit=100)
                except Exception as error:  # noqa: BLE001  # every failure is the test's to see
                    self.failures.append(error)
                    return
                self.seen |= {(hit.version, hit.text.partition("edition=")[2].split()[0]) for hit in hits}

        reader = threading.Thread(target=search)
        reader.start()
        try:
            yield
        finally:
            is_over.set()
            reader.join()


@pytest.fixture
def desk(new_server: Callable[..., RunningServer], tmp_path: Path) -> Iterator[Desk]:
    folder, ports = tmp_path / "weaviate", free_ports()
    folder.mkdir()
    with ExitStack() as stack:
        embeddings = stack.enter_context(running_embeddings())
        url = stack.enter_context(running_weaviate(weaviate_binary(), folder, ports=ports))
        wire = Wire(ports["grpc"])
        behind = url.replace(f"grpc_port={ports['grpc']}", f"grpc_port={wire.port}")
        server = new_server(MESH_EMBEDDER=embeddings.url, MESH_VECTORS=behind)
        mesh = stack.enter_context(server.admin())
        mesh.admin.create_domain("desk", owners=["user:admin"])
        yield Desk(server, mesh, url, wire, embeddings, tmp_path)


def killed(desk: Desk, folder: Path, wait_for: Callable[[Callable[[], None]], Any]) -> None:
    """A publisher has died where `wait_for` called what it was given, and no file that was finished has been embedded again."""
    embedded, kept = desk.embeddings.asked.total(), desk.kept()
    with desk.publisher("files", folder) as child:
        wait_for(child.kill)
        said, _ = child.communicate(timeout=200)
        assert child.returncode == -signal.SIGKILL, said
    assert desk.embeddings.asked.total() - embedded <= len(list(folder.iterdir())) + FEW - kept


@pytest.mark.parametrize(
    ("count", "deaths", "sent"), [(200, (40, 60), 100_000), pytest.param(1000, (100, 300, 300), 300_000, marks=pytest.mark.soak)]
)
def test_a_publisher_killed_over_and_over_publishes_in_the_end_what_an_undisturbed_one_does(
    desk: Desk, count: int, deaths: tuple[int, ...], sent: int
) -> None:
    """It dies after it had so many more texts embedded, and when the server then has sent so many bytes to Weaviate."""
    few, many = desk.files("a", FEW), desk.files("b", count)
    assert desk.publish("files", few) == 1
    with desk.watched():
        for texts in deaths:
            before = desk.kept()
            killed(desk, many, partial(desk.embeddings.after, texts))
            assert before < desk.kept() < FEW + count
            assert desk.mesh.show("desk.files").version == 1
        assert desk.seen == {(1, "a")}
        killed(desk, many, partial(desk.staging, FEW + count, sent))
        assert desk.kept() == FEW + count
        embedded = desk.embeddings.asked.total()
        version = desk.publish("files", many)
        assert desk.embeddings.asked.total() == embedded
    assert not desk.failures
    assert {edition for seen, edition in desk.seen if seen == 1} == {"a"}
    assert {edition for seen, edition in desk.seen if seen > 1} == {"b"}
    assert desk.publish("plain", many, cache="other") == 1
    undisturbed = desk.stored("plain", 1)
    assert len(undisturbed) == count
    assert desk.stored("files", version) == undisturbed
