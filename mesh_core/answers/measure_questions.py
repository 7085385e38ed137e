"""Which measures a question asks for, by what, of which values, and in which period.

A measure counts as asked for where the question asks for a figure ("how much", "total", "by region") and names it. Every other
word of that clause must then be understood, too: a filter that was overlooked would give a wrong figure, so one unknown word
makes the clause unclear. Pure words; the query is built elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from mesh_core.answers.asked_figures import AskedFigures, AskedMeasures
from mesh_core.answers.changes import NO_TWO, Sides, asks_change, names_three, sides_of
from mesh_core.answers.clauses import Clause, clauses_of
from mesh_core.answers.counting import counts_rows, opens_groups
from mesh_core.answers.intervals import Interval, intervals_in
from mesh_core.answers.joins import Join, used_joins, why_not_joined, without_doubles
from mesh_core.answers.keys import Given, listed_values
from mesh_core.answers.measure_choice import ASKING, asks_clearly, asks_perhaps, chosen, measure_matches, opens_yes_no
from mesh_core.answers.measure_filters import asked_columns, bounds_in, given_in, merged
from mesh_core.answers.measure_groups import both, compared, compares_times, groups_of, take_compared, take_names
from mesh_core.answers.measure_hints import Asked, measure_hints
from mesh_core.answers.measure_sql import MeasureQuery
from mesh_core.answers.measure_types import is_number
from mesh_core.answers.rankings import ranking_in
from mesh_core.answers.ratios import asks_ratio, per_row, why_no_ratio
from mesh_core.answers.row_conditions import Values
from mesh_core.answers.table_hints import left_over, table_hints
from mesh_core.answers.terms import term_words, words_of
from mesh_core.answers.undefined_figures import undefined_figures
from mesh_core.contract.model import Port
from mesh_core.contract.semantics import Measure

__all__ = ["asked_measures"]

_SHARE = re.compile(r"\b(?:share|percentage|proportion|fraction)\b", re.IGNORECASE)
_STATES = frozenset({"is", "are", "was", "were", "been", "came", "comes", "come", "has", "have", "had"})


def asked_measures(
    question: str, ports: Mapping[str, Port], *, today: date, joins: Mapping[str, Sequence[Join]] | None = None
) -> AskedFigures:
    """Each figure that is asked for, and what is not clear.

    Args:
        question: As it was asked.
        ports: What there is, by three-part names, each with the columns of its `joins`.
        today: What `last month` is told from.
        joins: The tables that each of the ports refers to.
    """
    texts = [it for it in clauses_of(question) if it]
    clauses = [
        Clause(text, words_of(text), intervals_in(text, today), ports, intervals_in(text, today, are_compared=True), joins or {})
        for text in texts
    ]
    sure = [_read(clause) for clause in clauses]
    found = tuple(it for clause in clauses for it in clause.found)
    unclear = tuple(it for clause in clauses for it in clause.unclear)
    if not found and not unclear:
        asking = [(it.text, it.spans) for it in clauses if ASKING.search(it.text)]
        undefined = tuple(undefined_figures(asking, ports))
        timed = [Asked(it.text, it.words, bool(it.spans)) for it in clauses]
        unsaid = tuple(why for it in clauses for why in it.unsaid)
        near = () if undefined else unsaid or tuple(measure_hints(timed, ports))
        hints = () if undefined or near else tuple(table_hints(texts, ports))
        return AskedFigures((), (), undefined, hints=hints, near=near)
    return AskedFigures(found, unclear, is_whole=all(sure))


def _read(clause: Clause) -> bool:
    """What the clause asks for is found, or unclear; returned is whether it surely asks for figures."""
    for span in clause.spans or ():
        clause.take_text(span.begin, span.finish)
    matches = measure_matches(clause)
    if not matches:
        return False
    for name, port in clause.ports.items():  # keys and named values have a meaning whatever port they are of
        columns = (it for it in port.columns if listed_values(it) or it.primary_key_position)
        clause.given[name] = [it for column in columns for it in given_in(clause, port, column, matches)]
        for it in clause.given[name]:
            clause.take(it.first, it.last)
    free = [it for it in matches if clause.is_free(it)]
    before = set(clause.used)
    for join in (it for name, joins in clause.joins.items() for it in used_joins(joins, {g.column for g in clause.given[name]})):
        take_names(clause, join.names)
    clause.tables = clause.used - before - {place for it in free for place in range(it.first, it.last)}
    clause.used = before | clause.tables
    if free and asks_change(clause, free):
        is_backward = any(it.interval.is_backward for it in clause.spans or ())
        clause.is_change, clause.spans = True, clause.spans if is_backward else clause.apart
    clause.is_ratio = asks_ratio(clause, free)
    is_sure = bool(free) and asks_clearly(clause, free)
    if not is_sure and not (free and asks_perhaps(clause, free)):
        return False
    clause.figures = {place for match in matches for place in range(match.first, match.last)}
    found = chosen(clause, free)
    if isinstance(found, str):
        clause.unclear.append(found)
    else:
        _figures(clause, *found)
    if not is_sure or _says_no_case(clause):  # only the words of a figure, and nothing else, make it one
        clause.unsaid, clause.unclear = ([] if opens_yes_no(clause) else [*clause.unsaid, *clause.unclear]), []
    return is_sure and bool(clause.found or clause.unclear)


def _says_no_case(clause: Clause) -> bool:
    """True if it asks what changed and names no time and no value: that may be told in words, like `how did the rules change`."""
    return clause.is_change and clause.spans == () and not any(clause.given.values())


def _figures(clause: Clause, name: str, measures: Sequence[Measure]) -> None:
    """A query for each period; or what is not clear."""
    for it in (it for others in clause.given.values() for it in others):  # of another port: no filter of this one
        clause.used.difference_update(range(it.first, it.last))
    clause.used = (clause.used - clause.tables) | clause.figures
    if clause.spans is None:
        clause.unclear.append(f"{name} is by calendar: it does not say when a fiscal year begins. Name the months.")
        return
    if backward := next((it for it in clause.spans if it.interval.is_backward), None):
        clause.unclear.append(f"“{clause.text[backward.begin : backward.finish]}” ends before it begins.")
        return
    port = clause.ports[name]
    matches = measure_matches(clause)
    given = [it for column in asked_columns(port) for it in given_in(clause, port, column, matches)]
    given += _known_elsewhere(clause, name, given)
    joins = clause.joins.get(name, ())
    given = without_doubles(given, joins)
    for it in given:
        clause.take(it.first, it.last)
    query = per_row(clause, port, replace(_limited(clause, port, measures, given), is_ratio=clause.is_ratio))
    if query.is_ratio and (why := _why_no_numbers(port, query)):
        clause.unclear.append(why)
        query = replace(query, is_ratio=False)
    if why := why_no_ratio(clause, port, query):
        clause.unclear.append(why)
        return
    apart = both(clause, given) if not query.by and query.share is None else ()
    take_names(clause, [*name.split("."), *port.synonyms])
    compared = {it.name for it in (*query.only, *([query.share] if query.share else []))} | set(query.by)
    take_names(clause, [it for join in used_joins(joins, compared) for it in join.names])
    _take_times(clause, port, measures)
    if compares_times(clause, measures):
        take_compared(clause)
    if left := clause.left():
        why = why_not_joined(left, name, clause.ports, joins)
        unclear = clause.unsaid if clause.is_loose or opens_groups(clause.text, port) else clause.unclear
        unclear.append(why or left_over(left, name, port, [it.name for it in port.dimensions or port.columns]))
        return
    when = _named_time(port, measures)
    periods: list[Interval | None] = [it.interval for it in clause.spans]
    if clause.is_change and not _compare(clause, port, given, AskedMeasures(name, query, when)):
        return
    for period in periods or [None]:
        for by in (apart, ()) if apart else (query.by,):
            clause.found.append(AskedMeasures(name, replace(query, by=by, period=period), when))


def _why_no_numbers(port: Port, query: MeasureQuery) -> str:
    """Why nothing is subtracted or divided: a measure is a day or a text; empty if all are numbers."""
    texts = [it.name for it in port.measures if it.name in query.measures and not is_number(it, port)]
    return f"{' and '.join(texts)} is no number: figures are told one by one." if texts else ""


def _compare(clause: Clause, port: Port, given: Sequence[Given], asked: AskedMeasures) -> bool:
    """What lies between two figures is found, or unclear; true if each figure is told instead."""
    if why := _why_no_numbers(port, asked.query):
        clause.unclear.append(why)
        return True
    periods = [it.interval for it in clause.spans or ()]
    sides = NO_TWO if names_three(clause, given) else sides_of(asked.query, periods)
    if isinstance(sides, Sides):
        clause.found.append(replace(asked, query=sides.first, sides=sides))
    else:
        clause.unclear.append(sides)
    return isinstance(sides, str) and bool(asked.query.by)


def _known_elsewhere(clause: Clause, name: str, given: Sequence[Given]) -> list[Given]:
    """Values that another port lists for a column of the same name."""
    columns = {it.name for it in asked_columns(clause.ports[name])} - {it.column for it in given}
    others = [it for other, found in clause.given.items() if other != name for it in found]
    return list({it: None for it in others if it.column in columns})


def _limited(clause: Clause, port: Port, measures: Sequence[Measure], given: Sequence[Given]) -> MeasureQuery:
    """The measures' query with its groups, its ranking and the rows that count, the words of each taken."""
    query = MeasureQuery(tuple(it.name for it in measures))
    bounds = bounds_in(clause, port, are_rows=all(map(counts_rows, measures)))
    part = _part(clause, given) if len(measures) == 1 and not clause.is_change else None
    rest = [it for it in given if part is None or it.column != part.name]
    ranking = ranking_in(clause.text)
    by = groups_of(clause, port, is_ranked=ranking is not None)
    by = tuple(dict.fromkeys((*by, *compared(clause, rest))))
    if ranking and by:
        for span in ranking.spans:
            clause.take_text(*span)
        query = replace(query, top=ranking.count, is_lowest=ranking.is_lowest)
    return replace(query, by=by, only=(*merged(rest), *bounds), share=part)


def _part(clause: Clause, given: Sequence[Given]) -> Values | None:
    """The rows whose share is asked for: what is said behind the verb, or of all that is said if that is of one column."""
    match = _SHARE.search(clause.text)
    if match is None or any(clause.words[at].begin == match.start() for at in clause.figures):
        return None
    last = max(clause.figures)
    verb = next((at for at, it in enumerate(clause.words) if at > last and it.folded in _STATES), len(clause.words))
    behind = [it for it in given if it.first > verb]
    parts = list(merged(behind or given))
    if len(parts) != 1:
        return None
    clause.take_text(*match.span())
    clause.take(verb, verb + 1)
    return parts[0]


def _take_times(clause: Clause, port: Port, measures: Sequence[Measure]) -> None:
    """Words that begin the name of a time mean nothing more where a period, a moment or what took part is asked for."""
    times = {word for it in measures for word in term_words(port.time_dimension(it))[:1]}
    is_moment = any(it.name.startswith(("latest_", "earliest_")) for it in measures)
    if clause.spans or is_moment or any(it.name.startswith("distinct_") for it in measures):
        taken = times | ({"when"} if is_moment else set())
        clause.used.update(at for at, word in enumerate(clause.words) if word.folded in taken)


def _named_time(port: Port, measures: Sequence[Measure]) -> str:
    """What a period is compared with, in words, if the port has several dates; empty if it has one, or measures differ."""
    dates = [it for it in port.columns if it.is_dated]
    times = {port.time_dimension(it) for it in measures}
    return times.pop().replace("_", " ") if len(dates) > 1 and len(times) == 1 else ""
