"""How a plan shows the SDK's keyed hash. Polars hides Python functions, so what is hashed stands visibly beside a mark."""

from __future__ import annotations

import polars as pl

from domain_sdk._polars_plan.traversal import PlanReader, UnreadablePlan, View

__all__ = ["hashed_input", "marked"]

_MARK = "domain_sdk.keyed_hash"


def marked(value: pl.Expr, hashed: pl.Expr) -> pl.Expr:
    """`hashed` where the value is not null, else null; in a plan, `hashed_input` finds the value."""
    return pl.when(pl.lit(_MARK).is_not_null() & value.is_not_null()).then(hashed)


def hashed_input(reader: PlanReader, view: View) -> int | None:
    """The id of the expression that a keyed hash is made of, None if this is none; the reader stands at the node of the view.

    It is one if all of this is so: the marked condition, a Python function (which polars does not show) as its value, and null
    otherwise.
    """
    if type(view).__name__ != "Ternary":
        return None
    condition = _seen(reader, view.predicate)
    if type(condition).__name__ != "BinaryExpr" or str(condition.op) != "Operator.And":
        return None
    mark, value = _tested(reader, condition.left), _tested(reader, condition.right)
    is_marked = mark is not None and value is not None and getattr(_seen(reader, mark), "value", None) == _MARK
    return value if is_marked and _seen(reader, view.truthy) is None and _is_null(reader, view.falsy) else None


def _tested(reader: PlanReader, expression_id: int) -> int | None:
    """What an `is_not_null` looks at."""
    view = _seen(reader, expression_id)
    is_test = type(view).__name__ == "Function" and str(view.function_data[0]) == "BooleanFunction.IsNotNull"
    return int(view.input[0]) if is_test else None


def _is_null(reader: PlanReader, expression_id: int) -> bool:
    view = _seen(reader, expression_id)
    inner = _seen(reader, view.expr) if type(view).__name__ == "Cast" else view
    return type(inner).__name__ == "Literal" and inner.value is None


def _seen(reader: PlanReader, expression_id: int) -> View:
    """None of what polars does not show."""
    try:
        return reader.expression(expression_id)
    except UnreadablePlan:
        return None
