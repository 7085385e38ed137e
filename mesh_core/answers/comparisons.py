"""Two figures and what lies between them, in words: how the row of such a query is said, and why a number of it is not told."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from mesh_core.answers.answer import Figure
from mesh_core.answers.comparison_sql import CHANGE, DIFFERENCE, FIRST, SECOND
from mesh_core.contract.semantics import Measure

__all__ = ["comparison_sentences", "untold"]

_RATES = ("percent", "%")


def comparison_sentences(measure: Measure, scope: str, sides: Sequence[str], *, is_change: bool) -> tuple[str, ...]:
    """Sentences for the row: one for each side, one for the difference, and of a change one for the percent.

    Args:
        measure: What is computed of both.
        scope: The rows that it is of.
        sides: What is said of each, like its period.
        is_change: From the first side to the second.
    """
    if not measure.name.isidentifier():
        return ()
    name = measure.title or measure.name.replace("_", " ")
    unit = f" {measure.unit}" if measure.unit else ""
    said = [
        f"{name} {{{place}{measure.name}}}{unit} of {scope}, {side}." for place, side in zip((FIRST, SECOND), sides, strict=True)
    ]
    points = " percentage points" if measure.unit.casefold() in _RATES else unit
    later, earlier = reversed(sides) if is_change else sides
    of = f"in {name} of {scope}, {later} compared with {earlier}"
    said.append(f"difference {of}: {{{DIFFERENCE}}}{points}.")
    if is_change and measure.unit.casefold() not in _RATES:
        said.append(f"change {of}: {{{CHANGE}}} percent.")
    return tuple(it[:1].upper() + it[1:] for it in said)


def untold(sides: Sequence[str], figure: Figure) -> list[str]:
    """Why the difference or the percent of the figure is not told, in sentences; none if both are, or neither side is.

    Each ends with the figure's basis in parentheses: it tells of the figure, and may be told as long as that.
    """
    (row,) = figure.rows
    cells = dict(zip(figure.columns, row, strict=True))
    empty = [side for value, side in zip(row, sides, strict=False) if not value]
    if len(empty) == len(sides):
        return []
    if empty:
        return [f"No difference is told: no row that you may read has a value of {empty[0]} ({figure.basis})."]
    if not cells[DIFFERENCE]:
        return [f"No difference is told: the numbers are too large to be subtracted exactly ({figure.basis})."]
    if CHANGE in cells and not cells[CHANGE]:
        which = "zero" if Decimal(row[0]) == 0 else "below zero"
        return [f"No percentage is told: the figure of {sides[0]} is {which} ({figure.basis})."]
    return []
