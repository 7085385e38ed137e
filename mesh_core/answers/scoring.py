"""How well a sentence answers a part of a question: how near it is in meaning, less what it lacks, and its fit beside others.

Two things are judged apart. *Which* sentence answers: by meaning, by words (how much of what is asked stands in it, in its
passage or in the headings above it), and by whether it holds the kind of thing that is asked for. *Whether* it answers at all:
by its meaning, as words are shared with a page about the same thing, too; but much more is wanted where hardly a word of the
question stands there or is meant, where a word that says which case is asked about is neither, and where what it asks for by
name, or the time, number or sum that it asks for, is missing. For both counts how far ahead retrieval put the passage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mesh_core.answers.answer_kinds import answers_kind, is_cost_of_another, lacks_amount, lacks_count
from mesh_core.answers.asked_parts import told_and_asked
from mesh_core.answers.asked_things import answers_form, are_things_absent, case_stems, is_year_absent, strange_stems
from mesh_core.answers.candidates import Candidate, is_row, items_behind
from mesh_core.answers.contrasts import is_contrary
from mesh_core.answers.entries import is_entry_of
from mesh_core.answers.meant_words import Standing
from mesh_core.answers.number_words import MONTHS, WEEKDAYS
from mesh_core.answers.rows import cells_at
from mesh_core.answers.wording import stem, wording_of

__all__ = ["LEAST", "Scored", "scored"]

LEAST = 0.4
"""What the meaning of a sentence must reach to be said, of 1 (ADR 0026 says what that means)."""
_BEHIND = 0.1
"""What is taken off for each e-fold of the place that retrieval gave the passage: 0.07 of the second, 0.18 of the sixth."""
_WORDS, _AROUND, _KIND, _FORM = 0.15, 0.15, 0.1, 0.1
"""What choosing adds to meaning: for words of the question in the sentence, in its passage, for the kind and form asked for."""
_UNNAMED = 0.8
"""What is left of a score if what asks names something and the passage names nothing of it."""
_UNKIND = 0.9
"""What is left of a score if the sentence holds nothing of the kind that is asked for."""
_UNTHINGED = 0.8
"""What is left of a score if nothing there is called what the question asks for."""
_UNAMOUNTED = 0.65
"""What is left of a score if a time, a number or a sum is asked for, and there is none."""
_CONTRARY = 0.5
"""What is left of a score if the sentence says the other way round what is asked: the most, where the least is."""
_ABSENT, _OPEN, _UNTOLD = 0.5, 0.9, 0.8
"""What is left of a score if the passage is not about a word of what is asked, if that is open, if it is told first."""
_DOUBT, _SHARED = 0.35, 0.3
"""If a smaller share of the question's words than the second is spoken of there, the first of what lacks is taken off."""
_TRUST, _SEVERAL = 0.05, 3
"""What is added to the meaning of a sentence that has every word of a question with so many."""
_ENTRY = 0.5
"""What choosing adds for the entry of the very thing that is asked for, which is always good enough."""
_CALENDAR = frozenset(map(stem, (*MONTHS, *WEEKDAYS)))


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence beside a part of a question."""

    candidate: Candidate
    meaning: float
    """How near it is to what is asked, less what it lacks: decides whether it is said."""
    fit: float
    """How well it answers beside the others."""
    near: float
    """How near it is in meaning, whatever it lacks; a cosine."""


def scored(part: str, candidate: Candidate, near: float, standings: Mapping[str, Standing]) -> Scored:
    """The sentence's scores.

    Args:
        part: What is asked, with what is told first.
        candidate: The sentence.
        near: How near they are in meaning, a cosine.
        standings: How words of the part that the passage does not have stand to it, by their stems; others are open.
    """
    if lacks_count(part, candidate.text, f"{candidate.citation.section} {candidate.citation.text}" if is_row(candidate) else ""):
        return Scored(candidate, 0.0, 0.0, near)
    _, asks = told_and_asked(part)
    asked = wording_of(part)
    wanted = asked.words | asked.numbers
    spoken_of = candidate.known | {word for word, it in standings.items() if it is Standing.MEANT}
    around = len(wanted & spoken_of) / len(wanted) if wanted else 0.0
    doubt = _DOUBT * max(0.0, _SHARED - (candidate.words + around) / 2)
    trust = _TRUST if len(wanted) >= _SEVERAL and wanted <= candidate.wording.words | candidate.wording.numbers else 0.0
    is_kind = answers_kind(part, candidate.told)
    lacks = (
        (not _is_named(asks, candidate), _UNNAMED),
        (not is_kind, _UNKIND),
        (lacks_amount(part, " ".join([candidate.told, *(it.text for it in items_behind(candidate))])), _UNAMOUNTED),
        (is_row(candidate) and is_cost_of_another(part, candidate.told), _UNAMOUNTED),
        (are_things_absent(part, candidate.known), _UNTHINGED),
        (is_contrary(part, candidate.told), _CONTRARY),
    )
    left = math.prod(share for is_lacking, share in lacks if is_lacking) * _left_of_words(part, candidate, standings)
    fit = near + _WORDS * candidate.words + _AROUND * around + _KIND * is_kind + _FORM * answers_form(part, candidate.text)
    behind = _BEHIND * math.log(candidate.place)
    meaning = (near - doubt + trust) * left - behind
    if is_entry_of(asks, candidate.text, cells_at(candidate.citation.text, candidate.span), candidate.above):
        return Scored(candidate, max(meaning, LEAST), fit + _ENTRY - behind, near)
    return Scored(candidate, meaning, fit - behind, near)


def _left_of_words(part: str, candidate: Candidate, standings: Mapping[str, Standing]) -> float:
    """What is left of a score for words that the passage does not have and does not mean.

    Of those that say which case is asked about it must have or mean each; others may make no difference.
    """
    told, asks = told_and_asked(part)
    if is_year_absent(asks, candidate.known):
        return _ABSENT
    unmet = {it: standings.get(it, Standing.OPEN) for it in strange_stems(asks, candidate.known)}
    unmet = {word: it for word, it in unmet.items() if it is not Standing.MEANT}
    is_absent = Standing.FOREIGN in unmet.values() or not case_stems(asks).isdisjoint(unmet)
    is_untold = any(standings.get(it) is Standing.FOREIGN for it in strange_stems(told, candidate.known))
    return (_ABSENT if is_absent else _OPEN if unmet else 1.0) * (_UNTOLD if is_untold else 1.0)


def _is_named(asks: str, candidate: Candidate) -> bool:
    """True if the passage or what stands above it names anything that is asked by name, or nothing is.

    Names are words with a capital, but days and months, and identifiers like `O-4711`; no plain numbers, which may be a case.
    """
    asked = wording_of(asks)
    names = (asked.names - _CALENDAR) | {it for it in asked.numbers if any(letter.isalpha() for letter in it)}
    return not names or not names.isdisjoint(candidate.known)
