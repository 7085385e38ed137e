"""What Weaviate's vector index is said to have lost."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mesh_core.vectors.store import CollectionOutdated, Published
from mesh_core.vectors.weaviate_vectors import IndexedVectors


def _check(*found: int) -> None:
    """Of 9 vectors so many are found at each count, the last for good."""
    left = list(found)
    server = SimpleNamespace(cluster=SimpleNamespace(statistics=lambda: SimpleNamespace(statistics=[])))
    vectors = IndexedVectors(server)

    def count(since: int, wanted: int) -> int:
        return left.pop(0) if len(left) > 1 else left[0]

    vectors.check("a.b.c", 1, published=Published(9), state=1, count=count)


def test_vectors_that_are_missed_for_a_moment_are_not_lost() -> None:
    _check(8, 7, 9)


def test_vectors_that_stay_away_are_lost() -> None:
    with pytest.raises(CollectionOutdated, match="8 of 9 passages"):
        _check(8)
