"""Whether a clause asks for a figure, and which measures of which port it asks for. Pure words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from mesh_core.answers.clauses import FILLERS, Clause
from mesh_core.answers.counting import counts_rows
from mesh_core.answers.measure_filters import asked_columns
from mesh_core.answers.measure_groups import GROUPING, REPEATED
from mesh_core.answers.rankings import ranking_in
from mesh_core.answers.terms import Match, best_matches, names_of, term_words
from mesh_core.contract.model import Port
from mesh_core.contract.semantics import Measure

__all__ = ["ASKING", "asks_clearly", "asks_perhaps", "chosen", "measure_matches", "opens_yes_no"]

_HOW_MANY = re.compile(r"\b(?:how many|number of|most|fewest)\b", re.IGNORECASE)
_COUNTED = re.compile(
    r"\b(?:how many|number of|count of|most|fewest|(?:share|percentage|proportion|fraction) of)\s+(?:[\w-]+\s+){0,2}\Z",
    re.IGNORECASE,
)
_SHARES = frozenset({"share", "percentage", "proportion", "fraction"})
_MANY_OF = re.compile(r"\b(?:how many|number of)\s+(?:[\w-]+\s+){0,2}\Z", re.IGNORECASE)
ASKING = re.compile(
    r"\b(?:how (?:much|many)|what(?:['’]s| (?:is|was|were|are))|total|sum|average|mean|number of|show|give|list|tell|compute|"
    r"calculate|compare|comparison|difference|report|figures?|value|amount of|top \d+|share|percentage|proportion|fraction)\b",
    re.IGNORECASE,
)
_COMPARING = frozenset({"difference", "comparison", "more", "less"})
"""Words that ask for figures where several times are named."""
_SIZES = frozenset({"higher", "lower", "larger", "smaller", "greater", "bigger"})
_YES_NO = frozenset({"may", "can", "must", "should", "is", "are", "do", "does", "did", "has", "have", "will", "would"})
_OPENING = FILLERS | {"when"}


def measure_matches(clause: Clause) -> list[Match]:
    """Where the clause names measures; beside others, what rows are called is one only where they are counted."""
    ports = clause.ports.values()
    counted = {it for port in ports if any(map(counts_rows, port.measures)) for it in names_of(port.name, port.synonyms)}
    found = best_matches(clause.words, sorted({other for port in ports for it in port.measures for other in _names(it)}))
    kept = [it for it in found if it.name not in counted or _is_counted(clause, it, found)]
    return kept or found


def _is_counted(clause: Clause, match: Match, others: Sequence[Match]) -> bool:
    """True if the name stands behind `how many`, and no other name between, but one that it is joined to by `and`."""
    asking = _COUNTED.search(clause.text[: clause.words[match.first].begin])
    if asking is None or clause.before(match.first) in GROUPING:
        return False
    between = [it for it in others if asking.start() < clause.words[it.first].begin and it.last <= match.first]
    return not between or clause.before(match.first) in ("and", "or")


def _names(measure: Measure) -> list[str]:
    return names_of(measure.name, [*([measure.title] if measure.title else []), *measure.synonyms])


def asks_clearly(clause: Clause, matches: Sequence[Match]) -> bool:
    """True if a figure is asked for: right before a measure, or by what follows it."""
    first = matches[0]
    compared = _COMPARING if clause.is_change or len(clause.spans or ()) > 1 else frozenset()
    compared |= _SIZES if clause.is_change else frozenset()
    between = [it for it in _between(clause, first) if it not in _SHARES | compared and it not in REPEATED]
    place = clause.words[first.first].begin
    before = clause.text[:place]
    behind = [word.folded for word in clause.words[first.last :]]
    if ranking_in(before) or _MANY_OF.search(before) or ASKING.match(clause.text, place):
        return True
    asks = bool(ASKING.search(before)) and all(word in FILLERS for word in between[-3:])
    starts = not any(word not in FILLERS for word in between) and (not between or between[0] not in _YES_NO)
    return asks or (
        starts and (bool(set(behind) & (GROUPING | REPEATED.keys())) or bool(clause.spans) or not behind or bool(between))
    )


def asks_perhaps(clause: Clause, matches: Sequence[Match]) -> bool:
    """True if the clause begins with the measure: a figure is asked for if every other word of it is understood."""
    return all(word in _OPENING for word in _between(clause, matches[0]))


def opens_yes_no(clause: Clause) -> bool:
    """True if the clause is answered by yes or no."""
    return bool(clause.words) and clause.words[0].folded in _YES_NO


def _between(clause: Clause, first: Match) -> list[str]:
    return [word.folded for at, word in enumerate(clause.words[: first.first]) if at not in clause.used]


def chosen(clause: Clause, matches: Sequence[Match]) -> tuple[str, list[Measure]] | str:
    """The one port that has all the measures, and these; else what is not clear."""
    options: dict[str, list[Measure]] = {}
    places = [list(same) for _, same in groupby(matches, key=lambda it: (it.first, it.last))]
    for name, port in clause.ports.items():
        fitting = [[m for m in port.measures if {it.name for it in same} & set(_names(m))] for same in places]
        if all(fitting):
            options[name] = [measure for found in fitting for measure in found]
    words = " ".join(clause.words[at].text for at in range(matches[0].first, matches[0].last))
    if not options:
        return "The figures are of different ports: ask for them one by one."
    for narrow in (_narrowed, _with_values, _with_times, _with_columns):
        options = (narrow(clause, options) or options) if len(options) > 1 else options
    if len(options) > 1:
        return f"“{words}” may be of {' or of '.join(options)}: say which."
    ((name, measures),) = options.items()
    if len(measures) > len(places) and _HOW_MANY.search(clause.text):
        measures = [it for it in measures if counts_rows(it)] or measures
    if len(measures) > len(places):
        return f"“{words}” may be {' or '.join(it.name for it in measures)} of {name}: say which."
    for match in matches:
        clause.take(match.first, match.last)
    return name, measures


def _narrowed(clause: Clause, options: Mapping[str, list[Measure]]) -> dict[str, list[Measure]]:
    """Those that the question names otherwise: by the product's or the port's name."""
    named: dict[str, list[Measure]] = {}
    for name, measures in options.items():
        domain, product, port = name.split(".")
        found = [
            it
            for it in best_matches(clause.words, [port, product, domain, *clause.ports[name].synonyms])
            if clause.is_free(it) and it.first not in clause.figures
        ]
        own = {it.name for measure in measures for it in best_matches(clause.words, _names(measure))}
        if any(it.name not in own for it in found):
            named[name] = measures
            for it in found:
                clause.take(it.first, it.last)
    return named


def _with_values(clause: Clause, options: Mapping[str, list[Measure]]) -> dict[str, list[Measure]]:
    """Those whose own columns have most of the values that the clause names."""
    counts = {name: len(clause.given.get(name, ())) for name in options}
    most = max(counts.values())
    return {name: measures for name, measures in options.items() if most and counts[name] == most}


def _with_times(clause: Clause, options: Mapping[str, list[Measure]]) -> dict[str, list[Measure]]:
    """Those whose time the clause calls by its first word: `ordered` of `ordered_on`."""
    said = {word.folded for at, word in enumerate(clause.words) if at not in clause.used}
    return {
        name: measures
        for name, measures in options.items()
        if any(said & set(term_words(clause.ports[name].time_dimension(it))[:1]) for it in measures)
    }


def _with_columns(clause: Clause, options: Mapping[str, list[Measure]]) -> dict[str, list[Measure]]:
    """Those that have most of the columns which the clause names."""
    counts = {
        name: len({it.name for it in best_matches(clause.words, _columns(clause.ports[name])) if it.first not in clause.figures})
        for name in options
    }
    most = max(counts.values())
    return {name: measures for name, measures in options.items() if most and counts[name] == most}


def _columns(port: Port) -> list[str]:
    columns = [other for it in asked_columns(port) for other in (it.name, *it.synonyms)]
    return [*columns, *(other for it in port.dimensions for other in (it.name, *it.synonyms))]
