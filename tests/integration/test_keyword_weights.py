"""Words weigh in a scope what they weigh in an index of only what the scope permits: LanceDB's keyword search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mesh_core.expressions.tree import TRUE, Column, Compare, Literal
from mesh_core.vectors.passages import Passage
from mesh_core.vectors.store import AllowedScope, VectorStore, open_store

_EVERYTHING = AllowedScope(TRUE)
_PERMITTED = AllowedScope(Compare("=", Column("region"), Literal("south")))
_VECTOR = np.eye(8, dtype=np.float32)[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VectorStore]:
    opened = open_store(f"lancedb://{tmp_path}")
    yield opened
    opened.close()


def _passage(name: str, text: str, region: str) -> Passage:
    return Passage(name, f"{name}.md", "", "", text, 0, len(text), None, (), {"region": region}, _VECTOR)


def _staged(store: VectorStore, name: str, version: int, passages: list[Passage]) -> str:
    store.ensure_collection(name, dimensions=8, attributes={"region": str})
    store.stage(name, version, passages)
    return name


def _order(store: VectorStore, collection: str, text: str, scope: AllowedScope, *, version: int = 1) -> list[str]:
    hits = store.search(collection, text=text, vector=_VECTOR, version=version, scope=scope, limit=10, alpha=0)
    return [hit.passage.id for hit in hits]


def _memos() -> list[Passage]:
    """To the south `voucher` is rare and `travel` common; in the north it is the other way round."""
    south = [_passage(f"s{n}", "travel approved today", "south") for n in range(9)]
    north = [_passage(f"n{n}", "voucher issued yesterday", "north") for n in range(200)]
    return [*south, _passage("rare", "voucher approved today", "south"), *north]


def test_a_word_that_only_hidden_passages_repeat_stays_rare(store: VectorStore) -> None:
    memos = _memos()
    everything = _staged(store, "finance.memos.pages", 1, memos)
    only = _staged(store, "finance.south.pages", 1, [it for it in memos if it.attributes["region"] == "south"])
    right = _order(store, only, "voucher or travel", _EVERYTHING)
    assert right[0] == "rare"
    assert _order(store, everything, "voucher or travel", _PERMITTED) == right


def test_passages_of_other_versions_weigh_nothing(store: VectorStore) -> None:
    memos = _memos()
    south = [it for it in memos if it.attributes["region"] == "south"]
    everything = _staged(store, "finance.memos.pages", 1, memos)
    _staged(store, everything, 2, south)
    assert _order(store, everything, "voucher or travel", _EVERYTHING, version=2)[0] == "rare"


def test_what_a_later_version_adds_is_counted(store: VectorStore) -> None:
    memos = _memos()
    everything = _staged(store, "finance.memos.pages", 1, memos)
    assert _order(store, everything, "voucher or travel", _PERMITTED)[0] == "rare"
    more = [_passage(f"v{n}", "voucher refused today", "south") for n in range(30)]
    _staged(store, everything, 2, [*memos, *more])
    assert _order(store, everything, "voucher or travel", _PERMITTED, version=2)[0] != "rare"
    assert _order(store, everything, "voucher or travel", _PERMITTED)[0] == "rare"


@pytest.mark.parametrize("text", ["the of and", "a_b", "don't", "x" * 90, "voucher voucher travel", "旅費 精算", "!!!"])
def test_any_words_are_a_question_in_a_scope(store: VectorStore, text: str) -> None:
    everything = _staged(store, "finance.memos.pages", 1, _memos())
    assert set(_order(store, everything, text, _PERMITTED)) <= {*(f"s{n}" for n in range(9)), "rare"}
