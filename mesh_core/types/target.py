"""Which storage type a contract column asks for.

The rules, where ODCS leaves a choice:

- `integer` is 64 bits wide. ODCS's default `format` is `i32`, but most contracts that say `integer` mean "a whole number", and a
  narrower column could not be widened later. `format`, then `physicalType` (`int`, `integer`, `int4`, `serial` → 32 bits,
  `smallint` 16, `tinyint` 8, `bigint` 64, `decimal(p,s)`) make it narrower. Delta has no unsigned types: `u8`, `u16`, `u32` are
  held in the next wider signed type, `u64` in decimal(20,0), `i128` and `u128` in decimal(38,0), each within its own range.
- `number` is a 64-bit float; `format: f32`, `real`, `float4` make it 32 bits; `decimal(p,s)`, `numeric(p,s)` a decimal, without
  arguments decimal(38,9); an integer physical type an integer. Plain `float` stays 64 bits: dialects disagree, 64 loses nothing.
- `timestamp` has microseconds and no zone, unless `timezone: true` or a physical type with zone (`timestamptz`) asks for UTC.
  `date` with a physical type of timestamp or time means that type: ODCS 3.0 had no other way to say it.
- `time` is held as int64 microseconds after midnight: Delta has no time of day.
  `int8` is taken for PostgreSQL's eight bytes: where a dialect means eight bits, 64 lose nothing.
- `string` is a string; `format: binary` or a binary physical type bytes.
- `map` is a list of (key, value) structs, the shape dataframes read a map as. `vector` is a list of its element type, float16 and
  bfloat16 as 32-bit floats, `binary` as booleans; floats are rounded to the element type: that is what a vector's
  precision means.
- Without `logicalType` the physical type decides. Without either, for an object without properties and an array without items,
  whatever the frame holds is accepted.
- A physical type that is unknown or contradicts the logical type is only a hint, and ignored.

Source: ODCS 3.2 `logicalType`, `logicalTypeOptions`; Delta protocol, primitive types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import Enum

import polars as pl

from mesh_core.contract.model import Column

__all__ = ["Shape", "Target", "UnknownType", "integer_range", "target_of"]

_ARGUMENTS = re.compile(r"[(\[]\s*(\d*)\s*(?:,\s*(\d+)\s*)?[)\]]")
_DECIMAL_DEFAULT = (38, 9)

_UTC = pl.Datetime("us", "UTC")
_NAIVE = pl.Datetime("us")

_FORMATS: dict[str, pl.DataType] = {
    "i8": pl.Int8(),
    "i16": pl.Int16(),
    "i32": pl.Int32(),
    "i64": pl.Int64(),
    "i128": pl.Decimal(38, 0),
    "u8": pl.Int16(),
    "u16": pl.Int32(),
    "u32": pl.Int64(),
    "u64": pl.Decimal(20, 0),
    "u128": pl.Decimal(38, 0),
    "f32": pl.Float32(),
    "f64": pl.Float64(),
}
_PHYSICAL: dict[str, pl.DataType] = {
    name: dtype
    for names, dtype in (
        ("tinyint byte", pl.Int8()),
        ("smallint short int2 int16 smallserial", pl.Int16()),
        ("int integer int4 int32 mediumint serial", pl.Int32()),
        ("bigint long int64 bigserial int8", pl.Int64()),
        ("real float4 float32", pl.Float32()),
        ("float double float8 float64 double_precision", pl.Float64()),
        ("money", pl.Decimal(19, 4)),
        ("bool boolean bit", pl.Boolean()),
        ("char varchar nvarchar nchar bpchar text string character character_varying clob uuid json xml", pl.String()),
        ("binary varbinary bytea blob bytes", pl.Binary()),
        ("date", pl.Date()),
        ("time time_without_time_zone", pl.Time()),
        ("timestamp datetime datetime2 timestamp_ntz timestamp_without_time_zone", _NAIVE),
        ("timestamptz timestamp_tz timestamp_ltz timestamp_with_time_zone timestamp_with_local_time_zone datetimeoffset", _UTC),
    )
    for name in names.split()
}
_LOGICAL: dict[str, pl.DataType] = {
    "string": pl.String(),
    "date": pl.Date(),
    "timestamp": _NAIVE,
    "time": pl.Time(),
    "number": pl.Float64(),
    "integer": pl.Int64(),
    "boolean": pl.Boolean(),
}
_ELEMENTS: dict[str, pl.DataType] = {
    "bfloat16": pl.Float32(),
    "binary": pl.Boolean(),
    "float16": pl.Float32(),
    "float32": pl.Float32(),
    "float64": pl.Float64(),
    "int8": pl.Int8(),
    "uint8": pl.Int16(),
}


class UnknownType(ValueError):
    """A column whose storage type cannot be told; the message names the column and what to write."""


class Shape(Enum):
    """How a target is built."""

    OPEN = "whatever the frame holds"
    SCALAR = "scalar"
    LIST = "list"
    STRUCT = "struct"


@dataclass(frozen=True)
class Target:
    """The type a column is to be stored as.

    Attributes:
        dtype: A scalar's type; None for the other shapes.
        bounds: The smallest and largest integer allowed, when narrower than the type.
        is_time: A time of day held as int64 microseconds after midnight.
        is_rounded: Floats are rounded to a narrower float without a word.
        is_required: Null is not allowed.
        inner: A list's items.
        fields: A struct's fields in order.
    """

    shape: Shape
    dtype: pl.DataType | None = None
    bounds: tuple[int, int] | None = None
    is_time: bool = False
    is_rounded: bool = False
    is_required: bool = False
    inner: Target | None = None
    fields: tuple[tuple[str, Target], ...] = field(default=())


def target_of(column: Column) -> Target:
    """The storage type the contract's column asks for. Raises: UnknownType."""
    is_required = column.required or column.primary_key_position is not None
    return replace(_shape(column), is_required=is_required)


def _shape(column: Column) -> Target:
    match column.logical_type:
        case "object":
            fields = tuple((part.name, target_of(part)) for part in column.columns)
            return Target(Shape.STRUCT, fields=fields) if fields else Target(Shape.OPEN)
        case "array":
            return Target(Shape.LIST, inner=target_of(column.items) if column.items else Target(Shape.OPEN))
        case "map":
            key = target_of(column.map_key) if column.map_key else Target(Shape.OPEN)
            value = target_of(column.map_value) if column.map_value else Target(Shape.OPEN)
            entry = Target(Shape.STRUCT, fields=(("key", replace(key, is_required=True)), ("value", value)))
            return Target(Shape.LIST, inner=replace(entry, is_required=True))
        case "vector":
            element = str(column.options.get("elementType", "float32"))
            inner = _scalar(_ELEMENTS[element], "u8" if element == "uint8" else None)
            return Target(Shape.LIST, inner=replace(inner, is_rounded=True))
        case None:
            return _from_physical(column)
        case logical if logical in _LOGICAL:
            return _from_logical(column, logical)
    raise UnknownType(f"column {column.name!r}: logicalType {column.logical_type!r} is unknown; use a type of ODCS 3.2.")


def _from_physical(column: Column) -> Target:
    if column.physical_type is None:
        return Target(Shape.OPEN)
    dtype = _physical(column.physical_type)
    if dtype is None:
        raise UnknownType(
            f"column {column.name!r}: physicalType {column.physical_type!r} is unknown and there is no logicalType; add one."
        )
    return _scalar(dtype)


def _from_logical(column: Column, logical: str) -> Target:
    written = column.options.get("format")
    if logical in ("integer", "number") and written in _FORMATS:
        return _scalar(_FORMATS[written], written)
    if logical == "string" and written == "binary":
        return _scalar(pl.Binary())
    if logical == "timestamp" and "timezone" in column.options:
        return _scalar(_UTC if column.options["timezone"] else _NAIVE)
    hint = _physical(column.physical_type) if column.physical_type else None
    return _scalar(hint if hint is not None and _agrees(hint, logical) else _LOGICAL[logical])


def _agrees(hint: pl.DataType, logical: str) -> bool:
    match logical:
        case "integer":
            return hint.is_integer() or hint.is_decimal()
        case "number":
            return hint.is_numeric()
        case "string":
            return hint in (pl.String, pl.Binary)
        case "date":
            return hint.is_temporal()
        case "timestamp":
            return isinstance(hint, pl.Datetime)
    return hint == _LOGICAL[logical]


def _physical(written: str) -> pl.DataType | None:
    """The type a physical type names, in any usual dialect; None when it names none we know."""
    arguments = _ARGUMENTS.search(written)
    name = "_".join(_ARGUMENTS.sub(" ", written).casefold().split())
    if name in ("decimal", "numeric", "number", "dec"):
        return _decimal(arguments)
    return _PHYSICAL.get(name)


def _decimal(arguments: re.Match[str] | None) -> pl.DataType | None:
    if arguments is None or not arguments[1]:
        return pl.Decimal(*_DECIMAL_DEFAULT)
    precision, scale = int(arguments[1]), int(arguments[2] or 0)
    return pl.Decimal(precision, scale) if 0 < precision <= 38 and scale <= precision else None


def _scalar(dtype: pl.DataType, written: str | None = None) -> Target:
    if dtype == pl.Time:
        return Target(Shape.SCALAR, pl.Int64(), bounds=(0, 86_400_000_000 - 1), is_time=True)
    return Target(Shape.SCALAR, dtype, bounds=integer_range(written) if written else None)


def integer_range(written: str) -> tuple[int, int] | None:
    """Smallest and largest value of an ODCS integer format such as `u8`; None for other formats."""
    if not re.fullmatch(r"[iu](8|16|32|64|128)", written):
        return None
    bits = int(written[1:])
    return (0, 2**bits - 1) if written[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
