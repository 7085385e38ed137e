"""Weaviate as a vector store: one collection per port on a server that only the governance server can reach.

Owns the connection, the search (Weaviate fuses the scores itself) and the life of collections. Loaded when one is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import weaviate
from weaviate.classes.aggregate import GroupByAggregate
from weaviate.classes.init import AdditionalConfig, Auth, Timeout
from weaviate.classes.query import Filter, HybridFusion
from weaviate.exceptions import WeaviateBaseError

from mesh_core.expressions.binding import is_true
from mesh_core.expressions.errors import Unsupported
from mesh_core.expressions.tree import Expression
from mesh_core.expressions.weaviate import Everything, Nothing, to_weaviate
from mesh_core.vectors.enumeration import enumerated
from mesh_core.vectors.fusion import CANDIDATES
from mesh_core.vectors.identifiers import attribute_field
from mesh_core.vectors.passages import Hit, InvalidPassage, Passage, check_vector
from mesh_core.vectors.scopes import VersionMemory, allowed_tag_sets, check_declaration, missing_attributes, over_fields
from mesh_core.vectors.staging import check_version, erase, prune, stage, unstage
from mesh_core.vectors.store import (
    DEFAULT_ALPHA,
    AllowedScope,
    Arrange,
    CollectionMismatch,
    CollectionMissing,
    StageResult,
    StoreUnavailable,
)
from mesh_core.vectors.weaviate_collections import WeaviateCollections, missing
from mesh_core.vectors.weaviate_keywords import WeaviateScope, count_of, in_full, repeated, words_of
from mesh_core.vectors.weaviate_rows import (
    RETURNED,
    SHOWN,
    WeaviateRows,
    attribute_property,
    candidate,
    exact,
    read_declaration,
    stored_passage,
)
from mesh_core.vectors.word_pairs import with_word_pairs
from mesh_core.vectors.word_weights import WordWeights

__all__ = ["WeaviateStore"]

_BESIDE = 4
"""Counts of words at work at once."""
_MOST_TAG_SETS = 10_000
_MOST_VALUES = 1000


class WeaviateStore:
    """Collections on one Weaviate server. Raises: StoreUnavailable, if it does not answer."""

    def __init__(self, host: str, *, http_port: int, grpc_port: int, secure: bool = False, api_key: str | None = None) -> None:
        self._address = f"{host}:{http_port}"
        self._tag_sets = VersionMemory[Mapping[str, Sequence[str]]]()
        self._values = VersionMemory[Sequence[str]]()
        self._declared: dict[str, tuple[int, dict[str, type]]] = {}
        self._beside = ThreadPoolExecutor(_BESIDE, thread_name_prefix="weaviate")
        self._weights = WordWeights(self._beside.map)
        with self._reported():
            self._client = weaviate.connect_to_custom(
                http_host=host,
                http_port=http_port,
                http_secure=secure,
                grpc_host=host,
                grpc_port=grpc_port,
                grpc_secure=secure,
                auth_credentials=Auth.api_key(api_key) if api_key else None,
                additional_config=AdditionalConfig(timeout=Timeout(query=30, insert=300), trust_env=secure),
                skip_init_checks=True,  # they ask a package registry for a newer client
            )
        self._collections = WeaviateCollections(self._client)
        if not self._client.is_ready():
            self._client.close()
            raise StoreUnavailable(f"Weaviate at {self._address} does not answer as ready: start it, or correct MESH_VECTORS.")

    def ensure_collection(self, name: str, *, dimensions: int, attributes: Mapping[str, type]) -> None:
        """See VectorStore."""
        check_declaration(name, dimensions=dimensions, attributes=attributes)
        with self._reported():
            self._collections.create(name, dimensions=dimensions, attributes=attributes)
            stored = read_declaration(self._collections.use(name))
            lacking = missing_attributes(name, wanted=(dimensions, attributes), stored=stored)
            for attribute, kind in lacking.items():
                self._collections.add_property(name, attribute_property(attribute, kind))
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
        search miss them, without an error). So where a version was begun before, or is not found whole, the collection is built
        anew.
        """
        self._forget(collection)
        with self._reported():
            begun = self._collections.existing(collection).aggregate.over_all(filters=_from(version), total_count=True)
            result = stage(self._rows(collection), collection=collection, version=version, passages=passages)
            if begun.total_count or self.count(collection, version) != result.added + result.kept:
                self._collections.rebuild(collection)
                if self.count(collection, version) != result.added + result.kept:
                    raise StoreUnavailable(f"version {version} of {collection} is not whole in Weaviate: repeat the call.")
        return result

    def unstage(self, collection: str, version: int) -> None:
        """See VectorStore."""
        with self._reported():
            unstage(self._rows(collection), collection=collection, version=version)

    def prune(self, collection: str, keep: Collection[int], *, dry_run: bool = False) -> int:
        """See VectorStore."""
        with self._reported():
            try:
                return prune(self._rows(collection), keep, dry_run=dry_run)
            except CollectionMissing:
                return 0

    def erase(self, collection: str, is_about: Callable[[str], bool], *, dry_run: bool = False) -> int:
        """See VectorStore."""
        with self._reported():
            try:
                return erase(self._rows(collection), is_about, dry_run=dry_run)
            except CollectionMissing:
                return 0

    def search(
        self,
        collection: str,
        *,
        text: str,
        vector: Sequence[float],
        version: int,
        scope: AllowedScope,
        limit: int,
        alpha: float = DEFAULT_ALPHA,
        arrange: Arrange | None = None,
    ) -> list[Hit]:
        """See VectorStore."""
        if scope.is_empty or limit < 1:
            return []
        check_version(version)
        with self._reported(collection):
            asked, where = self._question(collection, vector=vector, version=version, scope=scope)
            if where is None:
                return []
            used = self._collections.use(collection)
            collection_query = used.query
            words = with_word_pairs(text) if alpha < 1 else ""
            answer = collection_query.hybrid(
                query=self._weighed(words, collection, used, where) if words.strip() else words,
                vector=asked,
                alpha=alpha if text.strip() else 1,
                limit=max(CANDIDATES, limit) if arrange else limit,
                filters=where,
                query_properties=["indexed_text"],
                fusion_type=HybridFusion.RELATIVE_SCORE,
                return_properties=list(SHOWN if arrange else RETURNED),
            )
            best = list(answer.objects)
            if arrange:
                chosen = [best[place].uuid for place in arrange([candidate(item.properties) for item in best])][:limit]
                given = collection_query.fetch_objects_by_ids(chosen, limit=limit, return_properties=list(RETURNED)).objects
                whole = {item.uuid: item for item in given}
                best = [whole[key] for key in chosen if key in whole]
        return [Hit(stored_passage(item.properties), rank) for rank, item in enumerate(best, start=1)]

    def count(self, collection: str, version: int) -> int:
        """See VectorStore."""
        check_version(version)
        with self._reported(collection):
            found = self._collections.use(collection).aggregate.over_all(filters=_at(version), total_count=True)
        return int(found.total_count or 0)

    def close(self) -> None:
        """See VectorStore."""
        self._beside.shutdown()
        self._client.close()

    def _rows(self, name: str) -> WeaviateRows:
        return WeaviateRows(self._collections.existing(name), self._collections.tag_sets(name), name)

    def _question(
        self, collection: str, *, vector: Sequence[float], version: int, scope: AllowedScope
    ) -> tuple[list[float], Any]:
        """The checked vector and the pre-filter (None: nothing is allowed); a stale declaration is refreshed once."""
        for is_fresh in (collection not in self._declared, True):
            if is_fresh:
                self._declared[collection] = self._declaration(collection)
            dimensions, attributes = self._declared[collection]
            try:
                asked = check_vector(vector, dimensions=dimensions, what="the question")
                return asked.tolist(), self._where(collection, version=version, scope=scope, attributes=attributes)
            except (InvalidPassage, CollectionMismatch):
                if is_fresh:
                    raise
        raise AssertionError("the second turn returns or raises")

    def _weighed(self, words: str, collection: str, used: Any, where: Any) -> str:  # noqa: ANN401
        """The words, said so that each weighs what it does among the permitted passages."""
        counts = words_of(words)
        if not counts:
            return words
        total = count_of(used)
        key = (collection, total, in_full(where))
        weights = self._weights.weights(counts, at=key, count=lambda: WeaviateScope(used, where, total))
        return repeated(counts, weights) if weights else words

    def _declaration(self, name: str) -> tuple[int, dict[str, type]]:
        return read_declaration(self._collections.existing(name))

    def _where(self, collection: str, *, version: int, scope: AllowedScope, attributes: Mapping[str, type]) -> Any:  # noqa: ANN401
        """The one pre-filter of both searches: version, permitted rows, permitted tag sets; None if no tag set is permitted."""
        where = _at(version)
        if not is_true(scope.filter):
            bound = over_fields(scope.filter, collection=collection, attributes=attributes, text=exact)
            permitted = self._compiled(bound, collection=collection, version=version, attributes=attributes)
            if isinstance(permitted, Nothing):
                return None
            if not isinstance(permitted, Everything):
                where = where & permitted
        if scope.excluded_tags:
            known = self._tag_sets.known(collection, version, "tags", lambda: self._read_tag_sets(collection))
            allowed = allowed_tag_sets(known, scope.excluded_tags)
            if not allowed:
                return None
            where = where & Filter.by_property("tag_set").contains_any(allowed)
        return where

    def _compiled(self, bound: Expression, *, collection: str, version: int, attributes: Mapping[str, type]) -> Any:  # noqa: ANN401
        """The filter; where only a negation could say it, a list of the version's allowed values says it instead."""
        texts = {attribute_field(name) for name, kind in attributes.items() if kind is str}

        def values(field: str) -> Sequence[str] | None:
            if field not in texts:
                return None
            return self._values.known(collection, version, field, lambda: self._read_values(collection, version, field))

        try:
            return to_weaviate(bound)
        except Unsupported:
            pass
        try:
            return to_weaviate(enumerated(bound, values))
        except Unsupported as error:
            raise CollectionMismatch(f"Weaviate cannot evaluate the filter on {collection}: {error}") from error

    def _read_values(self, collection: str, version: int, field: str) -> Sequence[str]:
        """Every value of a text field at the version. Raises: CollectionMismatch, if they are too many to list."""
        aggregate = self._collections.use(collection).aggregate
        grouping = GroupByAggregate(prop=field, limit=_MOST_VALUES + 1)
        groups = aggregate.over_all(group_by=grouping, filters=_at(version), total_count=True).groups
        if len(groups) > _MOST_VALUES:
            raise CollectionMismatch(
                f"Weaviate cannot evaluate a negative filter on {collection}: {field} has more than "
                f"{_MOST_VALUES} values. Use = or IN."
            )
        return sorted(str(group.grouped_by.value) for group in groups)

    def _is_missing(self, collection: str) -> bool:
        try:
            return not self._collections.exists(collection)
        except WeaviateBaseError:
            return False

    def _forget(self, collection: str) -> None:
        self._tag_sets.forget(collection)
        self._values.forget(collection)
        self._weights.forget(collection)
        self._declared.pop(collection, None)

    def _read_tag_sets(self, collection: str) -> Mapping[str, Sequence[str]]:
        wanted = Filter.by_property("collection").equal(collection)
        found = self._collections.tag_sets(collection).query.fetch_objects(filters=wanted, limit=_MOST_TAG_SETS)
        rows: Iterator[dict[str, Any]] = (dict(item.properties) for item in found.objects)
        return {row["tag_set"]: row.get("tags") or () for row in rows}

    @contextmanager
    def _reported(self, collection: str | None = None) -> Iterator[None]:
        """Weaviate's errors leave as ours."""
        try:
            yield
        except WeaviateBaseError as error:
            if collection is not None and self._is_missing(collection):
                raise missing(collection) from error
            what = f" for {collection}" if collection else ""
            raise StoreUnavailable(
                f"Weaviate at {self._address} failed{what}: {error} Check that it runs, MESH_VECTORS and the API key."
            ) from error


def _from(version: int) -> Any:  # noqa: ANN401
    return Filter.by_property("valid_from").equal(version)


def _at(version: int) -> Any:  # noqa: ANN401
    return Filter.by_property("valid_from").less_or_equal(version) & Filter.by_property("valid_to").greater_than(version)
