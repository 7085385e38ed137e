"""The sentences of passages that may answer a question: each with what stands around it, nearest in words first."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from mesh_core.answers.answer import Citation, Span
from mesh_core.answers.rows import asked_cells, header_of, is_header, is_row_at, labelled
from mesh_core.answers.sentences import said, sentences_of
from mesh_core.answers.steps import code_behind, is_item_at, steps_at
from mesh_core.answers.wording import Wording, wording_of

__all__ = ["Candidate", "are_alike", "candidates_in", "in_context", "is_row", "items_behind", "nearest"]

_MOST_CANDIDATES = 12
"""So many sentences are compared by meaning: each that is new costs a run of the model."""
_BEHIND = 0.04
"""What words of the question a sentence must have more for each place that its passage is behind, of 1."""
_ALIKE = 0.7
_MOST_ITEMS = 5
_POINTS_BACK = re.compile(
    r"(?:this|these|those|they|them|it|he|she|his|her|their|its|such|another|both|neither|for (?:example|instance)|however|"
    r"(?:in|during|until|for|from|after|before|without|with) (?:this|that|such|these|those|it|them|then)|"
    r"any(?:thing|body|one) (?:else|more|less|\w+er)|otherwise|then|also|therefore|thus|if (?:so|not))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence of a passage."""

    citation: Citation
    span: Span
    """In the passage's text."""
    text: str
    told: str
    """What it tells: the sentence, of a row of a table with the names of its columns."""
    meant: str
    """What is compared: what it tells, and if it points back, the sentence before it."""
    around: str
    """The sentence with those before and behind it."""
    wording: Wording
    place: int
    """That of its passage among those found in its collection, from 1."""
    above: frozenset[str]
    """Words of the title and the headings above it."""
    own: frozenset[str]
    """Words and numbers of the sentence, and of what it points back to."""
    known: frozenset[str]
    """Words of these and of the whole passage."""
    words: float = 0.0
    """How much of the question's words it has, of 1."""
    is_for_steps: bool = False
    """Said to who asks how something is done: with all the steps that it is one of."""


def candidates_in(citation: Citation, *, place: int) -> Iterator[Candidate]:
    """The sentences of the passage, found at this place in its collection, that say something; questions do not."""
    above, whole = wording_of(f"{citation.title}\n{citation.section}"), wording_of(citation.text)
    above_words = above.words | above.numbers
    spans = sentences_of(citation.text)
    told = [labelled(citation.text, span) for span in spans]
    for at, span in enumerate(spans):
        text = said(citation.text[span.start : span.end])
        wording = wording_of(text)
        if len(wording.words) + len(wording.numbers) > 1 and not text.endswith("?") and not is_header(citation.text, span):
            known = above_words | whole.words | whole.numbers
            before = [told[at - 1]] if _before_what_points_back(citation.text, spans, at) else []
            meant, around = " ".join([*before, told[at]]), " ".join(told[max(0, at - 1) : at + 2])
            own = wording_of(" ".join([*before, text])) if before else wording
            yield Candidate(
                citation, span, text, told[at], meant, around, wording, place, above_words, own.words | own.numbers, known
            )


def items_behind(candidate: Candidate) -> list[Candidate]:
    """The items of the list that the sentence leads to, at most five; none if it leads to none."""
    if not candidate.text.endswith(":"):
        return []
    text = candidate.citation.text
    behind = [span for span in sentences_of(text) if span.start >= candidate.span.end]
    items = takewhile(lambda span: is_item_at(text, span), behind)
    return [_at(candidate, span) for span in islice(items, _MOST_ITEMS)]


def in_context(candidate: Candidate) -> list[Candidate]:
    """The sentence with what it cannot be understood without, in order.

    That are the items or the code that it leads to, what its list hangs on, with the other items if there are few, what it points
    back to (`These are …`, `For example …`), of a row the names of its columns, or of a step the others.
    """
    text, spans = candidate.citation.text, sentences_of(candidate.citation.text)
    place = spans.index(candidate.span)
    if candidate.is_for_steps and (steps := steps_at(text, spans, place)):
        return [_at(candidate, it) for it in steps]
    if header := header_of(text, candidate.span):
        return [_at(candidate, header), candidate]
    if items := items_behind(candidate):
        return [candidate, *items]
    if code := code_behind(text, spans, place):
        return [candidate, *(_at(candidate, it) for it in code)]
    if is_item_at(text, candidate.span):
        first = place
        while first and is_item_at(text, spans[first]):
            first -= 1
        lead = _at(candidate, spans[first])
        items = items_behind(lead)
        return [lead, *items] if candidate.span in [it.span for it in items] else [lead, candidate] if items else [candidate]
    before = _before_what_points_back(text, spans, place)
    return [_at(candidate, before), candidate] if before else [candidate]


def _before_what_points_back(text: str, spans: Sequence[Span], place: int) -> Span | None:
    """What stands before the sentence at the place in its paragraph, if it points back to that."""
    if not place or not _POINTS_BACK.match(said(text[spans[place].start : spans[place].end])):
        return None
    before = spans[place - 1]
    return None if re.search(r"\n\s*\n", text[before.end : spans[place].start]) else before


def _at(candidate: Candidate, span: Span) -> Candidate:
    """Another sentence of its passage."""
    return replace(candidate, span=span, text=said(candidate.citation.text[span.start : span.end]))


def nearest(question: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that share most words with the question, each with how much, of passages found first rather than of later ones.

    A word counts more the fewer candidates have it.
    """
    asked = wording_of(question)
    wanted = asked.words | asked.numbers
    counts = Counter(word for it in candidates for word in wanted & (it.own | it.above))
    weights = {word: math.log(1 + (len(candidates) + 1) / (1 + counts[word])) for word in wanted}
    found = [replace(it, words=_share(it, weights)) for it in candidates]
    first = sorted(found, key=lambda it: _BEHIND * it.place - it.words)[:_MOST_CANDIDATES]
    return [_as_asked(question, it) for it in first]


def _as_asked(question: str, candidate: Candidate) -> Candidate:
    """A row is compared by the cells that are asked for, and around it stand its other cells; others stay as they are."""
    cells = asked_cells(question, candidate.citation.text, candidate.span)
    return replace(candidate, meant=cells, around=candidate.told) if cells else candidate


def _share(candidate: Candidate, weights: Mapping[str, float]) -> float:
    """How much of the question's words it has; what stands in the headings only counts half."""
    found = sum(
        weight * (1.0 if word in candidate.own else 0.5 if word in candidate.above else 0.0) for word, weight in weights.items()
    )
    return found / sum(weights.values()) if weights else 0.0


def is_row(candidate: Candidate) -> bool:
    """True if it is a row of a table."""
    return is_row_at(candidate.citation.text, candidate.span.start)


def are_alike(one: Wording, other: Wording) -> bool:
    """True if most words of the shorter one stand in the other, too."""
    first, second = one.words | one.numbers, other.words | other.numbers
    return len(first & second) >= _ALIKE * min(len(first), len(second))
