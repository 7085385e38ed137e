"""The layout of a PDF page as Markdown: characters with their places become lines, lines become paragraphs, headings and tables.

Pure: knows characters and boxes, not files. A table is what stands in columns: rows that share their places of cells. Its
rows are written once, as a Markdown table, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from domain_sdk.extraction.pdf_directions import has_leftward, mirrored, runs_leftward, word_boxes
from domain_sdk.extraction.pdf_places import PlacedChar
from domain_sdk.extraction.pdf_rules import RULE

__all__ = ["Cell", "Line", "page_markdown", "split_lines"]

_GAP = 1.1
"""A gap between characters wider than this many heights separates cells."""
_NUMBER = re.compile(r"[-–—$€£¥(]*\s?[\d][\d,.\s]*\s?[)%]?\s?[x%)]?\Z|[-–—]+\Z|\$\s?[-–—]\s?\Z|N/?[AM]\Z", re.IGNORECASE)
_BULLET = re.compile(r"[•●▪◦‣·○–-]\s+|\(?(?:\d{1,2}|[a-z])[.)]\s+")
_HEADING_RATIO = 1.12
_LONGEST_HEADING = 140
_NAMED_PART = re.compile(r"(part|chapter|item|section|article|annex|appendix)\s+[\dIVXA-Z]{1,4}\b", re.IGNORECASE)
_SOFT_HYPHEN = "\u00ad"
_HYPHENS = ("-", "\u2010", _SOFT_HYPHEN)
_END = re.compile(r"[.,;:!?。！？]\Z")


@dataclass(slots=True)
class Cell:
    """Text between two gaps of a line; x grows in the direction of reading."""

    text: str
    left: float
    right: float

    @property
    def is_number(self) -> bool:
        """True for amounts, percentages and the dashes that stand for none."""
        return _NUMBER.match(self.text) is not None


@dataclass(slots=True)
class Line:
    """Characters on one base line. `size` is the height of its characters, `top` counts downwards."""

    cells: list[Cell]
    top: float
    size: float
    is_bold: bool = False

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(cell.text for cell in self.cells)

    @property
    def left(self) -> float:
        """Where it begins."""
        return self.cells[0].left


@dataclass(slots=True)
class _Column:
    """The extent of a column, and the rows that have a cell in it."""

    left: float
    right: float
    rows: list[int]


def split_lines(chars: Sequence[PlacedChar]) -> list[Line]:
    """The lines of a page in reading order. A character is (text, left, right, top, size, is_bold); a line feed ends a line."""
    read = mirrored(chars) if runs_leftward(chars) else chars
    ends = [place for place, char in enumerate(read) if char[0] in "\r\n"]
    runs = (read[end + 1 : next_end] for end, next_end in pairwise((-1, *ends, len(read))))
    return _joined([_line(run, shown) for run in runs if (shown := [char for char in run if not char[0].isspace()])])


def _line(run: Sequence[PlacedChar], shown: Sequence[PlacedChar]) -> Line:
    """The line of these characters, of which these show something."""
    _, _, _, tops, sizes, bolds = zip(*shown, strict=True)
    size = median(sizes) or 1.0
    cells = [Cell(*box) for box in word_boxes(run, gap=size * _GAP)] if has_leftward(shown) else _cells(run, size)
    return Line(_merged(cells, size), median(tops), size, sum(bolds) * 2 > len(shown))


def _cells(run: Sequence[PlacedChar], size: float) -> list[Cell]:
    """The pieces of a line between its gaps and the rules across it."""
    cells: list[Cell] = []
    nearest, farthest = -size * 4, size * _GAP
    piece, begin, end, is_parted = "", 0.0, 0.0, False
    for text, left, right, _, _, _ in run:
        if text.isspace():
            is_parted = is_parted or text == RULE
            if piece and piece[-1] != " ":
                piece += " "
            continue
        if piece and not is_parted and nearest < left - end <= farthest:
            piece += text
            if right > end:
                end = right
        else:
            if piece:
                cells.append(Cell(piece.strip(), begin, end))
            piece, begin, end = text, left, right
        is_parted = False
    if piece:
        cells.append(Cell(piece.strip(), begin, end))
    return cells


def _merged(cells: list[Cell], size: float) -> list[Cell]:
    """Currency signs belong to the number behind them, closing brackets and percent signs to the one before."""
    merged: list[Cell] = []
    for cell in cells:
        before = merged[-1] if merged else None
        if (before is not None and before.text in ("$", "€", "£", "¥", "(", "$ (", "$(")) or (
            before is not None and cell.text in (")", "%", ")%", "%)", "x") and cell.left - before.right < 3 * size
        ):
            merged[-1] = Cell(f"{before.text}{cell.text}", before.left, cell.right)
        else:
            merged.append(cell)
    return merged


def _joined(lines: list[Line]) -> list[Line]:
    """Neighbours on one base line, left before right, are one line: tables are often drawn cell by cell."""
    joined: list[Line] = []
    for line in lines:
        before = joined[-1] if joined else None
        same = before is not None and abs(before.top - line.top) < 0.35 * min(before.size, line.size)
        if before is not None and same and line.left >= before.cells[-1].right - 0.3 * line.size:
            gap = line.left - before.cells[-1].right
            if gap <= line.size * _GAP:
                first = line.cells[0]
                before.cells[-1] = Cell(f"{before.cells[-1].text} {first.text}", before.cells[-1].left, first.right)
                before.cells.extend(line.cells[1:])
            else:
                before.cells.extend(line.cells)
            before.cells = _merged(before.cells, line.size)
        else:
            joined.append(line)
    return joined


def page_markdown(lines: Sequence[Line], *, body_size: float) -> tuple[str, int]:
    """The page as Markdown and how many tables it holds. `body_size` is the height of the document's running text."""
    parts: list[str] = []
    tables = place = 0
    paragraph: list[Line] = []
    while place < len(lines):
        end = _table_end(lines, place)
        if end > place:
            parts.extend(_paragraph(paragraph, body_size))
            parts.append(_table(lines[place:end]))
            tables, paragraph, place = tables + 1, [], end
            continue
        line = lines[place]
        if paragraph and _is_break(paragraph[-1], line, body_size):
            parts.extend(_paragraph(paragraph, body_size))
            paragraph = []
        paragraph.append(line)
        place += 1
    parts.extend(_paragraph(paragraph, body_size))
    return "\n\n".join(parts), tables


def _is_break(before: Line, line: Line, body_size: float) -> bool:
    gap = line.top - before.top
    is_apart = gap < -0.5 * line.size or gap > 1.9 * max(before.size, line.size)
    is_other = abs(before.size - line.size) > 0.12 * body_size or (
        before.is_bold != line.is_bold and not before.text[-1:].isalnum()
    )
    return (
        is_apart
        or is_other
        or _BULLET.match(line.text) is not None
        or (_level(before, body_size) > 0) != (_level(line, body_size) > 0)
    )


def _level(line: Line, body_size: float) -> int:
    """The heading's level a line could have by its looks, 0 for none."""
    if len(line.text) > _LONGEST_HEADING or not any(char.isalpha() for char in line.text) or len(line.cells) > 2:
        return 0
    ratio = line.size / body_size
    if ratio >= 1.6:
        return 1
    if ratio >= 1.3:
        return 2
    if ratio >= _HEADING_RATIO:
        return 3
    named = _NAMED_PART.match(line.text)
    if named and line.is_bold:
        return 2 if named.group(1).lower() in ("part", "chapter") else 3
    is_title = line.is_bold and len(line.text) <= 90 and not _END.search(line.text)
    return 4 if is_title else 0


def _paragraph(lines: Sequence[Line], body_size: float) -> Iterator[str]:
    if not lines:
        return
    text = lines[0].text
    for line in lines[1:]:
        text = _continued(text, line.text)
    level = _level(lines[0], body_size)
    if level and len(lines) <= 3 and len(text) <= _LONGEST_HEADING:
        yield f"{'#' * level} {text}"
    else:
        yield _escaped(
            _BULLET.sub(
                lambda found: "- " if not found.group()[0].isalnum() and found.group()[0] != "(" else found.group(), text, count=1
            )
        )


def _continued(text: str, line: str) -> str:
    """The text with its next line. A hyphen at its end goes if it parted a word: before a small letter; `Anna-Maria` keeps it."""
    if text[-1:] in _HYPHENS and text[-2:-1].isalpha() and line[:1].isalpha():
        return f"{text[:-1]}{'' if line[:1].islower() or text[-1] == _SOFT_HYPHEN else '-'}{line}"
    return f"{text} {line}"


def _escaped(text: str) -> str:
    """A paragraph that Markdown cannot take for a heading or code."""
    return re.sub(r"^(#{1,6}\s|```|~~~)", r"\\\1", text)


def _table_end(lines: Sequence[Line], start: int) -> int:
    """Where the table that begins at `start` ends (excluded); `start` itself if none begins there."""
    rows = loose = 0
    end = place = start
    while place < len(lines) and loose <= 2:
        line = lines[place]
        if place > start and not -0.5 * line.size < line.top - lines[place - 1].top < 4.5 * line.size:
            break
        if len(line.cells) > 1 and (rows or _opens_table(lines, place)):
            rows, loose, end = rows + 1, 0, place + 1
        elif not rows:
            return start
        else:
            loose += 1
        place += 1
    numbers = sum(cell.is_number for line in lines[start:end] for cell in line.cells[1:])
    return end if rows >= 3 or (rows == 2 and numbers >= 2) else start


def _opens_table(lines: Sequence[Line], place: int) -> bool:
    """True if one of the next lines has cells at the same places."""
    line = lines[place]
    for other in lines[place + 1 : place + 4]:
        if len(other.cells) > 1 and any(_is_below(a, b, line.size) for a in line.cells[1:] for b in other.cells[1:]):
            return True
    return False


def _is_below(one: Cell, other: Cell, size: float) -> bool:
    return (
        abs(one.right - other.right) < size
        or abs(one.left - other.left) < 0.5 * size
        or (one.left < other.right and other.left < one.right)
    )


def _table(lines: Sequence[Line]) -> str:
    columns = _columns(lines)
    rows = [_row(line, columns) for line in lines]
    head = next((number for number, line in enumerate(lines) if any(cell.is_number for cell in line.cells[1:])), 1) or 1
    header = [" ".join(filter(None, (row[column] for row in rows[:head]))) for column in range(len(columns) + 1)]
    shown = [header, *rows[head:]]
    width = range(len(header))
    lines_of = [f"| {' | '.join(row[column].replace('|', '¦') for column in width)} |" for row in shown]
    return "\n".join([lines_of[0], f"|{' --- |' * len(header)}", *lines_of[1:]])


def _columns(lines: Sequence[Line]) -> list[tuple[float, float]]:
    """The extents of the columns right of the first, found by the cells of data rows that overlap."""
    data = [line for line in lines if any(cell.is_number for cell in line.cells[1:])] or list(lines)
    cells = [(cell, number) for number, line in enumerate(data) for cell in line.cells[1:]]
    spans: list[_Column] = []
    for cell, row in sorted(cells, key=lambda it: it[0].right - it[0].left):
        near = [span for span in spans if cell.left < span.right + 1 and span.left - 1 < cell.right]
        rows = [row, *(it for span in near for it in span.rows)]
        if len(near) > 1 and len(set(rows)) < len(rows):
            continue  # it lies across columns that stand beside each other in some row
        spans = [span for span in spans if span not in near]
        spans.append(
            _Column(
                min(cell.left, *(it.left for it in near), cell.left),
                max(cell.right, *(it.right for it in near), cell.right),
                rows,
            )
        )
    return sorted((span.left, span.right) for span in spans)


def _row(line: Line, columns: Sequence[tuple[float, float]]) -> list[str]:
    row = [""] * (len(columns) + 1)
    first_left = columns[0][0] if columns else float("inf")
    for number, cell in enumerate(line.cells):
        centre = (cell.left + cell.right) / 2
        is_label = number == 0 and cell.left < first_left and not (columns and _overlap(cell, columns[0]) and cell.is_number)
        place = (
            0
            if is_label or not columns
            else 1 + min(range(len(columns)), key=lambda it: abs((columns[it][0] + columns[it][1]) / 2 - centre))
        )
        row[place] = f"{row[place]} {cell.text}".strip()
    return row


def _overlap(cell: Cell, column: tuple[float, float]) -> bool:
    return cell.left < column[1] and column[0] < cell.right
