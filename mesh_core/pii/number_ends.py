"""Where a number stands again in part: an account without its check digits, a telephone number without its country. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Digits", "end_places"]

_FEWEST = 8
"""So many last digits tell a number from others."""
_PARTING = frozenset(" ()./-")
_WIDEST_GAP = 3


@dataclass(frozen=True, slots=True)
class Digits:
    """The digits of a text, and where each stands."""

    digits: str
    places: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Digits:
        """Those from 0 to 9."""
        found = [(char, place) for place, char in enumerate(text) if char.isascii() and char.isdigit()]
        return cls("".join(char for char, _ in found), tuple(place for _, place in found))


def end_places(number: str, text: str, said: Digits) -> Iterator[tuple[int, int]]:
    """Where the last digits of the number stand by themselves: characters [start, end), apart from each other, in order.

    As many digits before these as agree belong to them, and zeros that are dialled in front. Numbers of 8 digits are found whole
    by their words and not looked for here.
    """
    own = "".join(char for char in number if char.isascii() and char.isdigit())
    if len(own) <= _FEWEST:
        return
    tail = own[-_FEWEST:]
    first = said.digits.find(tail)
    while first >= 0:
        last = first + _FEWEST
        begin = _begin(own, text, said, first)
        start, end = said.places[begin], said.places[last - 1] + 1
        start -= text[max(0, start - 1) : start] == "(" and ")" in text[start:end]
        is_alone = not text[end : end + 1].isalnum() and not text[max(0, start - 1) : start].isalnum()
        if is_alone and all(_are_near(text, said, n) for n in range(first + 1, last)):
            yield start, end
        first = said.digits.find(tail, last)


def _begin(own: str, text: str, said: Digits, first: int) -> int:
    """The first digit that belongs to the number."""
    left, begin = len(own) - _FEWEST, first
    while left and begin and said.digits[begin - 1] == own[left - 1] and _are_near(text, said, begin):
        left, begin = left - 1, begin - 1
    for _ in range(2):
        if begin and said.digits[begin - 1] == "0" and _are_near(text, said, begin):
            begin -= 1
    return begin


def _are_near(text: str, said: Digits, number: int) -> bool:
    """True if nothing parts the digit from the one before it but what people part numbers with."""
    gap = text[said.places[number - 1] + 1 : said.places[number]]
    return len(gap) <= _WIDEST_GAP and _PARTING.issuperset(gap)
