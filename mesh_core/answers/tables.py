"""The seam to figures: what is known of the tables an asker may read, and the queries that are planned over them.

`figures.plan_figures` makes a plan of a question and such tables, without queries where the question asks for no figure.
Whoever answers runs them as the asker, with governed SQL: a plan gives no right. `TableModel` holds nothing that the asker may
not see, so a plan cannot tell of it either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from mesh_core.contract.model import Port

__all__ = ["FigurePlan", "FigureQuery", "LookUp", "TableModel", "filled"]


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
    is_filtered: bool = False
    """True if policy may withhold rows from the asker: a figure is then one of the rows that it sees."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """What the columns of looked-up rows mean."""

    port: str
    definition: Port
    """As in `TableModel`."""
    masked: frozenset[str] = frozenset()
    is_own: bool = True
    """The rows are those whose own key is given; else they refer to it, or are referred to."""
    by: str = ""
    """The column whose values are given; empty for rows that are referred to."""
    values: tuple[str, ...] = ()
    beside: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """What the question says of the same rows beside that, by column: `order O-7 of customer C-3` is looked up by the order."""
    referred_by: str = ""
    """Of rows that others refer to: the basis of the look-up of those."""


@dataclass(frozen=True, slots=True)
class FigureQuery:
    """One query to be run, and how its result is said."""

    sql: str
    """One SELECT in DuckDB's dialect; ports by their three-part names, without a version: whoever runs it pins them."""
    sentences: tuple[str, ...]
    """Sentences for each row, with result columns in braces: `Order {order_id} was placed on {order_date}.` One that names a
    column without a value in the row is not said, unless it says what stands for it (`filled`)."""
    basis: str
    """What it computes, in words: `revenue by region of sales.orders.orders`, `the row of … with order_id 4711`."""
    most_rows: int = 1
    """So many rows are said; further ones make the figure incomplete, and it is not used."""
    look_up: LookUp | None = None
    """Of a query that gives rows as they are stored."""
    top: int = 0
    """How many rows a ranking asks for; there are more if the last place is shared. 0: it is none."""
    sides: tuple[str, ...] = ()
    """Of a figure that is compared with another: what is said of each, like its period."""


@dataclass(frozen=True, slots=True)
class FigurePlan:
    """The queries for a question, best first, and what of it is not clear, in sentences for who asked."""

    queries: tuple[FigureQuery, ...] = ()
    unclear: tuple[str, ...] = ()
    is_whole: bool = False
    """The question asks for figures and nothing else: no passage answers it."""
    hints: tuple[str, ...] = ()
    """Why tables that the question may be about give no figure; to be said only if nothing else answers."""


def filled(template: str, row: Mapping[str, str]) -> str:
    """The sentence for one row. It is empty if a column it names is absent or has no value in this row.

    Behind a bar stands what is said in place of an absent value: `{country|(none)}`. Beside that only plain names in braces mean
    anything: `{a.b}`, `{a!r}` and `{a:>9}` are refused, so that no template reaches an object.

    Raises:
        ValueError: the template is malformed.
    """
    parts = []
    for literal, name, spec, conversion in Formatter().parse(template):
        parts.append(literal)
        if name is None:
            continue
        column, _, otherwise = name.partition("|")
        if spec or conversion or not column.isidentifier():
            raise ValueError(f"{{{name}}} in the sentence {template!r} is not the name of a column.")
        value = row.get(column) or otherwise
        if not value:
            return ""
        parts.append(value)
    return "".join(parts)
