"""Whether a sentence is supported by what it cites: the check that every sentence passes, whoever wrote it.

It compares form, not meaning, and errs on the side of refusing. A sentence is supported by places in its sources (one sentence
of a source, or two that follow each other) if

- it is the whole of that place, word for word; or else
- every number, date, identifier and name in it stands in those places, or the name in the heading above them;
- four fifths of its content words do;
- each of its numbers stands in a sentence of a source that shares half of the words of its main clause: the right number, not
  one from next door;
- a number has the unit that it has there (`30 days`, `1,000 euro`);
- what it begins or ends with (`from 1 May`, `until June`) does so there, too;
- words that turn a meaning (`only`, `before`, `more`) stand there too, and it is negated exactly if they are; no word of it
  stands there only as its opposite (`used`, `unused`).

Of a figure a place is one row: what is said of one must stand in it, not in the row beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mesh_core.answers.amounts import amounts_in, strays
from mesh_core.answers.answer import Span
from mesh_core.answers.bound_words import are_exchanged, bounds_in
from mesh_core.answers.conditions import CURRENCY_WORDS
from mesh_core.answers.sentences import said, sentences_of
from mesh_core.answers.wording import Wording, wording_of

__all__ = ["Source", "Support", "supported"]

_COVERED = 0.8
_SHARED_WITH_NUMBER = 0.5
_ROW = re.compile(r"[^\n]*\w[^\n]*")
_SPOKEN = re.compile(r"[^\W\d_]{4,}")
_UNTOLD = frozenset({"forbidden", "prohibited", "banned", "hardly", "barely", "half", "twice", "double", "triple"})
_OPPOSITES = ("un", "in", "im", "ir", "il", "non", "dis")
_MAIN_CLAUSE = re.compile(r";|,\s+(?:and|but)\s+", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;:—–]|\b(?:but|unless|except|although|however)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """What may be cited: a text, and what stands above it."""

    text: str
    context: str = ""
    """Title and headings."""
    is_rows: bool = False
    """Each line is a row, and no two of them are read together."""


@dataclass(frozen=True, slots=True)
class Support:
    """The places that support a sentence, by the number of their source: parts of its text."""

    places: Mapping[int, Span]


@dataclass(frozen=True, slots=True)
class _Place:
    """One or two sentences of a source."""

    source: int
    span: Span
    parts: tuple[Wording, ...]
    texts: tuple[str, ...]
    """Those of the parts."""

    def share_of(self, words: frozenset[str]) -> float:
        return len(words & self.words) / len(words) if words else 1.0

    @property
    def words(self) -> frozenset[str]:
        return frozenset().union(*(it.words for it in self.parts))


class _Claim:
    """What a sentence says, as a whole and by main clauses."""

    def __init__(self, sentence: str) -> None:
        whole = wording_of(sentence)
        self.amounts = amounts_in(sentence)
        units = CURRENCY_WORDS if any(unit.isupper() for _, unit in self.amounts) else frozenset()  # compared with their numbers
        self.words, self.names = whole.words - units, whole.names - units
        self.numbers, self.turning, self.is_negated = whole.numbers, whole.turning, whole.is_negated
        self.bounds = bounds_in(sentence)
        self.spoken = frozenset(it.lower() for it in _SPOKEN.findall(sentence))
        clauses = [wording_of(part) for part in _MAIN_CLAUSE.split(sentence)]
        self.clauses = [(part.words - units, part.numbers) for part in clauses]


def supported(sentence: str, sources: Mapping[int, Source]) -> Support | None:
    """The places that support the sentence; None if it is not supported by the sources, which are those that it cites."""
    for number, source in sources.items():
        if (whole := _whole(sentence, source.text)) is not None:
            return Support({number: whole})
    claim = _Claim(sentence)
    if not sources or not (claim.words or claim.numbers):
        return None
    best = [place for number, source in sources.items() if (place := _best_place(claim, number, source)) is not None]
    chosen = _needed(claim, best, sources)
    return Support({it.source: it.span for it in chosen}) if chosen else None


def _whole(sentence: str, text: str) -> Span | None:
    """The sentence of the text that is this one, word for word."""
    wanted = said(sentence)
    return next((span for span in sentences_of(text) if said(text[span.start : span.end]) == wanted), None)


def _best_place(claim: _Claim, number: int, source: Source) -> _Place | None:
    """The one sentence that shares most, or it and the next if these share more."""
    spans = [Span(*it.span()) for it in _ROW.finditer(source.text)] if source.is_rows else sentences_of(source.text)
    texts = [source.text[span.start : span.end] for span in spans]
    places = [_Place(number, span, (wording_of(text),), (text,)) for span, text in zip(spans, texts, strict=True)]
    pairs = [
        _Place(number, Span(one.span.start, two.span.end), one.parts + two.parts, one.texts + two.texts)
        for one, two in (() if source.is_rows else pairwise(places))
    ]
    return max((*places, *pairs), key=lambda place: _worth(claim, place), default=None)


def _worth(claim: _Claim, place: _Place) -> tuple[float, float, float, int]:
    """How much of the claim it has, units of its numbers included; of those with the same the shorter one."""
    numbers = frozenset().union(*(it.numbers for it in place.parts))
    amounts = frozenset().union(*map(amounts_in, place.texts)) if claim.amounts else frozenset()
    return (len(claim.numbers & numbers), len(claim.amounts & amounts), place.share_of(claim.words), -len(place.parts))


def _needed(claim: _Claim, places: Sequence[_Place], sources: Mapping[int, Source]) -> Sequence[_Place]:
    """Those of the places that together support the claim and each add to it; none if all of them do not."""
    kept = list(places)
    if not _support(claim, kept, sources):
        return ()
    for place in sorted(places, key=lambda it: _worth(claim, it)):
        fewer = [it for it in kept if it is not place]
        if fewer and _support(claim, fewer, sources):
            kept = fewer
    return kept


def _support(claim: _Claim, places: Sequence[_Place], sources: Mapping[int, Source]) -> bool:
    parts = [part for place in places for part in place.parts]
    words = frozenset().union(*(part.words for part in parts))
    above = frozenset().union(*(wording_of(sources[place.source].context).words for place in places))
    if claim.words and len(claim.words & words) < _COVERED * len(claim.words):
        return False
    if not claim.names <= words | above or not claim.turning <= frozenset().union(*(part.turning for part in parts)):
        return False
    if not all(_stands(number, claim, places) for number in claim.numbers) or _is_opposite(claim, places):
        return False
    if are_exchanged(claim.bounds, frozenset().union(*(bounds_in(text) for place in places for text in place.texts))):
        return False
    return claim.is_negated == any(_is_negated(claim, place, sources[place.source]) for place in places)


def _stands(number: str, claim: _Claim, places: Sequence[_Place]) -> bool:
    """True if the number stands, with the unit it is given, in a sentence that is about the same as the clauses it is in."""
    around = [words for words, numbers in claim.clauses if number in numbers] or [claim.words]
    units = [it for it in claim.amounts if it[0] == number]
    said = [it for place in places for it in zip(place.parts, place.texts, strict=True)]
    return all(
        any(
            number in part.numbers
            and len(words & part.words) >= _SHARED_WITH_NUMBER * len(words)
            and not any(strays(unit, text) for unit in units)
            for part, text in said
        )
        for words in around
    )


def _is_opposite(claim: _Claim, places: Sequence[_Place]) -> bool:
    """True if a word of the claim stands in the places only with what makes it the opposite, or the other way round.

    So does a word that forbids or multiplies and stands in none of them.
    """
    theirs = frozenset(it.lower() for place in places for text in place.texts for it in _SPOKEN.findall(text))
    ours = claim.spoken
    return bool(ours & _UNTOLD - theirs) or any(
        f"{prefix}{word}" in many
        for one, many in ((ours - theirs, theirs - ours), (theirs - ours, ours - theirs))
        for word in one
        for prefix in _OPPOSITES
    )


def _is_negated(claim: _Claim, place: _Place, source: Source) -> bool:
    """True if a clause that is about the same denies it."""
    return any(
        clause.is_negated and _is_about(claim, clause) for clause in _clauses(source.text[place.span.start : place.span.end])
    )


def _is_about(claim: _Claim, clause: Wording) -> bool:
    own = clause.words | clause.numbers
    shared = own & (claim.words | claim.numbers)
    return len(shared) >= min(2, max(1, len(own))) and 2 * len(shared) >= len(own)


def _clauses(text: str) -> Iterator[Wording]:
    return (wording_of(part) for part in _CLAUSE.split(text) if part and part.strip())
