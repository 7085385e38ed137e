"""What was filled into the fields of a PDF page, put beside its labels: PDFium gives it behind all that is printed.

Loaded in the child process only. Source: ISO 32000, 12.7 (fields and their widgets).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from domain_sdk.extraction.pdf_calls import Box
from domain_sdk.extraction.pdf_lines import Cell, Line
from domain_sdk.extraction.pdf_places import PaperChars, Sides, turned, with_line_feeds

__all__ = ["field_boxes", "with_values", "with_values_apart"]

_SLACK = 3.0
"""In points: how far a value may stand out of its field, and a label off it."""
_FARTHEST = 250.0
_MOST = 2000


def field_boxes(page: Any) -> list[Box]:  # noqa: ANN401  (pypdfium2 ships no types)
    """Where the fields of the page lie that may have been filled in; the first ones if there are very many."""
    import pypdfium2.raw as pdfium

    boxes: list[Box] = []
    for number in range(min(pdfium.FPDFPage_GetAnnotCount(page.raw), _MOST)):
        note = pdfium.FPDFPage_GetAnnot(page.raw, number)
        if not note:
            continue
        try:
            place = pdfium.FS_RECTF()
            is_field = pdfium.FPDFAnnot_GetSubtype(note) == pdfium.FPDF_ANNOT_WIDGET
            if is_field and pdfium.FPDFAnnot_GetRect(note, ctypes.byref(place)):
                boxes.append((place.left, min(place.bottom, place.top), place.right, max(place.bottom, place.top)))
        finally:
            pdfium.FPDFPage_CloseAnnot(note)
    return boxes


def with_values_apart(chars: PaperChars, fields: Sequence[Box]) -> PaperChars:
    """The characters with a line feed before each line of each field's value: PDFium writes them one after the other."""
    if not fields:
        return chars
    inside: list[tuple[int, int]] = []
    for place in range(len(chars.text) - 1, -1, -1):
        if not chars.text[place].isspace():
            field = _field_of(chars, place, fields)
            if field is None:
                break
            inside.append((place, field))
    ends: list[int] = []
    before = (-1, -1.0)
    for place, field in reversed(inside):
        base, height = chars.bottom[place], chars.top[place] - chars.bottom[place]
        if field != before[0] or abs(base - before[1]) > 0.5 * height:
            ends.append(place)
        before = field, base
    return with_line_feeds(chars, ends)


def _field_of(chars: PaperChars, place: int, fields: Sequence[Box]) -> int | None:
    x, y = (chars.left[place] + chars.right[place]) / 2, (chars.bottom[place] + chars.top[place]) / 2
    return next(
        (
            number
            for number, (left, bottom, right, top) in enumerate(fields)
            if left - _SLACK < x < right + _SLACK and bottom - _SLACK < y < top + _SLACK
        ),
        None,
    )


def with_values(lines: Sequence[Line], fields: Sequence[Box], size: tuple[float, float], degrees: int) -> list[Line]:
    """The lines, with what stands in fields in the line of its label, else below what stands above it."""
    if not fields:
        return list(lines)
    sides: Sides = tuple(map(list, zip(*fields, strict=True)))  # type: ignore[assignment]  # four, as a box has
    places = list(zip(*turned(sides, size, degrees), strict=True))
    first = len(lines)
    while first and all(any(_is_in(cell, lines[first - 1], place) for place in places) for cell in lines[first - 1].cells):
        first -= 1
    shown = [replace(line, cells=list(line.cells)) for line in lines[:first]]
    for line in lines[first:]:
        for cell in line.cells:
            _put(cell, line, shown)
    return shown


def _is_in(cell: Cell, line: Line, place: tuple[float, float, float, float]) -> bool:
    left, right, base, height = place
    is_level = base - height - _SLACK < line.top - 0.5 * line.size < base + _SLACK
    return is_level and left - _SLACK < (cell.left + cell.right) / 2 < right + _SLACK


def _put(value: Cell, line: Line, shown: list[Line]) -> None:
    """`shown` has the value at its place."""
    level = [it for it in shown if abs(it.top - line.top) < 0.6 * max(it.size, line.size)]
    near = [(_gap(value, cell), it, cell) for it in level for cell in it.cells]
    gap, found, label = min(near, key=lambda it: it[0], default=(_FARTHEST, line, value))
    if gap >= _FARTHEST:
        above = [number for number, it in enumerate(shown) if it.top <= line.top and _overlap(value, it)]
        place = max(above, key=lambda it: shown[it].top) + 1 if above else len(shown)
        shown.insert(place, replace(line, cells=[value]))
    elif not any(map(str.isalnum, value.text)) and label.left >= value.right - _SLACK:  # a tick before what it is for
        label.text, label.left = f"{value.text} {label.text}", value.left
    else:
        found.cells.append(value)
        found.cells.sort(key=lambda it: it.left)


def _gap(one: Cell, other: Cell) -> float:
    """How far apart they are beside each other; a printed line that the value stands on is no distance."""
    return max(0.0, one.left - other.right, other.left - one.right)


def _overlap(value: Cell, line: Line) -> bool:
    return any(cell.left < value.right and value.left < cell.right for cell in line.cells)
