"""Vectors of small collections in memory: each is compared with the question's, as LanceDB does, without being read again.

Reading all vectors of a collection for every question costs more than comparing them. Vectors are kept of one state of a
collection, from the second question in it on: one that is being written changes too often. Who may find what is not known here:
the caller says which rows are permitted, and only they are compared.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["KeptVectors", "RowIds", "Vectors", "nearest"]

RowIds = npt.NDArray[np.uint64]
"""Rows of one state of a collection, ascending."""

_MOST_BYTES = 64 * 2**20
_MOST_STATES = 256


class Vectors(NamedTuple):
    """The vectors of all rows of one state."""

    row_ids: RowIds
    rows: npt.NDArray[np.float32]
    """Shape (rows, dimensions), L2-normalised; rows of `row_ids`, in that order."""


class KeptVectors:
    """Up to 64 MiB of the vectors of the collections asked last, one state of each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[int, Vectors]] = OrderedDict()
        self._seen: OrderedDict[str, int] = OrderedDict()

    def of(self, collection: str, state: int, read: Callable[[int], Vectors | None]) -> Vectors | None:
        """The vectors; None if they are too many or nobody has asked in this state before.

        Args:
            collection: Its name.
            state: What any write changes.
            read: Reads them, unless they take more than so many bytes.
        """
        with self._lock:
            kept = self._kept.get(collection)
            if kept is not None and kept[0] == state:
                self._kept.move_to_end(collection)
                return kept[1]
            self._kept.pop(collection, None)
            vectors = read(_MOST_BYTES) if self._has_seen(collection, state) else None
            if vectors is None:
                return None
            self._kept[collection] = state, vectors
            while sum(it.rows.nbytes for _, it in self._kept.values()) > _MOST_BYTES and len(self._kept) > 1:
                self._kept.popitem(last=False)
            return vectors

    def forget(self, collection: str) -> None:
        """Nothing of the collection is kept."""
        with self._lock:
            self._kept.pop(collection, None)
            self._seen.pop(collection, None)

    def _has_seen(self, collection: str, state: int) -> bool:
        has_seen = self._seen.get(collection) == state
        self._seen[collection] = state
        self._seen.move_to_end(collection)
        while len(self._seen) > _MOST_STATES:
            self._seen.popitem(last=False)
        return has_seen


def nearest(vectors: Vectors, question: npt.NDArray[np.float32], *, permitted: RowIds | None, limit: int) -> dict[int, float]:
    """The row ids of the nearest permitted vectors, and the cosines of their angles; of equally near ones the lowest ids.

    Args:
        vectors: Of all rows.
        question: Shape (dimensions,), finite; of any length.
        permitted: The rows to compare; None for all.
        limit: How many, at most; at least 1.
    """
    row_ids, rows = vectors
    if permitted is not None:
        places = np.searchsorted(row_ids, permitted)
        row_ids, rows = permitted, rows[places] if len(permitted) * 4 < len(rows) else rows
    similar = rows @ (question / max(float(np.linalg.norm(question)), 1e-12)).astype(np.float32)
    if len(similar) > len(row_ids):
        similar = similar[places]
    if len(row_ids) > limit:
        worst = np.partition(similar, len(similar) - limit)[len(similar) - limit]
        some = np.flatnonzero(similar >= worst)
    else:
        some = np.arange(len(row_ids))
    best = some[np.argsort(-similar[some], kind="stable")][:limit]
    return dict(zip(row_ids[best].tolist(), similar[best].tolist(), strict=True))
