"""Rows of a table that are older than a moment: counting them, and writing the table without them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable

from governance_server.warehouse.folder import Folder
from governance_server.warehouse.partition_rewriting import RowTest, remove_rows
from governance_server.warehouse.row_removal import newest_without
from governance_server.warehouse.table_care import rewriting_of

__all__ = ["count_before", "write_from"]


def count_before(frame: pl.LazyFrame, column: str, moment: datetime) -> int:
    """How many rows have a time before the moment; the column has a time zone, or none is told apart."""
    if frame.collect_schema()[column] != pl.Datetime("us", "UTC"):
        return 0
    return int(frame.select((pl.col(column) < moment).sum()).collect(engine="streaming").item())


def write_from(
    table_root: Folder, column: str, moment: datetime, *, removal: str, version: int, scratch: Path | None = None
) -> int:
    """The newest Delta version holds no row before the moment; returned is its number.

    It counts as an erasure: what a removal that was begun has written stands in the way of none that follows.

    Raises: StorageUnavailable, VersionConflict.
    """

    def remove(table: DeltaTable, properties: CommitProperties) -> None:
        if table.metadata().partition_columns:
            remove_rows(rewriting_of(table, table_root, scratch), _stays(column, moment), (column,), properties)
        else:
            table.delete(f'cast("{column}" as bigint) < {_micros(moment)}', commit_properties=properties)

    return newest_without(table_root, remove, removal=removal, version=version)


def _micros(moment: datetime) -> int:
    """As Delta counts a time with a zone: in microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _stays(column: str, moment: datetime) -> RowTest:
    def test(batch: pa.RecordBatch) -> pa.BooleanArray:
        stays = pl.DataFrame(batch).select((pl.col(column) >= moment).fill_null(value=True)).to_series()
        return pa.array(stays.to_arrow(), pa.bool_())

    return test
