"""Weaviate as a vector store: one collection per port on a server that only the governance server can reach.

Owns what of a collection a reader may find, and the life of collections. Loaded when one is opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from weaviate.classes.query import Filter

from mesh_core.vectors.fusion import CANDIDATES
from mesh_core.vectors.held_counts import HeldCounts
from mesh_core.vectors.identifiers import attribute_field
from mesh_core.vectors.passages import Hit, InvalidPassage, Passage, check_vector
from mesh_core.vectors.scopes import check_declaration, missing_attributes
from mesh_core.vectors.staging import check_version, ids_about, keys_about, reopen, stage, unseen
from mesh_core.vectors.store import (
    DEFAULT_ALPHA,
    FIRST_VERSION,
    OPEN,
    AllowedScope,
    Arrange,
    AskedVector,
    CollectionMismatch,
    Published,
    StageResult,
    StoreUnavailable,
    awaited,
)
from mesh_core.vectors.weaviate_collections import WeaviateCollections
from mesh_core.vectors.weaviate_connection import connected, unusable
from mesh_core.vectors.weaviate_failures import reported
from mesh_core.vectors.weaviate_filters import WeaviateFilters, at_version
from mesh_core.vectors.weaviate_keywords import WeaviateScope, count_of, in_full, repeated, words_of
from mesh_core.vectors.weaviate_rows import WeaviateRows, attribute_property, read_declaration
from mesh_core.vectors.weaviate_search import HybridQuery, WeaviateSearch
from mesh_core.vectors.weaviate_vectors import IndexedVectors, indexed, write_down
from mesh_core.vectors.word_pairs import with_word_pairs
from mesh_core.vectors.word_weights import WordWeights

__all__ = ["WeaviateStore"]

_COMPARED_AT_ONCE = 10_000
"""So many passages are compared one by one as quickly as by the graph of their neighbours, and none is missed."""
_COUNTED_SECONDS = 60
"""So often passages are counted anew: a server that lost no object may have lost which of them ended."""
_BESIDE = 4
"""Counts of words at work at once."""


class WeaviateStore:
    """Collections on one Weaviate server. Raises: StoreUnavailable, if it does not answer."""

    def __init__(self, host: str, *, http_port: int, grpc_port: int, secure: bool = False, api_key: str | None = None) -> None:
        self._address = f"{host}:{http_port}"
        self._declared: dict[str, tuple[int, dict[str, type]]] = {}
        self._beside = ThreadPoolExecutor(_BESIDE, thread_name_prefix="weaviate")
        self._weights = WordWeights(self._beside.map)
        self._search = WeaviateSearch()
        self._held = HeldCounts()
        with self._reported():
            self._client = connected(host=host, http_port=http_port, grpc_port=grpc_port, secure=secure, api_key=api_key)
        self._collections = WeaviateCollections(self._client)
        self._filters = WeaviateFilters(self._collections)
        self._vectors = IndexedVectors(self._client)
        try:
            with self._reported():
                why = unusable(self._client)
            if why:
                raise StoreUnavailable(f"Weaviate at {self._address} {why}.")
        except StoreUnavailable:
            self.close()
            raise

    def ensure_collection(self, name: str, *, dimensions: int, attributes: Mapping[str, type]) -> None:
        """See VectorStore."""
        check_declaration(name, dimensions=dimensions, attributes=attributes)
        with self._reported():
            self._collections.create(name, dimensions=dimensions, attributes=attributes)
            stored = read_declaration(self._collections.use(name))
            lacking = missing_attributes(name, wanted=(dimensions, attributes), stored=stored)
            for attribute, kind in lacking.items():
                self._collections.add_property(name, attribute_property(attribute, kind))
            if self._filters.is_unfinished(name, map(attribute_field, {**stored[1], **lacking})):
                self._collections.rebuild(name)  # that the objects lack the property is known once they are written with it
                self._forget(name)
        self._declared.pop(name, None)

    def drop_collection(self, name: str) -> None:
        """See VectorStore."""
        with self._reported():
            self._collections.drop(name)
        self._forget(name)

    def rebuild(self, collection: str) -> int:
        """See VectorStore. The new collection takes the place of the old one by its alias."""
        with self._reported():
            count = self._collections.rebuild(collection)
        self._forget(collection)
        return count

    def stage(self, collection: str, version: int, passages: Iterable[Passage]) -> StageResult:
        """See VectorStore.

        A server that dies loses the latest entries of its indexes and keeps the objects (seen with 1.35.2: filters and vector
        search miss them, without an error). So where a version was begun before, the server was started anew meanwhile, or the
        version is not found whole, the collection is built anew. So it is where most of a version is new, or most of the one
        before ended: what is built anew is found by its words at once (`WeaviateCollections.settle`), and what is added to one
        in use is later; and until segments are merged, words of passages that ended count twice.
        """
        self._forget(collection)
        with self._reported():
            self._collections.clear(collection)
            used = self._collections.existing(collection)
            held, begun, start = count_of(used), count_of(used, _from(version)), self._vectors.start()
            result = stage(self._rows(collection), collection=collection, version=version, passages=passages)
            is_first = not held and result.added > 0
            if is_first:
                self._collections.settle(collection)
            else:
                write_down(used)
            is_disturbed = begun or self._vectors.start() != start
            is_another = not is_first and result.added + result.closed > max(CANDIDATES, result.kept)
            if is_disturbed or is_another or self.count(collection, version) != result.added + result.kept:
                self._collections.rebuild(collection)
                if self.count(collection, version) != result.added + result.kept:
                    raise StoreUnavailable(f"version {version} of {collection} is not whole in Weaviate: repeat the call.")
        return result

    def is_overtaken(self, collection: str, version: int) -> bool:
        """See VectorStore."""
        begun, ended = (Filter.by_property(name).greater_than(version) for name in ("valid_from", "valid_to"))
        with self._reported():
            used = self._collections.existing(collection).aggregate
            later = Filter.any_of([begun, ended & Filter.by_property("valid_to").less_than(OPEN)])
            return bool(used.over_all(filters=later, total_count=True).total_count)

    def unstage(self, collection: str, version: int) -> None:
        """See VectorStore."""
        with self._reported():
            self._remove(collection, reopen(self._rows(collection), collection=collection, version=version))

    def prune(self, collection: str, keep: Collection[int], *, dry_run: bool = False) -> int:
        """See VectorStore."""
        with self._reported():
            if not self._collections.exists(collection):
                return 0
            found = unseen(self._rows(collection), keep)
            return len(found) if dry_run else self._remove(collection, found)

    def erase(self, collection: str, is_about: Callable[[str], bool], *, dry_run: bool = False) -> int:
        """See VectorStore."""
        with self._reported():
            if not self._collections.exists(collection):
                return 0
            found = keys_about(self._rows(collection), is_about)
            return len(found) if dry_run else self._remove(collection, found)

    def about(self, collection: str, is_about: Callable[[str], bool]) -> frozenset[str]:
        """See VectorStore."""
        with self._reported():
            return ids_about(self._rows(collection), is_about) if self._collections.exists(collection) else frozenset()

    def search(
        self,
        collection: str,
        *,
        text: str,
        vector: AskedVector,
        version: int,
        scope: AllowedScope,
        limit: int,
        alpha: float = DEFAULT_ALPHA,
        arrange: Arrange | None = None,
        published: Published | None = None,
    ) -> list[Hit]:
        """See VectorStore."""
        if scope.is_empty or limit < 1:
            return []
        check_version(version)
        words = with_word_pairs(text) if alpha < 1 else ""
        with self._reported(collection):
            for is_fresh in (collection not in self._declared, True):  # a stale declaration is refreshed once
                if is_fresh:
                    self._declared[collection] = self._declaration(collection)
                try:
                    where = self._where(collection, version=version, scope=scope)
                    if where is None:
                        return []
                    query = self._query(collection, words, where, (vector, version, alpha, limit))
                    if published is not None:
                        count = partial(self._count, collection, version)
                        state = query.total, int(time.monotonic() // _COUNTED_SECONDS)
                        self._held.check(collection, version, published=published, state=state, count=count)
                        in_index = partial(self._indexed, collection, version)
                        self._vectors.check(collection, version, published=published, state=query.total, count=in_index)
                    best = self._search.best(query, arrange, allows_all=scope.allows_all)
                    break
                except (InvalidPassage, CollectionMismatch):
                    if is_fresh:
                        raise
        return [Hit(passage, rank) for rank, passage in enumerate(best, start=1)]

    def count(self, collection: str, version: int, *, since: int = FIRST_VERSION) -> int:
        """See VectorStore."""
        check_version(version)
        with self._reported(collection):
            return self._count(collection, version, since)

    def close(self) -> None:
        """See VectorStore."""
        self._beside.shutdown()
        self._search.close()
        self._client.close()

    def _remove(self, collection: str, keys: Sequence[str]) -> int:
        """How many passages these are, now that the collection is built anew without them.

        Deleting them would leave their words in Weaviate's files until it merges these, and spoil keyword search: with 1.35.2 the
        mean length of passages is no number once deletions alone are written to disk, and long passages come first.
        """
        if keys:
            self._collections.rebuild(collection, without=frozenset(keys))
            self._forget(collection)
        else:
            self._collections.clear(collection)
        return len(keys)

    def _rows(self, name: str) -> WeaviateRows:
        return WeaviateRows(self._collections.existing(name), self._collections.tag_sets(name), name)

    def _where(self, collection: str, *, version: int, scope: AllowedScope) -> Any:  # noqa: ANN401
        """The pre-filter; None: nothing is allowed."""
        attributes = self._declared[collection][1]
        return self._filters.where(collection, version=version, scope=scope, attributes=attributes)

    def _query(self, collection: str, words: str, where: Any, asked: tuple[AskedVector, int, float, int]) -> HybridQuery:  # noqa: ANN401
        """The question, its words said so that each weighs what it does among the permitted passages."""
        vector, version, alpha, limit = asked
        used, dimensions = self._collections.use(collection), self._declared[collection][0]
        counts, total, is_all = words_of(words), count_of(used), False
        if counts:
            key = (collection, total, in_full(where))
            weights = self._weights.weights(counts, at=key, count=lambda: WeaviateScope(used, where, total))
            words, is_all = (repeated(counts, weights), False) if weights else (words, total > _COMPARED_AT_ONCE)

        def ready() -> list[float]:
            asked: list[float] = check_vector(awaited(vector), dimensions=dimensions, what="the question").tolist()
            return asked

        return HybridQuery(collection, used, words, ready, alpha if words.strip() else 1, where, is_all, version, total, limit)

    def _count(self, collection: str, version: int, since: int) -> int:
        return count_of(self._collections.use(collection), at_version(version, since=since))

    def _indexed(self, collection: str, version: int, since: int, count: int) -> int:
        dimensions = (self._declared.get(collection) or self._declaration(collection))[0]
        used = self._collections.use(collection)
        return indexed(used, at_version(version, since=since), dimensions=dimensions, count=count)

    def _declaration(self, name: str) -> tuple[int, dict[str, type]]:
        return read_declaration(self._collections.existing(name))

    def _forget(self, collection: str) -> None:
        self._filters.forget(collection)
        self._weights.forget(collection)
        self._held.forget(collection)
        self._vectors.forget(collection)
        self._search.forget(collection)
        self._declared.pop(collection, None)

    def _reported(self, collection: str | None = None) -> AbstractContextManager[None]:
        return reported(self._address, collection, exists=lambda name: self._collections.exists(name))


def _from(version: int) -> Any:  # noqa: ANN401
    return Filter.by_property("valid_from").equal(version)
