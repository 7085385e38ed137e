"""The answer without a model: the sentences of retrieved passages that answer best, word for word.

Two things are judged apart. *Which* sentence answers a part of the question: by meaning (its vector beside the question's, alone
and with its neighbours), by words (how much of what is asked stands in it, in its passage or in the headings above it), and by
whether it holds the kind of thing that is asked for. *Whether* it answers at all: by its meaning, as words are shared with a page
about the same thing, too; but where hardly a word of the question stands there, more of it is wanted. Nothing is said if no
sentence is good enough: a wrong passage read out is worse than none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from mesh_core.answers.answer import Citation, Sentence, Span
from mesh_core.answers.asked_parts import answers_kind, asked_parts, parts_by_ask
from mesh_core.answers.passage_counts import lacks_count
from mesh_core.answers.sentences import said, sentences_of
from mesh_core.answers.wording import Wording, wording_of

if TYPE_CHECKING:
    from mesh_core.embedding import Embedder, Vectors

__all__ = ["Extract", "extract", "extracted"]

_MOST_CANDIDATES = 24
"""So many sentences are compared by meaning: each costs a run of the model."""
_MOST_IN_CONTEXT = 8
"""So many of these are compared once more, with their neighbours."""
_MOST_SENTENCES = 4
_WORDS, _AROUND, _KIND = 0.15, 0.15, 0.1
"""What choosing adds to meaning: for words of the question in the sentence, in its passage, for the kind that is asked for."""
_LEAST = 0.45
"""What the meaning of a sentence must reach, of 1 (ADR 0026 says what that means)."""
_UNNAMED = 0.8
"""What is left of a score if the question names something and the passage names nothing of it."""
_UNKIND = 0.9
"""What is left of a score if the sentence holds nothing of the kind that is asked for."""
_NEAR = 0.9
"""What a further sentence must reach of the best one's score."""
_ALIKE = 0.7
_DOUBT, _SHARED = 0.35, 0.3
"""If a smaller share of the question's words than the second stands there, the first of what lacks is taken off the meaning."""
_TRUST, _SEVERAL = 0.05, 3
"""What is added to the meaning of a sentence that has every word of a question with so many."""
_MOST_ITEMS = 5
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s")


@dataclass(frozen=True, slots=True)
class _Candidate:
    citation: Citation
    span: Span
    """In the passage's text."""
    text: str
    around: str
    """The sentence with those before and behind it."""
    wording: Wording
    above: frozenset[str]
    """Words of the title and the headings above it."""
    known: frozenset[str]
    """Words of these and of the whole passage."""
    words: float = 0.0
    """How much of the question's words it has, of 1."""


@dataclass(frozen=True, slots=True)
class _Scored:
    candidate: _Candidate
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
    candidates = _nearest(question, [candidate for citation in citations for candidate in _candidates(citation)])
    if not candidates:
        return Extract()
    parts = asked_parts(question)
    vectors = embedder.embed([*parts, *(_in_context(it, it.text) for it in candidates)])
    asked, alone = vectors[: len(parts)], vectors[len(parts) :] @ vectors[: len(parts)].T
    first = _best_places(alone, candidates)
    around = embedder.embed([_in_context(candidates[place], candidates[place].around) for place in first]) @ asked.T
    chosen: list[_Candidate] = []
    answered: set[str] = set()
    for number, part in enumerate(parts):
        scored = [
            _scored(part, candidates[place], (float(alone[place, number]) + float(around[row, number])) / 2)
            for row, place in enumerate(first)
        ]
        good = _good(scored)
        answered.update([part] if good else ())
        for it in good:
            if len(chosen) < _MOST_SENTENCES and not any(_is_alike(it.wording, other.wording) for other in chosen):
                chosen.append(it)
    chosen = _without_other_rows(question, chosen)
    said_once = {(it.citation.number, it.span) for it in chosen}
    items = [
        item
        for it in chosen
        if it.text.endswith(":")
        for item in _items(it)
        if (item.citation.number, item.span) not in said_once
    ]
    asks = parts_by_ask(question).items()
    unanswered = tuple(ask.rstrip("?") for ask, looked_for in asks if looked_for and answered.isdisjoint(looked_for))
    return Extract(tuple(_sentence(it) for it in (*chosen, *items)), unanswered)


def _without_other_rows(question: str, chosen: Sequence[_Candidate]) -> list[_Candidate]:
    """Without rows of a table of which the question names less than of another row that is chosen."""
    asked = wording_of(question)
    wanted = asked.words | asked.numbers
    named = [(it, wanted & (it.wording.words | it.wording.numbers) if _is_row(it) else None) for it in chosen]
    return [
        it
        for it, words in named
        if words is None
        or not any(more is not None and words < more for other, more in named if other.citation.number == it.citation.number)
    ]


def _is_row(candidate: _Candidate) -> bool:
    text = candidate.citation.text
    return text[text.rfind("\n", 0, candidate.span.start) + 1 :].lstrip().startswith("|")


def _best_places(alone: Vectors, candidates: Sequence[_Candidate]) -> list[int]:
    """The candidates nearest to any part of the question, by their places."""
    best = alone.max(axis=1).tolist()
    order = sorted(range(len(candidates)), key=lambda place: -(best[place] + _WORDS * candidates[place].words))
    return order[:_MOST_IN_CONTEXT]


def _scored(part: str, candidate: _Candidate, near: float) -> _Scored:
    if lacks_count(part, candidate.text, f"{candidate.citation.section} {candidate.citation.text}" if _is_row(candidate) else ""):
        return _Scored(candidate, 0.0, 0.0)
    is_kind = answers_kind(part, candidate.text)
    asked = wording_of(part)
    wanted = asked.words | asked.numbers
    around = len(wanted & candidate.known) / len(wanted) if wanted else 0.0
    doubt = _DOUBT * max(0.0, _SHARED - (candidate.words + around) / 2)
    trust = _TRUST if len(wanted) >= _SEVERAL and wanted <= candidate.wording.words | candidate.wording.numbers else 0.0
    meaning = (near - doubt + trust) * (1 if _is_named(_names_in(part), candidate) else _UNNAMED) * (1 if is_kind else _UNKIND)
    return _Scored(candidate, meaning, near + _WORDS * candidate.words + _AROUND * around + _KIND * is_kind)


def _good(scored: Sequence[_Scored]) -> list[_Candidate]:
    """The best of them and those as good, if it is good enough."""
    order = sorted(scored, key=lambda it: -it.fit)
    best = order[0]
    if best.meaning < _LEAST:
        return []
    return [it.candidate for it in order if it.fit >= _NEAR * best.fit and it.meaning >= _LEAST][:2]


def _candidates(citation: Citation) -> Iterator[_Candidate]:
    above, whole = wording_of(f"{citation.title}\n{citation.section}"), wording_of(citation.text)
    above_words = above.words | above.numbers
    spans = sentences_of(citation.text)
    texts = [said(citation.text[span.start : span.end]) for span in spans]
    for place, (span, text) in enumerate(zip(spans, texts, strict=True)):
        wording = wording_of(text)
        around = " ".join(texts[max(0, place - 1) : place + 2])
        if len(wording.words) + len(wording.numbers) > 1 and not text.endswith("?"):
            known = above_words | whole.words | whole.numbers
            yield _Candidate(citation, span, text, around, wording, above_words, known)


def _items(candidate: _Candidate) -> Iterator[_Candidate]:
    """The items of the list that the sentence leads to."""
    text = candidate.citation.text
    behind = [span for span in sentences_of(text) if span.start >= candidate.span.end]
    items = takewhile(lambda span: _ITEM.match(text, text.rfind("\n", 0, span.start) + 1), behind)
    for span in islice(items, _MOST_ITEMS):
        yield replace(candidate, span=span, text=said(text[span.start : span.end]))


def _nearest(question: str, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Those that share most words with the question, each with how much; a word counts more the fewer candidates have it."""
    asked = wording_of(question)
    wanted = asked.words | asked.numbers
    counts = Counter(word for it in candidates for word in wanted & _all_words(it))
    weights = {word: math.log(1 + (len(candidates) + 1) / (1 + counts[word])) for word in wanted}
    found = [replace(it, words=_share(it, weights)) for it in candidates]
    return sorted(found, key=lambda it: -it.words)[:_MOST_CANDIDATES]


def _all_words(candidate: _Candidate) -> frozenset[str]:
    return candidate.wording.words | candidate.wording.numbers | candidate.above


def _share(candidate: _Candidate, weights: Mapping[str, float]) -> float:
    """How much of the question's words it has; what stands in the headings only counts half."""
    own = candidate.wording.words | candidate.wording.numbers
    found = sum(weight * (1.0 if word in own else 0.5 if word in candidate.above else 0.0) for word, weight in weights.items())
    return found / sum(weights.values()) if weights else 0.0


def _names_in(question: str) -> frozenset[str]:
    """What the question names: words with a capital, and identifiers like `O-4711`; no plain numbers, which may be a case."""
    asked = wording_of(question)
    return asked.names | {it for it in asked.numbers if any(letter.isalpha() for letter in it)}


def _is_named(names: frozenset[str], candidate: _Candidate) -> bool:
    """True if the passage or what stands above it names any of them, or there are none."""
    return not names or not names.isdisjoint(candidate.known)


def _in_context(candidate: _Candidate, text: str) -> str:
    return "\n".join(part for part in (candidate.citation.section or candidate.citation.title, text) if part)


def _is_alike(one: Wording, other: Wording) -> bool:
    first, second = one.words | one.numbers, other.words | other.numbers
    return len(first & second) >= _ALIKE * min(len(first), len(second))


def _sentence(candidate: _Candidate) -> Sentence:
    citation, place = candidate.citation, candidate.span
    start = citation.span.start
    quote = None if citation.is_masked else Span(start + place.start, start + place.end)
    return Sentence(candidate.text, (citation.number,), quote)
