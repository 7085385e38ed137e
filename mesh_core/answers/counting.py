"""Rows as a measure: `how many orders` counts the rows of a port called so, though its contract defines no measure for it.

Pure words. Which of them are counted is decided like any other filter of a measure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from mesh_core.answers.changes import says_change
from mesh_core.answers.terms import names_of, term_words, words_of
from mesh_core.contract.model import Port
from mesh_core.contract.semantics import Measure

__all__ = ["counts_rows", "with_counts"]

_COUNTS = re.compile(
    r"\b(?:how many|number of|count(?: of| the)?|most|fewest|(?:share|percentage|proportion|fraction) of)\b", re.IGNORECASE
)
_ALL_ROWS = re.compile(r"count\(\s*(?:\*|1)?\s*\)", re.IGNORECASE)


def with_counts(question: str, ports: Mapping[str, Port]) -> dict[str, Port]:
    """The ports, each with a measure of its rows that is called like the port itself, if the question asks how many there are."""
    words = {it.folded for it in words_of(question)}
    is_counting = _COUNTS.search(question) or says_change(question)
    return {name: _counted(port, words) for name, port in ports.items()} if is_counting else dict(ports)


def counts_rows(measure: Measure) -> bool:
    """True if the measure is how many rows there are."""
    return _ALL_ROWS.fullmatch(measure.expression) is not None


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
