"""Fits an expression to the types of a table's columns, so that every engine gives the same answer and none can raise.

After fitting, a column stands left of its operator, a literal is an exact value of the column it meets, and what does not compare
is null. A comparison with a value the column cannot hold becomes its exact equivalent (`n < 1.5` is `n <= 1`), or `n = n` (true
unless null) or `n != n` (false unless null). Knows types, not engines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal

from mesh_core.expressions._typing import check_types
from mesh_core.expressions.binding import simplify
from mesh_core.expressions.errors import InvalidExpression, Unsupported, unknown_column
from mesh_core.expressions.limits import check_composed
from mesh_core.expressions.tree import (
    And,
    Column,
    Compare,
    CompareOperator,
    Expression,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Scalar,
    Subject,
)
from mesh_core.expressions.types import ColumnType, Family, family_of_value
from mesh_core.expressions.values import FLIPPED, as_utc, compare_values, is_like, value_in

__all__ = ["fit", "reads_only"]

_NULL = Literal(None)
_EXACT = Context(prec=100, rounding=ROUND_FLOOR)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fit(expression: Expression, types: Mapping[str, ColumnType]) -> Expression:
    """The simplified expression with every literal an exact value of its column's type; the same rows are true, false and null.

    Raises:
        InvalidExpression: If it is outside the language or names a column that is not in `types`.
        Unsupported: If a subject attribute is not bound yet.
    """
    return simplify(_fit(check_composed(expression), types))


def reads_only(expression: Expression, columns: Mapping[str, str]) -> bool:
    """True if the expression reads these columns only (name → logical type), and each in a way its type allows."""
    try:
        check_types(expression, columns)
    except InvalidExpression:
        return False
    return True


def _fit(node: Expression, types: Mapping[str, ColumnType]) -> Expression:
    match node:
        case Compare(operator, left, right):
            return _fit_compare(operator, left, right, types)
        case In(operand, values):
            return _fit_in(operand, tuple(_value(value) for value in values), types)
        case Like(operand, pattern):
            return _fit_like(operand, pattern, types)
        case IsNull(Literal(value)):
            return Literal(value is None)
        case IsNull(Column(name)):
            _type(name, types)
            return node
        case Column(name):
            return node if _type(name, types).family is Family.BOOLEAN else _NULL
        case Not(operand):
            return Not(_fit(operand, types))
        case And(operands):
            return And(tuple(_fit(operand, types) for operand in operands))
        case Or(operands):
            return Or(tuple(_fit(operand, types) for operand in operands))
        case Literal():
            return node
    raise _unbound(node)


def _fit_compare(operator: CompareOperator, left: Expression, right: Expression, types: Mapping[str, ColumnType]) -> Expression:
    match left, right:
        case Literal(a), Literal(b):
            return Literal(compare_values(operator, a, b))
        case Column(name), Literal(value):
            return _fit_literal(operator, name, value, _type(name, types))
        case Literal(value), Column(name):
            return _fit_literal(FLIPPED[operator], name, value, _type(name, types))
        case Column(a), Column(b):
            first, second = _type(a, types).family, _type(b, types).family
            return Compare(operator, left, right) if first is second is not Family.OTHER else _NULL
    raise _unbound(left, right)


def _fit_in(operand: Expression, values: tuple[Scalar, ...], types: Mapping[str, ColumnType]) -> Expression:
    match operand:
        case Literal(value):
            return Literal(value_in(value, values))
        case Column(name):
            fitted = [_fit_literal("=", name, value, _type(name, types)) for value in values]
            kept = tuple(node.right for node in fitted if isinstance(node, Compare) and isinstance(node.right, Literal))
            nulls = (_NULL,) if _NULL in fitted else ()
            if kept:
                return In(operand, kept + nulls)
            return _NULL if nulls else _never(name)
    raise _unbound(operand)


def _fit_like(operand: Expression, pattern: str, types: Mapping[str, ColumnType]) -> Expression:
    match operand:
        case Literal(str() as value):
            return Literal(is_like(value, pattern))
        case Literal():
            return _NULL
        case Column(name):
            return Like(operand, pattern) if _type(name, types).family is Family.STRING else _NULL
    raise _unbound(operand)


def _fit_literal(operator: CompareOperator, name: str, value: Scalar, type_: ColumnType) -> Expression:
    if value is None or family_of_value(value) is not type_.family:
        return _NULL
    if type_.is_double and isinstance(value, int | float | Decimal):
        return Compare(operator, Column(name), Literal(float(value)))
    if type_.step is None:
        return Compare(operator, Column(name), Literal(value))
    return _fit_exact(operator, name, _number(value), type_)


def _fit_exact(operator: CompareOperator, name: str, number: Decimal | float, type_: ColumnType) -> Expression:
    """The comparison with `number` as one with a value the column can hold."""
    assert type_.step is not None
    if number > type_.high if type_.high is not None else number == math.inf:
        return _always(name) if operator in ("<", "<=", "!=") else _never(name)
    if number < type_.low if type_.low is not None else number == -math.inf:
        return _always(name) if operator in (">", ">=", "!=") else _never(name)
    exact = Decimal(number)
    floor = _EXACT.multiply(_EXACT.divide(exact, type_.step).to_integral_value(ROUND_FLOOR), type_.step)
    if floor == exact:
        return Compare(operator, Column(name), Literal(_scalar(floor, type_)))
    if operator in ("=", "!="):
        return _never(name) if operator == "=" else _always(name)
    if type_.low is not None and floor < type_.low:
        return _always(name) if operator in (">", ">=") else _never(name)
    return Compare("<=" if operator in ("<", "<=") else ">", Column(name), Literal(_scalar(floor, type_)))


def _number(value: Scalar) -> Decimal | float:
    """A number as an exact decimal (a double by its shortest notation, NaN as infinity), a time as seconds since 1970."""
    match value:
        case date():
            since = as_utc(value) - _EPOCH
            return Decimal(since.days * 86_400 + since.seconds) + Decimal(since.microseconds).scaleb(-6)
        case float() if math.isnan(value):
            return math.inf
        case float() if math.isinf(value):
            return value
        case float():
            return Decimal(repr(value))
        case int() | Decimal():
            return Decimal(value)
    raise TypeError(f"{value!r} has no order on a number line.")


def _scalar(number: Decimal, type_: ColumnType) -> Scalar:
    """The literal for an exact value of the type."""
    if type_.family is Family.TIME:
        seconds = int(number.to_integral_value(ROUND_FLOOR))
        time = _EPOCH + timedelta(seconds=seconds, microseconds=int(_EXACT.multiply(number - seconds, Decimal(1_000_000))))
        if type_.is_date:
            return time.date()
        return time if type_.is_zoned else time.replace(tzinfo=None)
    return number.quantize(type_.step or Decimal(1), context=_EXACT) if type_.precision else int(number)


def _value(node: Expression) -> Scalar:
    if isinstance(node, Literal):
        return node.value
    raise _unbound(node)


def _type(name: str, types: Mapping[str, ColumnType]) -> ColumnType:
    if name not in types:
        raise unknown_column(name, types)
    return types[name]


def _always(name: str) -> Expression:
    return Compare("=", Column(name), Column(name))


def _never(name: str) -> Expression:
    return Compare("!=", Column(name), Column(name))


def _unbound(*nodes: Expression) -> Unsupported:
    names = [node.attribute for node in nodes if isinstance(node, Subject)]
    found = ", ".join(f"subject.{name}" for name in names) or "A term"
    return Unsupported(f"{found} is not bound to a value: call bind_subject first.")
