"""Delta file statistics from a Parquet footer.

Source: Delta protocol, "Per-file Statistics". Only bounds that are certainly right are given: strings longer than 32 characters,
floats (a NaN is outside its footer's bounds), decimals (JSON has no exact ones), booleans, binaries and nested columns have none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["delta_statistics", "leaf_positions", "null_count"]

_MAX_TEXT = 32


def leaf_positions(schema: pa.Schema) -> dict[str, int | None]:
    """For each top-level column the position of its leaf column in the Parquet file; None if it is nested."""
    positions: dict[str, int | None] = {}
    following = 0
    for field in schema:
        leaves = _leaf_count(field.type)
        positions[field.name] = None if pa.types.is_nested(field.type) else following
        following += leaves
    return positions


def null_count(metadata: pq.FileMetaData, position: int) -> int | None:
    """The number of nulls in one leaf column by the footer; None if any row group does not say."""
    total = 0
    for statistics in _of_column(metadata, position):
        if statistics is None or not statistics.has_null_count:
            return None
        total += statistics.null_count
    return total


def delta_statistics(metadata: pq.FileMetaData, schema: pa.Schema) -> str:
    """The `stats` text of the file's add action: numRecords, minValues, maxValues, nullCount."""
    minimums: dict[str, object] = {}
    maximums: dict[str, object] = {}
    nulls: dict[str, int] = {}
    for name, position in leaf_positions(schema).items():
        if position is None:
            continue
        count = null_count(metadata, position)
        if count is not None:
            nulls[name] = count
        bounds = _bounds(metadata, position)
        if bounds is not None:
            low, high = _as_json(bounds[0]), _as_json(bounds[1])
            if low is not None and high is not None:
                minimums[name], maximums[name] = low, high
    found = {"numRecords": metadata.num_rows, "minValues": minimums, "maxValues": maximums, "nullCount": nulls}
    return json.dumps(found, separators=(",", ":"), allow_nan=False)


def _leaf_count(data_type: pa.DataType) -> int:
    if not pa.types.is_nested(data_type):
        return 1
    return sum(_leaf_count(data_type.field(i).type) for i in range(data_type.num_fields))


def _of_column(metadata: pq.FileMetaData, position: int) -> Iterator[pq.Statistics | None]:
    for group in range(metadata.num_row_groups):
        yield metadata.row_group(group).column(position).statistics


def _bounds(metadata: pq.FileMetaData, position: int) -> tuple[object, object] | None:
    lows, highs = [], []
    for group in range(metadata.num_row_groups):
        chunk = metadata.row_group(group).column(position)
        statistics = chunk.statistics
        if statistics is None:
            return None
        if statistics.has_null_count and statistics.null_count == chunk.num_values:
            continue
        if not statistics.has_min_max:
            return None
        lows.append(statistics.min)
        highs.append(statistics.max)
    return (min(lows), max(highs)) if lows else None


def _as_json(value: object) -> object:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        return value if len(value) <= _MAX_TEXT else None
    if isinstance(value, datetime):
        text = value.replace(tzinfo=None).isoformat(timespec="microseconds")
        return text + "Z" if value.tzinfo is not None else text
    if isinstance(value, date):
        return value.isoformat()
    return None
