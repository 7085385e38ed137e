"""Which input column each output column of a polars join is."""

from __future__ import annotations

from domain_sdk._polars_plan.expressions import ExpressionWalk
from domain_sdk._polars_plan.traversal import PlanNode, PlanReader, UnreadablePlan, View
from mesh_core.frame_lineage import Dependencies, FrameLineage, indirect
from mesh_core.lineage import Subtype

__all__ = ["joined"]


def joined(
    reader: PlanReader, node: PlanNode, inputs: tuple[FrameLineage, FrameLineage], *, collected: frozenset[str]
) -> FrameLineage:
    """The join's lineage; that its columns are the ones polars says is left to the caller's check."""
    left, right = inputs
    view = node.view
    left_walk = ExpressionWalk(reader, left, collected=collected)
    right_walk = ExpressionWalk(reader, right, collected=collected)
    keys = [left_walk.dependencies(e.node) for e in view.left_on] + [right_walk.dependencies(e.node) for e in view.right_on]
    how = view.options[0]
    if isinstance(how, tuple) and how[0] == "AsOf":
        keys += [left.columns[name] for name in how[4] or []] + [right.columns[name] for name in how[5] or []]
    columns = _columns(reader, view, inputs)
    rows = left.rows | right.rows | frozenset(d for key in keys for d in indirect(Subtype.JOIN, key))
    if view.predicate is not None:
        both = FrameLineage({**right.columns, **left.columns, **columns}, rows, left.ports | right.ports)
        rows |= indirect(Subtype.JOIN, ExpressionWalk(reader, both, collected=collected).dependencies(view.predicate.node))
    return FrameLineage(columns, rows, left.ports | right.ports)


def _columns(reader: PlanReader, view: View, inputs: tuple[FrameLineage, FrameLineage]) -> dict[str, Dependencies]:
    left, right = inputs
    how, _, _, suffix, is_coalesced, _ = view.options
    kind = how[0] if isinstance(how, tuple) else how
    if kind in {"Semi", "Anti"}:
        return dict(left.columns)
    pairs = _key_pairs(reader, view) if is_coalesced else []
    if kind == "AsOf":
        by = list(zip(how[4] or [], how[5] or [], strict=True))
        return _merged(left, right, dropped={r for _, r in by} | {r for le, r in pairs if le == r}, suffix=suffix)
    if kind == "Right":
        kept = FrameLineage({n: d for n, d in left.columns.items() if n not in {le for le, _ in pairs}}, left.rows, left.ports)
        return _merged(kept, right, dropped=set(), suffix=suffix)
    columns = _merged(left, right, dropped={r for _, r in pairs}, suffix=suffix)
    if kind == "Full":
        columns |= {le: left.columns[le] | right.columns[r] for le, r in pairs}
    return columns


def _key_pairs(reader: PlanReader, view: View) -> list[tuple[str, str]]:
    """The key columns of both sides, where both are plain columns."""
    pairs = [(_column(reader, le.node), _column(reader, r.node)) for le, r in zip(view.left_on, view.right_on, strict=True)]
    return [(le, r) for le, r in pairs if le is not None and r is not None]


def _column(reader: PlanReader, expression_id: int) -> str | None:
    try:
        view = reader.expression(expression_id)
    except UnreadablePlan:
        return None
    return str(view.name) if type(view).__name__ == "Column" else None


def _merged(left: FrameLineage, right: FrameLineage, *, dropped: set[str], suffix: str) -> dict[str, Dependencies]:
    columns = dict(left.columns)
    for name, dependencies in right.columns.items():
        if name not in dropped:
            columns[name + suffix if name in left.columns else name] = dependencies
    return columns
