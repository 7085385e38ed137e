"""The one pre-filter of both of Weaviate's searches: version, permitted rows, permitted tag sets.

Owns what must be known of a version to say it in positive operators: its tag sets, values of fields under a negation, and whether
Weaviate knows of all its objects which fields they lack. Loaded only with the Weaviate store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from weaviate.classes.aggregate import GroupByAggregate
from weaviate.classes.query import Filter

from mesh_core.expressions.binding import is_true, simplify
from mesh_core.expressions.errors import Unsupported
from mesh_core.expressions.filters import as_filter
from mesh_core.expressions.tree import And, Column, Expression, IsNull, Or
from mesh_core.expressions.weaviate import Everything, Nothing, to_weaviate
from mesh_core.vectors.enumeration import enumerated
from mesh_core.vectors.identifiers import attribute_field
from mesh_core.vectors.scopes import VersionMemory, allowed_tag_sets, over_fields
from mesh_core.vectors.store import FIRST_VERSION, AllowedScope, CollectionMismatch, CollectionUnfinished
from mesh_core.vectors.weaviate_collections import WeaviateCollections
from mesh_core.vectors.weaviate_keywords import count_of
from mesh_core.vectors.weaviate_negations import with_negations
from mesh_core.vectors.weaviate_rows import TEXT_BEGINS, exact

__all__ = ["WeaviateFilters", "at_version"]

_MOST_TAG_SETS = 10_000
_MOST_VALUES = 1000


def at_version(version: int, *, since: int = FIRST_VERSION) -> Any:  # noqa: ANN401
    """The filter that keeps what readers of the version see, of what `since` or a later version added."""
    where = Filter.by_property("valid_from").less_or_equal(version) & Filter.by_property("valid_to").greater_than(version)
    return where & Filter.by_property("valid_from").greater_or_equal(since) if since > FIRST_VERSION else where


class _TooManyValues(Exception):
    """A field has more values than are listed."""


class WeaviateFilters:
    """Makes the filter of a scope; remembers what was read of versions."""

    def __init__(self, collections: WeaviateCollections) -> None:
        self._collections = collections
        self._tag_sets = VersionMemory[Mapping[str, Sequence[str]]]()
        self._values = VersionMemory[Sequence[str]]()
        self._unknown = VersionMemory[int]()

    def where(self, collection: str, *, version: int, scope: AllowedScope, attributes: Mapping[str, type]) -> Any:  # noqa: ANN401
        """The filter; None if nothing is permitted."""
        where = at_version(version)
        if not is_true(scope.filter):
            bound = over_fields(scope.filter, collection=collection, attributes=attributes, text=exact)
            for field in dict.fromkeys(_lacked(as_filter(bound))):
                self._check_lacked(collection, version, field)
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

    def is_unfinished(self, collection: str, fields: Iterable[str]) -> bool:
        """Whether Weaviate does not know of some object, of whichever version, which of the fields it lacks."""
        used, there = self._collections.use(collection), Filter.by_property("valid_from").greater_or_equal(0)
        known = Filter.all_of([there, *map(_is_known, fields)])
        return count_of(used, known) < count_of(used, there)

    def forget(self, collection: str) -> None:
        """Nothing of the collection is remembered."""
        self._tag_sets.forget(collection)
        self._values.forget(collection)
        self._unknown.forget(collection)

    def _compiled(self, bound: Expression, *, collection: str, version: int, attributes: Mapping[str, type]) -> Any:  # noqa: ANN401
        """The filter; what only a negation could say is said by the version's allowed values, if they are not too many."""
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
            try:
                return to_weaviate(enumerated(bound, values))
            except _TooManyValues:
                return with_negations(simplify(bound), texts=texts, prefix=TEXT_BEGINS)
        except Unsupported as error:
            raise CollectionMismatch(f"Weaviate cannot evaluate the filter on {collection}: {error}") from error

    def _check_lacked(self, collection: str, version: int, field: str) -> None:
        """Returns if Weaviate knows of each object of the version whether it lacks the field.

        In objects that are there when a property is added to a collection it is not looked for: IS NULL would leave them out.

        Raises:
            CollectionUnfinished: it does not; once the collection was built anew, it does.
        """
        used, known = self._collections.use(collection), at_version(version) & _is_known(field)
        unknown = self._unknown.known(
            collection, version, field, lambda: count_of(used, at_version(version)) - count_of(used, known)
        )
        if unknown:
            self._unknown.forget(collection)
            raise CollectionUnfinished(
                f"version {version} of {collection}: of {unknown} passages {field} is not known to be null."
            )

    def _read_values(self, collection: str, version: int, field: str) -> Sequence[str]:
        """Every value of a text field at the version. Raises: _TooManyValues, if they are too many to list."""
        aggregate = self._collections.use(collection).aggregate
        grouping = GroupByAggregate(prop=field, limit=_MOST_VALUES + 1)
        groups = aggregate.over_all(group_by=grouping, filters=at_version(version), total_count=True).groups
        if len(groups) > _MOST_VALUES:
            raise _TooManyValues
        return sorted(str(group.grouped_by.value) for group in groups)

    def _read_tag_sets(self, collection: str) -> Mapping[str, Sequence[str]]:
        wanted = Filter.by_property("collection").equal(collection)
        found = self._collections.tag_sets(collection).query.fetch_objects(filters=wanted, limit=_MOST_TAG_SETS)
        rows: Iterator[dict[str, Any]] = (dict(item.properties) for item in found.objects)
        return {row["tag_set"]: row.get("tags") or () for row in rows}


def _is_known(field: str) -> Any:  # noqa: ANN401
    """The filter that keeps the objects of which Weaviate knows whether they lack the field."""
    return Filter.by_property(field).is_none(True) | Filter.by_property(field).is_none(False)


def _lacked(where: Expression) -> Iterator[str]:
    """The fields that objects may pass for lacking."""
    match where:
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _lacked(operand)
        case IsNull(Column(name)):
            yield name
