"""LanceDB as a vector store: embedded, one table per collection in a local folder.

Owns the search (exact vector search, BM25, our fusion: LanceDB's own hybrid knows no relative scores) and the life of tables.
Loaded only when such a store is opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import lancedb
import pyarrow as pa
from lancedb.index import FTS

from mesh_core.expressions.binding import is_true
from mesh_core.expressions.sql import to_sql
from mesh_core.vectors.fusion import CANDIDATES
from mesh_core.vectors.identifiers import collection_identifier
from mesh_core.vectors.labels import Labels
from mesh_core.vectors.lancedb_failures import Given, reported
from mesh_core.vectors.lancedb_keywords import keyword_query
from mesh_core.vectors.lancedb_rows import RETURNED, LanceRows, attribute_arrow_field, stored_passage, table_schema
from mesh_core.vectors.lancedb_search import Query, Scores, fused, labels_of, ranked
from mesh_core.vectors.passages import Hit, Passage, check_vector
from mesh_core.vectors.scopes import VersionMemory, allowed_tag_sets, check_declaration, missing_attributes, over_fields
from mesh_core.vectors.staging import check_version, keys_about, reopen, stage, unseen
from mesh_core.vectors.store import (
    DEFAULT_ALPHA,
    OPEN,
    AllowedScope,
    Arrange,
    AskedVector,
    CollectionMissing,
    StageResult,
    awaited,
)
from mesh_core.vectors.word_weights import WordWeights

__all__ = ["LanceDbStore"]

_BESIDE = 4
"""Searches for words at work beside those for vectors, in callers' own threads; others wait. As many counts of words."""
_OVERTAKEN = 3
"""So often a search is repeated whose files an erasure took away meanwhile."""
_KEEP_FILES = timedelta(hours=1)
_AT_ONCE = timedelta(milliseconds=5)


class LanceDbStore:
    """A folder of LanceDB tables. Every call sees the newest commit of any process."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._database: Any = lancedb.connect(folder, read_consistency_interval=timedelta(0))
        self._tag_sets = VersionMemory[Mapping[str, Sequence[str]]]()
        self._whole: dict[str, tuple[int, int, bool]] = {}
        self._beside = ThreadPoolExecutor(_BESIDE, thread_name_prefix="lancedb")  # a thread a search would cost more
        self._counting = ThreadPoolExecutor(_BESIDE, thread_name_prefix="counting")  # the searches wait for its results
        self._weights = WordWeights(self._counting.map)
        self._labels = Labels()

    def ensure_collection(self, name: str, *, dimensions: int, attributes: Mapping[str, type]) -> None:
        """See VectorStore."""
        with reported(self._folder, name):
            check_declaration(name, dimensions=dimensions, attributes=attributes)
            try:
                rows = self._rows(name)
            except CollectionMissing:
                self._create(name, table_schema(dimensions=dimensions, attributes=attributes))
                return
            missing = missing_attributes(name, wanted=(dimensions, attributes), stored=(rows.dimensions, rows.attributes))
            if missing:
                self._table(name).add_columns([attribute_arrow_field(attribute, kind) for attribute, kind in missing.items()])

    def drop_collection(self, name: str) -> None:
        """See VectorStore."""
        with reported(self._folder, name):
            for table in _tables(name):
                self._database.drop_table(table, ignore_missing=True)
            self._tag_sets.forget(name)
            self._weights.forget(name)

    def rebuild(self, collection: str) -> int:
        """See VectorStore. Vectors are compared one by one and have no index here."""
        with reported(self._folder, collection):
            table = self._table(collection)
            table.create_index("indexed_text", config=FTS(with_position=False), replace=True)
            table.optimize(cleanup_older_than=_KEEP_FILES)
            count: int = table.count_rows()
            return count

    def stage(self, collection: str, version: int, passages: Iterable[Passage]) -> StageResult:
        """See VectorStore. The keyword index covers the version when this returns."""
        given = Given(passages)
        with reported(self._folder, collection, given):
            self._tag_sets.forget(collection)
            result = stage(self._rows(collection), collection=collection, version=version, passages=given)
            self._table(collection).optimize(cleanup_older_than=_KEEP_FILES)
            return result

    def is_overtaken(self, collection: str, version: int) -> bool:
        """See VectorStore."""
        with reported(self._folder, collection):
            later = f"valid_from > {version} or (valid_to > {version} and valid_to < {OPEN})"
            return bool(self._table(collection).count_rows(later))

    def unstage(self, collection: str, version: int) -> None:
        """See VectorStore."""
        with reported(self._folder, collection):
            rows = self._rows(collection)
            rows.delete(reopen(rows, collection=collection, version=version))
            self._table(collection).optimize(cleanup_older_than=_KEEP_FILES)

    def prune(self, collection: str, keep: Collection[int], *, dry_run: bool = False) -> int:
        """See VectorStore."""
        with reported(self._folder, collection):
            try:
                rows = self._rows(collection)
            except CollectionMissing:
                return 0
            found = unseen(rows, keep)
            if found and not dry_run:
                rows.delete(found)
                self._table(collection).optimize(cleanup_older_than=_KEEP_FILES)
            return len(found)

    def erase(self, collection: str, is_about: Callable[[str], bool], *, dry_run: bool = False) -> int:
        """See VectorStore. What is deleted stays in old fragments and in the index until both are made anew."""
        with reported(self._folder, collection):
            try:
                rows = self._rows(collection)
            except CollectionMissing:
                return 0
            found = keys_about(rows, is_about)
            if not dry_run:
                rows.delete(found)
                table = self._table(collection)
                table.create_index("indexed_text", config=FTS(with_position=False), replace=True)
                for _ in range(2):  # what the first compaction replaces goes with the second
                    time.sleep(2 * _AT_ONCE.total_seconds())
                    table.optimize(cleanup_older_than=_AT_ONCE, delete_unverified=True)
            return len(found)

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
    ) -> list[Hit]:
        """See VectorStore."""
        if scope.is_empty or limit < 1:
            return []
        query = Query(collection, text, vector, version, scope, limit, alpha)
        with reported(self._folder, collection):
            for _ in range(_OVERTAKEN):
                table = self._table(collection)
                commit: int = table.version
                try:
                    return self._found(table, commit, query, arrange)
                except (RuntimeError, OSError):
                    if self._table(collection).version == commit:
                        raise
            return self._found(table := self._table(collection), table.version, query, arrange)

    def _found(self, table: Any, commit: int, query: Query, arrange: Arrange | None) -> list[Hit]:  # noqa: ANN401
        collection, text, vector, version, scope, limit, alpha = query
        table.checkout(commit)  # one commit for all that follows: row ids mean something within it only
        rows = LanceRows(table, None)
        where = self._where(collection, rows, version=version, scope=scope)
        if not self._is_whole(collection, table, commit=commit, version=version):
            where.append(_at(version))
        best_by = partial(ranked, where=where, limit=max(CANDIDATES, limit))
        has_words = bool(alpha < 1 and text.strip())

        def words_found() -> Scores:  # leaves Python, so it runs at the same time
            words = keyword_query(text, collection=collection, table=table, where=where, weights=self._weights)
            return best_by(table.search(words, query_type="fts"), score="_score")

        beside = self._beside.submit(words_found) if has_words else None
        asked = check_vector(awaited(vector), dimensions=rows.dimensions, what="the question")
        dense: Scores = {}
        if alpha > 0 or not has_words:
            nearest = table.search(asked, query_type="vector", vector_column_name="vector").distance_type("cosine")
            dense = best_by(nearest.bypass_vector_index(), score="_distance")
        sparse = beside.result() if beside else {}
        found = list(map(str, {**dense, **sparse}))
        labels = self._labels.of(found, at=(collection, commit), version=version, read=partial(labels_of, rows))
        best = fused(dense, sparse, labels, alpha=alpha)
        if arrange:
            best = [best[place] for place in arrange([label.candidate for label in best])]
        row_ids = [int(label.id) for label in best[:limit]]
        return [Hit(stored_passage(row), rank) for rank, row in enumerate(rows.at(row_ids, RETURNED), start=1)]

    def count(self, collection: str, version: int) -> int:
        """See VectorStore."""
        with reported(self._folder, collection):
            check_version(version)
            count: int = self._table(collection).count_rows(_at(version))
            return count

    def close(self) -> None:
        """See VectorStore. LanceDB holds no connection; its files are closed as they are collected."""
        self._beside.shutdown()
        self._counting.shutdown()
        self._tag_sets.clear()

    def _create(self, name: str, schema: pa.Schema) -> None:
        identifier, tag_sets = _tables(name)
        tags = pa.schema([("tag_set", pa.string()), ("tags", pa.list_(pa.string()))])
        self._database.create_table(tag_sets, schema=tags, exist_ok=True)
        table = self._database.create_table(identifier, schema=schema)
        table.create_index("indexed_text", config=FTS(with_position=False))

    def _table(self, name: str, *, tag_sets: bool = False) -> Any:  # noqa: ANN401  (lancedb ships no types)
        try:
            return self._database.open_table(_tables(name)[int(tag_sets)])
        except ValueError as error:
            raise CollectionMissing(
                f"there is no collection {name}: create it with ensure_collection (publishing does so)."
            ) from error

    def _rows(self, name: str) -> LanceRows:
        return LanceRows(self._table(name), self._table(name, tag_sets=True))

    def _is_whole(self, collection: str, table: Any, *, commit: int, version: int) -> bool:  # noqa: ANN401
        """True if readers of the version see every row of the commit that the table is at: then no filter need say so."""
        kept = self._whole.get(collection)
        if kept is None or kept[:2] != (commit, version):
            kept = commit, version, not table.count_rows(f"not ({_at(version)})")
            self._whole[collection] = kept
        return kept[2]

    def _where(self, collection: str, rows: LanceRows, *, version: int, scope: AllowedScope) -> list[str]:
        """What both searches are restricted to besides the version: permitted rows, permitted tag sets; none if all are."""
        check_version(version)
        conditions: list[str] = []
        if not is_true(scope.filter):
            bound = over_fields(scope.filter, collection=collection, attributes=rows.attributes)
            conditions.append(f"({to_sql(bound, dialect='datafusion')})")
        if scope.excluded_tags:
            known = self._tag_sets.known(collection, version, "tags", lambda: self._read_tag_sets(collection))
            allowed = allowed_tag_sets(known, scope.excluded_tags)
            quoted = ", ".join(f"'{identity}'" for identity in allowed)
            if len(allowed) < len(known) or not known:
                conditions.append(f"tag_set in ({quoted})" if allowed else "false")
        return conditions

    def _read_tag_sets(self, collection: str) -> Mapping[str, Sequence[str]]:
        table = self._table(collection, tag_sets=True).to_arrow()
        return dict(zip(table["tag_set"].to_pylist(), table["tags"].to_pylist(), strict=True))


def _tables(name: str) -> tuple[str, str]:
    """The tables of a collection: its rows, and the tag sets that occur in them."""
    identifier = collection_identifier(name)
    return identifier, f"{identifier}.tags"


def _at(version: int) -> str:
    return f"valid_from <= {version} and valid_to > {version}"
