"""Measures as SQL: the query that a caller's measures stand for, by the contract of the version that is read.

Nothing is decided here: the query is governed like any other where it runs.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from domainmesh.v1 import product_pb2, sql_service_pb2
from governance_server.contracts import parse_contract
from governance_server.rules import kinds
from governance_server.rules.errors import Invalid

if TYPE_CHECKING:
    from governance_server.storage.catalog import Catalog
    from mesh_core.contract import Contract, Port

__all__ = ["measure_select"]


def measure_select(catalog: Catalog, query: sql_service_pb2.MeasureQuery, version: int) -> str:
    """The SELECT for the measures, as the contract of the version (a number from 1) defines them. Raises: Invalid."""
    from mesh_core.answers.intervals import Interval
    from mesh_core.answers.measure_sql import MeasureQuery, measure_sql
    from mesh_core.answers.row_conditions import InvalidMeasure
    from mesh_core.sql_text import SqlNotUnderstood

    start, end = (_day(text) for text in (query.start_day, query.end_day))
    wanted = MeasureQuery(
        tuple(query.measures), tuple(query.by), where=query.where, version=query.version,
        period=Interval(start, end) if start or end else None,
    )  # fmt: skip
    try:
        return measure_sql(query.port, _port(catalog, query.port, version), wanted)
    except (InvalidMeasure, SqlNotUnderstood) as error:  # the contract may be older than the check of its measures
        raise Invalid(str(error), resource=query.port) from None


def _port(catalog: Catalog, name: str, version: int) -> Port:
    """What the contract of that version says of the port."""
    product, _, port = name.rpartition(".")
    body = catalog.get(kinds.CONTRACT, kinds.versioned_name(product, version))
    return _contract(product_pb2.Contract.FromString(body or b"").text).port(port)


@lru_cache(maxsize=64)
def _contract(text: str) -> Contract:
    return parse_contract(text)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text[:40]!r} is no day: write it like 2026-03-31.") from None
