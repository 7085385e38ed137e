"""The answer without a model: the sentences of retrieved passages that answer best, word for word.

Two things are judged apart. *Which* sentence answers a part of the question: by meaning (its vector beside the question's, alone
and with its neighbours), by words (how much of what is asked stands in it, in its passage or in the headings above it), and by
whether it holds the kind of thing that is asked for. *Whether* it answers at all: by its meaning, as words are shared with a page
about the same thing, too; but where hardly a word of the question stands there, a word with weight or what it asks for by name
does not, or the time, number or sum that is asked for is missing, much more is wanted. Nothing is said if no sentence is good
enough: a wrong passage read out is worse than none. What is said comes with what it cannot be understood without.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesh_core.answers.answer import Citation, Sentence, Span
from mesh_core.answers.answer_kinds import answers_kind, lacks_amount, lacks_count
from mesh_core.answers.asked_parts import asked_parts, parts_by_ask, told_and_asked
from mesh_core.answers.asked_things import answers_form, are_things_absent, is_word_absent
from mesh_core.answers.candidates import Candidate, are_alike, candidates_in, in_context, is_row, items_behind, nearest
from mesh_core.answers.wording import wording_of

if TYPE_CHECKING:
    from mesh_core.embedding import Embedder, Vectors

__all__ = ["Extract", "extract", "extracted"]

_MOST_IN_CONTEXT = 8
"""So many of these are compared once more, with their neighbours."""
_MOST_SENTENCES = 4
_WORDS, _AROUND, _KIND, _FORM = 0.15, 0.15, 0.1, 0.1
"""What choosing adds to meaning: for words of the question in the sentence, in its passage, for the kind and form asked for."""
_LEAST = 0.45
"""What the meaning of a sentence must reach, of 1 (ADR 0026 says what that means)."""
_UNNAMED = 0.8
"""What is left of a score if the question names something and the passage names nothing of it."""
_UNKIND = 0.9
"""What is left of a score if the sentence holds nothing of the kind that is asked for."""
_UNTHINGED = 0.8
"""What is left of a score if nothing there is called what the question asks for."""
_UNAMOUNTED = 0.65
"""What is left of a score if a time, a number or a sum is asked for, and there is none."""
_ABSENT, _UNTOLD = 0.65, 0.8
"""What is left of a score if a word that carries weight is not in the passage: one of what is asked, one that is told first."""
_NEAR = 0.9
"""What a further sentence must reach of the best one's score."""
_DOUBT, _SHARED = 0.35, 0.3
"""If a smaller share of the question's words than the second stands there, the first of what lacks is taken off the meaning."""
_TRUST, _SEVERAL = 0.05, 3
"""What is added to the meaning of a sentence that has every word of a question with so many."""


@dataclass(frozen=True, slots=True)
class _Scored:
    candidate: Candidate
    meaning: float
    """How near it is to what is asked, less what it lacks: decides whether it is said."""
    fit: float
    """How well it answers beside the others."""


@dataclass(frozen=True, slots=True)
class Extract:
    """What passages say to a question."""

    sentences: tuple[Sentence, ...] = ()
    unanswered: tuple[str, ...] = ()
    """Of several things that are asked, those that no sentence answers, as they are asked."""


def extracted(question: str, citations: Sequence[Citation], embedder: Embedder) -> list[Sentence]:
    """The sentences of `extract`."""
    return list(extract(question, citations, embedder).sentences)


def extract(question: str, citations: Sequence[Citation], embedder: Embedder) -> Extract:
    """The sentences that answer, best first, at most four and the items of lists that they lead to; none if none is good enough.

    Args:
        question: What is asked; each of its parts is answered.
        citations: The passages, best first.
        embedder: What makes vectors of question and sentences.

    Raises:
        EmbedderUnavailable: as `Embedder.embed` does.
    """
    every = [candidate for citation in citations for candidate in candidates_in(citation)]
    candidates = nearest(question, every)
    if not candidates:
        return Extract()
    parts = asked_parts(question)
    vectors = embedder.embed([*parts, *(_in_context(it, it.text) for it in candidates)])
    asked, alone = vectors[: len(parts)], vectors[len(parts) :] @ vectors[: len(parts)].T
    first = _best_places(alone, candidates)
    around = embedder.embed([_in_context(candidates[place], candidates[place].around) for place in first]) @ asked.T
    chosen: list[Candidate] = []
    answered: set[str] = set()
    for number, part in enumerate(parts):
        scored = [
            _scored(part, candidates[place], (float(alone[place, number]) + float(around[row, number])) / 2)
            for row, place in enumerate(first)
        ]
        good = _good(scored)
        answered.update([part] if good else ())
        for it in good:
            if len(chosen) < _MOST_SENTENCES and not any(are_alike(it.wording, other.wording) for other in chosen):
                chosen.append(it)
    chosen = _without_other_rows(question, chosen)
    told = {(it.citation.number, it.span): it for one in chosen for it in in_context(one)}
    asks = parts_by_ask(question).items()
    unanswered = tuple(ask.rstrip("?") for ask, looked_for in asks if looked_for and answered.isdisjoint(looked_for))
    return Extract(tuple(map(_sentence, told.values())), unanswered)


def _without_other_rows(question: str, chosen: Sequence[Candidate]) -> list[Candidate]:
    """Without rows of a table of which the question names less than of another row that is chosen."""
    asked = wording_of(question)
    wanted = asked.words | asked.numbers
    named = [(it, wanted & (it.wording.words | it.wording.numbers) if is_row(it) else None) for it in chosen]
    return [
        it
        for it, words in named
        if words is None
        or not any(more is not None and words < more for other, more in named if other.citation.number == it.citation.number)
    ]


def _best_places(alone: Vectors, candidates: Sequence[Candidate]) -> list[int]:
    """The candidates nearest to any part of the question, by their places."""
    best = alone.max(axis=1).tolist()
    order = sorted(range(len(candidates)), key=lambda place: -(best[place] + _WORDS * candidates[place].words))
    return order[:_MOST_IN_CONTEXT]


def _scored(part: str, candidate: Candidate, near: float) -> _Scored:
    if lacks_count(part, candidate.text, f"{candidate.citation.section} {candidate.citation.text}" if is_row(candidate) else ""):
        return _Scored(candidate, 0.0, 0.0)
    told, asks = told_and_asked(part)
    is_kind = answers_kind(part, candidate.text)
    asked = wording_of(part)
    wanted = asked.words | asked.numbers
    around = len(wanted & candidate.known) / len(wanted) if wanted else 0.0
    doubt = _DOUBT * max(0.0, _SHARED - (candidate.words + around) / 2)
    trust = _TRUST if len(wanted) >= _SEVERAL and wanted <= candidate.wording.words | candidate.wording.numbers else 0.0
    lacks = (
        (not _is_named(_names_in(part), candidate), _UNNAMED),
        (not is_kind, _UNKIND),
        (lacks_amount(part, " ".join(it.text for it in (candidate, *items_behind(candidate)))), _UNAMOUNTED),
        (are_things_absent(part, candidate.known), _UNTHINGED),
        (is_word_absent(asks, candidate.known), _ABSENT),
        (is_word_absent(told, candidate.known), _UNTOLD),
    )
    meaning = (near - doubt + trust) * math.prod(left for is_lacking, left in lacks if is_lacking)
    form = _FORM * answers_form(part, candidate.text)
    fit = near + _WORDS * candidate.words + _AROUND * around + _KIND * is_kind + form
    return _Scored(candidate, meaning, fit)


def _good(scored: Sequence[_Scored]) -> list[Candidate]:
    """The best of them and those as good, if it is good enough."""
    order = sorted(scored, key=lambda it: -it.fit)
    best = order[0]
    if best.meaning < _LEAST:
        return []
    return [it.candidate for it in order if it.fit >= _NEAR * best.fit and it.meaning >= _LEAST][:2]


def _names_in(question: str) -> frozenset[str]:
    """What the question names: words with a capital, and identifiers like `O-4711`; no plain numbers, which may be a case."""
    asked = wording_of(question)
    return asked.names | {it for it in asked.numbers if any(letter.isalpha() for letter in it)}


def _is_named(names: frozenset[str], candidate: Candidate) -> bool:
    """True if the passage or what stands above it names any of them, or there are none."""
    return not names or not names.isdisjoint(candidate.known)


def _in_context(candidate: Candidate, text: str) -> str:
    return "\n".join(part for part in (candidate.citation.section or candidate.citation.title, text) if part)


def _sentence(candidate: Candidate) -> Sentence:
    citation, place = candidate.citation, candidate.span
    start = citation.span.start
    quote = None if citation.is_masked else Span(start + place.start, start + place.end)
    return Sentence(candidate.text, (citation.number,), quote)
