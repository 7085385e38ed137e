"""The vertical rules of a PDF page: lines of a table's grid, at which its cells end however near they stand to each other."""

from __future__ import annotations

import ctypes
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

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


def read_rules(paths: Sequence[Any], degrees: int) -> list[PaperChar]:
    """The straight lines among a page's paths, as boxes without width or height, in the form of characters.

    Paths that are too low for a vertical rule, with the page held turned by so many `degrees`, are left out.
    """
    tall = (path for path in paths if path.container is not None or _height(path, degrees) >= _SHORTEST)
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


def _height(path: Any, degrees: int) -> float:  # noqa: ANN401  (pypdfium2 ships no types)
    left, bottom, right, top = path.get_bounds()
    height: float = right - left if degrees % 180 else top - bottom
    return height


def _lines(paths: Iterable[Any]) -> Iterator[tuple[float, float, float, float]]:
    import pypdfium2.raw as pdfium

    fill, stroke = ctypes.c_int(), ctypes.c_int()
    for path in paths:
        pdfium.FPDFPath_GetDrawMode(path.raw, ctypes.byref(fill), ctypes.byref(stroke))
        left, bottom, right, top = path.get_bounds()
        is_thin = min(right - left, top - bottom) <= _THICKEST
        if not (stroke.value or (fill.value and is_thin)) or max(right - left, top - bottom) < _SHORTEST:
            continue
        matrices = [path.get_matrix(), *([path.container.get_matrix()] if path.container is not None else [])]
        for one, other in _segments(path):
            for matrix in matrices:
                one, other = matrix.on_point(*one), matrix.on_point(*other)
            if _is_straight(one, other):
                yield min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])


def _is_straight(one: _Point, other: _Point) -> bool:
    across, up = abs(one[0] - other[0]), abs(one[1] - other[1])
    return min(across, up) < 0.5 and max(across, up) >= _SHORTEST


def _segments(path: Any) -> Iterator[tuple[_Point, _Point]]:  # noqa: ANN401
    """The straight pieces of a path, that which closes it included."""
    import pypdfium2.raw as pdfium

    x, y = ctypes.c_float(), ctypes.c_float()
    start = before = (0.0, 0.0)
    for number in range(min(pdfium.FPDFPath_CountSegments(path.raw), _MOST_SEGMENTS)):
        segment = pdfium.FPDFPath_GetPathSegment(path.raw, number)
        pdfium.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y))
        point = (x.value, y.value)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield before, point
        before = point
        if pdfium.FPDFPathSegment_GetClose(segment):
            yield point, start
            before = start
