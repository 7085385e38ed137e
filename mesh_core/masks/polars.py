"""The masks as polars expressions: total, of the column's own type, null where the value is null.

The caller filters on raw values first and masks then. Imports polars; import this module on first use.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from mesh_core.masks import Mask, MaskNotApplicable, check_mask
from mesh_core.masks.values import MASKED_TEXT, check_salt, hash_integer, hash_text

__all__ = ["logical_type_of", "mask_expression"]

_UNITS_A_SECOND: Mapping[str, int] = MappingProxyType({"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000})
_FIRST_SECOND = -62_135_596_800  # 0001-01-01
_END_SECOND = 253_402_300_800  # 10000-01-01, excluded
_FIRST_NS_SECOND = -9_214_560_000  # 1678-01-01, the first year that nanoseconds hold whole
_FIRST_DAY = _FIRST_SECOND // 86_400
_END_DAY = _END_SECOND // 86_400
_MASKED_BYTES = bytes(
    ord("n") if chr(byte) in "0123456789" else byte if chr(byte) in "(),.-@" else ord("x") for byte in range(256)
)
_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))


def mask_expression(column: pl.Expr, mask: Mask, dtype: pl.DataType, *, query_salt: bytes) -> pl.Expr:
    """The masked column, of the same dtype, equal to `values.mask_value` row by row; it can never raise on data.

    A date or time outside the years 1 to 9999 (1678 to 2262 for nanoseconds) is truncated to null.

    Args:
        column: The raw column.
        mask: The mask.
        dtype: The column's dtype.
        query_salt: At least 16 random bytes, the same for one whole query; only sha-256-query-local reads it.

    Raises:
        MaskNotApplicable: If the mask is not defined for the dtype, so that the read fails closed.
        ValueError: If sha-256-query-local is given too little salt.
    """
    check_mask(mask, logical_type_of(dtype))
    match mask:
        case Mask.REPLACE_WITH_NULL:
            return pl.when(False).then(column)
        case Mask.MASK_TO_FIXED_VALUE:
            return pl.when(column.is_not_null()).then(_fixed(dtype))
        case Mask.MASK_ALPHANUM:
            return _masked_text(column)
        case Mask.SHOW_FIRST_4:
            return _masked_text(column, first=4)
        case Mask.SHOW_LAST_4:
            return _masked_text(column, last=4)
        case Mask.TRUNCATE_TO_YEAR:
            return _truncated(column, "1y", dtype)
        case Mask.TRUNCATE_TO_MONTH:
            return _truncated(column, "1mo", dtype)
        case Mask.SHA_256_GLOBAL:
            return _hashed(column, dtype, b"")
        case Mask.SHA_256_QUERY_LOCAL:
            return _hashed(column, dtype, check_salt(query_salt))


def logical_type_of(dtype: pl.DataType) -> str:
    """The ODCS logical type whose masks a dtype takes; "object" for what can only be replaced with null."""
    if isinstance(dtype, pl.String):
        return "string"
    if isinstance(dtype, pl.Boolean):
        return "boolean"
    if isinstance(dtype, pl.Date):
        return "date"
    if isinstance(dtype, pl.Datetime):
        return "timestamp"
    if isinstance(dtype, pl.Time):
        return "time"
    if isinstance(dtype, pl.List):
        return "array"
    if dtype.is_integer():
        return "integer"
    return "number" if dtype.is_float() or isinstance(dtype, pl.Decimal) else "object"


def _masked_text(column: pl.Expr, *, first: int = 0, last: int = 0) -> pl.Expr:
    """The text masked but for so many first or last characters."""

    def masked(series: pl.Series) -> pl.Series:
        return _mask_text(series, first, last)

    return column.map_batches(masked, return_dtype=pl.String, is_elementwise=True)


def _mask_text(series: pl.Series, first: int = 0, last: int = 0) -> pl.Series:
    """One table over all UTF-8 bytes: a character's first byte decides, its others go. Patterns take ten times as long."""
    plain = series.to_arrow(compat_level=pl.CompatLevel.oldest())
    validity, offsets, data = plain.buffers()
    raw = b"" if data is None else data.to_pybytes()
    positions = np.frombuffer(offsets, dtype=np.int64)
    if raw.isascii():
        masked = _with_ends(raw, positions[plain.offset :][: len(plain) + 1], first, last)
    elif first:
        return series.str.head(first) + _mask_text(series.str.slice(first))
    elif last:
        return _mask_text(series.str.head(-last)) + series.str.tail(last)
    else:
        kept = np.frombuffer(raw, dtype=np.uint8) & 0xC0 != 0x80
        offsets = pa.py_buffer(np.concatenate(([0], np.cumsum(kept, dtype=np.int64)))[positions])
        masked = raw.translate(_MASKED_BYTES, _CONTINUATION_BYTES)
    array = pa.Array.from_buffers(plain.type, len(plain), [validity, offsets, pa.py_buffer(masked)], offset=plain.offset)
    return pl.Series(series.name, array, dtype=pl.String)


def _with_ends(raw: bytes, positions: NDArray[np.int64], first: int, last: int) -> bytes | NDArray[np.uint8]:
    """ASCII texts, which begin and end at these positions, masked but for their ends."""
    masked = raw.translate(_MASKED_BYTES)
    if not (first or last):
        return masked
    shown, clear = np.frombuffer(bytearray(masked), dtype=np.uint8), np.frombuffer(raw, dtype=np.uint8)
    starts, ends = positions[:-1], positions[1:]
    for step in range(first or last):
        at = starts + step if first else ends - 1 - step
        at = at[(at < ends) & (at >= starts)]
        shown[at] = clear[at]
    return shown


def _fixed(dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.String):
        return pl.lit(MASKED_TEXT)
    if isinstance(dtype, pl.Boolean):
        return pl.lit(False)
    if isinstance(dtype, pl.List):
        return pl.lit([], dtype=dtype)
    if isinstance(dtype, pl.Date):
        return pl.lit(0, dtype=pl.Int32).cast(dtype)
    if isinstance(dtype, pl.Datetime | pl.Time):
        return pl.lit(0, dtype=pl.Int64).cast(dtype)
    return pl.lit(0).cast(dtype)


def _truncated(column: pl.Expr, every: str, dtype: pl.DataType) -> pl.Expr:
    """Truncation in UTC. polars panics outside its calendar, on every row of the batch, so values are clipped before."""
    if isinstance(dtype, pl.Datetime):
        units = _UNITS_A_SECOND[dtype.time_unit]
        first = _FIRST_NS_SECOND * units if dtype.time_unit == "ns" else _FIRST_SECOND * units
        last = 2**63 - 1 if dtype.time_unit == "ns" else _END_SECOND * units - 1
        ticks = column.cast(pl.Int64)
        naive: pl.DataType = pl.Datetime(dtype.time_unit)
    else:
        first, last = _FIRST_DAY, _END_DAY - 1
        ticks = column.cast(pl.Int32)
        naive = pl.Date()
    low, high = pl.lit(first, dtype=pl.Int64), pl.lit(last, dtype=pl.Int64)
    inside = pl.when(ticks.is_between(low, high)).then(ticks)
    start = inside.clip(low, high).cast(naive).dt.truncate(every)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return start.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype.time_zone)
    return start


def _hashed(column: pl.Expr, dtype: pl.DataType, salt: bytes) -> pl.Expr:
    if isinstance(dtype, pl.String):
        return _hashed_text(column, salt)
    if not isinstance(dtype, pl.Int32 | pl.Int64):
        raise MaskNotApplicable(f"A hash is defined for integers of 32 and 64 bits, not for {dtype}: use replace-with-null.")
    width = 4 if isinstance(dtype, pl.Int32) else 8

    def hashed(series: pl.Series) -> pl.Series:
        raw = series.drop_nulls().unique()
        masked = [hash_integer(value, salt, width) for value in raw.to_list()]
        return series.replace_strict(raw, pl.Series(masked, dtype=dtype), default=None, return_dtype=dtype)

    return column.map_batches(hashed, return_dtype=dtype, is_elementwise=True)


def _hashed_text(column: pl.Expr, salt: bytes) -> pl.Expr:
    """SHA-256 by the polars_hash plugin where it is installed, else by hashlib, once for each distinct value of a batch."""
    if importlib.util.find_spec("polars_hash") is not None:
        from polars_hash import CryptographicHashingNameSpace

        salted: pl.Expr = pl.concat_str(pl.lit(salt.hex()), column) if salt else column
        hashed_by_plugin: pl.Expr = CryptographicHashingNameSpace(salted).sha2_256()
        return hashed_by_plugin

    def hashed(series: pl.Series) -> pl.Series:
        raw = series.drop_nulls().unique()
        masked = [hash_text(value, salt) for value in raw.to_list()]
        return series.replace_strict(raw, pl.Series(masked, dtype=pl.String), default=None, return_dtype=pl.String)

    return column.map_batches(hashed, return_dtype=pl.String, is_elementwise=True)
