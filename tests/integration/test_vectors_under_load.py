"""Passages are retracted and erased through one store while readers search it and another one: what is gone is gone at once.

And nothing else is: every page stays full, and no search fails.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from mesh_core.expressions.tree import Column, In, Literal
from mesh_core.vectors.passages import Candidate, Passage
from mesh_core.vectors.store import AllowedScope, VectorStore, open_store
from tests.integration.test_vector_stores import EVERYTHING, passage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

NAME = "desk.shelf.pages"
COUNT = 300
PAGE = 10
ROUNDS = 5
SOME = AllowedScope(In(Column("region"), (Literal("EU"), Literal("US"))))


def note(number: int) -> Passage:
    """Lower numbers answer better, so that what goes is what everybody finds."""
    vector = np.array([1.0, number / COUNT, 0, 0, 0, 0, 0, 0], dtype=np.float32)
    return passage(f"p{number}", text=f"a note, numbered n{number}x", vector=vector, region="EU" if number % 2 else "US")


@dataclass
class Readers:
    """What they are told, and what they saw that they should not have."""

    version: int = 1
    gone: frozenset[str] = frozenset()
    searches: int = 0
    wrong: list[str] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def read(self, store: VectorStore, scope: AllowedScope, alpha: float) -> None:
        """Searches until all is over. What was acknowledged before a search must hold for it."""
        while not self.is_over.is_set():
            version, gone = self.version, self.gone
            asked = {"text": "a note", "vector": [1.0] + [0.0] * 7, "version": version, "limit": PAGE, "alpha": alpha}
            try:
                found = [hit.passage.id for hit in store.search(NAME, scope=scope, **asked)]  # type: ignore[arg-type]
            except Exception as error:  # noqa: BLE001  # every failure is the test's to see
                self.wrong.append(f"{type(error).__name__}: {error}")
                return
            if len(found) != PAGE or gone & set(found):
                self.wrong.append(f"version {version}: {found}, without {sorted(gone)}")
            self.searches += 1


@pytest.fixture(params=["lancedb", pytest.param("weaviate", marks=pytest.mark.weaviate)])
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[VectorStore]]:
    """One store opened twice, as two servers do; the first one writes."""
    url = f"lancedb://{tmp_path_factory.mktemp('v')}" if request.param == "lancedb" else request.getfixturevalue("weaviate_url")
    with ExitStack() as stack:
        opened = [open_store(url) for _ in range(2)]
        for store in opened:
            stack.callback(store.close)
        opened[0].ensure_collection(NAME, dimensions=8, attributes={"region": str})
        opened[0].stage(NAME, 1, [note(number) for number in range(COUNT)])
        yield opened
        opened[0].drop_collection(NAME)


@contextmanager
def reading(stores: list[VectorStore]) -> Iterator[Readers]:
    """Within the block readers of every kind search all the time, and see nothing wrong."""
    readers = Readers()
    kinds = [(stores[0], EVERYTHING, 0.75), (stores[1], EVERYTHING, 0.75), (stores[1], SOME, 0.75), (stores[1], EVERYTHING, 1.0)]
    with ThreadPoolExecutor(len(kinds)) as pool:
        for kind in kinds:
            pool.submit(readers.read, *kind)
        try:
            yield readers
        finally:
            readers.is_over.set()
    assert readers.wrong == []
    assert readers.searches > ROUNDS * len(kinds)


def test_an_erased_passage_is_never_found_again_and_no_search_notices(stores: list[VectorStore]) -> None:
    with reading(stores) as readers:
        for number in range(ROUNDS):
            assert stores[0].erase(NAME, lambda text, number=number: f"n{number}x" in text) == 1  # type: ignore[misc]
            readers.gone |= {f"p{number}"}


def test_a_retracted_passage_is_never_found_in_later_versions_and_no_search_notices(stores: list[VectorStore]) -> None:
    with reading(stores) as readers:
        for number in range(ROUNDS):
            stores[0].stage(NAME, number + 2, [note(it) for it in range(number + 1, COUNT)])
            readers.gone, readers.version = frozenset(f"p{it}" for it in range(number + 1)), number + 2


def test_versions_that_nobody_may_read_are_pruned_and_no_search_notices(stores: list[VectorStore]) -> None:
    with reading(stores) as readers:
        for number in range(ROUNDS):
            version = number + 2
            stores[0].stage(NAME, version, [note(it) for it in range(number + 1, COUNT)])
            readers.version = version
            assert stores[0].prune(NAME, [version - 1, version]) == (number > 0)


def test_a_version_that_is_given_up_is_never_seen_and_no_search_notices(stores: list[VectorStore]) -> None:
    with reading(stores):
        for number in range(ROUNDS):
            stores[0].stage(NAME, number + 2, [note(it) for it in range(PAGE, COUNT)])
            stores[0].unstage(NAME, number + 2)


def test_a_page_is_full_though_passages_go_between_finding_and_reading_them(stores: list[VectorStore]) -> None:
    """Weaviate reads passages from the collection that has taken the old one's place; LanceDB may answer as before it."""
    erased: list[int] = []

    def erase_meanwhile(candidates: Sequence[Candidate]) -> list[int]:
        if not erased:
            erased.append(stores[0].erase(NAME, lambda text: "n0x" in text or "n3x" in text))
        return list(range(len(candidates)))

    hits = stores[1].search(
        NAME, text="a note", vector=[1.0] + [0.0] * 7, version=1, scope=EVERYTHING, limit=PAGE, alpha=1, arrange=erase_meanwhile
    )
    assert erased == [2]
    before, after = range(PAGE), [number for number in range(PAGE + 2) if number not in (0, 3)]
    assert [hit.passage.id for hit in hits] in ([f"p{number}" for number in numbers] for numbers in (before, after))
    assert [hit.rank for hit in hits] == list(range(1, PAGE + 1))


def test_another_store_finds_nothing_that_it_remembers_and_is_gone(stores: list[VectorStore]) -> None:
    """One passage goes and another comes, so that the number of objects tells nothing of it."""

    def found(version: int) -> list[str]:
        asked = {"text": "a note", "vector": [1.0] + [0.0] * 7, "version": version, "scope": EVERYTHING, "limit": PAGE}
        return [hit.passage.id for hit in stores[1].search(NAME, alpha=1, **asked)]  # type: ignore[arg-type]

    for _ in range(3):
        assert found(1) == [f"p{number}" for number in range(PAGE)]
    assert stores[0].erase(NAME, lambda text: "n0x" in text) == 1
    stores[0].stage(NAME, 2, [note(number) for number in range(1, COUNT + 1)])
    for version in (1, 2, 1):
        assert found(version) == [f"p{number}" for number in range(1, PAGE + 1)]
