"""Judges the measures and dimensions of a contract: each must be computable of its port's own columns.

What a measure reads is governed like any query; here it is only asked whether it means something. Knows nothing of data.
Source: ODCS 3.2 `semanticType` (RFC 0034): a measure is "an aggregated value computed via a SQL aggregation expression".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mesh_core.contract.model import DATED, Port, PortKind, Violation
from mesh_core.contract.semantics import Dimension, Measure
from mesh_core.names import InvalidName, check_column
from mesh_core.sql_text import SqlNotUnderstood, parsed_expression

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["DIALECT", "columns_in", "computable", "semantic_problems"]

DIALECT = "duckdb"
"""What expressions are written in: the dialect of governed SQL."""


def semantic_problems(port: Port, path: str) -> Iterator[Violation]:
    """Everything that keeps a measure or dimension of the port from being computed, each at its property's path."""
    made = [it for it in port.dimensions if it.expression]
    computed: list[Measure | Dimension] = [*port.measures, *made]
    if port.kind is PortKind.COLLECTION:
        for it in computed:
            yield Violation(_place(path, it), f"{it.name!r} is computed of a table's columns; a collection has none.")
        return
    yield from _name_problems(port, path, computed)
    for dimension in made:
        for text in _dimension_problems(dimension, port):
            yield Violation(f"{_place(path, dimension)}.transformLogic", text)
    for measure in port.measures:
        for text in _measure_problems(measure, port):
            yield Violation(f"{_place(path, measure)}.transformLogic", text)
        if text := _time_problem(measure, port):
            yield Violation(f"{_place(path, measure)}.customProperties", text)


def computable(port: Port, path: str) -> tuple[Port, tuple[str, ...]]:
    """The port with the measures and dimensions that can be computed, and why each of the others cannot, with its path.

    The standard lets a contract say of a measure what it likes, so one that means nothing here is recorded and not refused.
    """
    if not (port.measures or port.dimensions):
        return port, ()
    problems = list(semantic_problems(port, path))
    if not problems:
        return port, ()
    every: list[Measure | Dimension] = [*port.measures, *port.dimensions]
    wrong = {it.position for it in every if _is_in(problems, _place(path, it))}
    kept = replace(
        port,
        measures=tuple(it for it in port.measures if it.position not in wrong),
        dimensions=tuple(it for it in port.dimensions if it.position not in wrong),
    )
    return kept, tuple(f"{it.path.removeprefix('$.')}: {it.message.rstrip('.')}: recorded, not computed" for it in problems)


def _is_in(problems: Sequence[Violation], place: str) -> bool:
    return any(it.path == place or it.path.startswith(f"{place}.") for it in problems)


def columns_in(expression: exp.Expr, port: str) -> Iterator[exp.Column]:
    """The columns that the expression of a port names; a port's own name in front of one is taken off."""
    from sqlglot import exp

    for node in list(expression.find_all(exp.Column)):
        if len(node.parts) > 1 and node.parts[0].name.casefold() == port.casefold():
            for level in ("catalog", "db", "table"):
                if node.args.get(level):
                    node.set(level, None)
                    break
        yield node


def _place(path: str, it: Measure | Dimension) -> str:
    return f"{path}.properties[{it.position}]"


def _name_problems(port: Port, path: str, computed: Sequence[Measure | Dimension]) -> Iterator[Violation]:
    taken = {column.name.casefold() for column in port.columns}
    for it in computed:
        try:
            check_column(it.name)
        except InvalidName as error:
            yield Violation(f"{_place(path, it)}.name", str(error))
        if it.name.casefold() in taken:
            yield Violation(f"{_place(path, it)}.name", f"{it.name!r} is the name of another property; case is ignored.")
        taken.add(it.name.casefold())


def _dimension_problems(dimension: Dimension, port: Port) -> Iterator[str]:
    from sqlglot import exp

    try:
        expression = parsed_expression(dimension.expression, DIALECT)
    except SqlNotUnderstood as error:
        yield f"dimension {dimension.name!r}: {error}"
        return
    yield from _unfit(dimension, expression, port)
    if expression.find(exp.AggFunc):
        yield f"dimension {dimension.name!r} aggregates: a dimension has a value in every row."
    if not expression.find(exp.Column):
        yield f"dimension {dimension.name!r} names no column of {port.name}."


def _measure_problems(measure: Measure, port: Port) -> Iterator[str]:
    if not measure.expression:
        yield f"measure {measure.name!r} has no transformLogic: write its aggregate, like SUM(amount)."
        return
    try:
        expression = parsed_expression(measure.expression, DIALECT)
    except SqlNotUnderstood as error:
        yield f"measure {measure.name!r}: {error}"
        return
    yield from _unfit(measure, expression, port)
    yield from _not_aggregated(measure, expression)


def _not_aggregated(measure: Measure, expression: exp.Expr) -> Iterator[str]:
    from sqlglot import exp

    aggregates = list(expression.find_all(exp.AggFunc))
    if not aggregates:
        yield f"measure {measure.name!r} is no aggregate: write one, like SUM(amount)."
        return
    if any(it.find_ancestor(exp.AggFunc) for it in aggregates):
        yield f"measure {measure.name!r} aggregates an aggregate: aggregate the rows once."
    bare = [it.name for it in expression.find_all(exp.Column) if not it.find_ancestor(exp.AggFunc, exp.Filter)]
    if bare:
        yield f"measure {measure.name!r} has {', '.join(map(repr, bare))} outside of an aggregate: rows must be aggregated."


def _unfit(it: Measure | Dimension, expression: exp.Expr, port: Port) -> Iterator[str]:
    """What neither may have: other rows than the port's own, and columns that it does not have."""
    from sqlglot import exp

    what = "measure" if isinstance(it, Measure) else "dimension"
    refused = (exp.Query, exp.Table, exp.Window, exp.Parameter, exp.Placeholder, exp.SessionParameter, exp.Lambda)
    if any(isinstance(node, refused) for node in expression.walk()):
        yield f"{what} {it.name!r} has a query, window, parameter or lambda in it: only rows of {port.name} count."
    if any(isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count) for node in expression.walk()):
        yield f"{what} {it.name!r} has a * in it: name the columns."
    known = {column.name.casefold() for column in port.columns}
    unknown = dict.fromkeys(
        node.sql(dialect=DIALECT)
        for node in columns_in(expression, port.name)
        if not isinstance(node.this, exp.Star) and node.parts[0].name.casefold() not in known
    )
    if unknown:
        listed = ", ".join(column.name for column in port.columns)
        yield f"{what} {it.name!r} names {', '.join(unknown)}, which {port.name} does not store; it has: {listed}."


def _time_problem(measure: Measure, port: Port) -> str:
    wanted = measure.time_dimension
    if not wanted:
        return ""
    kinds = {it.name: it.logical_type for it in port.dimensions} | {it.name: it.logical_type or "" for it in port.columns}
    if wanted not in kinds:
        return f"timeDimension of measure {measure.name!r} is {wanted!r}, which is neither a column nor a dimension."
    return "" if kinds[wanted] in DATED else f"timeDimension of measure {measure.name!r}: {wanted!r} is no date or timestamp."
