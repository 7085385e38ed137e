"""Compiles an expression to polars: total on any data of the schema's types, with SQL's three-valued logic.

Literals are first fitted to the columns' types, so polars never converts a value and never raises; what does not compare is null,
which a filter drops. NaN and -0.0 behave as in `mesh_core.expressions.values`. Imports polars; import this module on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import polars as pl

from mesh_core.expressions.binding import columns
from mesh_core.expressions.errors import unknown_column
from mesh_core.expressions.fitting import fit
from mesh_core.expressions.limits import check_composed
from mesh_core.expressions.tree import (
    And,
    Column,
    Compare,
    Expression,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
)
from mesh_core.expressions.types import ColumnType, Family
from mesh_core.expressions.values import like_pattern

__all__ = ["column_types", "to_polars"]

_UNITS_A_SECOND: Mapping[str, int] = MappingProxyType({"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000})
_MOST_TAKEN_APART = 64
"""Filters that polars may make of one condition, in time that grows faster than their number; more of them stay one."""
_OPERATORS: Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = MappingProxyType(
    {
        "=": pl.Expr.eq,
        "!=": pl.Expr.ne,
        "<": pl.Expr.lt,
        "<=": pl.Expr.le,
        ">": pl.Expr.gt,
        ">=": pl.Expr.ge,
    }
)


def to_polars(expression: Expression, schema: pl.Schema) -> pl.Expr:
    """A Boolean polars expression: true, false or null for each row of a frame with this schema; it can never raise.

    Raises:
        InvalidExpression: If it is outside the language or names a column that is not in the schema.
        Unsupported: If a subject attribute is not bound yet.
    """
    used = columns(check_composed(expression))
    for name in sorted(used - set(schema)):
        raise unknown_column(name, schema)
    fitted = fit(expression, {name: _column_type(schema[name]) for name in used})
    predicate = _predicate(fitted, schema)
    if _part_count(fitted) <= _MOST_TAKEN_APART:
        return predicate
    return predicate.cast(pl.UInt8).eq(pl.lit(1, dtype=pl.UInt8))  # null stays null; polars looks into no conversion


def _part_count(node: Expression, *, is_negated: bool = False) -> int:
    """How many filters polars makes of the condition: of an AND one for each operand, of a negated OR as well."""
    match node:
        case Not(operand):
            return _part_count(operand, is_negated=not is_negated)
        case And(operands) | Or(operands) if isinstance(node, Or) is is_negated:
            return sum(_part_count(operand, is_negated=is_negated) for operand in operands)
        case _:
            return 1


def column_types(schema: pl.Schema) -> dict[str, ColumnType]:
    """The types of a frame's columns, for `fitting.fit`; times of day, durations, binaries, nested types only allow IS NULL."""
    return {name: _column_type(dtype) for name, dtype in schema.items()}


def _column_type(dtype: pl.DataType) -> ColumnType:
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return ColumnType(Family.STRING)
    if isinstance(dtype, pl.Boolean):
        return ColumnType(Family.BOOLEAN)
    if isinstance(dtype, pl.Date):
        return ColumnType(Family.TIME, step=Decimal(86_400), is_date=True)
    if isinstance(dtype, pl.Datetime):
        return _time_type(dtype)
    if isinstance(dtype, pl.Decimal):
        step = Decimal(1).scaleb(-dtype.scale)
        high = (Decimal(10) ** (dtype.precision or 38) - 1).scaleb(-dtype.scale)
        return ColumnType(Family.NUMBER, step=step, low=-high, high=high, precision=dtype.precision or 38)
    if dtype.is_float():
        return ColumnType(Family.NUMBER, is_double=True)
    if dtype.is_integer():
        bits = int("".join(character for character in str(dtype) if character.isdigit()))
        low, high = (0, 2**bits - 1) if dtype.is_unsigned_integer() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return ColumnType(Family.NUMBER, step=Decimal(1), low=Decimal(low), high=Decimal(high))
    return ColumnType(Family.OTHER)


def _time_type(dtype: pl.Datetime) -> ColumnType:
    zoned = dtype.time_zone is not None
    if dtype.time_unit == "ns":  # 1677-09-21 to 2262-04-11; literals carry microseconds
        high = Decimal("9223372036.854775")
        return ColumnType(Family.TIME, Decimal("0.000001"), -high, high, is_zoned=zoned)
    return ColumnType(Family.TIME, Decimal(1) / _UNITS_A_SECOND[dtype.time_unit], is_zoned=zoned)


def _predicate(node: Expression, schema: pl.Schema) -> pl.Expr:
    match node:
        case Literal(value):
            return pl.lit(value, dtype=pl.Boolean)
        case Column(name):
            return pl.col(name)
        case Compare(operator, Column(left), Column(right)):
            return _OPERATORS[operator](*_comparable(left, right, schema))
        case Compare(operator, Column(name), Literal(value)):
            return _OPERATORS[operator](_readable(name, schema), _literal(value, schema[name]))
        case In(Column(name), values):
            return _membership(name, [value.value for value in values if isinstance(value, Literal)], schema)
        case Like(Column(name), pattern):
            regex = rf"\A(?:{like_pattern(pattern, pl.escape_regex)})\z"
            return _readable(name, schema).str.contains(regex, strict=False)  # a pattern too large for the engine gives null
        case IsNull(Column(name)):
            return pl.col(name).is_null()
        case Not(operand):
            return _predicate(operand, schema).not_()
        case And(operands):
            return _balanced(pl.Expr.and_, [_predicate(operand, schema) for operand in operands])
        case Or(operands):
            return _balanced(pl.Expr.or_, [_predicate(operand, schema) for operand in operands])
    raise AssertionError(f"{node!r} was not fitted")


def _balanced(combine: Callable[[pl.Expr, pl.Expr], pl.Expr], operands: list[pl.Expr]) -> pl.Expr:
    """The junction as a tree of logarithmic depth: polars walks expressions recursively."""
    if len(operands) == 1:
        return operands[0]
    middle = len(operands) // 2
    return combine(_balanced(combine, operands[:middle]), _balanced(combine, operands[middle:]))


def _membership(name: str, values: list[Any], schema: pl.Schema) -> pl.Expr:
    column = _readable(name, schema)
    tests = [column.eq(_literal(value, schema[name])) for value in values if value is not None]
    if len(tests) > 8 and not isinstance(schema[name], pl.Datetime):
        dtype = pl.String if isinstance(schema[name], pl.Categorical | pl.Enum) else schema[name]
        found = column.is_in(pl.Series([value for value in values if value is not None], dtype=dtype).implode())
    else:
        found = _balanced(pl.Expr.or_, tests)
    return found.or_(pl.lit(None, dtype=pl.Boolean)) if None in values else found


def _readable(name: str, schema: pl.Schema) -> pl.Expr:
    """The column, categories as their strings (their own order is not that of the strings)."""
    column = pl.col(name)
    return column.cast(pl.String) if isinstance(schema[name], pl.Categorical | pl.Enum) else column


def _literal(value: object, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return pl.lit(value, dtype=pl.String)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None and isinstance(value, datetime):
        naive = pl.lit(value.astimezone(UTC).replace(tzinfo=None), dtype=pl.Datetime(dtype.time_unit))
        in_utc = naive.dt.replace_time_zone("UTC")
        return in_utc if dtype.time_zone == "UTC" else in_utc.dt.convert_time_zone(dtype.time_zone)
    return pl.lit(value, dtype=dtype)


def _comparable(left: str, right: str, schema: pl.Schema) -> tuple[pl.Expr, pl.Expr]:
    """Two columns of one family as expressions of one type, by conversions that cannot raise."""
    first, second = schema[left], schema[right]
    if first == second and not isinstance(first, pl.Categorical | pl.Enum):
        return pl.col(left), pl.col(right)
    if first.is_temporal():
        return _ticks(left, first), _ticks(right, second)
    if first.is_float() or second.is_float():
        return pl.col(left).cast(pl.Float64), pl.col(right).cast(pl.Float64)
    if isinstance(first, pl.Decimal) or isinstance(second, pl.Decimal):
        scale = max(dtype.scale if isinstance(dtype, pl.Decimal) else 0 for dtype in (first, second))
        common = pl.Decimal(38, scale)  # a value that does not fit becomes null, which a filter drops
        return pl.col(left).cast(common, strict=False), pl.col(right).cast(common, strict=False)
    if first.is_integer():
        return pl.col(left).cast(pl.Int128, strict=False), pl.col(right).cast(pl.Int128, strict=False)
    return _readable(left, schema), _readable(right, schema)


def _ticks(name: str, dtype: pl.DataType) -> pl.Expr:
    """Nanoseconds since 1970 UTC, wide enough for every date and time."""
    factor = 1_000_000_000 // _UNITS_A_SECOND[dtype.time_unit] if isinstance(dtype, pl.Datetime) else 86_400_000_000_000
    physical = pl.Int64 if isinstance(dtype, pl.Datetime) else pl.Int32
    return pl.col(name).cast(physical).cast(pl.Int128) * pl.lit(factor, dtype=pl.Int128)
