"""Whether a clause asks for the ratio of two measures: `ratio of refunds to revenue`, `revenue per order`. Pure words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mesh_core.answers.clauses import Clause
from mesh_core.answers.counting import counts_rows
from mesh_core.answers.keys import nouns_of
from mesh_core.answers.measure_sql import MeasureQuery
from mesh_core.answers.terms import Match, best_matches
from mesh_core.answers.totals import is_sum
from mesh_core.contract.model import Port
from mesh_core.contract.semantics import Measure

__all__ = ["asks_ratio", "per_row", "ratio_sentence", "why_no_ratio"]

_RATIO_OF = ("ratio", "of")
_ARTICLES = frozenset({"the", "our", "all"})


def asks_ratio(clause: Clause, figures: Sequence[Match]) -> bool:
    """True if the clause asks for the first of its two figures by the second; the words that say so are taken then."""
    places = sorted({(it.first, it.last) for it in figures})
    if len(places) != 2:
        return False
    (first, behind), (second, _) = places
    plain = [it.folded for it in clause.words[:first] if it.folded not in _ARTICLES]
    between = [it.folded for it in clause.words[behind:second] if it.folded not in _ARTICLES]
    is_ratio = tuple(plain[-2:]) == _RATIO_OF and between == ["to"]
    if not (is_ratio or between in (["per"], ["divided", "by"])):
        return False
    clause.used.update(at for at in range(second) if clause.words[at].folded in ("ratio", "divided"))
    return True


def per_row(clause: Clause, port: Port, query: MeasureQuery) -> MeasureQuery:
    """The query by the number of rows, not by each row, if it sums all rows by what a row is called: `revenue per order`."""
    keys = [it for it in port.primary_key if it.name in query.by]
    known = {it.name: it for it in port.measures}
    count = next((it for it in port.measures if counts_rows(it)), None)
    is_sum_of_rows = (
        len(query.measures) == 1 and is_sum(known[query.measures[0]], of_all_rows=True) and not query.top and query.share is None
    )
    if len(port.primary_key) != 1 or not keys or count is None or not is_sum_of_rows:
        return query
    own = best_matches(clause.words, [keys[0].name, *keys[0].synonyms])
    if own or not any(clause.before(it.first) == "per" for it in best_matches(clause.words, nouns_of(port, keys[0]))):
        return query
    by = tuple(it for it in query.by if it != keys[0].name)
    return replace(query, measures=(*query.measures, count.name), by=by, is_ratio=True)


def why_no_ratio(clause: Clause, port: Port, query: MeasureQuery) -> str:
    """Why what is asked for is no ratio that can be told, in a sentence; empty if it can, or if none is asked for."""
    names = " and ".join(query.measures)
    times = {port.time_dimension(it) for it in port.measures if it.name in query.measures}
    if not query.is_ratio:
        return ""
    if len(set(query.measures)) != 2:
        return f"A ratio is one of two figures: {names}."
    if query.top:
        return f"Groups are not ranked by the ratio of {names}: ask for it by these groups."
    return f"{names} are of different times: ask for them one by one." if clause.spans and len(times) > 1 else ""


def ratio_sentence(measures: Sequence[Measure], which: str, scope: str, column: str) -> str:
    """How the ratio is said.

    Args:
        measures: Both.
        which: What is said of the group, if there are groups.
        scope: The rows that it is of.
        column: What it is in (`ratio_column`).
    """
    one, two = measures
    names = " to ".join(it.title or it.name.replace("_", " ") for it in measures)
    unit = one.unit if not two.unit else "" if one.unit == two.unit else f"{one.unit or 'one'} per {two.unit}"
    told = f"{{{column}|none, as the latter is zero or has no value}}"
    return f"{which}ratio{f' in {unit}' if unit else ''} of {names} of {scope}: {told}."
