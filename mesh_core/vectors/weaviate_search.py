"""One hybrid search of Weaviate's, which fuses the scores itself: what it found, or the best of it in another order.

Knows nothing of scopes: the filter is made elsewhere. Loaded only with the Weaviate store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from weaviate.classes.query import HybridFusion

from mesh_core.vectors.fusion import CANDIDATES
from mesh_core.vectors.labels import Label, Labels
from mesh_core.vectors.store import Arrange
from mesh_core.vectors.weaviate_rows import LABEL, READ, candidate

__all__ = ["HybridQuery", "best_of"]

_Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HybridQuery:
    """What is asked of one collection."""

    collection: str
    used: Any
    """The client's collection, with its tenant."""
    words: str
    vector: list[float]
    alpha: float
    where: Any
    """The filter that keeps what the reader may find at the version."""
    version: int
    total: int
    """How many objects the collection holds."""
    limit: int


def best_of(query: HybridQuery, labels: Labels, arrange: Arrange | None, *, needs_filter: bool) -> list[_Properties]:
    """The `READ` properties of the best, best first, in the order that `arrange` puts candidates into, if it is given.

    A filter that need not be built is left out, unless others than the version's are then found.
    """
    for is_filtered in (needs_filter, True):
        best = _arranged(query, arrange, labels, is_filtered=is_filtered) if arrange else _found(query, is_filtered=is_filtered)
        if is_filtered or all(it["valid_from"] <= query.version < it["valid_to"] for it in best):
            break
    return best


def _found(query: HybridQuery, *, is_filtered: bool) -> list[_Properties]:
    return [item.properties for item in _asked(query, query.limit, is_filtered=is_filtered, properties=READ)]


def _arranged(query: HybridQuery, arrange: Arrange, labels: Labels, *, is_filtered: bool) -> list[_Properties]:
    """The search itself gives keys alone, because Weaviate takes longer to read a hundred objects than to find them."""
    objects = _asked(query, max(CANDIDATES, query.limit), is_filtered=is_filtered, properties=())
    at = (query.collection, query.total)
    candidates = labels.of([str(item.uuid) for item in objects], at=at, version=query.version, read=partial(_labels, query.used))
    if not is_filtered and any(it.valid_from > query.version for it in candidates):
        return _arranged(query, arrange, labels, is_filtered=True)  # a later version is being staged since all were counted
    order = arrange([it.candidate for it in candidates])
    chosen = [candidates[place].key for place in order[: query.limit]]
    read = dict(_read(query.used, chosen, READ))
    return [read[key] for key in chosen if key in read]


def _asked(query: HybridQuery, limit: int, *, is_filtered: bool, properties: Sequence[str]) -> Sequence[Any]:
    restricted = {"filters": query.where} if is_filtered else {}
    answer = query.used.query.hybrid(
        query=query.words, vector=query.vector, alpha=query.alpha, limit=limit, query_properties=["indexed_text"],
        fusion_type=HybridFusion.RELATIVE_SCORE, return_properties=list(properties), **restricted,
    )  # fmt: skip
    objects: Sequence[Any] = answer.objects
    return objects


def _labels(used: Any, keys: Sequence[str]) -> Iterator[Label]:  # noqa: ANN401
    for key, properties in _read(used, keys, LABEL):
        yield Label(key, key, properties["valid_from"], candidate(properties))


def _read(used: Any, keys: Sequence[str], properties: Sequence[str]) -> Iterator[tuple[str, _Properties]]:  # noqa: ANN401
    """The key and these properties of each object, in any order; those that are gone are left out."""
    if keys:
        answer = used.query.fetch_objects_by_ids(keys, limit=len(keys), return_properties=list(properties))
        yield from ((str(item.uuid), item.properties) for item in answer.objects)
