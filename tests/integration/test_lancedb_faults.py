"""What only LanceDB has: files that an erasure takes away under a search, and files that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesh_core.vectors.store import StoreUnavailable, open_store
from tests.integration.test_vector_stores import EVERYTHING, passage

NAME = "desk.files.pages"


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with closing(open_store(f"lancedb://{tmp_path}/vectors")) as opened:
        opened.ensure_collection(NAME, dimensions=8, attributes={})
        yield opened


def found(store: Any, vector: Any) -> list[str]:
    return sorted(hit.passage.id for hit in store.search(NAME, text="note", vector=vector, version=1, scope=EVERYTHING, limit=10))


class MadeBeside(Future[Sequence[float]]):
    """A question's vector, during whose making something else happens."""

    def __init__(self, happening: Any) -> None:
        super().__init__()
        self._happening = happening

    def result(self, timeout: float | None = None) -> Sequence[float]:
        self._happening()
        return [1.0] * 8


def test_a_search_whose_files_are_erased_meanwhile_answers_from_what_is_left(store: Any) -> None:
    store.stage(NAME, 1, [passage(f"p{number}", text=f"note {number}") for number in range(4)])
    erased: list[int] = []

    def erase() -> None:
        if not erased:
            erased.append(store.erase(NAME, lambda text: "note 3" in text))

    assert found(store, MadeBeside(erase)) == ["p0", "p1", "p2"]
    assert erased == [1]


def test_files_that_are_gone_are_told_in_one_sentence(store: Any, tmp_path: Path) -> None:
    store.stage(NAME, 1, [passage("p0", text="note")])
    for file in (tmp_path / "vectors").rglob("*.lance"):
        if file.is_file():
            file.unlink()
    with pytest.raises(StoreUnavailable, match="check the folder and the room on its disk") as told:
        found(store, np.ones(8))
    assert "\n" not in str(told.value)
    assert ".rs:" not in str(told.value)
