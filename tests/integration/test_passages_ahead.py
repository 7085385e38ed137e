"""Candidates of a Weaviate collection that is asked again are known before they are found, as they are in every state of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from mesh_core.expressions.tree import TRUE
from mesh_core.vectors import weaviate_memory
from mesh_core.vectors.passages import Candidate, Passage
from mesh_core.vectors.store import AllowedScope, VectorStore, open_store

pytestmark = pytest.mark.weaviate
_MANY = 2_000
_NAME = "finance.labels.Pages"


class _Asked:
    """A store, the keys whose labels and whose passages it read one by one, and questions of which each finds others."""

    def __init__(self, store: VectorStore, read: list[str], given: list[str]) -> None:
        self.store, self.read, self.given = store, read, given
        self._numbers = count(10_000)

    def candidates(self, number: int, *, version: int) -> dict[str, str]:
        """The title of each candidate by its document."""
        shown: dict[str, str] = {}

        def arrange(candidates: Sequence[Candidate]) -> Sequence[int]:
            shown.update({it.document: it.title for it in candidates})
            return range(len(candidates))

        question = {"text": f"word{number}", "vector": _direction(number)}
        self.store.search(_NAME, **question, version=version, scope=AllowedScope(TRUE), limit=5, arrange=arrange)  # type: ignore[arg-type]
        return shown

    def until_known(self, version: int) -> None:
        """Returns once a new question finds nothing that must be read one by one; a few questions alone do not lead there."""
        for attempt in range(8):
            time.sleep(2**attempt / 8)
            before = len(self.read) + len(self.given)
            self.candidates(next(self._numbers), version=version)
            if len(self.read) + len(self.given) == before:
                return
        pytest.fail("passages are not read ahead")


def _direction(number: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=8).astype(np.float32)


def _passages(titles: str) -> list[Passage]:
    plain = Passage(
        id="", document="", title=titles, heading="", text="", start=0, end=10, page=None, tags=(), attributes={}, vector=[]
    )
    return [replace(plain, id=f"p{n}", document=f"d{n}.md", text=f"word{n} of them", vector=_direction(n)) for n in range(_MANY)]


@pytest.fixture
def asked(weaviate_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Asked]:
    read: list[str] = []
    given: list[str] = []
    plain = weaviate_memory.read_objects

    def noted(used: object, keys: Sequence[str], properties: Sequence[str]) -> object:
        (given if "text" in properties else read).extend(keys)
        return plain(used, keys, properties)

    monkeypatch.setattr(weaviate_memory, "read_objects", noted)
    store = open_store(weaviate_url)
    store.ensure_collection(_NAME, dimensions=8, attributes={})
    yield _Asked(store, read, given)
    store.drop_collection(_NAME)
    store.close()


def test_a_collection_that_is_asked_again_is_read_ahead_and_right_in_every_state(asked: _Asked) -> None:
    first = _passages("Old")
    asked.store.stage(_NAME, 1, first)
    asked.candidates(1, version=1)
    assert len(asked.read) >= 100
    asked.until_known(1)
    assert len(asked.read) < _MANY
    assert set(asked.candidates(3, version=1).values()) == {"Old"}
    second = [it if n % 2 else replace(it, title="New") for n, it in enumerate(first)]
    asked.store.stage(_NAME, 2, second)
    asked.until_known(2)
    for version, of_even in ((1, "Old"), (2, "New")):
        for number in range(0, _MANY, 100):
            found = asked.candidates(number, version=version)
            assert len(found) >= 100
            assert all(title == ("Old" if int(name[1:-3]) % 2 else of_even) for name, title in found.items())
    asked.store.erase(_NAME, lambda text: "word7 of them" in text)
    assert "d7.md" not in asked.candidates(7, version=2)
    asked.until_known(2)
    assert "d7.md" not in asked.candidates(7, version=2)


def test_a_collection_asked_once_is_not_read_whole(asked: _Asked) -> None:
    asked.store.stage(_NAME, 1, _passages("Old"))
    asked.candidates(1, version=1)
    time.sleep(1)
    before = len(asked.read)
    asked.candidates(2, version=1)
    assert len(asked.read) > before
