"""The facets of a collection between value and message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from domain_sdk.catalog import CollectionFacets
from domainmesh.v1 import product_pb2

__all__ = ["facets_from_wire", "facets_to_wire"]

_COUNTS = ("media_types", "languages", "organisations", "places", "currencies", "personal")


def facets_to_wire(facets: CollectionFacets) -> product_pb2.CollectionFacets:
    """The message."""
    values: dict[str, Any] = {it.name: getattr(facets, it.name) for it in fields(facets)}
    values |= {name: _counts(values[name]) for name in _COUNTS}
    return product_pb2.CollectionFacets(**values)


def facets_from_wire(message: product_pb2.CollectionFacets) -> CollectionFacets:
    """The value."""
    values: dict[str, Any] = {it.name: getattr(message, it.name) for it in fields(CollectionFacets)}
    values |= {name: _counted(values[name]) for name in _COUNTS}
    return CollectionFacets(**{**values, "not_covered": tuple(message.not_covered)})


def _counts(counts: Mapping[str, int]) -> list[product_pb2.FacetCount]:
    return [product_pb2.FacetCount(value=value, count=count) for value, count in counts.items()]


def _counted(counts: Iterable[product_pb2.FacetCount]) -> dict[str, int]:
    return {it.value: it.count for it in counts}
