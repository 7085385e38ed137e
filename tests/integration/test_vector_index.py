"""A healthy collection counts as whole in Weaviate's vector index, whatever its vectors and whoever writes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from mesh_core.vectors import weaviate_rows, weaviate_vectors
from mesh_core.vectors.passages import Passage
from mesh_core.vectors.store import open_store
from tests.integration.test_vector_stores import passage

pytestmark = pytest.mark.weaviate
_NAME = "finance.index.pages"
_DIMENSIONS = 32
_MANY = 2_000
_DIFFERENT = 3
"""A graph of neighbours that lie in so few places is torn: searches of it miss most."""


def _passages(said: str, *, different: int) -> list[Passage]:
    vectors = [np.random.default_rng(n).normal(size=_DIMENSIONS).astype(np.float32) for n in range(different)]
    return [passage(f"p{n}", text=f"word{n} of {said}", vector=vectors[n % different]) for n in range(_MANY)]


@pytest.fixture
def store(weaviate_url: str) -> Iterator[Any]:
    with closing(open_store(weaviate_url)) as opened:
        opened.ensure_collection(_NAME, dimensions=_DIMENSIONS, attributes={})
        yield opened
        opened.drop_collection(_NAME)


def test_a_collection_of_many_equal_passages_can_be_built_anew(store: Any) -> None:
    store.stage(_NAME, 1, _passages("notes", different=_DIFFERENT))
    assert store.erase(_NAME, lambda text: "word3 of notes" in text) == 1
    assert store.rebuild(_NAME) == _MANY - 1


def test_a_collection_of_as_many_passages_as_the_graph_is_searched_from_is_whole(
    weaviate_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (weaviate_rows, weaviate_vectors):
        monkeypatch.setattr(module, "EXACT_UP_TO", _MANY)
    with closing(open_store(weaviate_url)) as store:
        store.ensure_collection(_NAME, dimensions=_DIMENSIONS, attributes={})
        store.stage(_NAME, 1, _passages("notes", different=_DIFFERENT))
        assert store.rebuild(_NAME) == _MANY
        store.drop_collection(_NAME)
