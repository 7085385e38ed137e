"""Which rows a clause speaks of: values that columns have or have not, and numbers that they lie above or below. Pure words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from mesh_core.answers.clauses import Clause
from mesh_core.answers.keys import Given, given_values, listed_values, nouns_of
from mesh_core.answers.number_words import SCALES
from mesh_core.answers.row_conditions import Bound, Values
from mesh_core.answers.terms import Match, best_matches
from mesh_core.contract.model import Column, Port

__all__ = ["asked_columns", "bounds_in", "given_in", "merged", "numeric_columns", "unit_of"]

_DENIALS = frozenset({"not", "excluding", "exclude", "except", "without", "outside", "besides"})
_DENIALS_OF_TWO = frozenset({("other", "than"), ("apart", "from"), ("rather", "than")})
_LEADING = frozenset(
    {"in", "the", "of", "from", "for", "by", "with", "being", "been", "yet", "those", "have", "an", "a", "on", "at", "during"}
)
_FURTHER = frozenset({"or", "and", "nor"})
_SIGNS = (
    ("<=", r"(?:no|not) (?:more|greater|higher|larger) than|at most|up to"),
    (">=", r"(?:no|not) (?:less|fewer|lower|smaller) than|at least"),
    (">", r"(?:more|greater|higher|larger|bigger) than|over|above|exceeding"),
    ("<", r"(?:less|fewer|lower|smaller|cheaper) than|under|below"),
)
_AMOUNT = rf"[€$£]?\s?\d[\d,]*(?:\.\d+)?\s?(?:(?:{'|'.join(SCALES)})\b)?"
_BOUND = re.compile(
    "|".join(rf"(?P<sign{place}>\b(?:{words}))" for place, (_, words) in enumerate(_SIGNS))
    + rf"|\bbetween (?P<from>{_AMOUNT})\s?and",
    re.IGNORECASE,
)
_NUMBER = re.compile(rf"\s*(?P<amount>{_AMOUNT})\s?(?P<unit>%|[^\W\d_]+)?", re.IGNORECASE)
_UNITS = {"€": "eur", "euro": "eur", "$": "usd", "dollar": "usd", "£": "gbp", "pound": "gbp", "franc": "chf", "%": "percent"}
_OF_COLUMN = frozenset({"of", "is", "was", "were", "are", "a", "an", "the", "with"})


def asked_columns(port: Port) -> list[Column]:
    """Columns that a filter may be of: dimensions, keys, references and listed values; all, if it names no dimension."""
    named = {it.name for it in port.dimensions if not it.expression}
    return [
        it
        for it in port.columns
        if not named or it.name in named or listed_values(it) or it.primary_key_position or it.unique or it.relationships
    ]


def given_in(clause: Clause, port: Port, column: Column, measures: Sequence[Match]) -> list[Given]:
    """What the clause says the column is or is not, but for words that are part of a measure's name."""
    every = given_values(clause.text, clause.words, port, column)
    kept = [it for it in every if not any(match.first <= it.first and it.last <= match.last for match in measures)]
    told: list[Given] = []
    for it in kept:
        told.append(_denied(clause, _with_noun(clause, it, port, column), told[-1] if told else None))
    return told


def _with_noun(clause: Clause, given: Given, port: Port, column: Column) -> Given:
    """With the name of the column behind its value: of `the Coast line`, both words."""
    behind = (it for it in best_matches(clause.words, nouns_of(port, column)) if it.first == given.last)
    return next((replace(given, last=it.last) for it in behind), given)


def _denied(clause: Clause, given: Given, last: Given | None) -> Given:
    """With the word that denies it, if one does."""
    if last and last.is_excluded and given.first - last.last == 1 and clause.before(given.first) in _FURTHER:
        return replace(given, is_excluded=True)
    place = given.first
    while place and clause.before(place) in _LEADING and (clause.before(place - 1), clause.before(place)) not in _DENIALS_OF_TWO:
        place -= 1
    if (clause.before(place - 1), clause.before(place)) in _DENIALS_OF_TWO:
        return replace(given, first=place - 2, is_excluded=True)
    if clause.before(place) in _DENIALS or clause.before(place).endswith(("n't", "n’t")):
        return replace(given, first=place - 1, is_excluded=True)
    return given


def merged(given: Sequence[Given]) -> Iterator[Values]:
    """Values of one column are alternatives; those that are excluded are so together."""
    for column, is_excluded in dict.fromkeys((it.column, it.is_excluded) for it in given):
        same = [it for it in given if (it.column, it.is_excluded) == (column, is_excluded)]
        yield Values(column, tuple(dict.fromkeys(value for it in same for value in it.values)), is_excluded)


def bounds_in(clause: Clause, port: Port, *, are_rows: bool) -> list[Bound]:
    """What the clause says lies above or below a number, its words taken: a column named before it, or the only one of its unit.

    Behind a figure's own name a unit tells nothing, but for rows that are counted (`are_rows`): the figure itself may be meant.
    """
    found: list[Bound] = []
    for match in _BOUND.finditer(clause.text):
        number = _NUMBER.match(clause.text, match.end())
        if number is None or any(it.begin < number.end() and match.start() < it.finish for it in clause.spans or ()):
            continue
        column, first = _bounded(clause, port, match.start(), number, are_rows=are_rows)
        if column is None:
            continue
        sign = next((sign for place, (sign, _) in enumerate(_SIGNS) if match[f"sign{place}"]), "<=")
        found += [Bound(column.name, ">=", _plain(match["from"]))] if match["from"] else []
        found.append(Bound(column.name, sign, _plain(number["amount"])))
        is_unit = _unit(number["unit"] or "") in (unit_of(column), f"{unit_of(column)}s")
        clause.take_text(first, number.end() if is_unit else number.end("amount"))
    return found


def _bounded(clause: Clause, port: Port, begin: int, number: re.Match[str], *, are_rows: bool) -> tuple[Column | None, int]:
    """The column that is compared, and where its name begins; a name that is part of a measure's is none."""
    columns = numeric_columns(port)
    place = next((at for at, word in enumerate(clause.words) if word.begin >= begin), 0)
    while place and clause.before(place) in _OF_COLUMN:
        place -= 1
    named = {noun: it for it in columns for noun in nouns_of(port, it)}
    for match in best_matches(clause.words, sorted(named)):
        if match.last == place and clause.is_free(match):
            return named[match.name], clause.words[match.first].begin
    symbol = next((it for it in "€$£" if it in number["amount"]), "")
    unit = _unit(symbol or number["unit"] or "")
    fitting = [it for it in columns if unit and unit in (unit_of(it), f"{unit_of(it)}s")]
    return (fitting[0] if len(fitting) == 1 and (are_rows or place - 1 not in clause.figures) else None), begin


def numeric_columns(port: Port) -> list[Column]:
    """Columns that hold numbers to compare and compute with: no keys, what refers to one, or dimensions."""
    dimensions = {it.name for it in port.dimensions}
    return [
        it
        for it in port.columns
        if it.logical_type in ("number", "integer")
        and not (it.primary_key_position or it.unique or it.relationships or it.name in dimensions)
    ]


def unit_of(column: Column) -> str:
    """What the column is counted in, in lower case; empty if the contract does not say."""
    return column.unit.casefold()


def _unit(word: str) -> str:
    folded = word.casefold()
    return _UNITS.get(folded) or _UNITS.get(folded.removesuffix("s")) or folded


def _plain(amount: str) -> str:
    """The number in digits: of `€1,000` and `1k`, `1000`."""
    digits = re.sub(r"[^\d.]", "", amount)
    scale = re.search(r"[a-z]+", amount.lower())
    return f"{(Decimal(digits) * (SCALES[scale[0]] if scale else 1)).normalize():f}"
