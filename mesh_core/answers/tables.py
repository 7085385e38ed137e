"""The seam to figures: what is known of the tables an asker may read, and the queries that are planned over them.

A planner of figures is pure: `plan(question, tables)` gives queries, best first, and none where the question asks for no figure.
Whoever answers runs them as the asker, with governed SQL: a plan gives no right. `TableModel` holds nothing that the asker may
not see, so a plan cannot tell of it either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from mesh_core.contract.model import Port

__all__ = ["FigurePlanner", "FigureQuery", "TableModel", "filled"]


@dataclass(frozen=True, slots=True)
class TableModel:
    """A table that the asker may read, as its contract describes it."""

    port: str
    """Its three-part name."""
    version: int
    """The product's version that is read."""
    definition: Port
    """The contract's schema object, cut to the columns that the asker sees."""
    masked: frozenset[str] = frozenset()
    """Those of the columns that the asker sees masked, on some rows at least: look nothing up by them."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """The contract's own `customProperties`."""


@dataclass(frozen=True, slots=True)
class FigureQuery:
    """One query to be run, and how its result is said."""

    sql: str
    """One SELECT in DuckDB's dialect; ports by their three-part names, without a version: whoever runs it pins them."""
    sentence: str
    """A sentence for each row, with result columns in braces: `Order {order_id} was placed on {order_date}.`"""
    basis: str
    """What it computes, in words: `revenue by region of sales.orders.orders`, `the row of … with order_id 4711`."""
    most_rows: int = 1
    """So many rows are said; further ones make the figure incomplete, and it is not used."""


FigurePlanner = Callable[[str, Sequence[TableModel]], Sequence[FigureQuery]]


def filled(template: str, row: Mapping[str, str]) -> str:
    """The sentence for one row. It is empty if a column it names is absent or has no value in this row.

    Only plain names in braces mean anything: `{a.b}`, `{a!r}` and `{a:>9}` are refused, so that no template reaches an object.

    Raises:
        ValueError: the template is malformed.
    """
    parts = []
    for literal, name, spec, conversion in Formatter().parse(template):
        parts.append(literal)
        if name is None:
            continue
        if spec or conversion or not name.isidentifier():
            raise ValueError(f"{{{name}}} in the sentence {template!r} is not the name of a column.")
        if not row.get(name):
            return ""
        parts.append(row[name])
    return "".join(parts)
