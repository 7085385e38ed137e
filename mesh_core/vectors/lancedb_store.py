"""LanceDB as a vector store: embedded, one table per collection in a local folder.

Owns the life of tables, and what of them a reader may find. Loaded only when such a store is opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any

import lancedb
import pyarrow as pa
from lancedb.index import FTS

from mesh_core.expressions.binding import is_true
from mesh_core.expressions.sql import to_sql
from mesh_core.expressions.tree import Expression
from mesh_core.vectors.held_counts import HeldCounts
from mesh_core.vectors.identifiers import collection_identifier
from mesh_core.vectors.lancedb_failures import Given, reported
from mesh_core.vectors.lancedb_rows import LanceRows, attribute_arrow_field, table_schema
from mesh_core.vectors.lancedb_search import LanceQuery, LanceSearch
from mesh_core.vectors.passages import Hit, Passage
from mesh_core.vectors.scopes import VersionMemory, allowed_tag_sets, check_declaration, missing_attributes, over_fields
from mesh_core.vectors.staging import check_version, ids_about, keys_about, reopen, stage, unseen
from mesh_core.vectors.store import (
    DEFAULT_ALPHA,
    FIRST_VERSION,
    OPEN,
    AllowedScope,
    Arrange,
    AskedVector,
    CollectionMissing,
    Published,
    StageResult,
)

__all__ = ["LanceDbStore"]

_OVERTAKEN = 3
"""So often a search is repeated whose files an erasure took away meanwhile."""
_ALL = 0
"""No version: all passages, of whichever."""
_KEEP_FILES = timedelta(hours=1)
_AT_ONCE = timedelta(milliseconds=5)


class LanceDbStore:
    """A folder of LanceDB tables. Every call sees the newest commit of any process."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._database: Any = lancedb.connect(folder, read_consistency_interval=timedelta(0))
        self._tag_sets = VersionMemory[Mapping[str, Sequence[str]]]()
        self._conditions = VersionMemory[str]()
        self._held = HeldCounts()
        self._search = LanceSearch()

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
            for memory in (self._tag_sets, self._conditions, self._search, self._held):
                memory.forget(name)

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
            self._conditions.forget(collection)
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
                self._search.forget(collection)
                self._held.forget(collection)
                table = self._table(collection)
                table.create_index("indexed_text", config=FTS(with_position=False), replace=True)
                for _ in range(2):  # what the first compaction replaces goes with the second
                    time.sleep(2 * _AT_ONCE.total_seconds())
                    table.optimize(cleanup_older_than=_AT_ONCE, delete_unverified=True)
            return len(found)

    def about(self, collection: str, is_about: Callable[[str], bool]) -> frozenset[str]:
        """See VectorStore."""
        with reported(self._folder, collection), suppress(CollectionMissing):
            return ids_about(self._rows(collection), is_about)
        return frozenset()

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
        with reported(self._folder, collection):
            for turn in range(_OVERTAKEN + 1):
                table = self._table(collection)
                commit: int = table.version
                try:
                    table.checkout(commit)  # one commit for all that follows: row ids mean something within it only
                    where = self._where(collection, table, version=version, scope=scope)
                    if published is not None:
                        count = partial(_count, table, version)
                        self._held.check(collection, version, published=published, state=commit, count=count)
                    if not self._is_whole(collection, table, commit=commit, version=version):
                        where.append(_at(version))
                    query = LanceQuery(collection, table, commit, where, version, text, vector, alpha, limit)
                    best = self._search.best(query, arrange)
                    break
                except (RuntimeError, OSError):
                    if turn == _OVERTAKEN or self._table(collection).version == commit:
                        raise
        return [Hit(passage, rank) for rank, passage in enumerate(best, start=1)]

    def count(self, collection: str, version: int, *, since: int = FIRST_VERSION) -> int:
        """See VectorStore."""
        with reported(self._folder, collection):
            check_version(version)
            return _count(self._table(collection), version, since)

    def close(self) -> None:
        """See VectorStore. LanceDB holds no connection; its files are closed as they are collected."""
        self._search.close()
        self._tag_sets.clear()
        self._conditions.clear()

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
        counted = partial(self._held.held, collection, since=FIRST_VERSION, state=commit)
        seen = counted(version, count=partial(_count, table, version, FIRST_VERSION))
        return seen == counted(_ALL, count=table.count_rows)

    def _where(self, collection: str, table: Any, *, version: int, scope: AllowedScope) -> list[str]:  # noqa: ANN401
        """What both searches are restricted to besides the version: permitted rows, permitted tag sets; none if all are."""
        check_version(version)
        conditions: list[str] = []
        if not is_true(scope.filter):
            attributes = LanceRows(table, None).attributes
            written = repr((scope.filter, attributes))  # literals that are equal and of other types are written otherwise
            make = partial(_condition, scope.filter, collection, attributes)
            digest = sha256(written.encode(errors="surrogatepass")).hexdigest()
            conditions.append(self._conditions.known(collection, version, digest, make))
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


def _condition(permitted: Expression, collection: str, attributes: Mapping[str, type]) -> str:
    """The filter as LanceDB reads it. With values by the ten thousand it takes longer to write than to search by."""
    bound = over_fields(permitted, collection=collection, attributes=attributes)
    return f"({to_sql(bound, dialect='datafusion')})"


def _count(table: Any, version: int, since: int) -> int:  # noqa: ANN401
    count: int = table.count_rows(f"{_at(version)} and valid_from >= {since}")
    return count


def _at(version: int) -> str:
    return f"valid_from <= {version} and valid_to > {version}"
