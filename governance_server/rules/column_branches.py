"""How one column is shown, row by row, when several grants give it under different conditions and masks.

Where several grants hold the least strict of their masks decides, since each grant alone would show that much; masks that cannot
be ordered join. Knows nothing of rules or plans.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from governance_server.rules.row_conditions import Conjunction, Disjunction, absorb, covers, write, write_all
from mesh_core.expressions.tree import TRUE, Expression
from mesh_core.masks import Mask

__all__ = ["Branch", "Share", "branches_of", "join_all"]


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
    branches: list[Branch] = []
    reached: Disjunction = frozenset()
    for i, group in enumerate(groups):
        rivals = [other for other in groups[i + 1 :] if not _is_ordered(group.mask, other.mask)]
        if rivals:
            contested = absorb(conjunction for rival in rivals for conjunction in rival.rows)
            mask = join_all([group.mask, *(rival.mask for rival in rivals)])
            branches.append(Branch(_both(group.rows, contested, rows), mask))
            if branches[-1].condition == TRUE:
                return tuple(branches)
        reached = absorb([*reached, *group.rows])
        if covers(reached, rows):
            return (*branches, Branch(TRUE, group.mask))
        branches.append(Branch(write(group.rows), group.mask))
    return tuple(branches)


def join_all(masks: Iterable[Mask | None]) -> Mask | None:
    """The least mask at least as strict as all of them; None if there is none or all are clear."""
    return reduce(join, masks, None)


def join(left: Mask | None, right: Mask | None) -> Mask | None:
    """The least mask at least as strict as both."""
    if left is None or left == right:
        return right
    return left if right is None else Mask.REPLACE_WITH_NULL


def _both(left: Disjunction, right: Disjunction, rows: Disjunction) -> Expression:
    """Where both hold, said as shortly as the visible rows allow."""
    needed = [one for one in (left, right) if not covers(one, rows)]
    return write_all(frozenset(), *(write(one) for one in needed))


def _grouped(shares: Sequence[Share]) -> list[_Group]:
    """One group per mask, less strict first, without rows that a less strict group shows anyway."""
    groups: list[_Group] = []
    for mask in sorted({share.mask for share in shares}, key=_strictness):
        looser = [group for group in groups if _is_at_most(group.mask, mask)]
        rows = absorb(share.condition for share in shares if share.mask == mask)
        left = frozenset(one for one in rows if not any(covers(group.rows, [one]) for group in looser))
        if left:
            groups.append(_Group(mask, left))
    return groups


def _strictness(mask: Mask | None) -> tuple[int, str]:
    """A total order that respects strictness: a stricter mask has more masks below it."""
    return sum(_is_at_most(other, mask) for other in (None, *Mask)), mask or ""


def _is_at_most(loose: Mask | None, strict: Mask | None) -> bool:
    return join(loose, strict) == strict


def _is_ordered(left: Mask | None, right: Mask | None) -> bool:
    return _is_at_most(left, right) or _is_at_most(right, left)
