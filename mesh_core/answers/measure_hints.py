"""What a question for a figure may have meant: offered and never taken (`regoin` may be `region`). Pure words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mesh_core.answers.clauses import FILLERS
from mesh_core.answers.measure_groups import GROUPING, REPEATED
from mesh_core.answers.measure_sql import GRAINS
from mesh_core.answers.terms import Match, Word, best_matches, names_of, term_words
from mesh_core.contract.model import Port
from mesh_core.contract.semantics import Measure
from mesh_core.near_names import IN_TEXT, near_names

__all__ = ["Asked", "measure_hints", "nearly_said"]

_LEAST_LETTERS = 4
"""Shorter words are near too many."""
_MOST_OFFERED = 3
_MOST_LISTED = 6
_ASKING = re.compile(
    r"\b(?:how (?:much|many)|what(?:['’]s| (?:is|was|were|are))|compare|show|give|list|total|sum|average|mean|median)\b",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"\b(?:total|sum|average|mean|median)\b", re.IGNORECASE)
_OF_FIGURES = frozenset({*GROUPING, *REPEATED, "vs", "versus"})
_YES_NO = re.compile(r"\W*(?:may|can|must|should|is|are|does|did|has|have|will|would)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A clause of a question, its words, and whether it names a time."""

    text: str
    words: list[Word]
    is_timed: bool = False


def nearly_said(words: Sequence[Word], names: Sequence[str]) -> list[str]:
    """The names that some words, or their singular, are nearly written like and are not, as the contract writes them."""
    called: dict[int, dict[str, str]] = {}
    for name in names:
        term = term_words(name)
        if len(known := " ".join(term)) >= _LEAST_LETTERS:
            called.setdefault(len(term), {}).update({known: name, f"{known}s": name})
    meant = set()
    for size, known_names in called.items():
        for said in _stretches(words, size):
            if said not in known_names:
                meant |= {known_names[it] for it in near_names(said, known_names, alike=IN_TEXT)}
    return [name for name in dict.fromkeys(names) if name in meant]


def measure_hints(clauses: Sequence[Asked], ports: Mapping[str, Port]) -> list[str]:
    """For each clause that asks for a figure which no measure is called: those nearly called so, else what there is."""
    said: dict[str, None] = {}
    for it in clauses:
        is_figure = it.is_timed or _ASKING.search(it.text) or any(word.folded in _OF_FIGURES for word in it.words)
        if is_figure and not _YES_NO.match(it.text) and (hint := _hint(it, ports)):
            said[hint] = None
    return list(said)


def _hint(asked: Asked, ports: Mapping[str, Port]) -> str:
    defined = [(it, name) for name, port in ports.items() for it in port.measures if it.position >= 0]
    if called := [f"{it.name} of {name}" for it, name in defined if best_matches(asked.words, _names(it))]:
        is_computed = asked.is_timed or any(it.folded in _OF_FIGURES for it in asked.words)
        like = "Ask with its name, groups (`by month`) and a period alone"
        return f"“{asked.text}” names {' and '.join(called[:_MOST_OFFERED])}, but asks more of it. {like}." if is_computed else ""
    groups = _groups(asked.words, ports)
    words = [it for at, it in enumerate(asked.words) if not any(group.first <= at < group.last for group in groups)]
    ends = [f"{it.name} of {name}" for it, name in defined if any(_is_said(words, last) for last in _last_words(it))]
    near = ends or [f"{it.name} of {name}" for it, name in defined if nearly_said(words, [*_names(it), *_last_words(it)])]
    tables = {name: names_of(port.name, port.synonyms) for name, port in ports.items()}
    near += [f"the table {name}" for name, called in tables.items() if nearly_said(words, called)]
    if near:
        return f"No measure is called as “{asked.text}” says. Did you mean {' or '.join(near[:_MOST_OFFERED])}?"
    if not defined or not (_FIGURE.search(asked.text) or groups):
        return ""
    listed = ", ".join(f"{it.name} of {name}" for it, name in defined[:_MOST_LISTED])
    return f"No measure that you may read is called as “{asked.text}” says. There are {listed}."


def _names(measure: Measure) -> list[str]:
    return names_of(measure.name, [*([measure.title] if measure.title else []), *measure.synonyms])


def _last_words(measure: Measure) -> list[str]:
    """What its names are called in short: `revenue` for `net_revenue`."""
    return ["".join(term_words(name)[-1:]) for name in _names(measure)]


def _groups(words: Sequence[Word], ports: Mapping[str, Port]) -> list[Match]:
    """Where behind `by` or `per` stands what rows may be grouped by."""
    stored = [other for port in ports.values() for it in port.columns for other in (it.name, *it.synonyms)]
    made = [other for port in ports.values() for it in port.dimensions for other in (it.name, *it.synonyms)]
    found = best_matches(list(words), [*stored, *made, *GRAINS])
    return [it for it in found if it.first and words[it.first - 1].folded in GROUPING]


def _is_said(words: Sequence[Word], name: str) -> bool:
    """True if some words are the name or its plural."""
    term = term_words(name)
    known = " ".join(term)
    return any(said in (known, f"{known}s") for said in _stretches(words, len(term)))


def _stretches(words: Sequence[Word], size: int) -> Iterator[str]:
    """So many words that stand together, wherever they do, but fillers and what is too short to be told from others."""
    for at in range(len(words) - size + 1):
        said = " ".join(it.folded for it in words[at : at + size])
        if said not in FILLERS and len(said) >= _LEAST_LETTERS:
            yield said
