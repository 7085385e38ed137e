"""Where the characters of a PDF page stand for its reader: from places on the paper to places on the page, held upright.

Pages of reports lie on their side, scanners put pages upside down: of the four ways to hold the paper, the one in which most
characters are followed by one to their right is how it is read. Sides are kept in columns, one of each kind for all characters:
a page has thousands. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from operator import sub
from unicodedata import bidirectional

from domain_sdk.extraction.pdf_calls import Box

__all__ = [
    "LINE_END_HYPHEN",
    "PaperChars",
    "PlacedChars",
    "Sides",
    "on_page",
    "placed",
    "turned",
    "upright",
    "with_line_ends",
    "with_line_feeds",
]

LINE_END_HYPHEN = "\x02"
"""What PDFium gives for a hyphen at the end of a line, without the end of the line."""
_LOOKED_AT = 2000
_LEFTWARDS = frozenset({"R", "AL", "AN"})
_TURNS = (0, 90, 180, 270)
Sides = tuple[list[float], list[float], list[float], list[float]]
"""A column of floats for each side of boxes."""


@dataclass(frozen=True, slots=True)
class PaperChars:
    """The characters of a sheet in PDFium's order, a line feed at the end of a line, and the sides of each (upwards)."""

    text: str
    left: list[float]
    bottom: list[float]
    right: list[float]
    top: list[float]
    is_bold: list[bool]

    @property
    def sides(self) -> Sides:
        """Left, bottom, right and top."""
        return self.left, self.bottom, self.right, self.top


@dataclass(frozen=True, slots=True)
class PlacedChars:
    """The characters of a page as it is held, and the sides of each that shows something: white space has none.

    `top` is that of the base line and counts downwards, `size` is the height.
    """

    text: str
    left: list[float]
    right: list[float]
    top: list[float]
    size: list[float]
    is_bold: list[bool]


def on_page(chars: PaperChars, shown: Box) -> PaperChars:
    """The characters of which the page shows something: printers' marks and notes stand on the paper beside it."""
    left, bottom, right, top = shown
    if not chars.text or (
        min(chars.right) > left and min(chars.top) > bottom and max(chars.left) < right and max(chars.bottom) < top
    ):
        return chars
    kept = [
        char.isspace() or (its_right > left and its_top > bottom and its_left < right and its_bottom < top)
        for char, its_left, its_bottom, its_right, its_top in zip(chars.text, *chars.sides, strict=True)
    ]
    left_sides, bottoms, right_sides, tops = (list(compress(side, kept)) for side in chars.sides)
    text, is_bold = "".join(compress(chars.text, kept)), list(compress(chars.is_bold, kept))
    return PaperChars(text, left_sides, bottoms, right_sides, tops, is_bold)


def placed(chars: PaperChars, size: tuple[float, float], degrees: int) -> PlacedChars:
    """The characters of a sheet of this width and height, turned clockwise by a multiple of 90 degrees, in their order."""
    shown = [not it for it in map(str.isspace, chars.text)]
    left, bottom, right, top = (list(compress(side, shown)) for side in chars.sides)
    return PlacedChars(chars.text, *turned((left, bottom, right, top), size, degrees), list(compress(chars.is_bold, shown)))


def turned(sides: Sides, size: tuple[float, float], degrees: int) -> Sides:
    """Left, right, base line (downwards) and height of boxes with these sides (left, bottom, right, top) on a turned sheet."""
    left, bottom, right, top = sides
    width, height = size
    if degrees == 90:
        return bottom, top, right, list(map(sub, right, left))
    if degrees == 180:
        return [width - it for it in right], [width - it for it in left], top, list(map(sub, top, bottom))
    if degrees == 270:
        base, opposite = [width - it for it in left], [width - it for it in right]
        return [height - it for it in top], [height - it for it in bottom], base, list(map(sub, base, opposite))
    base, opposite = [height - it for it in bottom], [height - it for it in top]
    return left, right, base, list(map(sub, base, opposite))


def upright(chars: PaperChars, size: tuple[float, float], degrees: int) -> int:
    """By how many degrees the sheet is to be turned to be read; `degrees`, by which it is, if its characters do not tell."""
    sample = _beginning(chars, _LOOKED_AT)
    words = sample.text.split()
    enough = sum(map(len, words)) - len(words)
    steps = 0
    for steps, _ in enumerate(_steps_to_the_right(words, placed(sample, size, degrees)), start=1):
        if 2 * steps > enough:
            return degrees  # most are: no other way to hold it need be tried
    found = {degrees: steps}
    found.update({it: len(list(_steps_to_the_right(words, placed(sample, size, it)))) for it in _TURNS if it != degrees})
    return max(found, key=lambda it: found[it])


def _beginning(chars: PaperChars, most: int) -> PaperChars:
    left, bottom, right, top = (side[:most] for side in chars.sides)
    return PaperChars(chars.text[:most], left, bottom, right, top, chars.is_bold[:most])


def _steps_to_the_right(words: Sequence[str], chars: PlacedChars) -> Iterator[str]:
    """The characters of these words that are followed by one to their right, without white space between."""
    left, right, top, size = chars.left, chars.right, chars.top, chars.size
    end = 0
    for word in words:
        begin, end = end, end + len(word)
        for place, text in enumerate(word[:-1], start=begin):
            height, behind = size[place], place + 1
            is_step = -0.5 * height < left[behind] - right[place] < height
            is_level = is_step and -0.5 * height < top[place] - top[behind] < 0.5 * height
            if is_level and (text.isascii() or bidirectional(text) not in _LEFTWARDS):
                yield text


def with_line_ends(chars: PaperChars, degrees: int) -> PaperChars:
    """The hyphens that PDFium takes for soft ones as hyphens, with the ends of their lines; the sheet is turned by `degrees`."""
    if LINE_END_HYPHEN not in chars.text:
        return chars
    begin = {0: chars.left, 90: chars.bottom, 180: [-it for it in chars.right], 270: [-it for it in chars.top]}[degrees]
    ends = [
        place + 1
        for place, (char, behind) in enumerate(zip(chars.text, chars.text[1:], strict=False))
        if char == LINE_END_HYPHEN and behind != "\n" and begin[place + 1] < begin[place]
    ]
    return with_line_feeds(replace(chars, text=chars.text.replace(LINE_END_HYPHEN, "-")), ends)


def with_line_feeds(chars: PaperChars, ends: Sequence[int]) -> PaperChars:
    """The characters with a line feed before each of these places, which ascend."""
    text, is_bold = list(chars.text), [*chars.is_bold]
    left, bottom, right, top = ([*side] for side in chars.sides)
    for place in reversed(ends):
        text.insert(place, "\n")
        is_bold.insert(place, False)
        for side in (left, bottom, right, top):
            side.insert(place, 0.0)
    return PaperChars("".join(text), left, bottom, right, top, is_bold)
