"""Where the characters of a PDF page stand for its reader: from places on the paper to places on the page, held upright.

Pages of reports lie on their side, scanners put pages upside down: of the four ways to hold the paper, the one in which most
characters are followed by one to their right is how it is read. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from unicodedata import bidirectional

__all__ = ["LINE_END_HYPHEN", "PaperChar", "PlacedChar", "placed", "upright", "with_line_ends"]

PaperChar = tuple[str, float, float, float, float, bool]
"""Text, left, bottom, right, top (upwards), whether bold. A line feed ends a line."""
PlacedChar = tuple[str, float, float, float, float, bool]
"""Text, left, right, top (its base line, downwards), size, whether bold."""
_LOOKED_AT = 2000
LINE_END_HYPHEN = "\x02"
"""What PDFium gives for a hyphen at the end of a line, without the end of the line."""
_LEFTWARDS = frozenset({"R", "AL", "AN"})
_TURNS = (0, 90, 180, 270)


def placed(chars: Sequence[PaperChar], size: tuple[float, float], degrees: int) -> list[PlacedChar]:
    """The characters of a sheet of this width and height, turned clockwise by a multiple of 90 degrees, in their order."""
    width, height = size
    if degrees == 90:
        return [(text, bottom, top, right, right - left, bold) for text, left, bottom, right, top, bold in chars]
    if degrees == 180:
        return [(text, width - right, width - left, top, top - bottom, bold) for text, left, bottom, right, top, bold in chars]
    if degrees == 270:
        return [
            (text, height - top, height - bottom, width - left, (width - left) - (width - right), bold)
            for text, left, bottom, right, top, bold in chars
        ]
    return [
        (text, left, right, height - bottom, (height - bottom) - (height - top), bold)
        for text, left, bottom, right, top, bold in chars
    ]


def upright(chars: Sequence[PaperChar], shown: Sequence[PlacedChar], *, size: tuple[float, float], degrees: int) -> int:
    """By how many degrees the sheet is to be turned to be read; `degrees`, by which they are `shown`, if they do not tell."""
    sample = chars[:_LOOKED_AT]
    steps, neighbours = _steps_to_the_right(shown[:_LOOKED_AT])
    if steps > neighbours / 2:
        return degrees  # most are: no other way to hold it need be tried
    found = {degrees: steps}
    found.update({it: _steps_to_the_right(placed(sample, size, it))[0] for it in _TURNS if it != degrees})
    return max(found, key=lambda it: found[it])


def _steps_to_the_right(chars: Sequence[PlacedChar]) -> tuple[int, int]:
    """How many characters are followed by one to their right, and by any without white space between."""
    steps = neighbours = 0
    before: PlacedChar | None = None
    for char in chars:
        if char[0].isspace():
            before = None
            continue
        if before is not None:
            neighbours += 1
            text, _, right, top, size, _ = before
            is_step = -0.5 * size < char[1] - right < size and abs(top - char[3]) < 0.5 * size
            steps += is_step and (text.isascii() or bidirectional(text) not in _LEFTWARDS)
        before = char
    return steps, neighbours


def with_line_ends(chars: list[PlacedChar]) -> list[PlacedChar]:
    """The hyphens that PDFium takes for soft ones as hyphens, with the ends of their lines."""
    if LINE_END_HYPHEN not in [char[0] for char in chars]:
        return chars
    whole: list[PlacedChar] = []
    for char, behind in pairwise((*chars, ("\n", 0.0, 0.0, 0.0, 0.0, False))):
        if char[0] != LINE_END_HYPHEN:
            whole.append(char)
            continue
        whole.append(("-", *char[1:]))
        if behind[0] != "\n" and behind[1] < char[1]:
            whole.append(("\n", 0.0, 0.0, 0.0, 0.0, False))
    return whole
