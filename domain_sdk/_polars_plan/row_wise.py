"""Whether an expression looks at one row at a time. Polars' own `meta.is_row_separable` only looks at the outermost node."""

from __future__ import annotations

from domain_sdk._polars_plan.expressions import below
from domain_sdk._polars_plan.traversal import PlanReader, UnreadablePlan, View

__all__ = ["is_row_wise"]

_KINDS = frozenset({"Column", "Literal", "BinaryExpr", "Cast", "Ternary"})
_FAMILIES = frozenset({"StringFunction", "TemporalFunction"})
_NOT_ROW_WISE = frozenset({"StringFunction.ConcatVertical"})
_BOOLEAN_FUNCTIONS = frozenset(
    f"BooleanFunction.{name}"
    for name in (
        *("AllHorizontal", "AnyHorizontal", "IsBetween", "IsClose", "IsFinite", "IsIn", "IsInfinite"),
        *("IsNan", "IsNotNan", "IsNotNull", "IsNull", "Not"),
    )
)
_FUNCTIONS = frozenset({"abs", "coalesce", "fill_null", "floor", "ceil", "round", "negate", "hash"})


def is_row_wise(reader: PlanReader, expression_id: int) -> bool:
    """True if every part is known to compute each row from that row alone; a part polars does not show is not known."""
    stack = [expression_id]
    while stack:
        try:
            view = reader.expression(stack.pop())
        except UnreadablePlan:
            return False
        kind = type(view).__name__
        if kind not in _KINDS and not (kind == "Function" and _is_row_wise_function(view)):
            return False
        if kind != "Column":
            stack.extend(child for child, _ in below(reader, view) or [])
    return True


def _is_row_wise_function(view: View) -> bool:
    function = view.function_data[0]
    name = str(function)
    is_in_family = type(function).__name__ in _FAMILIES and name not in _NOT_ROW_WISE
    return is_in_family or name in _BOOLEAN_FUNCTIONS or name in _FUNCTIONS
