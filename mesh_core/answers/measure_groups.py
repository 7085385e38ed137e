"""What a clause groups a measure by: dimensions and grains behind `by` or `per`, what is ranked, values that are compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from mesh_core.answers.clauses import Clause
from mesh_core.answers.keys import Given, nouns_of
from mesh_core.answers.measure_filters import asked_columns
from mesh_core.answers.measure_sql import GRAINS
from mesh_core.answers.terms import best_matches, names_of
from mesh_core.contract.model import Port

__all__ = ["GROUPING", "both", "compared", "groups_of", "take_names"]

GROUPING = frozenset({"by", "per", "each", "every"})
_COMPARED = re.compile(
    r"\b(?:compar(?:e[ds]?|ing|ison)(?: (?:with|to|against))?|versus|vs|against|differ(?:ence|s)?|higher|lower|larger|smaller|"
    r"greater|bigger|more|less|than|respectively)\b",
    re.IGNORECASE,
)


def groups_of(clause: Clause, port: Port, *, is_ranked: bool) -> tuple[str, ...]:
    """Dimensions and grains behind `by`, `per` or `each`; of a ranking the dimension that is ranked."""
    known: dict[str, str] = {}
    for dimension in port.dimensions:
        for other in names_of(dimension.name, [*([dimension.title] if dimension.title else []), *dimension.synonyms]):
            known.setdefault(other, dimension.name)
    for column in asked_columns(port):
        for other in nouns_of(port, column):
            known.setdefault(other, column.name)
    for grain in GRAINS:
        known.setdefault(grain, grain)
    found: dict[str, None] = {}
    for match in best_matches(clause.words, sorted(known)):
        if clause.is_free(match) and (is_ranked or _is_grouping(clause, match.first, found)):
            found[known[match.name]] = None
            clause.take(match.first, match.last)
    return tuple(found)


def compared(clause: Clause, given: Sequence[Given]) -> tuple[str, ...]:
    """The column of which values are compared with each other (`EMEA versus APAC`); none if the clause compares none."""
    matches = list(_COMPARED.finditer(clause.text))
    columns = [it.column for it in given for _ in it.values if not it.is_excluded]
    several = {it for it in columns if columns.count(it) > 1}
    if not matches or len(several) != 1:
        return ()
    for match in matches:
        clause.take_text(*match.span())
    return tuple(several)


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


def _is_grouping(clause: Clause, first: int, found: Mapping[str, None]) -> bool:
    """True behind `by` and the like, or behind a group that was found and `and` or a comma."""
    before = clause.before(first)
    if before in GROUPING:
        return True
    place = first - 1 if before in ("and", "or") else first
    between = clause.text[clause.words[place - 1].finish : clause.words[place].begin] if place else ""
    return bool(found) and (place - 1) in clause.used and (before in ("and", "or") or "," in between)


def take_names(clause: Clause, names: Sequence[str]) -> None:
    """Names of the port itself, and of what is joined with it, mean nothing more than it."""
    for match in best_matches(clause.words, list(names)):
        if clause.is_free(match):
            clause.take(match.first, match.last)
