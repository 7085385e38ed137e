"""One measure of two periods, or of two values of a column, with the difference between them: one row of governed SQL.

Everything that is said of a comparison stands in that row, so it can be checked and computed again like any figure. A side
without rows has no value, also where it would be a count of zero: that there is nothing is no figure to compare with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mesh_core.answers.joins import Join
from mesh_core.answers.measure_sql import MeasureQuery, measure_select
from mesh_core.contract.model import Port
from mesh_core.contract.semantic_check import DIALECT
from mesh_core.contract.semantics import Measure
from mesh_core.sql_text import parsed_expression

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["CHANGE", "DIFFERENCE", "FIRST", "SECOND", "comparison_sql"]

FIRST, SECOND = "first_", "second_"
"""What stands before the measure's name in the columns of its two values."""
DIFFERENCE, CHANGE = "difference", "change_in_percent"
_EXACT = re.compile(r"(?:decimal|numeric)\b", re.IGNORECASE)
_PLACES = 12
"""Decimal places in which numbers that are not stored as decimals are subtracted."""


def comparison_sql(
    name: str, port: Port, sides: tuple[MeasureQuery, MeasureQuery], *, is_change: bool, joins: Sequence[Join] = ()
) -> str:
    """The SELECT of one row: the measure of both sides, their difference and, of a change, that in percent of the first.

    Args:
        name: The port's three-part name.
        port: What its contract says of it, with the columns of the `joins`.
        sides: The same one measure, without groups.
        is_change: From the first to the second; else the first is more or less than the second, and there are no percent.
        joins: As for `measure_sql`.

    Raises:
        InvalidMeasure: as `measure_sql`.
    """
    from sqlglot import exp

    (wanted,) = sides[0].measures
    measure = next(it for it in port.measures if it.name == wanted)
    tables = [_side(name, port, side, joins).subquery(alias) for side, alias in zip(sides, ("a", "b"), strict=True)]
    one, two = (exp.column("value", table=alias) for alias in ("a", "b"))
    difference = _less(two, one, measure, port) if is_change else _less(one, two, measure, port)
    values = [(f"{FIRST}{wanted}", one), (f"{SECOND}{wanted}", two), (DIFFERENCE, difference)]
    if is_change:
        values.append((CHANGE, _percent(difference, one)))
    columns = [exp.alias_(value.copy(), alias, quoted=True) for alias, value in values]
    return exp.select(*columns).from_(tables[0]).join(tables[1], join_type="cross").sql(dialect=DIALECT)


def _side(name: str, port: Port, query: MeasureQuery, joins: Sequence[Join]) -> exp.Select:
    """The measure, named `value`; null if no row counts."""
    from sqlglot import exp

    built = measure_select(name, port, query, joins=joins)
    has_rows = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(0))
    value = exp.Case(ifs=[exp.If(this=has_rows, true=built.selects[0].unalias())])
    return built.select(exp.alias_(value, "value"), append=False)


def _less(value: exp.Expr, other: exp.Expr, measure: Measure, port: Port) -> exp.Expr:
    """What is left of the value, of the numbers as they are written: 0.3 less 0.1 is 0.2, however they are stored."""
    from sqlglot import exp

    if _is_exact(measure, port):
        return exp.paren(exp.Sub(this=value.copy(), expression=other.copy()))
    kind = f"decimal(38, {_PLACES})"
    one, two = (exp.TryCast(this=exp.cast(it.copy(), "varchar"), to=exp.DataType.build(kind)) for it in (value, other))
    return exp.cast(exp.Sub(this=one, expression=two), "double")


def _is_exact(measure: Measure, port: Port) -> bool:
    """True if the measure is a count, or a sum or an end of a column of whole numbers or decimals."""
    from sqlglot import exp

    whole = parsed_expression(measure.expression, DIALECT)
    counted = whole.this if isinstance(whole, exp.Filter) else whole
    if isinstance(counted, exp.Count):
        return True
    inner = counted.this if isinstance(counted, exp.Sum | exp.Min | exp.Max) else None
    column = next(
        (it for it in port.columns if isinstance(inner, exp.Column) and it.name.casefold() == inner.name.casefold()), None
    )
    return column is not None and (column.logical_type == "integer" or bool(_EXACT.match(column.physical_type or "")))


def _percent(difference: exp.Expr, base: exp.Expr) -> exp.Expr:
    """The difference in percent of the base; null unless that is above zero: of nothing, or of less, there is no percentage."""
    from sqlglot import exp

    part = exp.Mul(this=exp.Literal.number("100.0"), expression=exp.cast(difference.copy(), "double"))
    rate = exp.Div(this=part, expression=exp.cast(base.copy(), "double"))
    is_above = exp.GT(this=base.copy(), expression=exp.Literal.number(0))
    rounded = exp.func("ROUND", rate, exp.Literal.number(2))
    return exp.Case(ifs=[exp.If(this=is_above, true=exp.Add(this=rounded, expression=exp.Literal.number(0)))])  # -0.0 is 0
