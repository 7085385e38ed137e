"""Measures as governed SQL: a measure of a port, grouped and filtered, becomes one SELECT over that port and nothing else.

The query is built as a tree; what a user wrote gets into it as a literal, as a name that the contract has, or as a condition that
was parsed alone. What it may see is decided where it is run. Knows nothing of policy, data and questions.
Source: ODCS 3.2 `semanticType`; time grains as in the dbt semantic layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesh_core.answers.intervals import Interval
from mesh_core.answers.joins import Join, joined_table
from mesh_core.answers.ratio_sql import divided, ratio_column
from mesh_core.answers.row_conditions import Bound, InvalidMeasure, Values, among, beyond, day_literal, names_in, own, value_of
from mesh_core.contract.model import Port
from mesh_core.contract.semantic_check import DIALECT
from mesh_core.contract.semantics import Measure
from mesh_core.sql_text import SqlNotUnderstood, parsed_expression

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["GRAINS", "MeasureQuery", "measure_select", "measure_sql", "table_of"]

GRAINS = ("day", "week", "month", "quarter", "year")
"""What a time dimension can be cut to, beside the dimensions that a port names."""
_SAID = {"day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m", "quarter": "%Y", "year": "%Y"}


@dataclass(frozen=True, slots=True)
class MeasureQuery:
    """What is asked of a port's measures.

    Attributes:
        measures: Their names, at least one.
        by: Dimensions, columns or time grains that rows are grouped by.
        where: An SQL condition over the port's columns and dimensions; empty for none.
        only: Conditions that must all hold.
        period: What the time dimension of each measure lies in.
        top: Only so many rows, with the greatest values of the first measure first, and those that equal the last of them; rows
            without a value to group by take no place. 0 for all, by group.
        is_lowest: The least values come first instead.
        share: The measure is told in percent: of the rows that this holds for, of what it is of all.
        is_ratio: The first of two measures is told by the second as well, as `ratio_sql.divided` rounds it.
        version: Of the product; 0 for the one now served.
    """

    measures: tuple[str, ...]
    by: tuple[str, ...] = ()
    where: str = ""
    only: tuple[Values | Bound, ...] = ()
    period: Interval | None = None
    top: int = 0
    is_lowest: bool = False
    share: Values | None = None
    is_ratio: bool = False
    version: int = 0


def measure_sql(name: str, port: Port, query: MeasureQuery, *, is_said: bool = False, joins: Sequence[Join] = ()) -> str:
    """The SELECT that answers the query, in the dialect of governed SQL: the groups' columns, then one for each measure.

    Args:
        name: The port's three-part name.
        port: What its contract says of it.
        query: What is asked.
        is_said: Times that are cut to a grain come as they are said: a month as `2026-03`, a quarter as `2026-Q1`.
        joins: Tables whose columns the port has been given (`joins.with_joined`); read are those that the query names.

    Raises:
        InvalidMeasure: the port has no such measure or dimension, or the condition cannot be understood.
    """
    return measure_select(name, port, query, is_said=is_said, joins=joins).sql(dialect=DIALECT)


def measure_select(
    name: str, port: Port, query: MeasureQuery, *, is_said: bool = False, joins: Sequence[Join] = ()
) -> exp.Select:
    """The SELECT of `measure_sql` as a tree. Raises: InvalidMeasure, as it does."""
    from sqlglot import exp

    measures = [_measure(port, wanted) for wanted in query.measures]
    if not measures:
        raise InvalidMeasure(f"No measure is named: {_listed(port)}.")
    groups = [(wanted, _group(port, wanted, measures)) for wanted in query.by]
    if is_said:
        groups = [(wanted, _as_said(made)) for wanted, made in groups]
    values = [(it.name, _computed(it, port, query.share)) for it in measures]
    values += [(ratio_column(names_in(port)), divided(values[0][1], values[1][1]))] if query.is_ratio else []
    columns = [exp.alias_(made, alias, quoted=True) for alias, made in (*groups, *values)]
    conditions = [_condition(port, query.where)] if query.where.strip() else []
    conditions += [among(port, it) if isinstance(it, Values) else beyond(port, it) for it in query.only]
    if query.period is not None:
        conditions += [_within(it, query.period) for it in _times(port, measures)]
    if query.top:
        conditions += [exp.Is(this=exp.paren(made.copy()), expression=exp.Not(this=exp.Null())) for _, made in groups]
    built = exp.select(*columns).from_(table_of(name, query.version))
    compared = {it.name for it in (*query.only, *([query.share] if query.share else []))}
    for join in joins:
        built = joined_table(built, join, compared=compared, grouped=query.by)
    built = built.where(*conditions) if conditions else built
    if groups:
        places = [exp.Literal.number(place) for place in range(1, len(groups) + 1)]
        best = [_ordered(exp.Literal.number(len(groups) + 1), query)] if query.top else []
        built = built.group_by(*places).order_by(*best, *[it.copy() for it in places])
    return built.qualify(_ranked(values[0][1], query)) if query.top else built


def _ordered(value: exp.Expr, query: MeasureQuery) -> exp.Ordered:
    from sqlglot import exp

    return exp.Ordered(this=value, desc=not query.is_lowest, nulls_first=False)


def _ranked(value: exp.Expr, query: MeasureQuery) -> exp.Expr:
    """True for the rows that come first; those that share the last place all do."""
    from sqlglot import exp

    order = exp.Order(expressions=[_ordered(value.copy(), query)])
    return exp.LTE(this=exp.Window(this=exp.func("RANK", dialect=DIALECT), order=order), expression=exp.Literal.number(query.top))


def _measure(port: Port, name: str) -> Measure:
    found = next((it for it in port.measures if it.name.casefold() == name.casefold()), None)
    if found is None or not found.expression:
        raise InvalidMeasure(f"{port.name} has no measure {name!r}: {_listed(port)}.")
    return found


def _computed(measure: Measure, port: Port, share: Values | None) -> exp.Expr:
    """The measure as a tree, or its share in percent. Raises: InvalidMeasure: it is no sum and no count, so has no shares."""
    from sqlglot import exp

    whole = own(parsed_expression(measure.expression, DIALECT), port)
    if share is None:
        return whole
    counted, condition = whole, among(port, share)
    if isinstance(whole, exp.Filter):
        counted, condition = whole.this, exp.and_(whole.expression.this.copy(), condition)
    if not isinstance(counted, exp.Sum | exp.Count) or isinstance(counted.this, exp.Distinct):
        raise InvalidMeasure(f"{measure.name} of {port.name} is no sum and no count: it has no shares.")
    part = exp.Filter(this=counted.copy(), expression=exp.Where(this=condition))
    percent = exp.Div(
        this=exp.Mul(this=exp.Literal.number("100.0"), expression=part),
        expression=exp.func("NULLIF", whole, exp.Literal.number(0)),
    )
    return exp.func("ROUND", percent, exp.Literal.number(1))


def _listed(port: Port) -> str:
    return f"it has {', '.join(it.name for it in port.measures)}" if port.measures else "its contract defines none"


def _group(port: Port, name: str, measures: list[Measure]) -> exp.Expr:
    found = value_of(port, name)
    if found is not None:
        return found
    if name.casefold() not in GRAINS:
        names = dict.fromkeys([it.name for it in port.dimensions] or [it.name for it in port.columns])
        raise InvalidMeasure(
            f"{port.name} has no dimension {name!r}: it has {', '.join(names)}, and {', '.join(GRAINS)} of its time."
        )
    times = _times(port, measures)
    if len({it.sql(dialect=DIALECT) for it in times}) > 1:
        raise InvalidMeasure(f"The measures have several time dimensions: ask for them one by one to group by {name}.")
    from sqlglot import exp

    return exp.Anonymous(this="date_trunc", expressions=[exp.Literal.string(name.casefold()), times[0]])


def _as_said(group: exp.Expr) -> exp.Expr:
    """A time that is cut to a grain as text, anything else as it is; texts sort as their times do."""
    from sqlglot import exp

    cut = parsed_expression(group.sql(dialect=DIALECT), DIALECT).unnest()
    if not isinstance(cut, exp.DateTrunc | exp.TimestampTrunc):
        return group
    grain = cut.text("unit").casefold()
    if grain not in _SAID:
        return group

    def text(form: str) -> exp.Expr:
        return exp.Anonymous(this="strftime", expressions=[group.copy(), exp.Literal.string(form)])

    if grain != "quarter":
        return text(_SAID[grain])
    number = exp.Anonymous(this="quarter", expressions=[group.copy()])
    return exp.Anonymous(this="concat", expressions=[text(_SAID[grain]), exp.Literal.string("-Q"), number])


def _times(port: Port, measures: list[Measure]) -> list[exp.Expr]:
    """The time dimensions of the measures, each once. Raises: InvalidMeasure: one has none."""
    found = {}
    for measure in measures:
        name = port.time_dimension(measure)
        value = value_of(port, name) if name else None
        if value is None:
            raise InvalidMeasure(f"Measure {measure.name!r} of {port.name} has no time dimension: its contract must name one.")
        found[name.casefold()] = value
    return list(found.values())


def _condition(port: Port, where: str) -> exp.Expr:
    """The user's condition, with dimensions in place of their names. Raises: InvalidMeasure."""
    from sqlglot import exp

    try:
        condition = own(parsed_expression(where, DIALECT), port)
    except SqlNotUnderstood as error:
        raise InvalidMeasure(f"where: {error}") from None
    if condition.find(exp.Query, exp.AggFunc, exp.Window, exp.Star):
        raise InvalidMeasure("where is a condition on single rows of the port: no query, aggregate or window.")
    made = {it.name.casefold() for it in port.dimensions if it.expression}

    def replaced(node: exp.Expr) -> exp.Expr:
        is_made = isinstance(node, exp.Column) and len(node.parts) == 1 and node.name.casefold() in made
        return (value_of(port, node.name) or node) if is_made else node

    return exp.paren(condition.transform(replaced))


def _within(value: exp.Expr, period: Interval) -> exp.Expr:
    from sqlglot import exp

    parts: list[exp.Expr] = []
    if period.start is not None:
        parts.append(exp.GTE(this=value.copy(), expression=day_literal(period.start.isoformat())))
    if period.end is not None:
        parts.append(exp.LT(this=value.copy(), expression=day_literal(period.end.isoformat())))
    return exp.and_(*parts)


def table_of(name: str, version: int) -> exp.Table:
    """The port as a table, known by its last part."""
    from sqlglot import exp

    domain, product, port = name.split(".")
    table = exp.table_(port, db=product, catalog=domain, quoted=True)
    if version:
        when = exp.HistoricalData(this="AT", kind="VERSION", expression=exp.Literal.number(version))
        table.set("when", when)
    return table
