"""Figures that a question asks for: look-ups of rows by their keys, and measures with their filters, groups and periods.

Deterministic, and nothing is guessed: what the question names is compared with what contracts name, and where that fits several
things, or something in the question fits nothing, the plan says so and holds no query. Who asks, and what they may see, is
decided where a query runs. Knows nothing of policy and of data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

from mesh_core.answers.asked_figures import AskedMeasures
from mesh_core.answers.column_measures import with_column_measures
from mesh_core.answers.comparison_sql import comparison_sql
from mesh_core.answers.comparisons import comparison_sentences
from mesh_core.answers.counting import with_counts
from mesh_core.answers.joins import Join, joins_of, used_joins, with_joined
from mesh_core.answers.look_ups import look_ups
from mesh_core.answers.measure_questions import asked_measures
from mesh_core.answers.measure_sql import GRAINS, measure_sql
from mesh_core.answers.ratio_sql import ratio_column
from mesh_core.answers.ratios import ratio_sentence
from mesh_core.answers.row_conditions import InvalidMeasure, Values, names_in
from mesh_core.answers.tables import FigurePlan, FigureQuery, TableModel
from mesh_core.answers.totals import with_totals
from mesh_core.contract.model import Port, PortKind
from mesh_core.contract.semantic_check import DIALECT, columns_in
from mesh_core.contract.semantics import Measure
from mesh_core.sql_text import SqlNotUnderstood, parsed_expression

__all__ = ["plan_figures"]

_MOST_GROUPS = 20
_NO_VALUE = "(none)"
"""What rows are told to have in common that have no value to be grouped by."""


def plan_figures(question: str, tables: Sequence[TableModel], *, today: date) -> FigurePlan:
    """What to look up and compute for the question; nothing twice.

    Args:
        question: As it was asked.
        tables: What the asker may read.
        today: What `last month` and the age of a date are told from.
    """
    known = {it.port: it for it in sorted(tables, key=lambda it: it.port) if _is_plain(it.definition)}
    rows = look_ups(question, known, today=today)
    defined = {name: it.definition for name, it in known.items()}
    counted = with_column_measures(question, with_counts(question, with_totals(question, defined)))
    joins = {name: joins_of(it, known) for name, it in known.items()}
    joined = {name: with_joined(counted[name], joins[name], counted) for name in known}
    known = {name: replace(it, definition=joined[name]) for name, it in known.items()}
    asked = asked_measures(question, joined, today=today, joins=joins)
    problems = [*asked.unclear, *asked.undefined]
    figures = []
    for it in asked.found:
        problems += it.sides.not_over(today) if it.sides else []
        try:
            figures.append(_figure(it, known[it.port], joins[it.port]))
        except (InvalidMeasure, SqlNotUnderstood) as error:
            problems.append(str(error))
    hints = (*asked.near, *(() if rows else asked.hints))
    return FigurePlan((*figures, *rows), tuple(dict.fromkeys(problems)), asked.is_whole, hints)


def _is_plain(port: Port) -> bool:
    return port.kind is PortKind.TABLE and not port.quarantine_of


def _figure(asked: AskedMeasures, table: TableModel, joins: Sequence[Join]) -> FigureQuery:
    """Raises: InvalidMeasure: it is computed of what the asker sees masked, or not at all."""
    port = table.definition
    known = {it.name: it for it in port.measures}
    measures = [known[name] for name in asked.query.measures]
    for it in measures:
        needed = set(_columns_of(it, port))
        if needed - {column.name.casefold() for column in port.columns}:
            raise InvalidMeasure(f"{it.name} of {asked.port} is computed of what you may not read.")
        if masked := sorted(needed & {name.casefold() for name in table.masked}):
            raise InvalidMeasure(f"{it.name} of {asked.port} is computed of {', '.join(masked)}, which you see masked.")
    query = asked.query
    compared = {it.name for it in (*query.only, *([query.share] if query.share else []))} | set(query.by)
    used = used_joins(joins, compared)
    if query.share and used_joins(used, {query.share.name}):
        raise InvalidMeasure(f"{query.share.name} is of another table: shares in rows that may meet none of it are not computed.")
    told_by = compared | (_times(measures, port) if _needs_times(asked) else set())
    behind = {column for name in told_by for column in _columns_behind(name, port)}
    hidden = {join.hidden[name] for join in used for name in compared & join.hidden.keys()}
    if masked := sorted((behind & table.masked) | hidden):
        raise InvalidMeasure(f"{asked.port} cannot be told apart by {', '.join(masked)}, which you see masked.")
    is_filtered = table.is_filtered or any(it.is_filtered for it in used)
    basis = ", ".join([asked.words, *(it.words for it in used)])
    whose = " ".join([asked.port, *(it.words for it in used)])
    whose = f"the rows that you may read of {whose}" if is_filtered else whose
    if (sides := asked.sides) is not None:
        said = tuple(map(asked.limits_of, sides.both))
        sentences = comparison_sentences(measures[0], whose, said, is_change=sides.is_change)
        sql = comparison_sql(asked.port, port, sides.both, is_change=sides.is_change, joins=used)
        return FigureQuery(sql, sentences, basis, sides=said)
    sql = measure_sql(asked.port, port, asked.query, is_said=True, joins=used)
    groups = [name for name in asked.query.by if name.isidentifier()]
    values = ", ".join(_said(it, query.share) for it in measures if it.name.isidentifier())
    scope = ", ".join(filter(None, (whose, asked.limits)))
    which = "".join(f"{name.replace('_', ' ')} {{{name}|{_NO_VALUE}}}, " for name in groups)
    text = f"{which}{values} of {scope}."
    told = [text, ratio_sentence(measures, which, scope, ratio_column(names_in(port)))] if query.is_ratio else [text]
    most = _MOST_GROUPS if groups else 1
    return FigureQuery(sql, tuple(it[:1].upper() + it[1:] for it in told), basis, most_rows=most, top=query.top)


def _needs_times(asked: AskedMeasures) -> bool:
    """True if rows are told apart by the time of the measures: by a period, or a grain of it."""
    queries = asked.sides.both if asked.sides else (asked.query,)
    return any(it.period is not None or not set(GRAINS).isdisjoint(it.by) for it in queries)


def _times(measures: Sequence[Measure], port: Port) -> set[str]:
    return {it for it in map(port.time_dimension, measures) if it}


def _columns_behind(name: str, port: Port) -> Iterator[str]:
    """The columns that a dimension or column of that name is made of, called as the port calls them."""
    made = next((it.expression for it in port.dimensions if it.name.casefold() == name.casefold() and it.expression), "")
    try:
        whole = parsed_expression(made, DIALECT) if made else None
    except SqlNotUnderstood as error:
        raise InvalidMeasure(str(error)) from None
    needed = {name.casefold()} if whole is None else {it.parts[0].name.casefold() for it in columns_in(whole, port.name)}
    yield from (it.name for it in port.columns if it.name.casefold() in needed)


def _said(measure: Measure, share: Values | None) -> str:
    name = measure.title or measure.name.replace("_", " ")
    if share is not None:
        return f"{share} {{{measure.name}}} percent of {name}"
    return f"{name} {{{measure.name}}}{f' {measure.unit}' if measure.unit else ''}"


def _columns_of(measure: Measure, port: Port) -> Iterator[str]:
    """The columns that the measure and its time need, in lower case."""
    try:
        expression = parsed_expression(measure.expression, DIALECT)
    except SqlNotUnderstood as error:
        raise InvalidMeasure(str(error)) from None
    yield from (node.parts[0].name.casefold() for node in columns_in(expression, port.name))
