"""Tables within a grid of rules on a PDF page whose cells hold several lines: what stands between rules is one row. Pure.

Tables of which every cell has one line are told by their columns (`pdf_tables`). Pages that run leftward are left to that, too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from domain_sdk.extraction.pdf_calls import Box
from domain_sdk.extraction.pdf_hyphens import continued
from domain_sdk.extraction.pdf_lines import Cell, Line

__all__ = ["with_grids"]

_NEAR = 2.0
"""In points: rules nearer than this are one, or touch."""
_MOST_RULES = 800
_SHARE = 0.5
"""Which part of a grid's side a rule has to run along to part its rows or columns."""
_MOST_LINES = 30
"""A cell of more lines is a frame around text."""
_Band = list[list[tuple[float, Cell]]]
"""What stands between two rules, by column: the tops of lines and what they have there."""


@dataclass(slots=True, eq=False)
class _Rule:
    """A straight line at a place, from and to."""

    at: float
    begin: float
    end: float


@dataclass(slots=True, eq=False)
class _Grid:
    """Where its columns and its rows begin and end, and the rules that part rows of some of its columns only."""

    columns: list[float]
    rows: list[float]
    short: list[_Rule]


def with_grids(lines: Sequence[Line], rules: Sequence[Box]) -> list[Line]:
    """The lines, a line a row for each grid that has cells of several lines. Rules are boxes from left, top to right, bottom."""
    level = _merged(_Rule(top, left, right) for left, top, right, bottom in rules if bottom - top < 1)
    upright = _merged(_Rule(left, top, bottom) for left, top, right, bottom in rules if right - left < 1)
    found = list(lines)
    if not level or not upright or len(level) + len(upright) > _MOST_RULES:
        return found
    for number, grid in enumerate(_grids(level, upright), start=1):
        inside = [line for line in found if not line.row and _row_of(line, grid) is not None]
        if rows := _rows(inside, grid, number):
            place = found.index(inside[0])
            kept = {id(line) for line in inside}
            found[place:] = [*rows, *(line for line in found[place:] if id(line) not in kept)]
    return found


def _merged(rules: Iterable[_Rule]) -> list[_Rule]:
    """Rules that run on from each other, or double, are one."""
    merged: list[_Rule] = []
    for rule in sorted(rules, key=lambda it: (round(it.at / _NEAR), it.begin)):
        last = merged[-1] if merged else None
        if last is not None and abs(last.at - rule.at) < _NEAR and rule.begin <= last.end + _NEAR:
            last.end = max(last.end, rule.end)
        else:
            merged.append(_Rule(rule.at, rule.begin, rule.end))
    return merged


def _grids(level: Sequence[_Rule], upright: Sequence[_Rule]) -> list[_Grid]:
    """The grids that rules which touch make, from the top of the page."""
    groups: list[tuple[list[_Rule], dict[int, _Rule]]] = []
    for rule in level:
        crossing = {id(it): it for it in upright if _touch(rule, it)}
        near = [group for group in groups if not crossing.keys().isdisjoint(group[1])]
        rest = [group for group in groups if crossing.keys().isdisjoint(group[1])]
        rows = [*(it for group in near for it in group[0]), rule]
        groups = [*rest, (rows, {key: it for _, some in (*near, ([], crossing)) for key, it in some.items()})]
    grids = [_grid(rows, list(columns.values())) for rows, columns in groups if columns]
    return sorted((grid for grid in grids if len(grid.columns) > 2 and len(grid.rows) > 2), key=lambda grid: grid.rows[0])


def _touch(level: _Rule, upright: _Rule) -> bool:
    return level.begin - _NEAR <= upright.at <= level.end + _NEAR and upright.begin - _NEAR <= level.at <= upright.end + _NEAR


def _grid(level: Sequence[_Rule], upright: Sequence[_Rule]) -> _Grid:
    left, right = min(it.begin for it in level), max(it.end for it in level)
    top, bottom = min(it.begin for it in upright), max(it.end for it in upright)
    columns = {it.at for it in upright if it.end - it.begin >= _SHARE * (bottom - top)}
    rows = _apart({*(it.at for it in level if it.end - it.begin >= _SHARE * (right - left)), top, bottom})
    short = [it for it in level if all(abs(it.at - place) > 2 * _NEAR for place in rows)]
    return _Grid(_apart({*columns, left, right}), rows, short)


def _apart(places: Iterable[float]) -> list[float]:
    found: list[float] = []
    for place in sorted(places):
        if not found or place - found[-1] > 2 * _NEAR:
            found.append(place)
    return found


def _row_of(line: Line, grid: _Grid) -> int | None:
    """The number of the row that the line stands in, None for none."""
    columns, rows = grid.columns, grid.rows
    middle = line.top - 0.5 * line.size
    if not rows[0] < middle < rows[-1] or line.cells[0].left < columns[0] - _NEAR or line.cells[-1].right > columns[-1] + _NEAR:
        return None
    return bisect_right(rows, middle) - 1


def _rows(lines: Sequence[Line], grid: _Grid, number: int) -> list[Line]:
    """A line for each row that says something; none if every cell has one line, or it is not plain what is a row."""
    columns, places = grid.columns, grid.rows
    bands: list[_Band] = [[[] for _ in columns[1:]] for _ in places[1:]]
    for line in lines:
        row = _row_of(line, grid)
        assert row is not None
        for cell in line.cells:
            column = min(max(0, bisect_right(columns, cell.left + _NEAR) - 1), len(columns) - 2)
            bands[row][column].append((line.top, cell))
    if any(_holds_more(cell) for band in bands for cell in band):
        return []
    most = max(len(cell) for band in bands for cell in band)
    full = sum(sum(map(bool, band)) > 1 for band in bands)
    if not 1 < most <= _MOST_LINES or full < 2:
        return []
    size = median(line.size for line in lines)
    found: list[Line] = []
    for band, bottom in zip(bands, places[1:], strict=True):
        for part in _parts(band, _begins(band, grid, are_few=full == 2)):
            texts = tuple(map(_whole, part))
            if any(texts):
                shown = [Cell(text, *sides) for text, sides in zip(texts, pairwise(columns), strict=True) if text]
                found.append(Line(shown, bottom, size, row=texts, grid=number))
    return found


def _holds_more(cell: Sequence[tuple[float, Cell]]) -> bool:
    """True for cells beside each other, or amounts below each other: no rule parts them."""
    return len({round(top) for top, _ in cell}) < len(cell) or sum(it.is_number for _, it in cell) > 1


def _begins(band: _Band, grid: _Grid, *, are_few: bool) -> list[int]:
    """Where the second and later of the rows between two rules begin: behind short rules, and where lines end early.

    One column with lines that end early has paragraphs, several have rows. Where rules part few rows, several lines that go on in
    other columns are rows, too.
    """
    ruled: set[int] = set()
    early: Counter[int] = Counter()
    for cell, (left, right) in zip(band, pairwise(grid.columns), strict=True):
        early.update(_behind_room(cell, right - left))
        for rule in grid.short:
            if rule.begin <= left + 2 * _NEAR and right - 2 * _NEAR <= rule.end:  # not a line under words
                ruled.update(round(top) for (before, _), (top, _) in _next_to(cell) if before < rule.at < top)
    tops = [round(top) for cell in band for top in {top for top, _ in cell}]
    goes_on = len(set(tops)) > 1 and min(Counter(tops).values()) > 1
    if goes_on and are_few and not early:
        return sorted(set(tops))[1:]
    return sorted({*ruled, *early} if max(early.values(), default=0) > 1 or (early and goes_on) else ruled)


def _parts(band: _Band, begins: Sequence[int]) -> Iterator[_Band]:
    """The band as the rows that begin there."""
    for number in range(len(begins) + 1):
        yield [[(top, it) for top, it in cell if bisect_right(begins, round(top)) == number] for cell in band]


def _behind_room(cell: Sequence[tuple[float, Cell]], width: float) -> Iterator[int]:
    """Where lines begin whose first word had room on the line before: no column's end made them."""
    for (_, before), (top, line) in _next_to(cell):
        letter = (line.right - line.left) / max(1, len(line.text))
        if before.right - before.left + letter * (len(line.text.split()[0]) + 4) < width:
            yield round(top)


def _next_to(cell: Iterable[tuple[float, Cell]]) -> Iterable[tuple[tuple[float, Cell], tuple[float, Cell]]]:
    """Each line but the last with the one below it."""
    return pairwise(sorted(cell, key=lambda it: it[0]))


def _whole(cell: Iterable[tuple[float, Cell]]) -> str:
    text = ""
    for _, line in sorted(cell, key=lambda it: it[0]):
        text = continued(text, line.text) if text else line.text
    return text
