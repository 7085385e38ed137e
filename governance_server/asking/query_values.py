"""Where a query may write a value of its own: where it is compared with, counted or says how something is computed.

Nobody sees such a value as one that a table holds. Anywhere else in a select list it, or what is made of it, would be seen so.
Which rows are read is the query's own affair: WHERE, HAVING, QUALIFY, ON, GROUP BY, ORDER BY, LIMIT and samples hold any value,
but for the select lists of queries inside them. Knows nothing of names.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["is_never_given", "is_own_value", "value_columns"]

_TIME_FORMAT = re.compile(r"(?:%-?[A-Za-z]|[-/:. TZQ])*\Z")
_TAKES_PART = frozenset({"date_part", "datepart", "date_sub", "datesub", "date_trunc", "datetrunc"})
_ASKING_TIME = frozenset({"now", "get_current_timestamp", "get_current_time", "transaction_timestamp"})


def is_own_value(node: exp.Expr) -> bool:
    """True if the node is a value that stands in no table, at a place where it would be given, or something made of it."""
    from sqlglot import exp

    if not _is_written(node):
        return False
    inner = node
    while (outer := inner.parent) is not None:
        key = inner.arg_key or ""
        if isinstance(outer, exp.Select):
            return not (key in _clauses() or (key == "expressions" and is_never_given(outer)))
        if _is_free_under(outer, key) or _says_how(node, inner, outer):
            return False
        inner = outer
    return True


def is_never_given(query: exp.Expr) -> bool:
    """True for the query in EXISTS: what it selects is not looked at."""
    from sqlglot import exp

    outer = query.parent
    while isinstance(outer, exp.Paren | exp.Subquery):
        outer = outer.parent
    return isinstance(outer, exp.Exists)


def value_columns(given: exp.Expr) -> list[exp.Column]:
    """The columns in an expression that its value is made of: none that is compared, counted or in a clause of an inner query."""
    from sqlglot import exp

    return [column for column in given.find_all(exp.Column) if not _is_beside(column, given)]


def _is_beside(column: exp.Expr, given: exp.Expr) -> bool:
    from sqlglot import exp

    inner = column
    while inner is not given and (outer := inner.parent) is not None:
        key = inner.arg_key or ""
        is_clause = isinstance(outer, exp.Select) and key != "expressions"
        if is_clause or _is_free_under(outer, key):
            return True
        inner = outer
    return False


def _is_written(node: exp.Expr) -> bool:
    """True for literals, and for functions of nothing, but for the time of asking and what counts rows."""
    from sqlglot import exp

    literals = (exp.Literal, exp.Boolean, exp.RawString, exp.National, exp.HexString, exp.BitString, exp.ByteString)
    if isinstance(node, literals):
        return True
    if not isinstance(node, exp.Func) or any(True for _ in node.iter_expressions()):
        return False
    counting = (exp.Count, exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Mode)
    asking = (exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.CurrentDatetime, exp.Localtime, exp.Localtimestamp)
    return not isinstance(node, counting + asking) and node.name.lower() not in _ASKING_TIME


@cache
def _clauses() -> frozenset[str]:
    """What of a SELECT chooses, groups and orders rows."""
    return frozenset({"where", "having", "qualify", "group", "order", "limit", "offset", "distinct", "windows", "sample"})


def _is_free_under(outer: exp.Expr, key: str) -> bool:
    """True where any value may stand, as only rows, groups, places and counts depend on it."""
    from sqlglot import exp

    if isinstance(outer, exp.Order):
        return not isinstance(outer.parent, exp.WithinGroup)
    free = (
        exp.Where, exp.Having, exp.Qualify, exp.Group, exp.Limit, exp.Offset, exp.Fetch, exp.TableSample, exp.WindowSpec,
        exp.HistoricalData, exp.DataTypeParam, exp.Count, exp.CountIf,
    )  # fmt: skip
    if isinstance(outer, free):
        return True
    if isinstance(outer, exp.Predicate) and not isinstance(outer, exp.SubqueryPredicate):
        return outer.find(exp.Column, exp.Star) is not None
    places: tuple[tuple[type[exp.Expr], str], ...] = (
        (exp.If, "this"), (exp.Case, "this"), (exp.Join, "on"), (exp.Distinct, "on"), (exp.Window, "partition_by"),
        (exp.Nullif, "expression"), (exp.ArrayFilter, "expression"),
    )  # fmt: skip
    return any(isinstance(outer, kind) and key == it for kind, it in places)


def _says_how(node: exp.Expr, inner: exp.Expr, outer: exp.Expr) -> bool:
    """True for grains, formats, positions, digits and shares, and for the few numbers that bring a value into form."""
    from sqlglot import exp

    key = inner.arg_key or ""
    if isinstance(outer, exp.TimeToStr | exp.StrToTime) and key == "format":
        return inner is node and _TIME_FORMAT.match(node.name) is not None
    if isinstance(outer, exp.Anonymous) and outer.name.lower() in _TAKES_PART:
        return inner is node and outer.expressions[0] is node and isinstance(node, exp.Literal) and node.is_string
    if isinstance(outer, exp.PercentileCont | exp.PercentileDisc) and isinstance(outer.parent, exp.WithinGroup):
        return True
    places: tuple[tuple[type[exp.Expr], tuple[str, ...]], ...] = (
        (exp.TimestampTrunc, ("unit",)), (exp.DateTrunc, ("unit",)), (exp.DateDiff, ("unit",)), (exp.Round, ("decimals",)),
        (exp.Substring, ("start", "length")), (exp.Left, ("expression",)), (exp.Right, ("expression",)),
        (exp.SplitPart, ("delimiter", "part_index")), (exp.Bracket, ("expressions",)), (exp.Lag, ("offset",)),
        (exp.Lead, ("offset",)), (exp.NthValue, ("offset",)), (exp.PercentileCont, ("expression",)),
        (exp.PercentileDisc, ("expression",)), (exp.Quantile, ("quantile",)), (exp.ApproxQuantile, ("quantile",)),
    )  # fmt: skip
    if any(isinstance(outer, kind) and key in keys for kind, keys in places):
        return True
    if not isinstance(node, exp.Literal) or node.is_string:
        return False
    return _counts(node, inner, outer) or (isinstance(outer, exp.Mul) and inner is node and _is_of_form(node, outer))


def _counts(number: exp.Literal, inner: exp.Expr, outer: exp.Expr) -> bool:
    """True for 1 and 0 in `sum(CASE WHEN … THEN 1 ELSE 0 END)`, which counts rows, and in `avg`, which gives their share."""
    from sqlglot import exp

    if not isinstance(outer, exp.Sum | exp.Avg) or _value(number) not in (0, 1):
        return False
    step: exp.Expr | None = number
    while step is not outer and step is not None:
        if not isinstance(step, exp.Literal | exp.If | exp.Case | exp.Paren | exp.Cast):
            return False
        step = step.parent
    return isinstance(inner, exp.If | exp.Case | exp.Paren | exp.Cast) and outer.find(exp.Column) is not None


def _is_of_form(number: exp.Literal, product: exp.Mul) -> bool:
    """True for one, which changes the type only, and for a single hundred by which a quotient or share becomes percent."""
    from sqlglot import exp

    other = product.expression if product.this is number else product.this
    if _value(number) == 1:
        return other.find(exp.Column, exp.Count) is not None
    if _value(number) != 100:
        return False
    top: exp.Expr = product
    is_divided = False
    while isinstance(outer := top.parent, exp.Mul | exp.Div | exp.Paren | exp.Cast | exp.Round):
        if isinstance(outer, exp.Div):
            if top.arg_key != "this":
                return False
            is_divided = True
        top = outer
    hundreds = [it for it in top.find_all(exp.Literal) if isinstance(it.parent, exp.Mul) and _value(it) == 100]
    while isinstance(other, exp.Paren | exp.Cast | exp.Round | exp.Window | exp.Filter):
        other = other.this
    share = isinstance(other, exp.Avg) and other.find(exp.If, exp.Predicate) is not None
    return len(hundreds) == 1 and (is_divided or share or isinstance(other, exp.Div))


def _value(number: exp.Literal) -> Decimal | None:
    try:
        return Decimal(number.name)
    except InvalidOperation:
        return None
