"""Kept vectors belong to one state of a collection, are bounded in bytes, and are compared only where permitted."""

from __future__ import annotations

import numpy as np
import pytest

from mesh_core.vectors import kept_vectors
from mesh_core.vectors.kept_vectors import KeptVectors, Vectors, nearest


class _Store:
    def __init__(self, rows: int) -> None:
        self.vectors = Vectors(np.arange(rows, dtype=np.uint64), np.eye(rows, 4, dtype=np.float32))
        self.reads = 0

    def read(self, most_bytes: int) -> Vectors | None:
        self.reads += 1
        return self.vectors if self.vectors.rows.nbytes <= most_bytes else None


def test_vectors_are_read_at_the_second_question_in_a_state_and_kept_until_the_next_state() -> None:
    store, kept = _Store(4), KeptVectors()
    found = [kept.of("a", state, store.read) is not None for state in (1, 1, 1, 2, 3, 3, 3)]
    assert found == [False, True, True, False, False, True, True]
    assert store.reads == 2
    kept.forget("a")
    assert kept.of("a", 3, store.read) is None


def test_no_more_bytes_are_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    store, kept = _Store(4), KeptVectors()
    monkeypatch.setattr(kept_vectors, "_MOST_BYTES", 2 * store.vectors.rows.nbytes)
    for name in ("a", "a", "b", "b", "c", "c"):
        kept.of(name, 1, store.read)
    reads = store.reads
    assert kept.of("b", 1, store.read) is not None
    assert kept.of("c", 1, store.read) is not None
    assert store.reads == reads
    kept.of("a", 1, store.read)
    assert store.reads == reads + 1  # it had been given up for the others
    monkeypatch.setattr(kept_vectors, "_MOST_BYTES", store.vectors.rows.nbytes - 1)
    assert kept.of("d", 1, store.read) is None
    assert kept.of("d", 1, store.read) is None


@pytest.mark.parametrize("share", [1.0, 0.6, 0.1, 0.0])
def test_the_nearest_are_those_of_an_index_of_only_the_permitted(share: float) -> None:
    random = np.random.default_rng(5)
    rows = random.normal(size=(500, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    row_ids = np.sort(random.choice(2**40, 500, replace=False)).astype(np.uint64)
    permitted = row_ids[random.random(500) < share]
    question = (random.normal(size=16) * 7).astype(np.float32)
    found = nearest(Vectors(row_ids, rows), question, permitted=None if share == 1.0 else permitted, limit=10)
    cosines = {int(key): float(row @ question / np.linalg.norm(question)) for key, row in zip(row_ids, rows, strict=True)}
    best = sorted(map(int, permitted), key=lambda key: -cosines[key])[:10]
    assert list(found) == best
    assert list(found.values()) == pytest.approx([cosines[key] for key in best], abs=1e-5)


def test_of_equally_near_ones_the_lowest_row_ids_are_given() -> None:
    vectors = Vectors(np.arange(20, dtype=np.uint64), np.tile(np.array([[1, 0]], dtype=np.float32), (20, 1)))
    assert list(nearest(vectors, np.array([1, 1], dtype=np.float32), permitted=None, limit=3)) == [0, 1, 2]
