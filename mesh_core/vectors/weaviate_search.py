"""The search of a Weaviate collection: by words while the question is embedded, then by its vector, and their fusion.

One hybrid query of Weaviate's would begin only when the vector is there. Knows nothing of scopes: the filter is made elsewhere.
Loaded only with the Weaviate store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from weaviate.classes.query import MetadataQuery

from mesh_core.vectors.fusion import CANDIDATES, fused_order
from mesh_core.vectors.labels import MOST_CHARACTERS, MOST_LABELS, Label
from mesh_core.vectors.passages import StoredPassage
from mesh_core.vectors.state_memory import StateMemory
from mesh_core.vectors.store import Arrange
from mesh_core.vectors.weaviate_rows import LABEL, READ, candidate, stored_passage

__all__ = ["HybridQuery", "WeaviateSearch"]

_Properties = Mapping[str, Any]
_Scores = Mapping[str, float]
"""Key → score of the best of one search; higher is better."""
_BESIDE = 4
"""Searches for words at work beside what makes the vectors; others wait."""


@dataclass(frozen=True, slots=True)
class HybridQuery:
    """What is asked of one collection."""

    collection: str
    used: Any
    """The client's collection, with its tenant."""
    words: str
    vector: Callable[[], list[float]]
    """Gives the question's vector, as soon as it is made."""
    alpha: float
    where: Any
    """The filter that keeps what the reader may find at the version."""
    is_all: bool
    """Whether the filter keeps all, and so many that the graph beats comparing each: then it need not be built."""
    version: int
    total: int
    """How many objects the collection holds."""
    limit: int


class _Given(NamedTuple):
    passage: StoredPassage
    valid_from: int
    valid_to: int
    """As seen by readers of the version that was read: a later one may have closed it since."""


class WeaviateSearch:
    """Searches, and what is remembered from one to the next: labels, and passages given."""

    def __init__(self) -> None:
        self._beside = ThreadPoolExecutor(_BESIDE, thread_name_prefix="words")
        self._labels = StateMemory[Label](MOST_LABELS)
        self._given = StateMemory[_Given](MOST_CHARACTERS, size=lambda given: len(given.passage.text))

    def best(self, query: HybridQuery, arrange: Arrange | None, *, allows_all: bool) -> list[StoredPassage]:
        """The best, best first, in the order that `arrange` puts candidates into, if it is given.

        Where the scope allows all, a filter that need not be built is left out, unless others than the version's are then found.
        """
        for is_filtered in (not (query.is_all and allows_all), True):
            candidates = self._candidates(query, is_filtered=is_filtered)
            if not is_filtered and any(it.valid_from > query.version for it in candidates):
                continue  # a later version is being staged since all were counted
            order = arrange([it.candidate for it in candidates]) if arrange else range(len(candidates))
            chosen = [candidates[place].key for place in order[: query.limit]]
            state = query.total, query.version  # readers of one version see no later one close a passage
            best = self._given.of(chosen, at=(query.collection, state), read=partial(_passages, query.used))
            if is_filtered or all(it.valid_from <= query.version < it.valid_to for it in best):
                break
        return [it.passage for it in best]

    def forget(self, collection: str) -> None:
        """Nothing of the collection is remembered."""
        self._labels.forget(collection)
        self._given.forget(collection)

    def close(self) -> None:
        """No search runs any more."""
        self._beside.shutdown()

    def _candidates(self, query: HybridQuery, *, is_filtered: bool) -> list[Label]:
        """What both searches found, best first. They give keys alone: Weaviate takes longer to read objects than to find them."""
        asked: dict[str, Any] = {"limit": max(CANDIDATES, query.limit), "return_properties": []}
        if is_filtered:
            asked["filters"] = query.where
        beside = self._beside.submit(_by_words, query, asked) if query.alpha < 1 else None
        dense = _by_vector(query, asked) if query.alpha > 0 else {}
        sparse = beside.result() if beside else {}
        keys = fused_order(dense, sparse, alpha=query.alpha)
        return self._labels.of(
            keys, at=(query.collection, query.total), read=partial(_labels, query.used),
            is_settled=lambda label: label.valid_from <= query.version,  # what a later version adds may still be replaced
        )  # fmt: skip


def _by_words(query: HybridQuery, asked: Mapping[str, Any]) -> _Scores:
    found = query.used.query.bm25(
        query.words, query_properties=["indexed_text"], return_metadata=MetadataQuery(score=True), **asked
    )
    return {str(item.uuid): item.metadata.score for item in found.objects}


def _by_vector(query: HybridQuery, asked: Mapping[str, Any]) -> _Scores:
    found = query.used.query.near_vector(query.vector(), return_metadata=MetadataQuery(distance=True), **asked)
    return {str(item.uuid): -item.metadata.distance for item in found.objects}


def _labels(used: Any, keys: Sequence[str]) -> Mapping[str, Label]:  # noqa: ANN401
    return {key: Label(key, key, found["valid_from"], candidate(found)) for key, found in _read(used, keys, LABEL)}


def _passages(used: Any, keys: Sequence[str]) -> Mapping[str, _Given]:  # noqa: ANN401
    return {key: _Given(stored_passage(it), it["valid_from"], it["valid_to"]) for key, it in _read(used, keys, READ)}


def _read(used: Any, keys: Sequence[str], properties: Sequence[str]) -> Iterator[tuple[str, _Properties]]:  # noqa: ANN401
    """The key and these properties of each object, in any order; those that are gone are left out."""
    if keys:
        answer = used.query.fetch_objects_by_ids(keys, limit=len(keys), return_properties=list(properties))
        yield from ((str(item.uuid), item.properties) for item in answer.objects)
