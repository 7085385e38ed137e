"""One measure by another, as a tree."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["divided", "ratio_column"]

_PLACES = 4


def ratio_column(taken: Collection[str]) -> str:
    """The column that it is in: `ratio`, with lines behind it where names that are taken would be the same."""
    known = {it.casefold() for it in taken}
    return next(it for it in ("ratio" + "_" * lines for lines in range(len(known) + 1)) if it not in known)


def divided(one: exp.Expr, two: exp.Expr) -> exp.Expr:
    """The first by the second, rounded to four places, below a tenth to four digits; null if the second is zero or none."""
    from sqlglot import exp

    divisor = exp.func("NULLIF", two.copy(), exp.Literal.number(0))
    rate = exp.Div(this=exp.cast(one.copy(), "double"), expression=divisor)
    size = exp.func("LOG", exp.Literal.number(10), exp.func("NULLIF", exp.func("ABS", rate.copy()), exp.Literal.number(0)))
    digits = exp.Sub(this=exp.Literal.number(_PLACES - 1), expression=exp.cast(exp.func("FLOOR", size), "int"))
    places = exp.func("GREATEST", exp.Literal.number(_PLACES), digits)
    return exp.func("ROUND", rate, exp.func("COALESCE", places, exp.Literal.number(_PLACES)))
