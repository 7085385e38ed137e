"""How one column is shown, row by row, when several grants give it under different conditions and masks.

Where several grants hold the least strict of their masks decides, since each grant alone would show that much; masks that cannot
be ordered join. Knows nothing of rules or plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from governance_server.rules.row_conditions import Conjunction, Disjunction, absorb, covers, write, write_all
from mesh_core.expressions.tree import TRUE, Expression
from mesh_core.masks import Mask, is_stricter, join_all

__all__ = ["Branch", "Share", "branches_of"]

_SPELT_OUT = 16
"""Conjunctions up to which the rows of two grants are written as one disjunction."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Where `condition` is true the value is shown under `mask` (None = clear)."""

    condition: Expression
    mask: Mask | None


@dataclass(frozen=True, slots=True)
class Share:
    """One grant's part in a column: the rows it gives and the mask it puts on them (None = clear)."""

    condition: Conjunction
    mask: Mask | None


@dataclass(frozen=True, slots=True)
class _Group:
    """All the rows on which some grant shows the column under one mask."""

    mask: Mask | None
    rows: Disjunction


def branches_of(shares: Sequence[Share], rows: Disjunction) -> tuple[Branch, ...]:
    """The branches of a column, clear first, then by strictness.

    Given `rows` (everything the reader sees), a branch that every remaining row reaches has the condition TRUE and is the last.
    """
    groups = _grouped(shares)
    sequence = _Sequence(rows)
    for i, group in enumerate(groups):
        rivals = [other for other in groups[i + 1 :] if not _is_ordered(group.mask, other.mask)]
        if rivals:
            contested = absorb(conjunction for rival in rivals for conjunction in rival.rows)
            sequence.add_both(group.rows, contested, join_all([group.mask, *(rival.mask for rival in rivals)]))
        sequence.add(group.rows, group.mask)
    return tuple(sequence.branches)


class _Sequence:
    """Branches in the making: what earlier ones have caught needs no further branch."""

    def __init__(self, rows: Disjunction) -> None:
        self.branches: list[Branch] = []
        self._rows = rows
        self._caught: Disjunction = frozenset()

    def add(self, where: Disjunction, mask: Mask | None) -> None:
        if covers(self._caught, self._rows) or covers(self._caught, where):
            return
        self._caught = absorb([*self._caught, *where])
        self.branches.append(Branch(TRUE if covers(self._caught, self._rows) else write(where), mask))

    def add_both(self, left: Disjunction, right: Disjunction, mask: Mask | None) -> None:
        """A branch for the rows of both; spelt out while that is short, so that later branches can be told to be caught."""
        if covers(left, self._rows):
            self.add(right, mask)
        elif covers(right, self._rows):
            self.add(left, mask)
        elif len(left) * len(right) <= _SPELT_OUT:
            self.add(absorb(one | other for one in left for other in right), mask)
        elif not covers(self._caught, self._rows):
            self.branches.append(Branch(write_all(frozenset(), write(left), write(right)), mask))


def _grouped(shares: Sequence[Share]) -> list[_Group]:
    """One group per mask, less strict first, without rows that a less strict group shows anyway."""
    groups: list[_Group] = []
    for mask in sorted({share.mask for share in shares}, key=_strictness):
        looser = [group for group in groups if is_stricter(mask, group.mask)]
        rows = absorb(share.condition for share in shares if share.mask == mask)
        left = frozenset(one for one in rows if not any(covers(group.rows, [one]) for group in looser))
        if left:
            groups.append(_Group(mask, left))
    return groups


def _strictness(mask: Mask | None) -> tuple[int, str]:
    """A total order that respects strictness: a stricter mask has more masks below it."""
    return sum(is_stricter(mask, other) for other in (None, *Mask)), mask or ""


def _is_ordered(left: Mask | None, right: Mask | None) -> bool:
    return left == right or is_stricter(left, right) or is_stricter(right, left)
