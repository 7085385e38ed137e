"""Figures of plain columns, as measures: `average amount`, `how many distinct customers`, `latest order`.

They are computed of the rows as they are stored, and said so: what the contract defines as a measure keeps its own name, and
goes first. Pure words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mesh_core.answers.keys import nouns_of, singular
from mesh_core.answers.measure_filters import numeric_columns, unit_of
from mesh_core.answers.terms import Match, Word, best_matches, words_of
from mesh_core.contract.model import Column, Port
from mesh_core.contract.semantic_check import DIALECT
from mesh_core.contract.semantics import Measure
from mesh_core.sql_text import SqlNotUnderstood, parsed_expression

__all__ = ["with_column_measures"]

_RATES = ("percent", "%")

_FIGURES = {
    "average": ("ROUND(AVG({0}), 4)", ("average", "mean", "avg")),
    "median": ("MEDIAN({0})", ("median",)),
    "highest": ("MAX({0})", ("highest", "maximum", "largest", "greatest", "biggest")),
    "lowest": ("MIN({0})", ("lowest", "minimum", "smallest", "least")),
    "total": ("SUM({0})", ("total", "sum")),
}
_DISTINCT = ("distinct", "different", "unique")
_ENDS = {
    "latest": ("MAX({0})", ("latest", "newest", "most recent", "last")),
    "earliest": ("MIN({0})", ("earliest", "oldest", "first")),
}


def with_column_measures(question: str, ports: Mapping[str, Port]) -> dict[str, Port]:
    """The ports, each with the figures of its columns that words of the question ask for.

    A name of a measure is not taken apart: `average refund rate` is no average refund.
    """
    words = words_of(question)
    defined = {other for port in ports.values() for it in port.measures for other in (it.name, it.title, *it.synonyms)}
    taken = best_matches(words, sorted(defined))
    said = {it.folded for it in words}
    found: dict[str, Port] = {}
    for name, port in ports.items():
        product = name.split(".")[-2]
        fresh = (*_numbers(port, said, product), *_averages(port, said), *_distinct(port, said), *_ends(port, said))
        named = [replace(it, synonyms=tuple(_said(words, taken, it.synonyms)), position=-1) for it in fresh]
        found[name] = replace(port, measures=(*port.measures, *(it for it in named if it.synonyms)))
    return found


def _said(words: list[Word], taken: Sequence[Match], phrases: Iterable[str]) -> Iterator[str]:
    """The phrases that stand there, and hold what is taken whole or not at all."""
    for phrase in dict.fromkeys(phrases):
        for match in best_matches(words, [phrase]):
            touched = [it for it in taken if it.overlaps(match)]
            if all(match.first <= it.first and it.last <= match.last and it.length < match.length for it in touched):
                yield phrase
                break


def _numbers(port: Port, said: set[str], product: str) -> Iterator[Measure]:
    for column in numeric_columns(port):
        nouns = [column.name, *column.synonyms]
        for name, (form, words) in _FIGURES.items():
            asked = [it for it in words if it in said]
            if asked and not (name == "total" and unit_of(column) in _RATES):
                yield _measure(name, port, column, form, phrases=_phrases((port.name, product), asked, nouns))


def _averages(port: Port, said: set[str]) -> Iterator[Measure]:
    """Of each measure that is a sum, the average of what it sums."""
    from sqlglot import exp

    asked = [it for it in _FIGURES["average"][1] if it in said]
    for measure in port.measures if asked else ():
        try:
            whole = parsed_expression(measure.expression, DIALECT)
        except SqlNotUnderstood:
            continue
        counted = whole.this if isinstance(whole, exp.Filter) else whole
        if isinstance(counted, exp.Sum) and not isinstance(counted.this, exp.Distinct):
            mean = whole.transform(lambda node: exp.Avg(this=node.this) if isinstance(node, exp.Sum) else node)
            nouns = [measure.name, *([measure.title] if measure.title else []), *measure.synonyms]
            sql = f"ROUND({mean.sql(dialect=DIALECT)}, 4)"
            yield replace(
                measure,
                name=f"average_{measure.name}",
                title="",
                expression=sql,
                synonyms=tuple(_phrases((port.name,), asked, nouns)),
            )


def _distinct(port: Port, said: set[str]) -> Iterator[Measure]:
    asked = [it for it in _DISTINCT if it in said]
    for column in port.columns if asked else ():
        phrases = [f"{word} {noun}" for word in asked for noun in _nouns(port, column)]
        yield _measure("distinct", port, column, "COUNT(DISTINCT {0})", phrases=phrases, unit="")


def _ends(port: Port, said: set[str]) -> Iterator[Measure]:
    time = port.time_dimension(Measure("", ""))
    for column in (it for it in port.columns if it.is_dated):
        own = [it for name in (port.name, *port.synonyms) for it in (name, singular(name))] if column.name == time else []
        for name, (form, words) in _ENDS.items():
            asked = [it for it in words if set(it.split()) <= said]
            phrases = [f"{word} {noun}" for word in asked for noun in (column.name, *column.synonyms, *own)]
            if phrases:
                yield _measure(name, port, column, form, phrases=phrases, unit="")


def _measure(name: str, port: Port, column: Column, form: str, *, phrases: Iterable[str], unit: str | None = None) -> Measure:
    quoted = '"' + column.name.replace('"', '""') + '"'
    counted = column.unit if unit is None else unit
    time = port.time_dimension(Measure("", ""))
    expression = form.format(quoted)
    return Measure(f"{name}_{column.name}", expression, synonyms=tuple(phrases), unit=counted, time_dimension=time)


def _nouns(port: Port, column: Column) -> list[str]:
    """What a value of the column may be called; what a row is called is only the primary key."""
    rows = {it for name in (port.name, *port.synonyms) for it in (name, singular(name))}
    return [it for it in nouns_of(port, column) if column.primary_key_position or it not in rows]


def _phrases(things: Iterable[str], words: Iterable[str], nouns: Iterable[str]) -> Iterator[str]:
    ones = [singular(it) for it in things]
    for word in words:
        for noun in nouns:
            yield from (f"{word} {noun}", f"{word} of {noun}", f"{word} of the {noun}")
            yield from (f"{word} {one} {noun}" for one in ones)
            yield from (f"{word} {noun} of {article}{one}" for article in ("", "a ", "an ") for one in ones)
