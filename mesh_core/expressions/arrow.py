"""Column types of an Arrow schema, for `fitting.fit`: what LanceDB tables and Delta files declare. Imports pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

import pyarrow as pa

from mesh_core.expressions.types import ColumnType, Family

__all__ = ["column_types"]

_STEPS: Mapping[str, Decimal] = MappingProxyType(
    {"s": Decimal(1), "ms": Decimal("0.001"), "us": Decimal("0.000001"), "ns": Decimal("0.000001")}
)


def column_types(schema: pa.Schema) -> dict[str, ColumnType]:
    """The types of the schema's columns; times of day, durations, binaries and nested types only allow IS NULL."""
    return {field.name: _column_type(field.type) for field in schema}


def _column_type(type_: pa.DataType) -> ColumnType:
    kinds = pa.types
    if kinds.is_string(type_) or kinds.is_large_string(type_) or kinds.is_string_view(type_):
        return ColumnType(Family.STRING)
    if kinds.is_boolean(type_):
        return ColumnType(Family.BOOLEAN)
    if kinds.is_date(type_):
        return ColumnType(Family.TIME, step=Decimal(86_400), is_date=True)
    if kinds.is_timestamp(type_):
        return ColumnType(Family.TIME, step=_STEPS[type_.unit], is_zoned=type_.tz is not None)
    if kinds.is_decimal(type_):
        high = (Decimal(10) ** type_.precision - 1).scaleb(-type_.scale)
        return ColumnType(Family.NUMBER, Decimal(1).scaleb(-type_.scale), -high, high, precision=type_.precision)
    if kinds.is_floating(type_):
        return ColumnType(Family.NUMBER, is_double=True)
    if kinds.is_integer(type_):
        bits = type_.bit_width
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if kinds.is_signed_integer(type_) else (0, 2**bits - 1)
        return ColumnType(Family.NUMBER, Decimal(1), Decimal(low), Decimal(high))
    return ColumnType(Family.OTHER)
