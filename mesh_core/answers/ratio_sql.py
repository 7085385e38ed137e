"""One measure by another, as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["RATIO", "divided"]

RATIO = "ratio"
"""The column that it is in."""
_PLACES = 4


def divided(one: exp.Expr, two: exp.Expr) -> exp.Expr:
    """The first by the second, rounded to four places; null if the second is zero or has no value."""
    from sqlglot import exp

    divisor = exp.func("NULLIF", two.copy(), exp.Literal.number(0))
    rate = exp.Div(this=exp.cast(one.copy(), "double"), expression=divisor)
    return exp.func("ROUND", rate, exp.Literal.number(_PLACES))
