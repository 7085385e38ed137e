"""From which number, date or month on, and up to which, a text speaks: `from 1 May until 30 June` is not the other way round.

By the words right before them, English. A number without such a word is bound by nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto

from mesh_core.answers.number_words import MONTH, WEEKDAYS
from mesh_core.answers.wording import number_at

__all__ = ["Bound", "Side", "are_exchanged", "bounds_in"]


class Side(Enum):
    """Where a number stands: what is spoken of begins there, or ends there."""

    FROM = auto()
    UNTIL = auto()


Bound = tuple[str, Side]
"""A number or date as `wording_of` writes it, or a month or weekday in lower case, and its side."""

_WORDS = {
    Side.FROM: (
        "from", "since", "after", "above", "over", "exceeding", "beyond", "starting on", "starts on", "begins on",
        "beginning on", "as of", "more than", "greater than", "at least", "no less than", "not less than", "a minimum of",
        "no earlier than", "not earlier than", "not before",
    ),
    Side.UNTIL: (
        "until", "till", "to", "through", "by", "before", "below", "under", "within", "up to", "ending on", "ends on",
        "expires on", "less than", "fewer than", "at most", "no more than", "not more than", "a maximum of", "no later than",
        "not later than", "not exceeding", "not after",
    ),
}  # fmt: skip
_SIDES = {word: side for side, words in _WORDS.items() for word in words}
_BOUND = re.compile(
    rf"\b(?P<word>{'|'.join(sorted(_SIDES, key=len, reverse=True))})\s+(?:(?:the|and|including|midnight|on|of|end|start)\s+)*"
    r"(?:[$€£]\s?|(?:eur|usd|gbp|chf|day|week|month|year|level|grade)\s)?",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\bbetween\s+(?P<first>[^.,;]{1,40}?)\s+and\s+", re.IGNORECASE)
_CALENDAR = re.compile(rf"(?:{MONTH}|{'|'.join(WEEKDAYS)})\b", re.IGNORECASE)


def bounds_in(text: str) -> frozenset[Bound]:
    """What stands right behind a word that says from where or up to where."""
    return frozenset(_found(text))


def are_exchanged(claim: frozenset[Bound], source: frozenset[Bound]) -> bool:
    """True if something that the claim begins with only ends something in the source, or the other way round."""
    other = {Side.FROM: Side.UNTIL, Side.UNTIL: Side.FROM}
    return any((what, other[side]) in source and (what, side) not in source for what, side in claim)


def _found(text: str) -> Iterator[Bound]:
    for match in _BOUND.finditer(text):
        if what := _at(text, match.end()):
            yield what, _SIDES[match["word"].lower()]
    for match in _BETWEEN.finditer(text):
        for side, place in ((Side.FROM, match.start("first")), (Side.UNTIL, match.end())):
            if what := _at(text, place):
                yield what, side


def _at(text: str, place: int) -> str:
    named = _CALENDAR.match(text, place)
    return number_at(text, place) or (named[0].lower() if named else "")
