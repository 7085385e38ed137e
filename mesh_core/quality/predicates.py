"""Compiles a value check to an expression that is true for the rows at fault, on stored types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

import polars as pl

from mesh_core.quality.check import ITEMS, Check, Kind
from mesh_core.quality.formats import FORMATS, UnknownPattern, matches
from mesh_core.quality.values import NotEvaluable, allowed, bound, fraction, reciprocal

__all__ = ["fault", "nested", "suspicion"]

_Argument: TypeAlias = Any  # a value as the contract writes it
_Predicate = Callable[[pl.Expr, pl.DataType], pl.Expr]
_LONGEST = 2**40
_TOLERANCE = 1e-9
_NARROW_TOLERANCE = 1e-6
_UNIT_TOLERANCE = 1e-2
"""Of a squared length: elements of 16 bits or fewer are that coarse."""
_COMPARE: Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "lt": lambda value, limit: value < limit,
    "le": lambda value, limit: value <= limit,
    "gt": lambda value, limit: value > limit,
    "ge": lambda value, limit: value >= limit,
}


def fault(check: Check, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """True for rows at fault, false or null for the others.

    Args:
        check: A check of values: not of the schema, of types, of uniqueness or of the row count.
        schema: The stored columns and their types.

    Raises:
        NotEvaluable: the check makes no sense for the column's type or cannot be read.
    """
    if check.kind is Kind.PRIMARY_KEY:
        return pl.any_horizontal(pl.col(name).is_null() for name in check.columns)
    predicate = _PREDICATES.get(check.kind)
    if predicate is None or not check.path:
        raise NotEvaluable(f"{check.kind.value} is not defined {'here' if check.path else 'for a whole port'}")

    def at_leaf(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        return predicate(check.argument, value, dtype)

    try:
        return _walk(pl.col(check.path[0]), schema[check.path[0]], check.path[1:], at_leaf)
    except UnknownPattern as error:
        raise NotEvaluable(str(error)) from error


def nested(path: tuple[str, ...], schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """The value at a path of fields, null where an object on the way is. Raises: NotEvaluable for a path through a list."""
    value, dtype = pl.col(path[0]), schema[path[0]]
    for step in path[1:]:
        fields = {part.name: _instance(part.dtype) for part in dtype.fields} if isinstance(dtype, pl.Struct) else {}
        if step not in fields:
            raise NotEvaluable(
                "uniqueness among the items of a list is not evaluated" if step == ITEMS else f"no {step!r} in {dtype}"
            )
        value, dtype = value.struct.field(step), fields[step]
    return value


def suspicion(check: Check, schema: Mapping[str, pl.DataType]) -> pl.Expr | None:
    """A cheaper expression that is true at least wherever `fault` is; None when fault itself is the cheapest.

    A string of at most n bytes has at most n characters, and only bytes are counted without reading the text.
    """
    if check.kind is Kind.MAX_LENGTH and len(check.path) == 1 and schema[check.path[0]] == pl.String:
        return pl.col(check.path[0]).str.len_bytes() > pl.lit(min(int(str(check.argument)), _LONGEST))
    return None


def _walk(value: pl.Expr, dtype: pl.DataType, steps: tuple[str, ...], at_leaf: _Predicate) -> pl.Expr:
    if not steps:
        return at_leaf(value, dtype)
    step, rest = steps[0], steps[1:]
    if step == ITEMS and isinstance(dtype, pl.List):
        return value.list.eval(_walk(pl.element(), _instance(dtype.inner), rest, at_leaf)).list.any()
    fields = {part.name: _instance(part.dtype) for part in dtype.fields} if isinstance(dtype, pl.Struct) else {}
    if step not in fields:
        raise NotEvaluable(f"there is no {step!r} in {dtype}")
    return value.is_not_null() & _walk(value.struct.field(step), fields[step], rest, at_leaf)


def _instance(dtype: object) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype  # type: ignore[return-value]


def _null(_: _Argument, value: pl.Expr, __: pl.DataType) -> pl.Expr:
    return value.is_null()


def _not_listed(argument: _Argument, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return ~value.is_in(allowed(argument, dtype).implode())


def _compared(operator: str, *, is_upper: bool) -> Callable[[_Argument, pl.Expr, pl.DataType], pl.Expr]:
    # An exclusive bound of an integer column is rounded the other way: x > 2.5 refuses 2, x < 2.5 refuses 3.
    is_exclusive = operator in ("le", "ge")

    def compare(argument: _Argument, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        limit = bound(argument, dtype, is_upper=is_upper != is_exclusive)
        # At the column's own precision: 0.1 stored in 32 bits is not above a maximum of 0.1.
        outside = _COMPARE[operator](value, pl.lit(limit, dtype=dtype) if dtype.is_float() else pl.lit(limit))
        return (outside | ~value.is_finite()) if dtype.is_float() else outside

    return compare


def _multiple(argument: _Argument, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    step = fraction(argument)
    if dtype.is_float():
        tolerance = _TOLERANCE if dtype == pl.Float64 else _NARROW_TOLERANCE
        ratio = value.cast(pl.Float64) * reciprocal(step)
        return ((ratio - ratio.round()).abs() > tolerance * pl.max_horizontal(ratio.abs(), 1.0)) | ~value.is_finite()
    if isinstance(dtype, pl.Decimal):
        return _remainder(value.to_physical().cast(pl.Int128), step * 10**dtype.scale, 10 ** (dtype.precision or 38))
    if not dtype.is_integer():
        raise NotEvaluable(f"multipleOf is not defined for {dtype}")
    return _remainder(value.cast(pl.Int128), step, 2**63)


def _remainder(value: pl.Expr, step: Fraction, largest: int) -> pl.Expr:
    if max(step.numerator, step.denominator * largest) >= 2**127:
        raise NotEvaluable(f"multipleOf {step} is too fine or too large to be evaluated exactly")
    return ((value * step.denominator) % step.numerator).ne(0)


def _length(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.Binary:
        return value.bin.size()
    if dtype != pl.String:
        raise NotEvaluable(f"length is not defined for {dtype}")
    return value.str.len_chars()


def _items(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if not isinstance(dtype, pl.List):
        raise NotEvaluable(f"{dtype} has no items")
    return value.list.len()


def _properties(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if not isinstance(dtype, pl.Struct):
        raise NotEvaluable(f"{dtype} has no properties")
    counted = pl.sum_horizontal(value.struct.field(part.name).is_not_null().cast(pl.Int64) for part in dtype.fields)
    return pl.when(value.is_not_null()).then(counted)


def _measured(measure: _Predicate, operator: str) -> Callable[[_Argument, pl.Expr, pl.DataType], pl.Expr]:
    def compare(argument: _Argument, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        return _COMPARE[operator](measure(value, dtype), pl.lit(min(argument, _LONGEST)))

    return compare


def _mismatched(argument: _Argument, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    pattern = argument[0] if isinstance(argument, tuple) else argument
    if dtype != pl.String:
        raise NotEvaluable(f"a pattern is not defined for {dtype}")
    return ~matches(value, pattern)


def _misformatted(argument: _Argument, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if argument not in FORMATS:
        raise NotEvaluable(f"the format {argument!r} is not known; known are {', '.join(FORMATS)}")
    return _mismatched(FORMATS[argument], value, dtype)


def _repeated_items(_: _Argument, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return value.list.n_unique() != _items(value, dtype)


def _dimensions(argument: _Argument, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return _items(value, dtype).ne(argument) | value.list.eval(pl.element().is_null()).list.any()


def _unnormalized(argument: _Argument, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    _items(value, dtype)
    squares = value.list.eval(pl.element().cast(pl.Float64).pow(2)).list.sum()
    return (squares - 1.0).abs() > _UNIT_TOLERANCE


def _missing(argument: _Argument, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    listed = argument.get("missingValues", [None])
    if not isinstance(listed, list):
        raise NotEvaluable("arguments.missingValues is not a list")
    values = value.is_in(allowed(listed, dtype).implode()).fill_null(False)
    return values | value.is_null() if None in listed else values


def _invalid(argument: _Argument, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    faults = []
    if argument.get("validValues") is not None:
        if not isinstance(argument["validValues"], list):
            raise NotEvaluable("arguments.validValues is not a list")
        faults.append(_not_listed(argument["validValues"], value, dtype))
    if argument.get("pattern") is not None:
        faults.append(_mismatched(str(argument["pattern"]), value, dtype))
    if not faults:
        raise NotEvaluable("the rule has neither validValues nor pattern under arguments")
    return pl.any_horizontal(faults)


_PREDICATES: Mapping[Kind, Callable[[_Argument, pl.Expr, pl.DataType], pl.Expr]] = {
    Kind.REQUIRED: _null,
    Kind.REQUIRED_PROPERTY: _null,
    Kind.NULL_VALUES: _null,
    Kind.ENUM: _not_listed,
    Kind.MINIMUM: _compared("lt", is_upper=False),
    Kind.MAXIMUM: _compared("gt", is_upper=True),
    Kind.EXCLUSIVE_MINIMUM: _compared("le", is_upper=False),
    Kind.EXCLUSIVE_MAXIMUM: _compared("ge", is_upper=True),
    Kind.MULTIPLE_OF: _multiple,
    Kind.MIN_LENGTH: _measured(_length, "lt"),
    Kind.MAX_LENGTH: _measured(_length, "gt"),
    Kind.PATTERN: _mismatched,
    Kind.FORMAT: _misformatted,
    Kind.MIN_ITEMS: _measured(_items, "lt"),
    Kind.MAX_ITEMS: _measured(_items, "gt"),
    Kind.UNIQUE_ITEMS: _repeated_items,
    Kind.MIN_PROPERTIES: _measured(_properties, "lt"),
    Kind.MAX_PROPERTIES: _measured(_properties, "gt"),
    Kind.DIMENSIONS: _dimensions,
    Kind.NORMALIZED: _unnormalized,
    Kind.MISSING_VALUES: _missing,
    Kind.INVALID_VALUES: _invalid,
}
