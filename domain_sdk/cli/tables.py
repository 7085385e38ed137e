"""Tables that fit the terminal: no column is lost and no name broken; where that cannot be, every row is a block of lines.

Owns how wide columns are. Rich would fold in the middle of words, or drop columns, to keep all of them in one line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

__all__ = ["FittedTable"]

_GAP = 2
_WORD_WIDTH = 44
"""Longer words are folded: a table of them would never fit."""


@dataclass(frozen=True, slots=True)
class FittedTable:
    """Rows of text below headings, laid out for the room there is when it is printed."""

    headings: Sequence[Text]
    rows: Sequence[Sequence[Text]]
    numbers: Collection[int] = ()
    """The columns that are set to the right."""
    whole: Collection[int] = ()
    """The columns whose spaces are no place to break."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """A table where every word fits, else the rows one below the other."""
        widths = self._widths(options.max_width)
        yield self._table(widths) if widths is not None else self._stack()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """No wider than its content."""
        _, wanted = self._needs()
        return Measurement(1, min(sum(wanted) + self._gaps, options.max_width))

    @property
    def _gaps(self) -> int:
        return _GAP * (len(self.headings) - 1)

    def _needs(self) -> tuple[list[int], list[int]]:
        """For each column the width that breaks no word, and the one that breaks no line."""
        least, wanted = [], []
        for index, heading in enumerate(self.headings):
            lines = [line for row in self.rows for line in row[index].plain.splitlines()]
            room = max(map(cell_len, [heading.plain, *lines]))
            words = [word for line in lines for word in line.split()]
            longest = room if index in self.whole else max(map(cell_len, [*heading.plain.split(), *words]), default=1)
            least.append(max(min(longest, _WORD_WIDTH), 1))
            wanted.append(max(room, 1))
        return least, wanted

    def _widths(self, available: int) -> list[int] | None:
        """The columns' widths, the room left over shared fairly; None if words would break."""
        widths, wanted = self._needs()
        left = available - self._gaps - sum(widths)
        if left < 0:
            return None
        order = sorted(range(len(widths)), key=lambda index: wanted[index] - widths[index])
        for place, index in enumerate(order):
            extra = min(wanted[index] - widths[index], left // (len(order) - place))
            widths[index] += extra
            left -= extra
        return widths

    def _table(self, widths: Sequence[int]) -> Table:
        made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for index, (heading, width) in enumerate(zip(self.headings, widths, strict=True)):
            justify = "right" if index in self.numbers else "left"
            made.add_column(heading, overflow="fold", justify=justify, header_style="bold cyan", width=width)  # type: ignore[arg-type]
        for row in self.rows:
            made.add_row(*row)
        return made

    def _stack(self) -> Table:
        """Each row as lines of heading and value, a free line between rows; empty cells are left out."""
        made = Table.grid(padding=(0, 2))
        made.add_column(style="cyan", no_wrap=True)
        made.add_column(overflow="fold")
        blocks = [[pair for pair in zip(self.headings, row, strict=True) if pair[1].plain] for row in self.rows]
        for block, following in pairwise([*blocks, None]):
            for heading, value in block or ():
                made.add_row(heading, value)
            if following:
                made.add_row("", "")
        return made
