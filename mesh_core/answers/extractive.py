"""The answer without a model: the sentences of retrieved passages that answer best, word for word.

Which sentence answers a part of the question, and whether it does, is scored in `scoring`. Nothing is said if no sentence is good
enough: a wrong passage read out is worse than none. What is said comes with what it cannot be understood without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mesh_core.answers.answer import Citation, Sentence, Span
from mesh_core.answers.asked_parts import asked_parts, parts_by_ask
from mesh_core.answers.asked_things import strange_stems
from mesh_core.answers.candidates import Candidate, are_alike, candidates_in, in_context, is_row, nearest
from mesh_core.answers.meant_words import Standing, standing_of, without_word
from mesh_core.answers.scoring import LEAST, Scored, scored
from mesh_core.answers.sentence_vectors import SentenceVectors
from mesh_core.answers.steps import asks_for_steps
from mesh_core.answers.wording import wording_of

if TYPE_CHECKING:
    from mesh_core.embedding import Embedder, Vectors

__all__ = ["Extract", "extract", "extracted"]

_MOST_IN_CONTEXT = 6
"""So many of these are compared once more, with their neighbours."""
_MOST_SENTENCES = 4
_MOST_CLOSEST = 3
_CLOSE = 0.3
"""How near a sentence must be in meaning to be shown to who looks for an answer where there is none, of 1."""
_WORDS = 0.15
"""What words of the question in a sentence add to its meaning, where the first ones are chosen."""
_NEAR = 0.9
"""What a further sentence must reach of the best one's score."""


@dataclass(frozen=True, slots=True)
class Extract:
    """What passages say to a question."""

    sentences: tuple[Sentence, ...] = ()
    unanswered: tuple[str, ...] = ()
    """Of several things that are asked, those that no sentence answers, as they are asked."""
    closest: tuple[Sentence, ...] = ()
    """If there are no sentences: the one nearest to the question of each of the nearest passages, best first. No answers."""


def extracted(question: str, citations: Sequence[Citation], embedder: Embedder) -> list[Sentence]:
    """The sentences of `extract`."""
    return list(extract(question, citations, SentenceVectors(embedder)).sentences)


def extract(question: str, citations: Sequence[Citation], vectors: SentenceVectors) -> Extract:
    """The sentences that answer, best first, at most four and the items of lists that they lead to; none if none is good enough.

    Args:
        question: What is asked; each of its parts is answered.
        citations: The passages, those of each collection best first.
        vectors: Those of question and sentences.

    Raises:
        EmbedderUnavailable: as `Embedder.embed` does.
    """
    candidates = nearest(question, list(_candidates(citations)))
    if not candidates:
        return Extract()
    parts = asked_parts(question)
    chosen: list[Candidate] = []
    answered: set[str] = set()
    by_part = _all_scored(parts, candidates, vectors)
    for part, found in by_part.items():
        good = _good(found)
        answered.update([part] if good else ())
        for it in good:
            if len(chosen) < _MOST_SENTENCES and not any(are_alike(it.wording, other.wording) for other in chosen):
                chosen.append(replace(it, is_for_steps=asks_for_steps(part)))
    chosen = _without_other_rows(question, chosen)
    told = {(it.citation.number, it.span): it for one in chosen for it in in_context(one)}
    asks = parts_by_ask(question).items()
    unanswered = tuple(ask.rstrip("?") for ask, looked_for in asks if looked_for and answered.isdisjoint(looked_for))
    if not told:
        return Extract((), unanswered, tuple(map(_sentence, _closest(it for found in by_part.values() for it in found))))
    return Extract(tuple(map(_sentence, told.values())), unanswered)


def _candidates(citations: Sequence[Citation]) -> Iterator[Candidate]:
    """The sentences of all passages."""
    found: Counter[str] = Counter()
    for citation in citations:
        found[citation.port] += 1
        yield from candidates_in(citation, place=found[citation.port])


def _closest(found: Iterable[Scored]) -> list[Candidate]:
    """Of each passage the nearest sentence, those of the nearest passages."""
    best: dict[int, Candidate] = {}
    for it in sorted(found, key=lambda it: -it.near):
        if it.near >= _CLOSE:
            best.setdefault(it.candidate.citation.number, it.candidate)
    return list(best.values())[:_MOST_CLOSEST]


def _all_scored(parts: Sequence[str], candidates: Sequence[Candidate], vectors: SentenceVectors) -> dict[str, list[Scored]]:
    """The first candidates beside each part of the question, with their neighbours and beside the part without single words."""
    fewer = {(part, word): text for part in parts for word, text in _without_words(part, candidates).items()}
    texts = [*parts, *fewer.values()]
    asked, alone = vectors.of(texts, [(it.citation, _in_context(it, it.meant)) for it in candidates])
    places = _best_places(alone @ asked[: len(parts)].T, candidates)
    first = [candidates[place] for place in places]
    _, around = vectors.of([], [(it.citation, _in_context(it, it.around)) for it in first])
    near = asked @ ((alone[places] + around) / 2).T
    without = dict(zip(fewer, near[len(parts) :], strict=True))
    return {
        part: [scored(part, it, float(of[row]), _standings(part, float(of[row]), without, row)) for row, it in enumerate(first)]
        for part, of in zip(parts, near, strict=False)
    }


def _standings(part: str, near: float, without: Mapping[tuple[str, str], Vectors], row: int) -> dict[str, Standing]:
    """How the words of the part stand to the candidate of this row, by how near the part is to it with them and without."""
    return {word: standing_of(near, float(nearness[row])) for (of, word), nearness in without.items() if of == part}


def _without_words(part: str, candidates: Sequence[Candidate]) -> dict[str, str]:
    """The part without each word with weight that some passage does not have, by the word's stem."""
    words = sorted({word for it in candidates for word in strange_stems(part, it.known)})
    fewer = {word: without_word(part, word) for word in words}
    return {word: text for word, text in fewer.items() if any(it.isalnum() for it in text)}


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


def _good(scored: Sequence[Scored]) -> list[Candidate]:
    """The best of them and those as good, if it is good enough."""
    order = sorted(scored, key=lambda it: -it.fit)
    best = order[0]
    if best.meaning < LEAST:
        return []
    return [it.candidate for it in order if it.fit >= _NEAR * best.fit and it.meaning >= LEAST][:2]


def _in_context(candidate: Candidate, text: str) -> str:
    return "\n".join(part for part in (candidate.citation.section or candidate.citation.title, text) if part)


def _sentence(candidate: Candidate) -> Sentence:
    citation, place = candidate.citation, candidate.span
    start = citation.span.start
    quote = None if citation.is_masked else Span(start + place.start, start + place.end)
    return Sentence(candidate.text, (citation.number,), quote)
