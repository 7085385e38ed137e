"""Read plans: what exactly one principal may see of one port, as values.

Owns the plan's shape and the pure merge of grants and guardrails into it (design §5). Knows nothing of casbin, SQL text or polars.
"""

from __future__ import annotations

from dataclasses import dataclass

from mesh_core.expressions.tree import TRUE, Expression
from mesh_core.masks import Mask

__all__ = ["Branch", "ColumnPlan", "ReadPlan", "Reason"]


@dataclass(frozen=True, slots=True)
class Branch:
    """Where `condition` is true the value is shown under `mask` (None = clear)."""

    condition: Expression
    mask: Mask | None


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """One visible column: the first branch whose condition holds decides; no branch holding means null; then `guard_mask` on top."""

    name: str
    branches: tuple[Branch, ...]
    guard_mask: Mask | None

    @property
    def is_clear(self) -> bool:
        """True if every visible row shows the raw value."""
        return self.guard_mask is None and self.branches == (Branch(TRUE, None),)


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that shaped the plan, in words."""

    rule: str
    effect: str
    text: str


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """The decision on one port. `row_filter` keeps the visible rows (raw values); columns not in `columns` are hidden."""

    port: str
    principal: str
    purpose: str
    revision: int
    row_filter: Expression
    columns: tuple[ColumnPlan, ...]
    hidden_columns: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def has_obligations(self) -> bool:
        """True if anything is filtered, masked or hidden, so that the table's own files may not be handed out."""
        return self.row_filter != TRUE or bool(self.hidden_columns) or not all(c.is_clear for c in self.columns)
