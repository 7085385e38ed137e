"""Tables of a PDF page, as Markdown: what stands in columns, rows that share their places of cells. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain_sdk.extraction.pdf_lines import Cell, Line

__all__ = ["grid_end", "grid_markdown", "table_end", "table_markdown"]


@dataclass(slots=True)
class _Column:
    """The extent of a column, and the rows that have a cell in it."""

    left: float
    right: float
    rows: list[int]


def grid_end(lines: Sequence[Line], start: int) -> int:
    """Where the table within a grid that begins at `start` ends (excluded); `start` itself if none begins there."""
    end = start
    while end < len(lines) and lines[end].row and lines[end].grid == lines[start].grid:
        end += 1
    return end


def grid_markdown(lines: Sequence[Line]) -> str:
    """The rows of a table within a grid: those that say one thing are its title, the next is its head."""
    first = next((number for number, line in enumerate(lines) if sum(map(bool, line.row)) > 1), 0)
    used = [column for column in range(len(lines[0].row)) if any(line.row[column] for line in lines)]
    rows = [f"| {' | '.join(line.row[column].replace('|', '¦') for column in used)} |" for line in lines[first:]]
    titles = [f"{line.text}\n\n" for line in lines[:first]]
    return "".join(titles) + "\n".join([rows[0], f"|{' --- |' * len(used)}", *rows[1:]])


def table_end(lines: Sequence[Line], start: int) -> int:
    """Where the table that begins at `start` ends (excluded); `start` itself if none begins there."""
    rows = loose = 0
    end = place = start
    while place < len(lines) and loose <= 2:
        line = lines[place]
        if line.row or (line.is_item and all(len(it.cells) < 3 for it in lines[start:place])):
            break
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


def table_markdown(lines: Sequence[Line]) -> str:
    """The lines of a table as its rows, the first ones as its head."""
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
