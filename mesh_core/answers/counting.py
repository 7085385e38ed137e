"""Rows as a measure: `how many orders`, and `orders per status`, count the rows of a port called so, defined as a measure or not.

Pure words. Which of them are counted is decided like any other filter of a measure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from mesh_core.answers.changes import says_change
from mesh_core.answers.clauses import clauses_of
from mesh_core.answers.keys import nouns_of, singular
from mesh_core.answers.measure_sql import GRAINS
from mesh_core.answers.terms import best_matches, names_of, term_words, words_of
from mesh_core.contract.model import Port
from mesh_core.contract.semantics import Measure

__all__ = ["counts_rows", "opens_groups", "with_counts"]

_COUNTS = re.compile(
    r"\b(?:how many|number of|count(?: of| the)?|most|fewest|(?:share|percentage|proportion|fraction) of)\b", re.IGNORECASE
)
_ALL_ROWS = re.compile(r"count\(\s*(?:\*|1)?\s*\)", re.IGNORECASE)

_OPENING = re.compile(r"\W*(?:(?:what (?:are|were)|show|give|compare|report|please|me|us|the|our|all)\s+)*", re.IGNORECASE)
_GROUPING = frozenset({"by", "per", "each", "every"})


def with_counts(question: str, ports: Mapping[str, Port]) -> dict[str, Port]:
    """The ports, each with a measure of its rows that is called like the port itself, if the question asks how many there are.

    So does one that begins with what rows are called and groups them by something that the port knows, and one that asks for
    something per row.
    """
    words = {it.folded for it in words_of(question)}
    is_counting = _COUNTS.search(question) or says_change(question)
    clauses = list(clauses_of(question))
    found: dict[str, Port] = {}
    for name, port in ports.items():
        each = any(f"per {it}".casefold() in question.casefold() for it in map(singular, names_of(port.name, port.synonyms)))
        is_counted = is_counting or each or any(opens_groups(it, port) for it in clauses)
        found[name] = _counted(port, words) if is_counted else port
    return found


def counts_rows(measure: Measure) -> bool:
    """True if the measure is how many rows there are."""
    return _ALL_ROWS.fullmatch(measure.expression) is not None


def opens_groups(clause: str, port: Port) -> bool:
    """True if what the rows are called comes first, and then what they are grouped by: `orders per status`."""
    opening = _OPENING.match(clause)
    words = words_of(clause[opening.end() :] if opening else clause)
    last = max((it.last for it in best_matches(words, names_of(port.name, port.synonyms)) if not it.first), default=0)
    begin = last + (last < len(words) and words[last].folded == "for")
    if not last or begin == len(words) or words[begin].folded not in _GROUPING:
        return False
    groups = [noun for it in port.columns for noun in nouns_of(port, it)]
    groups += [other for it in port.dimensions for other in (it.name, *it.synonyms)]
    behind = [it for it in words[begin + 1 :] if it.folded != "the"]
    return any(not it.first for it in best_matches(behind, [*groups, *GRAINS]))


def _counted(port: Port, words: Collection[str]) -> Port:
    nouns = tuple(names_of(port.name, port.synonyms))
    if any(set(nouns) & {it.name, it.title, *it.synonyms} for it in port.measures):
        return port
    known = next((it for it in port.measures if counts_rows(it)), None)
    if known is None:
        counted = Measure(
            f"number_of_{port.name}", "COUNT(*)", synonyms=nouns, time_dimension=_named_time(port, words), position=-1
        )
        return replace(port, measures=(*port.measures, counted))
    called = replace(known, synonyms=(*known.synonyms, *nouns))
    return replace(port, measures=tuple(called if it is known else it for it in port.measures))


def _named_time(port: Port, words: Collection[str]) -> str:
    """The date that the words name by its first word (`delivered` of `delivered_on`); empty for none or several."""
    dates = [it.name for it in port.columns if it.is_dated]
    named = [it for it in dates if term_words(it)[:1] and term_words(it)[0] in words]
    return named[0] if len(named) == 1 else ""
