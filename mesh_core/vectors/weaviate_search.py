"""The search of a Weaviate collection: one hybrid query, whose scores Weaviate fuses itself, and the order of what it found.

Knows nothing of scopes: the filter is made elsewhere. Loaded only with the Weaviate store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from weaviate.classes.query import HybridFusion

from mesh_core.vectors.fusion import CANDIDATES
from mesh_core.vectors.labels import MOST_CHARACTERS
from mesh_core.vectors.passages import StoredPassage
from mesh_core.vectors.state_memory import StateMemory
from mesh_core.vectors.store import Arrange
from mesh_core.vectors.weaviate_labels import WeaviateLabels, read_objects
from mesh_core.vectors.weaviate_rows import READ, stored_passage

__all__ = ["HybridQuery", "WeaviateSearch"]

_OVERTAKEN = 3
"""So often a search is repeated that found what was gone when it was read."""


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


class _Found(NamedTuple):
    best: list[_Given]
    is_of_version: bool
    """False if others than the version's were found."""
    is_whole: bool
    """False if something was found that could not be read any more."""


class WeaviateSearch:
    """Searches, and what is remembered from one to the next: labels, and passages given."""

    def __init__(self) -> None:
        self._labels = WeaviateLabels()
        self._given = StateMemory[_Given](MOST_CHARACTERS, size=lambda given: len(given.passage.text))

    def best(self, query: HybridQuery, arrange: Arrange | None, *, allows_all: bool) -> list[StoredPassage]:
        """The best, best first, in the order that `arrange` puts candidates into, if it is given.

        Where the scope allows all, a filter that need not be built is left out, unless others than the version's are then found.
        What goes between being found and being read (an erasure moves the alias) has left its place empty: all is asked again.
        """
        is_filtered = not (query.is_all and allows_all)
        for turn in range(_OVERTAKEN + 1):
            found = self._found(query, arrange, is_filtered=is_filtered)
            if not found.is_of_version:
                is_filtered = True
                found = self._found(query, arrange, is_filtered=True)
            if found.is_whole or turn == _OVERTAKEN:
                break
        return [it.passage for it in found.best]

    def forget(self, collection: str) -> None:
        """Nothing of the collection is remembered."""
        self._labels.forget(collection)
        self._given.forget(collection)

    def close(self) -> None:
        """Nothing is read ahead any more."""
        self._labels.close()

    def _found(self, query: HybridQuery, arrange: Arrange | None, *, is_filtered: bool) -> _Found:
        """The search gives keys alone: Weaviate takes longer to read objects than to find them."""
        asked: dict[str, Any] = {"limit": max(CANDIDATES, query.limit), "return_properties": []}
        if is_filtered:
            asked["filters"] = query.where
        keys = [str(item.uuid) for item in _asked(query, asked).objects]
        at = query.collection, query.total
        candidates = self._labels.of(keys, used=query.used, at=at, version=query.version)
        if not is_filtered and any(it.valid_from > query.version for it in candidates):
            return _Found([], is_of_version=False, is_whole=True)  # a later version is being staged since all were counted
        order = arrange([it.candidate for it in candidates]) if arrange else range(len(candidates))
        chosen = [candidates[place].key for place in order[: query.limit]]
        state = query.total, query.version  # readers of one version see no later one close a passage
        best = self._given.of(chosen, at=(query.collection, state), read=partial(_passages, query.used))
        is_of_version = is_filtered or all(it.valid_from <= query.version < it.valid_to for it in best)
        return _Found(best, is_of_version, is_whole=(len(candidates), len(best)) == (len(keys), len(chosen)))


def _asked(query: HybridQuery, asked: Mapping[str, Any]) -> Any:  # noqa: ANN401
    return query.used.query.hybrid(
        query=query.words, vector=query.vector(), alpha=query.alpha, query_properties=["indexed_text"],
        fusion_type=HybridFusion.RELATIVE_SCORE, **asked,
    )  # fmt: skip


def _passages(used: Any, keys: Sequence[str]) -> Mapping[str, _Given]:  # noqa: ANN401
    return {key: _Given(stored_passage(it), it["valid_from"], it["valid_to"]) for key, it in read_objects(used, keys, READ)}
