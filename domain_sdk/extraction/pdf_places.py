"""Where the characters of a PDF page stand for its reader: from places on the paper to places on the page, held upright.

Pages of reports lie on their side, scanners put pages upside down: of the four ways to hold the paper, the one in which most
characters are followed by one to their right is how it is read. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from unicodedata import bidirectional

__all__ = ["PaperChar", "PlacedChar", "placed", "upright"]

PaperChar = tuple[str, float, float, float, float, bool]
"""Text, left, bottom, right, top (upwards), whether bold. A line feed ends a line."""
PlacedChar = tuple[str, float, float, float, float, bool]
"""Text, left, right, top (its base line, downwards), size, whether bold."""
_LOOKED_AT = 2000
_LINE_END_HYPHEN = "\x02"
"""What PDFium gives for a hyphen at the end of a line, without the end of the line."""
_LEFTWARDS = frozenset({"R", "AL", "AN"})
_Turn = Callable[[float, float, float, float], tuple[float, float, float, float]]


def placed(chars: Sequence[PaperChar], size: tuple[float, float], degrees: int) -> list[PlacedChar]:
    """The characters of a sheet of this width and height, turned clockwise by a multiple of 90 degrees, in their order."""
    turn = _turns(size)[degrees]
    return _with_line_ends([_placed(char, turn) for char in chars])


def upright(chars: Sequence[PaperChar], size: tuple[float, float], degrees: int) -> int:
    """By how many degrees the sheet is to be turned to be read; `degrees`, if its characters do not tell."""
    turns = _turns(size)
    sample = chars[:_LOOKED_AT]
    neighbours = sum(not (one[0].isspace() or other[0].isspace()) for one, other in pairwise(sample))
    if _steps_to_the_right(sample, turns[degrees]) > neighbours / 2:
        return degrees  # most are: no other way to hold it need be tried
    return max((degrees, *(it for it in turns if it != degrees)), key=lambda it: _steps_to_the_right(sample, turns[it]))


def _turns(size: tuple[float, float]) -> dict[int, _Turn]:
    """Degrees → from a box on the paper (left, bottom, right, top; upwards) to (left, top, right, bottom; downwards)."""
    width, height = size
    return {
        0: lambda left, bottom, right, top: (left, height - top, right, height - bottom),
        90: lambda left, bottom, right, top: (bottom, left, top, right),
        180: lambda left, bottom, right, top: (width - right, bottom, width - left, top),
        270: lambda left, bottom, right, top: (height - top, width - right, height - bottom, width - left),
    }


def _placed(char: PaperChar, turn: _Turn) -> PlacedChar:
    if char[0] == "\n":
        return char
    left, top, right, bottom = turn(*char[1:5])
    return char[0], left, right, bottom, bottom - top, char[5]


def _steps_to_the_right(chars: Sequence[PaperChar], turn: _Turn) -> int:
    steps = 0
    for char, behind in pairwise(_placed(it, turn) for it in chars):
        if not (char[0].isspace() or behind[0].isspace() or bidirectional(char[0]) in _LEFTWARDS):
            steps += abs(char[3] - behind[3]) < 0.5 * char[4] and -0.5 * char[4] < behind[1] - char[2] < char[4]
    return steps


def _with_line_ends(chars: list[PlacedChar]) -> list[PlacedChar]:
    """The hyphens that PDFium takes for soft ones as hyphens, with the ends of their lines."""
    whole: list[PlacedChar] = []
    for char, behind in pairwise((*chars, ("\n", 0.0, 0.0, 0.0, 0.0, False))):
        if char[0] != _LINE_END_HYPHEN:
            whole.append(char)
            continue
        whole.append(("-", *char[1:]))
        if behind[0] != "\n" and behind[1] < char[1]:
            whole.append(("\n", 0.0, 0.0, 0.0, 0.0, False))
    return whole
