"""The vertical rules of a PDF page: lines of a table's grid, at which its cells end however near they stand to each other."""

from __future__ import annotations

import ctypes
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import compress, islice, repeat
from operator import add, lt

from domain_sdk.extraction.pdf_calls import Address, Box, asked, matrix_of, on_paper
from domain_sdk.extraction.pdf_drawn import DrawnPath
from domain_sdk.extraction.pdf_places import PlacedChars, turned

__all__ = ["RULE", "parted", "read_grid_rules", "read_rules"]

RULE = "\x1f"
"""Stands between characters that a rule parts; white space to everyone else."""
_SHORTEST = 6.0
"""In points: shorter lines part nothing."""
_THICKEST = 3.0
_REACH = 2.0
"""So far a character may stand over a rule, in points."""
_MOST_SEGMENTS = 20_000
_Point = tuple[float, float]


def read_rules(paths: Sequence[DrawnPath], degrees: int) -> list[Box]:
    """The straight lines among a page's paths, as boxes without width or height on the paper.

    Paths that are too low for a vertical rule, with the page held turned by so many `degrees`, are left out.
    """
    tall = (path for path in paths if path.form or _height(path, degrees) >= _SHORTEST)
    return list(islice(_lines(tall), _MOST_SEGMENTS))


def read_grid_rules(paths: Sequence[DrawnPath], rules: Sequence[Box], size: tuple[float, float], degrees: int) -> list[Box]:
    """Those rules and the level ones, as boxes from left, top to right, bottom on the page as it is held.

    Nothing if there are no two upright ones beside each other: no grid is there.
    """
    upright = {round(left) for left, _, right, _ in _as_held(rules, size, degrees) if right - left < 1}
    if len(upright) < 2:
        return []
    low = (path for path in paths if not path.form and _height(path, degrees) < _SHORTEST)
    return _as_held([*rules, *islice(_lines(low), _MOST_SEGMENTS)], size, degrees)


def _as_held(boxes: Sequence[Box], size: tuple[float, float], degrees: int) -> list[Box]:
    left, bottom, right, top = ([box[side] for box in boxes] for side in range(4))
    held = zip(*turned((left, bottom, right, top), size, degrees), strict=True)
    return [(x, base - height, end, base) for x, end, base, height in held]


def parted(chars: PlacedChars, rules: Sequence[Box], size: tuple[float, float], degrees: int) -> PlacedChars:
    """The characters with a `RULE` between neighbours on one base line that a vertical rule stands between."""
    left, bottom, right, top = ([box[side] for box in rules] for side in range(4))
    boxes = zip(*turned((left, bottom, right, top), size, degrees), strict=True)
    upright = sorted((x, base - height, base) for x, end, base, height in boxes if end - x < 1 <= height)
    if not upright:
        return chars
    twice = [2 * x for x, _, _ in upright]
    before = list(
        map(bisect_left, repeat(twice), map(add, chars.left, chars.right))
    )  # how many rules the middle of each is behind
    near = compress(range(1, len(before)), map(lt, before, before[1:]))
    ruled = [place for place in near if _is_between(chars, place, upright[before[place - 1] : before[place]])]
    return replace(chars, text=_with_rules(chars.text, ruled)) if ruled else chars


def _is_between(chars: PlacedChars, place: int, rules: Sequence[tuple[float, float, float]]) -> bool:
    """True if one of the rules parts the character from the one before it."""
    last = place - 1
    is_beside = chars.left[place] >= chars.right[last] - _REACH
    if not is_beside or abs(chars.top[last] - chars.top[place]) >= 0.35 * min(chars.size[last], chars.size[place]):
        return False
    middle = chars.top[place] - 0.5 * chars.size[place]
    first, end = chars.right[last] - _REACH, chars.left[place] + _REACH
    centre = (chars.left[last] + chars.right[last]) / 2
    return any(first <= x < end and centre < x and top <= middle <= bottom for x, top, bottom in rules)


def _with_rules(text: str, ruled: Sequence[int]) -> str:
    """The text with a `RULE` before each of these, counted without white space, in place of what white space is there."""
    shown = [place for place, char in enumerate(text) if not char.isspace()]
    parts: list[str] = []
    done = 0
    for number in ruled:
        parts += [text[done : shown[number - 1] + 1], RULE]
        done = shown[number]
    return "".join([*parts, text[done:]])


def _height(path: DrawnPath, degrees: int) -> float:
    left, bottom, right, top = path.bounds
    return right - left if degrees % 180 else top - bottom


def _lines(paths: Iterable[DrawnPath]) -> Iterator[Box]:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    mode_of = asked("FPDFPath_GetDrawMode", ctypes.c_int)
    for path in paths:
        left, bottom, right, top = path.bounds
        width, height = right - left, top - bottom
        if max(width, height) < _SHORTEST:
            continue
        mode_of(path.address, ctypes.byref(fill), ctypes.byref(stroke))
        if not (stroke.value or (fill.value and min(width, height) <= _THICKEST)):
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


def _segments(path: Address) -> Iterator[tuple[_Point, _Point]]:
    """The straight pieces of the path at this address, that which closes it included."""
    import pypdfium2.raw as pdfium

    x, y = ctypes.c_float(), ctypes.c_float()
    count = asked("FPDFPath_CountSegments", ctypes.c_int)(path)
    point_of, kind_of = asked("FPDFPathSegment_GetPoint", ctypes.c_int), asked("FPDFPathSegment_GetType", ctypes.c_int)
    closes = asked("FPDFPathSegment_GetClose", ctypes.c_int)
    start = before = (0.0, 0.0)
    for segment in map(asked("FPDFPath_GetPathSegment", Address), repeat(path), range(min(count, _MOST_SEGMENTS))):
        point_of(segment, ctypes.byref(x), ctypes.byref(y))
        point = (x.value, y.value)
        kind = kind_of(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield before, point
        before = point
        if closes(segment):
            yield point, start
            before = start
