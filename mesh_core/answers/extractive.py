"""The answer without a model: the sentences of retrieved passages that answer best, word for word.

A sentence is judged by meaning (its vector beside the question's) and by words (how much of what the question names stands in it,
or in the headings above it). Nothing is said if no sentence is good enough: a wrong passage read out is worse than none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mesh_core.answers.answer import Citation, Sentence, Span
from mesh_core.answers.sentences import said, sentences_of
from mesh_core.answers.wording import Wording, wording_of

if TYPE_CHECKING:
    from mesh_core.embedding import Embedder

__all__ = ["extracted"]

_MOST_CANDIDATES = 24
"""So many sentences are compared by meaning: each costs a run of the model."""
_MOST_SENTENCES = 3
_WORDS = 0.4
"""The part of the score that words have; meaning has the rest."""
_LEAST = 0.36
"""What the best sentence must reach, of 1 (ADR 0026 says what that means)."""
_UNNAMED = 0.8
"""What is left of a score if the question names something and the passage names nothing of it."""
_NEAR = 0.85
"""What a further sentence must reach of the best one's score."""
_ALIKE = 0.7


@dataclass(frozen=True, slots=True)
class _Candidate:
    citation: Citation
    span: Span
    """In the passage's text."""
    text: str
    wording: Wording
    above: frozenset[str]
    """Words of the title and the headings above it."""
    known: frozenset[str]
    """Words of these and of the whole passage."""
    words: float = 0.0
    """How much of the question's words it has, of 1."""


def extracted(question: str, citations: Sequence[Citation], embedder: Embedder) -> list[Sentence]:
    """The sentences that answer, best first, at most three; none if none is good enough.

    Args:
        question: What is asked.
        citations: The passages, best first.
        embedder: What makes vectors of question and sentences.

    Raises:
        EmbedderUnavailable: as `Embedder.embed` does.
    """
    candidates = _nearest(question, [candidate for citation in citations for candidate in _candidates(citation)])
    if not candidates:
        return []
    vectors = embedder.embed([question, *(_in_context(it) for it in candidates)])
    meaning = (vectors[1:] @ vectors[0]).tolist()
    names = _names_in(question)
    scores = [
        ((1 - _WORDS) * near + _WORDS * it.words) * (1 if _is_named(names, it) else _UNNAMED)
        for near, it in zip(meaning, candidates, strict=True)
    ]
    order = sorted(range(len(candidates)), key=lambda place: -scores[place])
    least = max(_LEAST, _NEAR * scores[order[0]])
    chosen: list[_Candidate] = []
    for place in order:
        if scores[place] < least or len(chosen) == _MOST_SENTENCES:
            break
        if not any(_is_alike(candidates[place].wording, it.wording) for it in chosen):
            chosen.append(candidates[place])
    return [_sentence(it) for it in chosen]


def _candidates(citation: Citation) -> Iterator[_Candidate]:
    above, whole = wording_of(f"{citation.title}\n{citation.section}"), wording_of(citation.text)
    above_words = above.words | above.numbers
    for span in sentences_of(citation.text):
        text = said(citation.text[span.start : span.end])
        wording = wording_of(text)
        if len(wording.words) + len(wording.numbers) > 1 and not text.endswith("?"):
            yield _Candidate(citation, span, text, wording, above_words, above_words | whole.words | whole.numbers)


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


def _in_context(candidate: _Candidate) -> str:
    return "\n".join(part for part in (candidate.citation.section or candidate.citation.title, candidate.text) if part)


def _is_alike(one: Wording, other: Wording) -> bool:
    first, second = one.words | one.numbers, other.words | other.numbers
    return len(first & second) >= _ALIKE * min(len(first), len(second))


def _sentence(candidate: _Candidate) -> Sentence:
    citation, place = candidate.citation, candidate.span
    start = citation.span.start
    quote = None if citation.is_masked else Span(start + place.start, start + place.end)
    return Sentence(candidate.text, (citation.number,), quote)
