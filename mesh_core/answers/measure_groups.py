"""What a clause groups a measure by: columns and grains behind `by` or `per`, what is ranked, what is compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from mesh_core.answers.clauses import Clause
from mesh_core.answers.counting import counts_rows
from mesh_core.answers.keys import Given, nouns_of, singular
from mesh_core.answers.measure_filters import asked_columns
from mesh_core.answers.measure_sql import GRAINS
from mesh_core.answers.number_words import SPELT
from mesh_core.answers.terms import Match, best_matches, names_of
from mesh_core.contract.model import Port
from mesh_core.contract.semantics import Measure

__all__ = ["GROUPING", "REPEATED", "both", "compared", "compares_times", "groups_of", "take_compared", "take_names"]

GROUPING = frozenset({"by", "per", "each", "every"})
REPEATED = {
    "daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter", "yearly": "year", "annual": "year",
    "annually": "year",
}  # fmt: skip
"""Words that group by a grain of time wherever they stand."""
_OF_SIZE = re.compile(r"\b(?:higher|lower|larger|smaller|greater|bigger)\b", re.IGNORECASE)
_ARTICLES = frozenset({"the", "its", "their", "our"})
_WHICH = frozenset({"which", "what", *SPELT})
_COMPARED = re.compile(
    r"\b(?:compar(?:e[ds]?|ing|ison)(?: (?:with|to|against))?|versus|vs|against|differ(?:ence|s)?|higher|lower|larger|smaller|"
    r"greater|bigger|more|less|than|respectively)\b",
    re.IGNORECASE,
)


def groups_of(clause: Clause, port: Port, *, is_ranked: bool) -> tuple[str, ...]:
    """Columns, dimensions and grains behind `by`, `per` or `each`, or said as `monthly`; of a ranking what is ranked."""
    known = _known_groups(port)
    open_to_ranking = {it.name for it in port.dimensions} | {it.name for it in asked_columns(port)} | set(GRAINS)
    found: dict[str, None] = {}
    for match in _without_row_names(clause, port, best_matches(clause.words, sorted(known))):
        name = known[match.name]
        is_asked = _is_grouping(clause, match.first, found, port) or (
            is_ranked and (name in open_to_ranking or _is_asked_which(clause.before(match.first)))
        )
        if clause.is_free(match) and is_asked:
            found[name] = None
            clause.take(match.first, match.last)
    for at, word in enumerate(clause.words):
        if at not in clause.used and word.folded in REPEATED:
            found[known[REPEATED[word.folded]]] = None
            clause.take(at, at + 1)
    return tuple(found)


def _known_groups(port: Port) -> dict[str, str]:
    """What rows may be grouped by, by its names: what the contract calls a dimension goes before what is only stored."""
    known: dict[str, str] = {}
    for dimension in port.dimensions:
        for other in names_of(dimension.name, [*([dimension.title] if dimension.title else []), *dimension.synonyms]):
            known.setdefault(other, dimension.name)
    for column in (*asked_columns(port), *port.columns):
        for other in nouns_of(port, column):
            known.setdefault(other, column.name)
    for grain in GRAINS:
        known.setdefault(grain, grain)
    return known


def _without_row_names(clause: Clause, port: Port, matches: Sequence[Match]) -> list[Match]:
    """Without what a row is called where a column of it follows: `order status` is the status."""
    own = _row_names(port)
    begins = {it.first for it in matches}
    left = [it for it in matches if not (it.last in begins and clause.words[it.first].folded in own and it.length == 1)]
    for it in matches:
        if it not in left and clause.is_free(it) and clause.before(it.first) in GROUPING | {"and", "or"}:
            clause.take(it.first, it.last)
    return left


def _row_names(port: Port) -> set[str]:
    return {it.casefold() for name in (port.name, *port.synonyms) for it in (name, singular(name))}


def _is_asked_which(before: str) -> bool:
    return before in _WHICH or before.isdecimal()


def compared(clause: Clause, given: Sequence[Given]) -> tuple[str, ...]:
    """The column of which values are compared with each other (`EMEA versus APAC`); none if the clause compares none."""
    columns = [it.column for it in given for _ in it.values if not it.is_excluded]
    several = {it for it in columns if columns.count(it) > 1}
    if not _COMPARED.search(clause.text) or len(several) != 1:
        return ()
    take_compared(clause)
    return tuple(several)


def take_compared(clause: Clause) -> None:
    """Words that compare mean nothing more where each of what they compare has a figure."""
    for match in _COMPARED.finditer(clause.text):
        clause.take_text(*match.span())


def both(clause: Clause, given: Sequence[Given]) -> tuple[str, ...]:
    """The column of which values are joined by `and` (`EMEA and APAC`): each may be meant, or all together; none if none are."""
    for column in dict.fromkeys(it.column for it in given):
        same = sorted((it for it in given if it.column == column and not it.is_excluded), key=lambda it: it.first)
        spans = [(it.first, it.last) for it in same if len(it.values) > 1]
        spans += [(one.last, two.first) for one, two in pairwise(same) if one.values != two.values]
        if any(word.folded == "and" for first, last in spans for word in clause.words[first:last]):
            clause.used.update(at for at, word in enumerate(clause.words) if word.folded == "both")
            return (column,)
    return ()


def compares_times(clause: Clause, measures: Sequence[Measure]) -> bool:
    """True if what the clause compares is one figure of several times: rows that are counted are not larger by their number."""
    is_size_of_rows = any(map(counts_rows, measures)) and _OF_SIZE.search(clause.text)
    return (clause.is_change or len(clause.spans or ()) > 1) and len(measures) == 1 and not is_size_of_rows


def _is_grouping(clause: Clause, first: int, found: Mapping[str, None], port: Port) -> bool:
    """True behind `by` and the like, or behind a group that was found and `and` or a comma."""
    passed = _ARTICLES | _row_names(port)
    begin = next((at for at in range(first, -1, -1) if clause.before(at) not in passed), 0)
    before = clause.before(begin)
    if before in GROUPING:
        return True
    place = begin - 1 if before in ("and", "or") else begin
    between = clause.text[clause.words[place - 1].finish : clause.words[place].begin] if place else ""
    return bool(found) and (place - 1) in clause.used and (before in ("and", "or") or "," in between)


def take_names(clause: Clause, names: Sequence[str]) -> None:
    """Names of the port itself, and of what is joined with it, mean nothing more than it."""
    for match in best_matches(clause.words, list(names)):
        if clause.is_free(match):
            clause.take(match.first, match.last)
