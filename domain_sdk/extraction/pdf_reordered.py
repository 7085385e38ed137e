"""Lines of right-to-left pages that PDFium gives from left to right, as they hold many numbers or Latin words, as they are read.

Pure: what is read first stands right, but Latin words and digits run the other way inside (a part of Unicode's bidirectional
algorithm, UAX 9, undone). Ligatures of lam and alef come as alef and lam.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from unicodedata import bidirectional

from domain_sdk.extraction.pdf_places import PlacedChars

__all__ = ["in_reading_order", "with_ligatures"]

_LEFTWARD = frozenset({"R", "AL", "NSM"})
_RIGHTWARD = frozenset({"L", "EN", "AN", "ET"})
_ALEFS, _LAM = frozenset("\u0622\u0623\u0625\u0627"), "\u0644"
_SPACE = 0.12
"""A gap wider than this many heights parts words."""
_ENDS = frozenset(".,;:!?\u061f\u060c\u061b")
_Char = tuple[str, float, float]
"""Text, left, right; of white space only the text counts."""
_Line = tuple[str, list[float], list[float]]


def with_ligatures(chars: PlacedChars) -> PlacedChars:
    """The characters, lam before alef where both are one glyph."""
    text = list(chars.text)
    shown = [place for place, char in enumerate(chars.text) if not char.isspace()]
    for number, (place, behind) in enumerate(pairwise(shown)):
        if text[place] in _ALEFS and text[behind] == _LAM:
            apart = abs(chars.left[number] - chars.left[number + 1]) + abs(chars.right[number] - chars.right[number + 1])
            if apart < 0.1:
                text[place], text[behind] = text[behind], text[place]
    return replace(chars, text="".join(text))


def in_reading_order(run: str, left: list[float], right: list[float], size: float) -> _Line:
    """A line in the order in which it is read; it may be in it. Places are those in a mirror: what is read first is left."""
    shown = [char for char in run if not char.isspace()]
    letters = [bidirectional(char) in _LEFTWARD for char in shown if char.isalpha()]
    if not letters or right[0] <= right[-1]:
        return run, left, right
    if not any(letters):  # only the end of its sentence is out of place
        is_led = len(shown) > 1 and shown[0] in _ENDS and shown[1].isalnum()
        return (f"{run.lstrip()[1:]}{shown[0]}", [*left[1:], left[0]], [*right[1:], right[0]]) if is_led else (run, left, right)
    if sum(letters) * 3 < len(letters):
        return run, left, right
    tokens = sorted(_tokens(_chars(run, left, right)), key=lambda token: min(char[1] for char in token))
    read = list(_spaced(_with_latin(tokens), size))
    boxes = [char for char in read if not char[0].isspace()]
    return "".join(char[0] for char in read), [char[1] for char in boxes], [char[2] for char in boxes]


def _chars(run: str, left: Sequence[float], right: Sequence[float]) -> list[_Char]:
    sides = zip(left, right, strict=True)
    return [(char, 0.0, 0.0) if char.isspace() else (char, *next(sides)) for char in run]


def _tokens(chars: Sequence[_Char]) -> Iterator[list[_Char]]:
    """Pieces of one direction; what stands between two of a word that runs to the right is of it, else it is on its own."""
    kinds = [_kind(chars, place) for place in range(len(chars))]
    for _, places in groupby(range(len(chars)), key=lambda place: (kinds[place], place if kinds[place] == "neutral" else 0)):
        token = [chars[place] for place in places]
        if not token[0][0].isspace():
            yield token


def _kind(chars: Sequence[_Char], place: int) -> str:
    text = chars[place][0]
    if text.isspace():
        return "space"
    if bidirectional(text) in _LEFTWARD:
        return "leftward"
    around = [chars[it][0] for it in (place - 1, place + 1) if 0 <= it < len(chars)]
    is_inside = len(around) == 2 and all(not it.isspace() and bidirectional(it) not in _LEFTWARD for it in around)
    return "rightward" if bidirectional(text) in _RIGHTWARD or is_inside else "neutral"


def _with_latin(tokens: Iterable[list[_Char]]) -> Iterator[list[_Char]]:
    """Words of Latin letters that stand beside each other, from left to right."""
    for is_rightward, some in groupby(tokens, key=lambda token: any(bidirectional(char[0]) in _RIGHTWARD for char in token)):
        words = list(some)
        has_latin = any(bidirectional(char[0]) == "L" for word in words for char in word)
        yield from reversed(words) if is_rightward and has_latin else words


def _spaced(tokens: Iterable[list[_Char]], size: float) -> Iterator[_Char]:
    """The characters of these pieces, white space where they stand apart."""
    end = begin = 0.0
    for number, token in enumerate(tokens):
        left, right = min(char[1] for char in token), max(char[2] for char in token)
        if number and max(left - end, begin - right) > _SPACE * size:
            yield " ", 0.0, 0.0
        yield from token
        begin, end = left, right
