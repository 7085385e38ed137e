"""The search of a Weaviate collection: one hybrid query, whose scores Weaviate fuses itself, and the order of what it found.

Knows nothing of scopes: the filter is made elsewhere. Loaded only with the Weaviate store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from weaviate.classes.query import HybridFusion

from mesh_core.vectors.fusion import CANDIDATES
from mesh_core.vectors.passages import StoredPassage
from mesh_core.vectors.store import Arrange
from mesh_core.vectors.weaviate_memory import Given, WeaviateMemory

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


class _Found(NamedTuple):
    best: list[Given]
    is_of_version: bool
    """False if others than the version's were found."""
    is_whole: bool
    """False if something was found that could not be read any more."""


class WeaviateSearch:
    """Searches, and what is remembered from one to the next."""

    def __init__(self) -> None:
        self._memory = WeaviateMemory()

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
        self._memory.forget(collection)

    def close(self) -> None:
        """Nothing is read ahead any more."""
        self._memory.close()

    def _found(self, query: HybridQuery, arrange: Arrange | None, *, is_filtered: bool) -> _Found:
        """The search gives keys alone: Weaviate takes longer to read objects than to find them."""
        asked: dict[str, Any] = {"limit": max(CANDIDATES, query.limit), "return_properties": []}
        if is_filtered:
            asked["filters"] = query.where
        keys = [str(item.uuid) for item in _asked(query, asked).objects]
        read: dict[str, Any] = {"used": query.used, "at": (query.collection, query.total), "version": query.version}
        candidates = self._memory.labels(keys, **read)
        if not is_filtered and any(it.valid_from > query.version for it in candidates):
            return _Found([], is_of_version=False, is_whole=True)  # a later version is being staged since all were counted
        order = arrange([it.candidate for it in candidates]) if arrange else range(len(candidates))
        chosen = [candidates[place].key for place in order[: query.limit]]
        best = self._memory.given(chosen, **read)
        is_of_version = is_filtered or all(it.valid_from <= query.version < it.valid_to for it in best)
        return _Found(best, is_of_version, is_whole=(len(candidates), len(best)) == (len(keys), len(chosen)))


def _asked(query: HybridQuery, asked: Mapping[str, Any]) -> Any:  # noqa: ANN401
    return query.used.query.hybrid(
        query=query.words, vector=query.vector(), alpha=query.alpha, query_properties=["indexed_text"],
        fusion_type=HybridFusion.RELATIVE_SCORE, **asked,
    )  # fmt: skip
