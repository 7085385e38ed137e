"""Figures that a question asks for: look-ups of rows by their keys, and measures with their filters, groups and periods.

Deterministic, and nothing is guessed: what the question names is compared with what contracts name, and where that fits several
things, or something in the question fits nothing, the plan says so and holds no query. A query is governed SQL, whose tables are
ports; who asks, and what they may see, is decided where it runs. Knows nothing of policy and of data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from mesh_core.answers.keys import Given, given_values, is_key
from mesh_core.answers.measure_questions import asked_measures
from mesh_core.answers.measure_sql import InvalidMeasure, Values, lookup_sql, measure_sql
from mesh_core.answers.terms import words_of
from mesh_core.contract.model import Port, PortKind

__all__ = ["FigureKind", "FigurePlan", "FigureQuery", "plan_figures"]

LOOKED_UP_ROWS = 20
"""The most rows of one look-up."""


class FigureKind(StrEnum):
    """What a query gives."""

    ROWS = "rows"
    MEASURE = "measure"


@dataclass(frozen=True, slots=True)
class FigureQuery:
    """One query that answers part of a question.

    Attributes:
        sql: One SELECT in the dialect of governed SQL, over `port` alone.
        words: What it gives, for people.
        names: The key that is looked up, or the measures.
        units: Measure → what it is counted in; those without a unit are left out.
    """

    kind: FigureKind
    port: str
    sql: str
    words: str
    names: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FigurePlan:
    """The queries for a question, and what of it is not clear, in sentences for who asked."""

    queries: tuple[FigureQuery, ...] = ()
    unclear: tuple[str, ...] = ()


def plan_figures(
    question: str, ports: Mapping[str, Port], *, today: date, versions: Mapping[str, int] | None = None
) -> FigurePlan:
    """What to look up and compute for the question.

    Args:
        question: As it was asked.
        ports: Three-part name → what the contract says, of the ports that the asker may know of.
        today: What `last month` is told from.
        versions: The version to read of a port; the one now served of those that are not in it.
    """
    tables = {name: port for name, port in sorted(ports.items()) if port.kind is PortKind.TABLE and not port.quarantine_of}
    pinned = versions or {}
    rows = _lookups(question, tables, pinned)
    asked, unclear = asked_measures(question, tables, today=today)
    figures, problems = [], list(unclear)
    for it in asked:
        port = tables[it.port]
        try:
            sql = measure_sql(it.port, port, replace(it.query, version=pinned.get(it.port, 0)))
        except InvalidMeasure as error:
            problems.append(str(error))
            continue
        units = {own.name: own.unit for own in port.measures if own.name in it.query.measures and own.unit}
        figures.append(FigureQuery(FigureKind.MEASURE, it.port, sql, it.words, it.query.measures, units))
    return FigurePlan((*rows, *figures), tuple(dict.fromkeys(problems)))


def _lookups(question: str, ports: Mapping[str, Port], versions: Mapping[str, int]) -> list[FigureQuery]:
    """Rows by keys; where a value is the key of several ports, of each."""
    words = words_of(question)
    found = []
    for name, port in ports.items():
        for column in port.columns:
            if not is_key(port, column):
                continue
            for given in given_values(question, words, port, column):
                found.append(_lookup(name, port, given, versions.get(name, 0)))
    return list({it.sql: it for it in found}.values())


def _lookup(name: str, port: Port, given: Given, version: int) -> FigureQuery:
    only = Values(given.column, given.values)
    sql = lookup_sql(name, port, only, limit=LOOKED_UP_ROWS, version=version)
    words = f"{name} where {given.column} is {' or '.join(given.values)}"
    return FigureQuery(FigureKind.ROWS, name, sql, words, (given.column,))
