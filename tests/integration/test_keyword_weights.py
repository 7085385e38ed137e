"""Words weigh in a scope what they weigh in an index of only what the scope permits, on both stores."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from mesh_core.expressions.tree import TRUE, Column, Compare, Literal
from mesh_core.vectors.passages import Passage
from mesh_core.vectors.store import AllowedScope, VectorStore, open_store

_EVERYTHING = AllowedScope(TRUE)
_PERMITTED = AllowedScope(Compare("=", Column("region"), Literal("south")))
pytestmark = pytest.mark.parametrize("url", ["lancedb", pytest.param("weaviate", marks=pytest.mark.weaviate)], indirect=True)
_VECTOR = np.eye(8, dtype=np.float32)[0]


_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "weaviate":
        return str(request.getfixturevalue("weaviate_url"))
    return f"lancedb://{tmp_path_factory.mktemp('vectors')}"


@pytest.fixture(scope="module")
def store(url: str) -> Iterator[VectorStore]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def memos(store: VectorStore) -> Iterator[str]:
    yield from _collection(store, f"finance.memos-{next(_NUMBERS)}.pages")


@pytest.fixture
def south(store: VectorStore) -> Iterator[str]:
    """An index of its own, for only what the scope permits."""
    yield from _collection(store, f"finance.south-{next(_NUMBERS)}.pages")


def _collection(store: VectorStore, name: str) -> Iterator[str]:
    store.ensure_collection(name, dimensions=8, attributes={"region": str})
    yield name
    store.drop_collection(name)


def _passage(name: str, text: str, region: str) -> Passage:
    return Passage(name, f"{name}.md", "", "", text, 0, len(text), None, (), {"region": region}, _VECTOR)


def _order(store: VectorStore, collection: str, text: str, scope: AllowedScope, *, version: int = 1) -> list[str]:
    hits = store.search(collection, text=text, vector=_VECTOR, version=version, scope=scope, limit=10, alpha=0)
    return [hit.passage.id for hit in hits]


def _memos() -> list[Passage]:
    """To the south `voucher` is rare and `travel` common; in the north it is the other way round."""
    south = [_passage(f"s{n}", "travel approved today", "south") for n in range(9)]
    north = [_passage(f"n{n}", "voucher issued yesterday", "north") for n in range(200)]
    return [*south, _passage("rare", "voucher approved today", "south"), *north]


def _of_the_south(passages: list[Passage]) -> list[Passage]:
    return [it for it in passages if it.attributes["region"] == "south"]


def test_a_word_that_only_hidden_passages_repeat_stays_rare(store: VectorStore, memos: str, south: str) -> None:
    store.stage(memos, 1, _memos())
    store.stage(south, 1, _of_the_south(_memos()))
    right = _order(store, south, "voucher or travel", _EVERYTHING)
    assert right[0] == "rare"
    assert _order(store, memos, "voucher or travel", _PERMITTED) == right


def test_passages_of_other_versions_weigh_nothing(store: VectorStore, memos: str) -> None:
    store.stage(memos, 1, _memos())
    store.stage(memos, 2, _of_the_south(_memos()))
    assert _order(store, memos, "voucher or travel", _EVERYTHING, version=2)[0] == "rare"


def test_what_a_later_version_adds_is_counted(store: VectorStore, url: str, memos: str) -> None:
    """Also by a reader in another process, who is not told of the staging."""
    store.stage(memos, 1, _memos())
    with closing(open_store(url)) as writer:
        assert _order(store, memos, "voucher or travel", _PERMITTED)[0] == "rare"
        more = [_passage(f"v{n}", "voucher refused today", "south") for n in range(30)]
        writer.stage(memos, 2, [*_memos(), *more])
        assert _order(store, memos, "voucher or travel", _PERMITTED, version=2)[0] != "rare"
        assert _order(store, memos, "voucher or travel", _PERMITTED)[0] == "rare"


def test_another_scope_of_as_many_passages_has_weights_of_its_own(store: VectorStore, memos: str) -> None:
    """Two grants that differ in a value only, or a grant that took the place of another, share no statistics."""
    west = [_passage(f"w{n}", "voucher approved today", "west") for n in range(9)]
    store.stage(memos, 1, [*_memos(), *west, _passage("journey", "travel approved today", "west")])
    regions = ("south", "west", "south")
    scopes = [AllowedScope(Compare("=", Column("region"), Literal(region))) for region in regions]
    assert [_order(store, memos, "voucher or travel", scope)[0] for scope in scopes] == ["rare", "journey", "rare"]


def test_an_erased_passage_weighs_nothing_any_more(store: VectorStore, memos: str) -> None:
    vouchers = [_passage(f"v{n}", "voucher refused today, says Ana", "south") for n in range(30)]
    store.stage(memos, 1, [*_memos(), *vouchers])
    assert _order(store, memos, "voucher or travel", _PERMITTED)[0] != "rare"
    assert store.erase(memos, lambda text: "Ana" in text) == 30
    assert _order(store, memos, "voucher or travel", _PERMITTED)[0] == "rare"


@pytest.mark.parametrize(
    "text",
    ["the of and", "not", "a_b", "don't", "x" * 90, "voucher voucher travel", "旅費 精算", "!!!", "unheard", "Ⅷ ² İstanbul ẞ é"],
)
def test_any_words_are_a_question_in_a_scope(store: VectorStore, memos: str, text: str) -> None:
    store.stage(memos, 1, _memos())
    assert set(_order(store, memos, text, _PERMITTED)) <= {*(f"s{n}" for n in range(9)), "rare"}
