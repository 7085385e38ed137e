"""What is retracted, retired or erased at one server is gone at the very next question to another, though it remembers passages.

Two servers on one vector store; everything is asked of both until both have it in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from domain_sdk import Mesh, WrongState
from tests.integration.letters import CONTRACT
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240, func_only=True)]

PAGES = "crm.letters.pages"
PEOPLE = [f"p{number}.known@subject.example" for number in range(6)]
FULL = 12


@dataclass
class Pair:
    """Two servers' meshes, as their administrator."""

    meshes: tuple[Mesh, Mesh]
    folder: Path

    def publish(self, without: set[str] = frozenset()) -> int:  # type: ignore[assignment]
        """The version with a letter of everybody but these, published at the first server."""
        target = self.folder / "letters"
        target.mkdir(exist_ok=True)
        letters = {f"{number:02}.md": f"A letter, the {number}th on file." for number in range(FULL)}
        letters |= {f"{name}.md": f"A zebra zebra zebra, says {name}." for name in PEOPLE if name not in without}
        for left in target.iterdir():
            left.unlink()
        for name, text in letters.items():
            (target / name).write_text(f"# Letter\n\n{text}\n")
        return self.meshes[0].domain("crm").product("letters", CONTRACT).publish(pages=target, progress=False).version

    def found(self, side: int, version: int | None = None) -> set[str]:
        """Whose letters are found at a server, and that the page is full."""
        hits = self.meshes[side].retrieve(PAGES, "zebra", limit=FULL, version=version)
        assert len(hits) == FULL
        return {name for name in PEOPLE if any(hit.document.startswith(name) for hit in hits)}


@pytest.fixture(params=["lancedb", pytest.param("weaviate", marks=pytest.mark.weaviate)])
def pair(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    settings = {"MESH_EMBEDDER": "hashing"}
    if request.param == "weaviate":
        settings["MESH_VECTORS"] = request.getfixturevalue("weaviate_url")
    with ExitStack() as stack:
        servers = []
        for _ in range(2):
            servers.append(RunningServer(tmp_path / "mesh", **settings))
            stack.callback(servers[-1].stop)
        first = stack.enter_context(Mesh.connect(servers[0].url, servers[0].admin_token))
        second = stack.enter_context(Mesh.connect(servers[1].url, servers[0].admin_token))
        first.admin.create_domain("crm", owners=["user:admin"])
        yield Pair((first, second), tmp_path)


def test_what_is_taken_back_at_one_server_is_gone_at_the_next_question_to_the_other(pair: Pair) -> None:
    """Retracted by a version without it, by the end of the version that had it, and erased while others search."""
    retracted, *erased = PEOPLE
    assert pair.publish() == 1
    for side in (0, 1, 1):
        assert pair.found(side) == set(PEOPLE)
    assert pair.publish({retracted}) == 2
    assert pair.found(1) == set(erased)
    assert pair.found(1, 1) == set(PEOPLE)
    pair.meshes[0].domain("crm").product("letters").upkeep.retire(1, reason="retracted")
    with pytest.raises(WrongState, match="retracted"):
        pair.found(1, 1)
    is_over, gone = threading.Event(), set[str]()

    def search() -> None:
        """Never finds whom it knew erased before it asked, and always a full page."""
        while not is_over.is_set():
            known = set(gone)
            assert not known & pair.found(1)

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(search) for _ in range(2)]
        try:
            for person in erased[:3]:
                receipts = pair.meshes[0].admin.erase("pii.email", person, reason="asked", products=["crm.letters"])
                assert all(it.is_complete for it in receipts)
                assert person not in pair.found(1)
                gone.add(person)
        finally:
            is_over.set()
        for reader in readers:
            reader.result()
    assert pair.publish({retracted, *gone}) == 3
    assert pair.found(1) == set(erased) - gone
