"""What somebody sees of a port, reduced to what can be compared: per column clear, masked, partly or hidden, and which rows.

Owns the comparison of two such sights: who gains, who loses, and what. Knows nothing of rules, principals or engines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from governance_server.rules.read_plans import ColumnPlan, Denied, ReadPlan
from governance_server.rules.row_conditions import ALWAYS, Conjunction, Disjunction, absorb, all_of, canonical, covers
from mesh_core.expressions.tree import FALSE, TRUE, And, Compare, Expression, In, Or
from mesh_core.masks import Mask, is_stricter, join

__all__ = ["NOTHING", "ColumnChange", "ColumnSight", "Difference", "Rows", "Shown", "Sight", "compare", "sight_of"]

_SPELT_OUT = 64
"""Conjunctions up to which a row filter is spelt out to be compared; a larger one is compared by its text only."""


class Shown(StrEnum):
    """How much of a column is shown."""

    HIDDEN = "hidden"
    PARTLY = "partly"
    """Under a mask, or not at all, on some rows only."""
    MASKED = "masked"
    CLEAR = "clear"


class Rows(StrEnum):
    """How the visible rows changed."""

    SAME = "same"
    WIDER = "wider"
    NARROWER = "narrower"
    UNKNOWN = "unknown"
    """They changed, and comparing the filters cannot tell which of the two keeps more."""


@dataclass(frozen=True, slots=True)
class ColumnSight:
    """One visible column; `mask` always applies, `branches` (canonical condition, mask) say it exactly."""

    name: str
    shown: Shown
    mask: Mask | None
    branches: tuple[tuple[str, Mask | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Sight:
    """The visible columns, in the port's order, and the rows that are kept. No column: nothing is seen."""

    columns: tuple[ColumnSight, ...]
    row_filter: Expression

    def shows(self, column: str) -> ColumnSight | None:
        """How the column is seen; None if it is hidden."""
        return next((it for it in self.columns if it.name == column), None)


NOTHING = Sight((), FALSE)


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """One column that is shown otherwise than before; `gain` is 1 for more, -1 for less, 0 where the two have no order."""

    name: str
    before: Shown
    before_mask: Mask | None
    after: Shown
    after_mask: Mask | None
    gain: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed between two sights of one port."""

    columns: tuple[ColumnChange, ...]
    rows: Rows

    def __bool__(self) -> bool:
        """True if anything changed."""
        return bool(self.columns) or self.rows is not Rows.SAME

    @property
    def gains(self) -> bool:
        """True if something more is shown, or may be."""
        return self.rows in (Rows.WIDER, Rows.UNKNOWN) or any(column.gain >= 0 for column in self.columns)

    @property
    def loses(self) -> bool:
        """True if something less is shown, or may be."""
        return self.rows in (Rows.NARROWER, Rows.UNKNOWN) or any(column.gain <= 0 for column in self.columns)


def sight_of(outcome: ReadPlan | Denied) -> Sight:
    """What the plan shows; nothing if it is a denial."""
    if isinstance(outcome, Denied):
        return NOTHING
    return Sight(tuple(map(_column, outcome.columns)), outcome.row_filter)


def _column(plan: ColumnPlan) -> ColumnSight:
    branches = tuple((canonical(branch.condition), branch.mask) for branch in plan.branches)
    only = plan.branches[0] if len(plan.branches) == 1 and plan.branches[0].condition == TRUE else None
    if only is None:
        return ColumnSight(plan.name, Shown.PARTLY, plan.guard_mask, branches)
    mask = join(plan.guard_mask, only.mask)
    return ColumnSight(plan.name, Shown.CLEAR if mask is None else Shown.MASKED, mask)


def compare(before: Sight, after: Sight) -> Difference:
    """What somebody sees differently."""
    old, new = _by_name(before), _by_name(after)
    names = dict.fromkeys([*new, *old])
    changes = tuple(_change(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name))
    return Difference(changes, _rows(before, after))


def _by_name(sight: Sight) -> Mapping[str, ColumnSight]:
    return {column.name: column for column in sight.columns}


def _change(name: str, before: ColumnSight | None, after: ColumnSight | None) -> ColumnChange:
    return ColumnChange(
        name,
        before.shown if before else Shown.HIDDEN,
        before.mask if before else None,
        after.shown if after else Shown.HIDDEN,
        after.mask if after else None,
        _gain(before, after),
    )


def _gain(before: ColumnSight | None, after: ColumnSight | None) -> int:
    if before is None or after is None:
        return 1 if before is None else -1
    if Shown.CLEAR in (before.shown, after.shown):
        return 1 if after.shown is Shown.CLEAR else -1
    if Shown.PARTLY in (before.shown, after.shown):
        return 0
    return 1 if is_stricter(before.mask, after.mask) else -1 if is_stricter(after.mask, before.mask) else 0


def _rows(before: Sight, after: Sight) -> Rows:
    if not before.columns or not after.columns:
        return Rows.SAME if not before.columns and not after.columns else Rows.WIDER if after.columns else Rows.NARROWER
    if canonical(before.row_filter) == canonical(after.row_filter):
        return Rows.SAME
    column, listed = _list_of(before.row_filter)
    other, kept = _list_of(after.row_filter)
    if listed and kept and column == other:  # of any length, where each value would be compared with each
        is_wider, is_narrower = listed <= kept, kept <= listed
    else:
        old, new = _spelt_out(before.row_filter), _spelt_out(after.row_filter)
        is_wider, is_narrower = covers(new, old), covers(old, new)
    if is_wider and is_narrower:
        return Rows.SAME
    return Rows.WIDER if is_wider else Rows.NARROWER if is_narrower else Rows.UNKNOWN


def _list_of(condition: Expression) -> tuple[Expression, frozenset[Expression]]:
    """What the condition says of which values it equals, and these; no values if it says anything else."""
    match condition:
        case In(operand, values):
            return operand, frozenset(values)
        case Compare("=", operand, value):
            return operand, frozenset([value])
    return condition, frozenset()


def _spelt_out(condition: Expression) -> Disjunction:
    """The filter as a disjunction of conjunctions, as far as that stays small."""
    if condition == TRUE:
        return ALWAYS
    if isinstance(condition, Or):
        return absorb(one for operand in condition.operands for one in _spelt_out(operand))
    if isinstance(condition, In) and len(condition.values) <= _SPELT_OUT:  # what one column may equal is joined into a list
        return frozenset(all_of([Compare("=", condition.operand, value)]) for value in condition.values)
    if isinstance(condition, And):
        total: Disjunction = ALWAYS
        for operand in condition.operands:
            parts = _spelt_out(operand)
            if len(total) * len(parts) > _SPELT_OUT:
                return frozenset({all_of([condition])})
            total = absorb(_products(total, parts))
        return total
    return frozenset({all_of([condition])})


def _products(left: Iterable[Conjunction], right: Iterable[Conjunction]) -> Iterable[Conjunction]:
    rights = list(right)
    return (one | other for one in left for other in rights)
