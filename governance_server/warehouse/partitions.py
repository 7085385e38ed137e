"""Partition values as the Delta protocol writes them, and the one partition that a file's rows are in.

The partition columns are in the files, too, so that a file says by itself what it holds; readers take them from the log.
Source: Delta protocol, "Partition Value Serialization".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pyarrow.parquet as pq

from governance_server.warehouse.folder import Folder

__all__ = ["partition_of", "partition_text"]


def partition_of(folder: Folder, name: str, columns: Sequence[str]) -> tuple[tuple[str, str | None], ...] | None:
    """The file's values of the columns; None if its rows are not in one partition, or in one of the empty text.

    The log would read the empty text back as null. Raises: FileNotFoundError.
    """
    found: pl.DataFrame | None = None
    with folder.open(name) as source, pq.ParquetFile(source) as parquet:
        for group in range(parquet.num_row_groups):
            values = pl.DataFrame(parquet.read_row_group(group, columns=list(columns))).unique()
            found = values if found is None else pl.concat([found, values]).unique()
            if found.height > 1:
                return None
    if found is None or found.height != 1:
        return None
    place = tuple((column, partition_text(found[column][0])) for column in columns)
    return None if any(text == "" for _, text in place) else place


def partition_text(value: object) -> str | None:
    """A partition value as the log holds it, None for null."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case datetime():
            plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo is not None else value
            return plain.isoformat(sep=" ", timespec="microseconds")
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
    return str(value)
