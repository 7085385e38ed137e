"""Names that words of a question are nearly written like, to be offered and never taken: `regoin` may be `region`. Pure words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh_core.answers.clauses import FILLERS
from mesh_core.answers.measure_groups import GROUPING, REPEATED
from mesh_core.answers.measure_sql import GRAINS
from mesh_core.answers.terms import Word, best_matches, names_of, term_words
from mesh_core.contract.model import Port
from mesh_core.contract.semantics import Measure

__all__ = ["Asked", "measure_hints", "near_names"]

_LEAST_LETTERS = 4
"""Shorter words are one edit from too many."""
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


def near_names(words: Sequence[Word], names: Sequence[str]) -> list[str]:
    """The names that some words are one edit from, as the contract writes them."""
    return [name for name in dict.fromkeys(names) if _is_written(words, name, is_near=True)]


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
    near = [f"{it.name} of {name}" for it, name in defined if _is_near(asked.words, it)]
    tables = {name: names_of(port.name, port.synonyms) for name, port in ports.items()}
    near += [f"the table {name}" for name, called in tables.items() if near_names(asked.words, called)]
    if near:
        return f"No measure is called as “{asked.text}” says. Did you mean {' or '.join(near[:_MOST_OFFERED])}?"
    if not defined or not (_FIGURE.search(asked.text) or _is_grouped(asked.words, ports)):
        return ""
    listed = ", ".join(f"{it.name} of {name}" for it, name in defined[:_MOST_LISTED])
    return f"No measure that you may read is called as “{asked.text}” says. There are {listed}."


def _names(measure: Measure) -> list[str]:
    return names_of(measure.name, [*([measure.title] if measure.title else []), *measure.synonyms])


def _is_near(words: Sequence[Word], measure: Measure) -> bool:
    """True if words are one edit from one of its names, or say the last word of one: `revenue` of `net_revenue`."""
    for name in _names(measure):
        last = term_words(name)[-1:]
        if _is_written(words, name, is_near=True) or _is_written(words, " ".join(last), is_near=False):
            return True
    return False


def _is_grouped(words: Sequence[Word], ports: Mapping[str, Port]) -> bool:
    """True if a word behind `by` or `per` is what rows may be grouped by."""
    stored = [other for port in ports.values() for it in port.columns for other in (it.name, *it.synonyms)]
    made = [other for port in ports.values() for it in port.dimensions for other in (it.name, *it.synonyms)]
    found = best_matches(list(words), [*stored, *made, *GRAINS])
    return any(it.first and words[it.first - 1].folded in GROUPING for it in found)


def _is_written(words: Sequence[Word], name: str, *, is_near: bool) -> bool:
    """True if some words are one edit from the name, or from its plural; if not `is_near`, also if they are the name."""
    term = term_words(name)
    known = " ".join(term)
    stretches = (words[at : at + len(term)] for at in range(len(words) - len(term) + 1)) if len(known) >= _LEAST_LETTERS else ()
    for stretch in stretches:
        said = " ".join(it.folded for it in stretch)
        if said in FILLERS or len(said) < _LEAST_LETTERS:
            continue
        if said in (known, f"{known}s"):
            if not is_near:
                return True
        elif _is_one_edit(said, known) or _is_one_edit(said, f"{known}s"):
            return True
    return False


def _is_one_edit(one: str, two: str) -> bool:
    """True if one letter is added, left out or another, or two neighbours have changed places."""
    begin = next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    left, right = one[begin:], two[begin:]
    is_swapped = left[:2] == right[:2][::-1] and left[2:] == right[2:]
    return left != right and (is_swapped or left[1:] == right[1:] or left[1:] == right or left == right[1:])
