"""Rows of a table that are older than a moment: counting them, and writing the table without them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from governance_server.warehouse.delta_log import APP_ID, PUBLICATION_KEY, VERSION_KEY
from governance_server.warehouse.errors import StorageUnavailable, VersionConflict
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.partition_rewriting import RowTest, remove_rows
from governance_server.warehouse.row_copies import ERASURE_KEY
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
    properties = CommitProperties(
        custom_metadata={ERASURE_KEY: removal, PUBLICATION_KEY: removal, VERSION_KEY: version},
        app_transactions=[Transaction(APP_ID, version)],
        max_commit_retries=0,
    )
    try:
        table = DeltaTable(table_root.uri, storage_options=table_root.storage_options)
        if table.metadata().partition_columns:
            remove_rows(rewriting_of(table, table_root, scratch), _stays(column, moment), (column,), properties)
        else:
            table.delete(f'cast("{column}" as bigint) < {_micros(moment)}', commit_properties=properties)
        found = int(DeltaTable(table_root.uri, storage_options=table_root.storage_options).version())
    except CommitFailedError as error:
        raise VersionConflict(f"Another writer changed {table_root.uri} meanwhile: try again.") from error
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise StorageUnavailable(table_root.uri, type(error).__name__) from None
    table_root.settle("_delta_log", f"{found:020}.json")
    return found


def _micros(moment: datetime) -> int:
    """As Delta counts a time with a zone: in microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _stays(column: str, moment: datetime) -> RowTest:
    def test(batch: pa.RecordBatch) -> pa.BooleanArray:
        stays = pl.DataFrame(batch).select((pl.col(column) >= moment).fill_null(value=True)).to_series()
        return pa.array(stays.to_arrow(), pa.bool_())

    return test
