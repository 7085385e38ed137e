"""The lines of a PDF page: characters with their places become lines, and lines the cells between their gaps. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import sub
from statistics import median

from domain_sdk.extraction.pdf_directions import has_leftward, mirrored, runs_leftward, word_boxes
from domain_sdk.extraction.pdf_places import PlacedChars
from domain_sdk.extraction.pdf_raised import raised_places, with_marks
from domain_sdk.extraction.pdf_reordered import in_reading_order, with_ligatures
from domain_sdk.extraction.pdf_rules import RULE
from domain_sdk.extraction.scripts import between

__all__ = ["Cell", "Line", "split_lines"]

_GAP = 1.1
"""A gap between characters wider than this many heights separates cells."""
_NUMBER = re.compile(
    r"[-–—$€£¥(]*\s?[\d][\d,.\s]*\s?[)%]?\s?[x%)]?(?:\^\d+\^)?\Z|[-–—]+\Z|\$\s?[-–—]\s?\Z|N/?[AM]\Z", re.IGNORECASE
)
_MARK = re.compile(
    r"[•●▪◦‣·○■□➢✓*–-]|[\uf000-\uf0ff]|o|\(?(?:\d{1,3}|[A-Za-z]|[ivxlc]{1,6}|[IVXLC]{1,6})[.)]"
    r"|§+ ?\d{1,4}[a-z]?|(?:\d{1,3}\.){1,6}\d{1,3}[.)]?"
)
"""What stands before an item of a list or a clause: a bullet, a letter, a number, as in `4.2`."""


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
    row: tuple[str, ...] = ()
    """The texts of its columns, if it is a row of a table within a grid; `grid` is the grid's number on the page."""
    grid: int = 0

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(cell.text for cell in self.cells)

    @property
    def is_item(self) -> bool:
        """True for the first line of an item or a clause whose text stands apart from its bullet or number."""
        return len(self.cells) == 2 and _MARK.fullmatch(self.cells[0].text) is not None and _says(self.cells[1])

    @property
    def left(self) -> float:
        """Where it begins."""
        return self.cells[0].left


def _says(cell: Cell) -> bool:
    return not cell.is_number and any(map(str.isalpha, cell.text))


def split_lines(chars: PlacedChars) -> list[Line]:
    """The lines of a page in reading order; a line feed ends a line."""
    is_leftward = runs_leftward(chars.text)
    whole = with_ligatures(chars) if has_leftward(chars.text) else chars
    read = mirrored(whole) if is_leftward else whole
    lines: list[Line] = []
    end = 0
    for run in read.text.replace("\r", "\n").split("\n"):
        words = run.split()
        if words:
            begin, end = end, end + sum(map(len, words))
            lines.append(_line(run, words, read, slice(begin, end), is_leftward=is_leftward))
    return _joined(lines)


def _line(run: str, words: Sequence[str], chars: PlacedChars, shown: slice, *, is_leftward: bool) -> Line:
    """The line of a run of these words, whose characters are those `shown`, on a page that runs leftward or not."""
    sizes, tops, is_bold = chars.size[shown], chars.top[shown], chars.is_bold[shown]
    size, top = median(sizes) or 1.0, median(tops)
    left, right = chars.left[shown], chars.right[shown]
    if is_leftward or has_leftward("".join(words)):
        read = in_reading_order(run, left, right, size) if is_leftward else (run, left, right)
        cells = [Cell(*box) for box in word_boxes(*read, gap=size * _GAP)]
    else:
        raised = raised_places(words, tops, sizes, base=top, height=size) if min(sizes) < size else []
        marked, left, right = with_marks(run, left, right, raised) if raised else (run, left, right)
        cells = _cells(marked.split(), left, right, size, _rules_in(marked) if RULE in marked else ())
    return Line(_merged(cells, size), top, size, sum(is_bold) * 2 > len(is_bold))


def _rules_in(run: str) -> list[int]:
    """How many characters, white space aside, stand before each rule across the run."""
    lengths = [sum(map(len, part.split())) for part in run.split(RULE)]
    return list(accumulate(lengths[:-1]))


def _cells(words: Sequence[str], left: list[float], right: list[float], size: float, rules: Collection[int]) -> list[Cell]:
    """The pieces of a line between its gaps and the rules across it."""
    begins = _breaks(left, right, size, rules)
    text = " ".join(words)
    if not begins:
        return [Cell(text, left[0], max(right))]
    starts = [0, *accumulate(map(len, words))]
    cells: list[Cell] = []
    for begin, end in pairwise((0, *begins, len(left))):
        first, last = (place + bisect_right(starts, place) - 1 for place in (begin, end - 1))
        cells.append(Cell(text[first : last + 1], left[begin], max(right[begin:end])))
    return cells


def _breaks(left: list[float], right: list[float], size: float, rules: Collection[int]) -> list[int]:
    """Where the second and later pieces begin: behind a gap, before what is drawn far back, behind a rule."""
    nearest, farthest = -size * 4, size * _GAP
    if right == sorted(right):
        gaps = list(map(sub, left[1:], right))
        if not rules and (not gaps or (nearest < min(gaps) and max(gaps) <= farthest)):
            return []
        return [place for place, gap in enumerate(gaps, start=1) if place in rules or not nearest < gap <= farthest]
    begins: list[int] = []
    end = right[0]
    for place in range(1, len(left)):
        if place in rules or not nearest < left[place] - end <= farthest:
            begins.append(place)
            end = right[place]
        else:
            end = max(end, right[place])
    return begins


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


def _one_cell(cell: Cell, behind: Cell) -> Cell:
    return Cell(f"{cell.text}{between(cell.text, behind.text)}{behind.text}", cell.left, behind.right)


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
                before.cells[-1] = _one_cell(before.cells[-1], first)
                before.cells.extend(line.cells[1:])
            else:
                before.cells.extend(line.cells)
            before.cells = _merged(before.cells, line.size)
        else:
            joined.append(line)
    return joined
