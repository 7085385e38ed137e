"""The cells of one sheet as Markdown tables, read row by row: memory holds their text, not the sheet.

What is hidden is left out and counted. A cell over several rows stands in each of them. Rows that say one thing above a table are
its title; behind an empty row names above numbers begin another table. Source: ECMA-376, SpreadsheetML.
"""

from __future__ import annotations

import re
import zipfile
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO
from xml.etree import ElementTree

from domain_sdk.extraction.sheet_values import Values, local_name, text_of

__all__ = ["Sheet", "column_number", "read_sheet"]

_PLACE = re.compile(r"([A-Z]{1,3})(\d+)\Z")
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\b[^>]*?\bref=[\"']([A-Z]{1,3})(\d+):([A-Z]{1,3})(\d+)[\"']")
_CHUNK, _OVERLAP = 1 << 20, 200
_WIDEST, _MOST_MERGED = 16_384, 100_000
_ROWS_A_TELL = 5_000
_BETWEEN = "\x1f"
_NO_SIZE = re.compile(r"0(?:\.0*)?\Z")
_SPACE = re.compile(r"\s+")
_ON = frozenset({"1", "true"})
_FEWEST_EMPTY, _EMPTY_A_CELL = 1_000_000, 20
"""Empty cells that a sheet's tables may have: so many, or so many for each that says something."""
_MOST_TRAILING = 20
_FEWEST_REPEATED, _REPEATED_A_CHARACTER = 5_000_000, 4
"""Characters of cells over several rows that may stand in the rows below: so many, or so many for each that is written."""
UNSAVED = "formulas whose value was not saved"
TOO_WIDE = "rows of sheets with too many empty cells"
NOT_REPEATED = "rows below cells over too many rows"


@dataclass(slots=True)
class _Row:
    """The cells of a row that say something: their columns, and their texts with a mark between; whether one is no text."""

    number: int
    columns: array[int]
    texts: str
    has_numbers: bool


@dataclass(slots=True)
class Sheet:
    """What was read of a sheet: `blocks` of Markdown; the numbers of rows and columns that are hidden."""

    blocks: list[str] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Empty:
    """How many empty cells may still be written for the sheet; rows that would need more are counted as not read."""

    left: int
    unread: Counter[str]

    def take(self, count: int) -> bool:
        """True if there may be so many more."""
        if count > self.left:
            self.unread[TOO_WIDE] += 1
            return False
        self.left -= count
        return True


def column_number(letters: str) -> int:
    """1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def read_sheet(
    archive: zipfile.ZipFile, part: str, values: Values, counts: tuple[Counter[str], Counter[str]], tell: Callable[[], None]
) -> Sheet:
    """The sheet; `counts` get what is hidden and what is not read, `tell` is called now and then."""
    sheet = Sheet()
    with archive.open(part) as file:
        rows = list(_rows(file, values, sheet, counts, tell))
    spans = _spans(archive, part) if rows else {}
    unread = counts[1]
    filled = _filled(rows, spans, unread)
    most = max(_FEWEST_EMPTY, _EMPTY_A_CELL * sum(len(row.columns) for row in filled))
    sheet.blocks = list(_blocks(filled, _Empty(most, unread)))
    return sheet


def _rows(
    file: IO[bytes], values: Values, sheet: Sheet, counts: tuple[Counter[str], Counter[str]], tell: Callable[[], None]
) -> Iterator[_Row]:
    hidden, unread = counts
    columns: set[int] = set()
    number = 0
    data: ElementTree.Element | None = None
    for event, element in ElementTree.iterparse(file, events=("start", "end")):
        name = local_name(element)
        if event == "start":
            if name == "sheetData":
                data = element
            elif name == "row":
                given = element.get("r", "")
                number = int(given) if given.isdecimal() else number + 1
            elif name == "col" and (element.get("hidden") in _ON or _NO_SIZE.match(element.get("width", ""))):
                first, last = int(element.get("min", "1")), int(element.get("max", "0"))
                sheet.hidden_columns.update(range(first, min(last, _WIDEST) + 1))
        elif name == "row":
            if number % _ROWS_A_TELL == 0:
                tell()
            if element.get("hidden") in _ON or _NO_SIZE.match(element.get("ht", "")):
                sheet.hidden_rows.add(number)
                hidden["hidden rows"] += 1
            elif row := _row(element, number, values, sheet.hidden_columns, (columns, hidden, unread)):
                yield row
            if data is not None:
                data.clear()  # of the rows before
    if columns:
        hidden["hidden columns"] += len(columns)


def _row(
    element: ElementTree.Element,
    number: int,
    values: Values,
    out_of_sight: set[int],
    counts: tuple[set[int], Counter[str], Counter[str]],
) -> _Row | None:
    """The row; None if it says nothing. `counts` get its hidden columns, what is hidden else and what is not read."""
    columns, texts, has_numbers, column = array("H"), [], False, 0
    for cell in element:
        if local_name(cell) != "c":
            continue
        place = _PLACE.match(cell.get("r", ""))
        column = min(column_number(place[1]) if place else column + 1, _WIDEST)
        kind = cell.get("t", "n")
        if column in out_of_sight:
            counts[0].add(column)
            continue
        if values.is_unseen(cell.get("s", "")):
            counts[1]["cells whose format shows nothing"] += any(local_name(it) in ("v", "is") for it in cell)
            continue
        text = _SPACE.sub(" ", _shown(cell, kind, values, counts[2])).strip().replace(_BETWEEN, " ")
        if text:
            columns.append(column)
            texts.append(text.replace("|", "\\|"))
            has_numbers = has_numbers or kind in ("n", "b", "d", "e")
    return _Row(number, columns, _BETWEEN.join(texts), has_numbers) if texts else None


def _shown(cell: ElementTree.Element, kind: str, values: Values, unread: Counter[str]) -> str:
    formula = value = ""
    is_formula = False
    for child in cell:
        name = local_name(child)
        if name == "v":
            value = child.text or ""
        elif name == "is":
            return text_of(child)
        elif name == "f":
            is_formula, formula = True, child.text or ""
    if is_formula and not value and kind != "str":
        unread[UNSAVED] += 1
        return f"={formula}" if formula else ""
    return values.shown(kind, cell.get("s", ""), value)


def _spans(archive: zipfile.ZipFile, part: str) -> dict[int, list[tuple[int, int]]]:
    """Column → first and last row of each of its cells over several rows: they stand behind the rows in the file."""
    spans: dict[int, list[tuple[int, int]]] = {}
    kept = b""
    count = 0
    with archive.open(part) as file:
        while (chunk := file.read(_CHUNK)) and count < _MOST_MERGED:
            end = 0
            for found in _MERGED.finditer(data := kept + chunk):
                first, last, count, end = int(found[2]), int(found[4]), count + 1, found.end()
                if last > first:
                    spans.setdefault(column_number(found[1].decode()), []).append((first, last))
            kept = data[max(end, len(data) - _OVERLAP) :]
    return {column: sorted(some) for column, some in spans.items()}


def _filled(rows: Sequence[_Row], spans: dict[int, list[tuple[int, int]]], unread: Counter[str]) -> list[_Row]:
    """The rows, with what stands in a cell over several of them in each; `unread` gets those where that was too much."""
    begins = {(first, column): last for column, some in spans.items() for first, last in some}
    if not begins:
        return list(rows)
    hanging: dict[int, tuple[int, str]] = {}
    filled: list[_Row] = []
    left = max(_FEWEST_REPEATED, _REPEATED_A_CHARACTER * sum(len(row.texts) for row in rows))
    for row in rows:
        cells = dict(zip(row.columns, row.texts.split(_BETWEEN), strict=True))
        for column, (last, text) in list(hanging.items()):
            if row.number > last:
                del hanging[column]
            elif column not in cells and left > 0:
                left -= len(text)
                cells[column] = text
        for column, text in cells.items():
            if (row.number, column) in begins:
                hanging[column] = begins[row.number, column], text
        if left <= 0 and hanging:
            unread[NOT_REPEATED] += 1
        columns = sorted(cells)
        filled.append(_Row(row.number, array("H", columns), _BETWEEN.join(cells[it] for it in columns), row.has_numbers))
    return filled


def _blocks(rows: Sequence[_Row], empty: _Empty) -> Iterator[str]:
    """A block for each table, and for each line that is in none."""
    start = 0
    for place in range(1, len(rows) + 1):
        if place == len(rows) or (rows[place].number > rows[place - 1].number + 1 and _begins_table(rows, place)):
            yield from _table(rows[start:place], empty)
            start = place


def _begins_table(rows: Sequence[_Row], place: int) -> bool:
    """True for names above numbers, with or without a title above them."""
    while place < len(rows) - 1 and len(rows[place].columns) == 1 and rows[place + 1].number == rows[place].number + 1:
        place += 1
    is_head = len(rows[place].columns) > 1 and not rows[place].has_numbers
    return is_head and place + 1 < len(rows) and rows[place + 1].has_numbers


def _table(rows: Sequence[_Row], empty: _Empty) -> Iterator[str]:
    first = next((place for place, row in enumerate(rows) if len(row.columns) > 1), len(rows))
    if first == len(rows) and len(rows) > 1:  # a list
        yield "\n".join(["| " + rows[0].texts + " |", "| --- |", *(f"| {row.texts} |" for row in rows[1:])])
        return
    yield from (_line(row.texts) for row in rows[:first])
    if len(rows) - first < 2:
        yield from (_line(row.texts.replace(_BETWEEN, " ")) for row in rows[first:])
        return
    used = sorted({column for row in rows[first:] for column in row.columns})
    lines: list[str] = []
    for row in rows[first:]:
        cells = dict(zip(row.columns, row.texts.split(_BETWEEN), strict=True))
        last = bisect_left(used, max(row.columns)) + 1
        shown = used[:last] if len(used) - last > _MOST_TRAILING else used
        if empty.take(len(shown) - len(cells)):
            lines.append(f"| {' | '.join(cells.get(column, '') for column in shown)} |")
    lines[1:1] = [f"|{' --- |' * len(used)}"] if lines else []
    yield "\n".join(lines)


def _line(text: str) -> str:
    return re.sub(r"^(#{1,6}\s|[-*+]\s|```|~~~)", r"\\\1", text.replace("\\|", "|"))
