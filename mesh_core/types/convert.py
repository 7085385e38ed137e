"""Brings one expression from the frame's type to its target, with an expression that is true where a value would change.

Text never becomes a number, a boolean or a time, and a naive time never a zoned one or the reverse: that is refused by type
alone. Between numbers, time units and nested types each value decides: it is held exactly or reported.
Source: products reference, dtype table; delta-rs#2642, #4448; polars#27866; arrow-rs#10830.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import or_

import polars as pl

from mesh_core.types.target import Shape, Target, integer_range

__all__ = ["Conversion", "Refused", "convert", "own_target"]

_EXACT_SCALE = 6
_EXACT_FLOAT = 2.0**53
_FLOAT_DIGITS = 15
_INTEGER_CODES: dict[type[pl.DataType], str] = {
    pl.Int8: "i8",
    pl.Int16: "i16",
    pl.Int32: "i32",
    pl.Int64: "i64",
    pl.Int128: "i128",
    pl.UInt8: "u8",
    pl.UInt16: "u16",
    pl.UInt32: "u32",
    pl.UInt64: "u64",
    pl.UInt128: "u128",
}
_OWN: dict[type[pl.DataType], pl.DataType] = {
    pl.Categorical: pl.String(),
    pl.Enum: pl.String(),
    pl.UInt8: pl.Int16(),
    pl.UInt16: pl.Int32(),
    pl.UInt32: pl.Int64(),
    pl.UInt64: pl.Decimal(20, 0),
    pl.Int128: pl.Decimal(38, 0),
    pl.UInt128: pl.Decimal(38, 0),
    pl.Float16: pl.Float32(),
    pl.Duration: pl.Int64(),
}


class Refused(ValueError):
    """A frame type that may not become the target type at all."""


@dataclass(frozen=True)
class Conversion:
    """`expr` yields the stored values of type `dtype`, null where `loss` is true.

    `loss` is None when no value can be lost; `is_identity` when expr is the input itself.
    """

    expr: pl.Expr
    dtype: pl.DataType
    loss: pl.Expr | None = None
    is_identity: bool = False


def convert(expr: pl.Expr, source: pl.DataType, target: Target) -> Conversion:
    """The conversion of an expression of type `source` to the target. Raises: Refused."""
    if target.shape is Shape.OPEN:
        return convert(expr, source, own_target(source))
    if target.shape is Shape.LIST:
        return _to_list(expr, source, target)
    if target.shape is Shape.STRUCT:
        return _to_struct(expr, source, target)
    return _to_scalar(expr, source, target)


def own_target(source: pl.DataType) -> Target:
    """The storage type of a frame type that no contract type governs. Raises: Refused for types that cannot be stored."""
    if isinstance(source, (pl.List, pl.Array)):
        return Target(Shape.LIST, inner=own_target(_dtype(source.inner)))
    if isinstance(source, pl.Struct):
        return Target(Shape.STRUCT, fields=tuple((part.name, own_target(_dtype(part.dtype))) for part in source.fields))
    if source in (pl.Null, pl.Object, pl.Unknown):
        raise Refused(f"{source} says nothing about what the column holds; give it a type.")
    if source == pl.Time:
        return Target(Shape.SCALAR, pl.Int64(), is_time=True)
    if isinstance(source, pl.Datetime):
        return Target(Shape.SCALAR, pl.Datetime("us", "UTC" if source.time_zone else None))
    return Target(Shape.SCALAR, _OWN.get(type(source), source))


def _dtype(written: object) -> pl.DataType:
    return written() if isinstance(written, type) else written  # type: ignore[return-value]


def _to_scalar(expr: pl.Expr, source: pl.DataType, target: Target) -> Conversion:
    dtype = target.dtype
    assert dtype is not None
    if source == pl.Null:
        return Conversion(expr.cast(dtype), dtype)
    if source == pl.Time and target.is_time:
        return Conversion(expr.cast(pl.Int64) // 1000, dtype, (expr.cast(pl.Int64) % 1000) != 0)
    if isinstance(source, pl.Duration) and dtype == pl.Int64:
        stored = expr.cast(pl.Duration("us")).cast(pl.Int64)
        return Conversion(
            stored, dtype, _changed(expr, expr.cast(pl.Duration("us")).cast(source)) if source.time_unit == "ns" else None
        )
    if source == dtype and target.bounds is None:
        return Conversion(expr, dtype, is_identity=True)
    if source.is_numeric() and dtype.is_numeric():
        return _to_number(expr, source, target)
    if isinstance(source, pl.Datetime) and isinstance(dtype, pl.Datetime):
        return _to_datetime(expr, source, dtype)
    if isinstance(source, pl.Datetime) and source.time_zone is None and dtype == pl.Date:
        return Conversion(expr.cast(pl.Date), dtype, _changed(expr, expr.cast(pl.Date).cast(source)))
    if source in (pl.Categorical, pl.Enum) and dtype == pl.String:
        return Conversion(expr.cast(pl.String), dtype)
    raise Refused(f"{source} does not become {_words(target)} by itself; convert it in the pipeline, where its meaning is known.")


def _words(target: Target) -> str:
    return "a time of day" if target.is_time else str(target.dtype)


def _to_datetime(expr: pl.Expr, source: pl.Datetime, dtype: pl.Datetime) -> Conversion:
    if source.time_zone is None and dtype.time_zone is not None:
        raise Refused(
            "the contract wants instants (timezone: true) and the frame has times without zone; use dt.replace_time_zone."
        )
    if source.time_zone is not None and dtype.time_zone is None:
        raise Refused(
            f"the contract wants times without zone and the frame has zone {source.time_zone}; "
            "set timezone: true in the contract or use dt.replace_time_zone(None)."
        )
    if source.time_unit == "us":
        return Conversion(expr.cast(dtype), dtype, is_identity=source == dtype)
    in_unit = expr.cast(pl.Datetime("us", source.time_zone), strict=False)
    return Conversion(in_unit.cast(dtype), dtype, _changed(expr, in_unit.cast(source, strict=False)))


def _to_number(expr: pl.Expr, source: pl.DataType, target: Target) -> Conversion:
    dtype = target.dtype
    assert dtype is not None
    checks: list[pl.Expr] = []
    if target.bounds is not None and not _inside(source, target.bounds):
        least, most = target.bounds
        checks.append(~expr.is_between(_limit(least, source), _limit(most, source)))
    stored = expr if source == dtype else expr.cast(dtype, strict=False)
    if isinstance(dtype, pl.Decimal):
        stored, exactness = _to_decimal(expr, source, dtype)
        checks.extend(exactness)
    elif isinstance(source, pl.Decimal) and dtype.is_float():
        if (source.precision or 38) > _FLOAT_DIGITS or dtype == pl.Float32:
            raise Refused(
                f"{source} has more digits than {dtype} holds; declare a decimal in the contract or round in the pipeline."
            )
    elif source != dtype and not _fits(source, dtype) and not (target.is_rounded and source.is_float()):
        checks.append(_changed(expr, stored.cast(source, strict=False)))
    return Conversion(stored, dtype, reduce(or_, checks) if checks else None, is_identity=source == dtype)


def _to_decimal(expr: pl.Expr, source: pl.DataType, dtype: pl.Decimal) -> tuple[pl.Expr, list[pl.Expr]]:
    """The stored decimal and what makes it inexact: a float must be the double nearest to it, as 0.1 is to decimal 0.10."""
    precision, scale = dtype.precision or 38, dtype.scale
    if source.is_float():
        value = expr.cast(pl.Float64)
        if scale <= _EXACT_SCALE:
            scaled = (value * 10.0**scale).round()
            # By a constant polars divides through its reciprocal, one bit off (115 / 100.0 is not 1.15); by a column it divides.
            divisor = value * 0.0 + 10.0**scale
            is_held = (scaled / divisor == value) & (scaled.abs() < min(10.0**precision, _EXACT_FLOAT))
            return pl.when(is_held).then(value).cast(dtype), [~is_held]
        parsed = value.cast(pl.String).cast(dtype, strict=False)
        return parsed, [_changed(value, parsed.cast(pl.String).cast(pl.Float64))]
    if isinstance(source, pl.Decimal):
        is_wider = scale >= source.scale and precision - scale >= (source.precision or 38) - source.scale
        stored = expr if source == dtype else expr.cast(dtype, strict=False)
        return stored, [] if is_wider else [_changed(expr, stored.cast(source, strict=False))]
    limit = 10 ** (precision - scale) - 1
    fits = _inside(source, (-limit, limit))
    held = expr if fits else pl.when(expr.is_between(-limit, limit)).then(expr)
    return held.cast(dtype), [] if fits else [~expr.is_between(-limit, limit)]


def _limit(bound: int, source: pl.DataType) -> pl.Expr:
    """The bound as a literal that can be compared with the source; one beyond all it can hold is its farthest value."""
    if source.is_float():
        return pl.lit(float(bound))
    if isinstance(source, pl.Decimal):
        farthest = 10 ** (38 - source.scale) - 1
        return pl.lit(Decimal(max(-farthest, min(farthest, bound))), dtype=pl.Decimal(38, source.scale))
    return pl.lit(max(-(2**127), min(2**127 - 1, bound)), dtype=pl.Int128)


def _inside(source: pl.DataType, bounds: tuple[int, int]) -> bool:
    """Whether every value of an integer type lies within the bounds."""
    code = _INTEGER_CODES.get(type(source))
    limits = integer_range(code) if code else None
    return limits is not None and bounds[0] <= limits[0] and limits[1] <= bounds[1]


def _fits(source: pl.DataType, dtype: pl.DataType) -> bool:
    """Whether every value of a number type is held exactly by another, non-decimal one."""
    if dtype.is_float():
        mantissa = 2**53 if dtype == pl.Float64 else 2**24
        return _inside(source, (-mantissa, mantissa)) or source == pl.Float16 or (source == pl.Float32 and dtype == pl.Float64)
    limits = integer_range(_INTEGER_CODES[type(dtype)])
    return limits is not None and _inside(source, limits)


def _changed(before: pl.Expr, after: pl.Expr) -> pl.Expr:
    return before.ne_missing(after)


def _to_list(expr: pl.Expr, source: pl.DataType, target: Target) -> Conversion:
    assert target.inner is not None
    if source == pl.Null and not _has_open(target):
        dtype = _built(target)
        return Conversion(expr.cast(dtype), dtype)
    if not isinstance(source, (pl.List, pl.Array)):
        raise Refused(f"{source} is not a list; the contract declares an array, map or vector.")
    items = convert(pl.element(), _dtype(source.inner), target.inner)
    as_list = expr.arr.to_list() if isinstance(source, pl.Array) else expr
    stored = as_list if items.is_identity else as_list.list.eval(items.expr)
    loss = None if items.loss is None else as_list.list.eval(items.loss).list.any()
    return Conversion(stored, pl.List(items.dtype), loss, is_identity=items.is_identity and isinstance(source, pl.List))


def _to_struct(expr: pl.Expr, source: pl.DataType, target: Target) -> Conversion:
    if source == pl.Null and not _has_open(target):
        dtype = _built(target)
        return Conversion(expr.cast(dtype), dtype)
    if not isinstance(source, pl.Struct):
        raise Refused(f"{source} is not a struct; the contract declares an object.")
    held = {part.name: _dtype(part.dtype) for part in source.fields}
    unexpected = [name for name in held if name not in dict(target.fields)]
    if unexpected:
        raise Refused(
            f"the field{'s' if len(unexpected) > 1 else ''} {', '.join(unexpected)} not in the contract; drop or declare."
        )
    parts = {name: _field(expr, name, held.get(name), part) for name, part in target.fields}
    dtype = pl.Struct({name: part.dtype for name, part in parts.items()})
    is_identity = list(held) == list(parts) and all(part.is_identity for part in parts.values())
    rebuilt = pl.when(expr.is_not_null()).then(pl.struct([part.expr.alias(name) for name, part in parts.items()]))
    losses = [part.loss for part in parts.values() if part.loss is not None]
    loss = reduce(or_, (loss.fill_null(False) for loss in losses)) if losses else None
    return Conversion(expr if is_identity else rebuilt, dtype, loss, is_identity=is_identity)


def _field(expr: pl.Expr, name: str, source: pl.DataType | None, target: Target) -> Conversion:
    if source is None and target.is_required:
        raise Refused(f"the required field {name} is missing.")
    if source is None:
        return convert(pl.lit(None), pl.Null(), target)
    try:
        return convert(expr.struct.field(name), source, target)
    except Refused as error:
        raise Refused(f"field {name}: {error}") from error


def _has_open(target: Target) -> bool:
    parts = [part for _, part in target.fields] + ([target.inner] if target.inner else [])
    return target.shape is Shape.OPEN or any(_has_open(part) for part in parts)


def _built(target: Target) -> pl.DataType:
    """The dataframe type of a target without open parts."""
    if target.shape is Shape.LIST and target.inner is not None:
        return pl.List(_built(target.inner))
    if target.shape is Shape.STRUCT:
        return pl.Struct({name: _built(part) for name, part in target.fields})
    assert target.dtype is not None
    return target.dtype
