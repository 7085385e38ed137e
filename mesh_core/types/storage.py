"""The Arrow schema a port is stored under."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from mesh_core.contract.model import Port
from mesh_core.types.convert import Refused, own_target
from mesh_core.types.target import Shape, Target, UnknownType, target_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["UnknownType", "storage_schema"]


def storage_schema(port: Port, frame_schema: pl.Schema | None = None) -> pa.Schema:
    """The port's columns in contract order as Arrow fields; null is allowed where the column is neither required nor in the key.

    Args:
        port: The port; its columns' types are read by the rules of `mesh_core.types.target`.
        frame_schema: The type of whatever the contract leaves open: a port without properties, an object without them, an array
            without items, a column without any type.

    Raises:
        UnknownType: a type nothing tells: unknown in the contract, or left open and not in `frame_schema`.
    """
    import pyarrow as pa

    own = frame_schema or pl.Schema()
    if not port.columns:
        if not own:
            raise UnknownType(f"port {port.name!r} declares no properties; its storage types are known only with a frame.")
        return pa.schema([_field(name, Target(Shape.OPEN), dtype) for name, dtype in own.items()])
    return pa.schema([_field(column.name, target_of(column), own.get(column.name)) for column in port.columns])


def _field(name: str, target: Target, own: pl.DataType | None) -> pa.Field:
    import pyarrow as pa

    try:
        return pa.field(name, _arrow(target, own), nullable=not target.is_required)
    except (UnknownType, Refused) as error:
        raise UnknownType(f"column {name!r}: {error}") from error


def _arrow(target: Target, own: pl.DataType | None) -> pa.DataType:
    import pyarrow as pa

    if target.shape is Shape.OPEN:
        if own is None:
            raise UnknownType("the contract leaves its type open; add logicalType, properties or items.")
        return _arrow(own_target(own), own)
    if target.shape is Shape.LIST and target.inner is not None:
        inner = own.inner if isinstance(own, (pl.List, pl.Array)) else None
        return pa.list_(_field("element", target.inner, inner() if isinstance(inner, type) else inner))
    if target.shape is Shape.STRUCT:
        parts = {part.name: part.dtype for part in own.fields} if isinstance(own, pl.Struct) else {}
        return pa.struct([_field(name, part, _instance(parts.get(name))) for name, part in target.fields])
    return _scalar(target.dtype)


def _instance(dtype: object) -> pl.DataType | None:
    return dtype() if isinstance(dtype, type) else dtype  # type: ignore[return-value]


def _scalar(dtype: pl.DataType | None) -> pa.DataType:
    import pyarrow as pa

    match dtype:
        case pl.Datetime():
            return pa.timestamp("us", tz=dtype.time_zone)
        case pl.Decimal():
            return pa.decimal128(dtype.precision or 38, dtype.scale)
        case pl.String():
            return pa.string()
        case pl.Binary():
            return pa.binary()
        case pl.Boolean():
            return pa.bool_()
        case pl.Date():
            return pa.date32()
        case pl.Float32() | pl.Float64() | pl.Int8() | pl.Int16() | pl.Int32() | pl.Int64():
            return getattr(pa, str(dtype).lower())()
    raise UnknownType(f"{dtype} has no storage type.")
