"""What one polars expression depends on, given what the columns it reads depend on.

Every kind of expression is a list of children with the step each child's values take; anything else depends on unknown columns of
everything below, never on a guess.
"""

from __future__ import annotations

from collections.abc import Iterator

from domain_sdk._polars_plan.keyed_hashes import hashed_input
from domain_sdk._polars_plan.traversal import PlanReader, UnreadablePlan, View
from mesh_core.frame_lineage import (
    IDENTITY,
    TRANSFORMATION,
    Dependencies,
    Dependency,
    FrameLineage,
    indirect,
    through,
    unknown,
)
from mesh_core.lineage import Subtype, Transformation

__all__ = ["ExpressionWalk", "below", "children"]

_FUNCTION_NAMES = {"n_unique": "count_distinct", "implode": "list"}
_RESIZING_KINDS = frozenset({"Filter", "Explode", "Gather", "Slice"})
_KEEPING_LENGTH = frozenset(
    [
        "abs",
        "as_struct",
        "coalesce",
        "cum_count",
        "cum_max",
        "cum_min",
        "cum_prod",
        "cum_sum",
        "diff",
        "fill_null",
        "fill_null_with_strategy",
        "hash",
        "pow",
        "rank",
        "replace",
        "replace_strict",
        "reverse",
        "round",
        "shift",
        "sum_horizontal",
        "max_horizontal",
        "min_horizontal",
        "mean_horizontal",
    ]
)

_Children = list[tuple[int, Transformation]]
_KEYED_HASH = Transformation.of(Subtype.TRANSFORMATION, masking=True)


def _step(subtype: Subtype) -> Transformation:
    return Transformation.of(subtype)


def children(kind: str, view: View) -> _Children | None:
    """Each child with the step its values take, or None for a kind we do not know."""
    if kind in {"Len", "Literal"}:
        return []
    if kind == "BinaryExpr":
        return [(view.left, TRANSFORMATION), (view.right, TRANSFORMATION)]
    if kind in {"Cast", "Explode"}:
        return [(view.expr, TRANSFORMATION)]
    if kind == "Function":
        return [(child, TRANSFORMATION) for child in view.input]
    if kind == "Agg":
        function = _FUNCTION_NAMES.get(view.name, view.name)
        return [(child, Transformation.of(Subtype.AGGREGATION, function=function)) for child in view.arguments]
    if kind == "Ternary":
        return [(view.predicate, _step(Subtype.CONDITIONAL)), (view.truthy, TRANSFORMATION), (view.falsy, TRANSFORMATION)]
    return _selecting_children(kind, view)


def _selecting_children(kind: str, view: View) -> _Children | None:
    """The same for kinds that choose or order values."""
    if kind == "Filter":
        return [(view.input, IDENTITY), (view.by, _step(Subtype.FILTER))]
    if kind == "Gather":
        return [(view.expr, IDENTITY), (view.idx, _step(Subtype.FILTER))]
    if kind == "Slice":
        return [(view.input, IDENTITY), (view.offset, _step(Subtype.FILTER)), (view.length, _step(Subtype.FILTER))]
    if kind == "Sort":
        return [(view.expr, IDENTITY)]
    if kind == "SortBy":
        return [(view.expr, IDENTITY), *((by, _step(Subtype.SORT)) for by in view.by)]
    if kind == "Window":
        order = [] if view.order_by is None else [view.order_by]
        return [(view.function, TRANSFORMATION), *((part, _step(Subtype.WINDOW)) for part in [*view.partition_by, *order])]
    if kind == "Rolling":
        return [(view.function, TRANSFORMATION), (view.index_column, _step(Subtype.WINDOW))]
    return None


def below(reader: PlanReader, view: View) -> _Children | None:
    """The children as `children` gives them; of a keyed hash only what is hashed."""
    hashed = hashed_input(reader, view)
    return children(type(view).__name__, view) if hashed is None else [(hashed, _KEYED_HASH)]


class ExpressionWalk:
    """Walks the expressions of one plan node over its input frame. `collected` are ports whose rows plain values may hold."""

    def __init__(self, reader: PlanReader, frame: FrameLineage, *, collected: frozenset[str] = frozenset()) -> None:
        """Ready to walk; the reader must stand at a node of the same plan."""
        self._reader = reader
        self._frame = frame
        self._collected = collected

    def dependencies(self, expression_id: int) -> Dependencies:
        """What the expression's values depend on."""
        found: set[Dependency] = set()
        for _, kind, view, step in self._visit(expression_id):
            if kind == "Column" and view.name in self._frame.columns:
                found |= through(step, self._frame.columns[view.name])
            elif kind == "Literal":
                found |= through(step, unknown(self._collected))
            elif kind == "Column" or children(kind, view) is None:
                found |= through(step, unknown(self._frame.ports))
        return frozenset(found)

    def resizing(self, expression_id: int) -> Dependencies:
        """What decides how many values the expression has, where it can have more or fewer than its input has rows."""
        found: set[Dependency] = set()
        for node, kind, view, step in self._visit(expression_id):
            if step.subtype != Subtype.AGGREGATION and (kind in _RESIZING_KINDS or (kind == "Function" and _may_resize(view))):
                found |= indirect(Subtype.FILTER, self.dependencies(node))
        return frozenset(found)

    def _visit(self, expression_id: int) -> Iterator[tuple[int, str, View, Transformation]]:
        """Every node of the expression with the step its values take to the top."""
        stack: _Children = [(expression_id, IDENTITY)]
        while stack:
            node, outer = stack.pop()
            try:
                view = self._reader.expression(node)
            except UnreadablePlan:
                yield node, "", None, outer
                continue
            kind = type(view).__name__
            yield node, kind, view, outer
            stack.extend((child, outer.after(step)) for child, step in below(self._reader, view) or [])


def _may_resize(view: View) -> bool:
    """True for plain functions that may drop or repeat values, like drop_nulls or mode; the typed families keep the length."""
    name = view.function_data[0]
    return isinstance(name, str) and name not in _KEEPING_LENGTH
