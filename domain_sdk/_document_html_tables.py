"""Tables of HTML as Markdown's: cells that span stand where a browser shows them, rows of names are one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["HtmlCell", "table_blocks"]

_SPACE = re.compile(r"\s+")
_WIDEST = 1000
"""Columns: as many as a browser lets one cell span (HTML §4.9.11)."""


@dataclass(slots=True)
class HtmlCell:
    """A cell as it is written: how many columns and rows it spans, and whether it names others."""

    text: str = ""
    columns: int = 1
    rows: int = 1
    is_name: bool = False


def table_blocks(rows: Sequence[Sequence[HtmlCell]], *, is_layout: bool) -> list[str]:
    """A Markdown table; or lines, if it only lays out the page or has one column or row.

    What spans rows stands in each of them; what spans columns in the first, and among names in all.
    """
    if is_layout:
        lines = (" ".join(filter(None, (_one_line(cell.text) for cell in row))) for row in rows)
        return [line for line in lines if line]
    heads = _head_rows(rows)
    grid = list(_placed(rows, heads))
    width = max(map(len, grid), default=0)
    full = [row + [""] * (width - len(row)) for row in grid]
    if heads:
        full = [[" ".join(dict.fromkeys(filter(None, names))) for names in zip(*full[:heads], strict=True)], *full[heads:]]
    full = [row for row in full if any(row)]
    used = [column for column in range(width) if any(row[column] for row in full)]
    shown = [[row[column].replace("|", "¦") for column in used] for row in full]
    title = _title_rows(shown)
    title_lines = [" ".join(filter(None, row)) for row in shown[:title]]
    if len(shown) - title < 2 or len(used) < 2:
        return [*title_lines, *(" ".join(filter(None, row)) for row in shown[title:])]
    written = [f"| {' | '.join(row)} |" for row in shown[title:]]
    return [*title_lines, "\n".join([written[0], f"|{' --- |' * len(used)}", *written[1:]])]


def _title_rows(rows: Sequence[Sequence[str]]) -> int:
    """How many rows there are above the names of the columns: those that say one thing, before one that says more."""
    fuller = next((number for number, row in enumerate(rows) if sum(map(bool, row)) > 1), 0)
    return fuller if all(row[0] for row in rows[:fuller]) else 0


def _head_rows(rows: Sequence[Sequence[HtmlCell]]) -> int:
    """How many rows there are before the first that holds anything but names; 0 if that is all of them."""
    return next((number for number, row in enumerate(rows) if not all(cell.is_name for cell in row)), 0)


def _placed(rows: Sequence[Sequence[HtmlCell]], heads: int) -> Iterator[list[str]]:
    """The rows with a text a column."""
    hanging: dict[int, tuple[int, str]] = {}
    for number, row in enumerate(rows):
        texts: list[str] = []
        below: dict[int, tuple[int, str]] = {}
        cells = iter(row)
        cell = next(cells, None)
        last = max(hanging, default=-1)
        while cell is not None or len(texts) <= last:
            place = len(texts)
            if place in hanging:
                left, text = hanging[place]
                texts.append(text)
                below |= {place: (left - 1, text)} if left > 1 else {}
                continue
            if cell is None:
                texts.append("")
                continue
            text = _one_line(cell.text)
            for column in range(max(1, min(cell.columns, _WIDEST - place))):
                shown = text if not column or number < heads else ""
                texts.append(shown)
                below |= {place + column: (cell.rows - 1, shown)} if cell.rows > 1 else {}
            cell = next(cells, None)
        hanging = below
        yield texts


def _one_line(text: str) -> str:
    return _SPACE.sub(" ", text).strip()
