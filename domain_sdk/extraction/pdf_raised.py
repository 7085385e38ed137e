"""Small raised digits on a line of a PDF page, apart from what they stand on: `10^6^`, not 106. Pure."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["raised_places", "with_marks"]

_SMALLER, _HIGHER = 0.85, 0.2
"""Of the line's height: raised digits are smaller than this, and stand higher by so much."""


def raised_places(words: Sequence[str], top: Sequence[float], size: Sequence[float], *, base: float, height: float) -> list[int]:
    """Before which characters of these words a `^` belongs: around digits that are raised behind a letter or digit."""
    places: list[int] = []
    begin = 0
    for word in words:
        is_open = False
        for number, char in enumerate(word):
            place = begin + number
            is_raised = char.isdecimal() and size[place] < _SMALLER * height and top[place] < base - _HIGHER * height
            if is_open != is_raised and (is_open or (number and word[number - 1].isalnum())):
                places.append(place)
                is_open = not is_open
        begin += len(word)
        places += [begin] if is_open else []
    return places


def with_marks(run: str, left: list[float], right: list[float], places: Sequence[int]) -> tuple[str, list[float], list[float]]:
    """The run and its characters' sides with a `^` before each of these places, at the edge of the character before it."""
    text, sides, others = list(run), list(left), list(right)
    shown = [place for place, char in enumerate(run) if not char.isspace()]
    for place in reversed(places):
        text.insert(shown[place - 1] + 1, "^")
        sides.insert(place, right[place - 1])
        others.insert(place, right[place - 1])
    return "".join(text), sides, others
