"""The vertical rules of a PDF page: lines of a table's grid, at which its cells end however near they stand to each other."""

from __future__ import annotations

import ctypes
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat

from domain_sdk.extraction.pdf_calls import Box, asked, matrix_of, on_paper
from domain_sdk.extraction.pdf_drawn import DrawnPath
from domain_sdk.extraction.pdf_places import PaperChar, PlacedChar, placed

__all__ = ["RULE", "parted", "read_rules"]

RULE = "\x1f"
"""Stands between characters that a rule parts; white space to everyone else."""
_SHORTEST = 6.0
"""In points: shorter lines part nothing."""
_THICKEST = 3.0
_REACH = 2.0
"""So far a character may stand over a rule, in points."""
_MOST_SEGMENTS = 20_000
_Point = tuple[float, float]


def read_rules(paths: Sequence[DrawnPath], degrees: int) -> list[PaperChar]:
    """The straight lines among a page's paths, as boxes without width or height, in the form of characters.

    Paths that are too low for a vertical rule, with the page held turned by so many `degrees`, are left out.
    """
    tall = (path for path in paths if path.form or _height(path, degrees) >= _SHORTEST)
    return [(RULE, left, bottom, right, top, False) for left, bottom, right, top in islice(_lines(tall), _MOST_SEGMENTS)]


def parted(chars: Sequence[PlacedChar], rules: Sequence[PaperChar], size: tuple[float, float], degrees: int) -> list[PlacedChar]:
    """The characters with a `RULE` between neighbours on one base line that a vertical rule stands between."""
    upright = sorted((it[1], it[3] - it[4], it[3]) for it in placed(rules, size, degrees) if it[2] - it[1] < 1 <= it[4])
    if not upright:
        return list(chars)
    places = [x for x, _, _ in upright]
    parted_chars: list[PlacedChar] = []
    last: PlacedChar | None = None
    between: list[PlacedChar] = []
    for char in chars:
        if char[0].isspace():
            between.append(char)
            continue
        if last is not None and abs(last[3] - char[3]) < 0.35 * min(last[4], char[4]) and char[1] >= last[2] - _REACH:
            middle = char[3] - 0.5 * char[4]
            first = bisect_left(places, last[2] - _REACH)
            near = islice(upright, first, bisect_left(places, char[1] + _REACH))
            if any(top <= middle <= bottom and (last[1] + last[2]) / 2 < x < (char[1] + char[2]) / 2 for x, top, bottom in near):
                between = [(RULE, last[2], char[1], char[3], char[4], False)]
        parted_chars += [*between, char]
        last, between = char, []
    return [*parted_chars, *between]


def _height(path: DrawnPath, degrees: int) -> float:
    left, bottom, right, top = path.bounds
    return right - left if degrees % 180 else top - bottom


def _lines(paths: Iterable[DrawnPath]) -> Iterator[Box]:
    mode = array("i", (0, 0))  # how it is filled, whether its outline is drawn
    fill, _ = mode.buffer_info()
    mode_of = asked("FPDFPath_GetDrawMode", ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    for path in paths:
        left, bottom, right, top = path.bounds
        width, height = right - left, top - bottom
        if max(width, height) < _SHORTEST:
            continue
        mode_of(path.address, fill, fill + mode.itemsize)
        if not (mode[1] or (mode[0] and min(width, height) <= _THICKEST)):
            continue
        matrices = [matrix_of(it) for it in (path.address, path.form) if it]
        for one, other in _segments(path.address):
            for matrix in matrices:
                one, other = on_paper(matrix, one), on_paper(matrix, other)
            if _is_straight(one, other):
                yield min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])


def _is_straight(one: _Point, other: _Point) -> bool:
    across, up = abs(one[0] - other[0]), abs(one[1] - other[1])
    return min(across, up) < 0.5 and max(across, up) >= _SHORTEST


def _segments(path: int) -> Iterator[tuple[_Point, _Point]]:
    """The straight pieces of the path at this address, that which closes it included."""
    import pypdfium2.raw as pdfium

    place = array("f", (0.0, 0.0))
    x, _ = place.buffer_info()
    count = asked("FPDFPath_CountSegments", ctypes.c_int, ctypes.c_void_p)(path)
    segment_of = asked("FPDFPath_GetPathSegment", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
    point_of = asked("FPDFPathSegment_GetPoint", ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    kind_of = asked("FPDFPathSegment_GetType", ctypes.c_int, ctypes.c_void_p)
    closes = asked("FPDFPathSegment_GetClose", ctypes.c_int, ctypes.c_void_p)
    start = before = (0.0, 0.0)
    for segment in map(segment_of, repeat(path), range(min(count, _MOST_SEGMENTS))):
        point_of(segment, x, x + place.itemsize)
        point = (place[0], place[1])
        kind = kind_of(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield before, point
        before = point
        if closes(segment):
            yield point, start
            before = start
