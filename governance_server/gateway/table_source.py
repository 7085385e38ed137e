"""The raw rows of a pinned Delta version, for the gateway only.

They come from polars' own scan, or from delta-rs' query engine where polars cannot read. Knows nothing of policy;
nothing here may reach a consumer before it went through `governed_frame`.
Source: Delta protocol, "Reader Requirements"; polars reads neither deletion vectors nor column mapping.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError, DeltaProtocolError, TableNotFoundError

from governance_server.gateway.polars_streaming import frame_from_batches
from governance_server.gateway.scan_errors import ScanFailed
from governance_server.warehouse.folder import Folder

__all__ = ["TableSource", "open_table"]

_QUERY_ENGINE_FEATURES = frozenset({"deletionVectors", "columnMapping"})


@dataclass(frozen=True, slots=True)
class TableSource:
    """One Delta version: its rows as a lazy frame, its schema, and the table handle."""

    table: DeltaTable
    frame: pl.LazyFrame
    schema: pl.Schema

    @property
    def is_plain(self) -> bool:
        """True if the version's Parquet files, taken together, are exactly its rows."""
        return not _special_features(self.table) and not self.table.metadata().partition_columns


def open_table(port: str, table_root: Folder, delta_version: int) -> TableSource:
    """The pinned version, opened; its rows are read when the frame is. Raises: ScanFailed."""
    try:
        table = DeltaTable(table_root.uri, version=delta_version, storage_options=table_root.storage_options)
        frame = _query_engine_frame(table) if _special_features(table) else pl.scan_delta(table)
        return TableSource(table, frame, frame.collect_schema())
    except (DeltaError, DeltaProtocolError, TableNotFoundError, pl.exceptions.PolarsError, OSError) as error:
        raise ScanFailed(port, type(error).__name__) from error


def _special_features(table: DeltaTable) -> frozenset[str]:
    declared = frozenset(table.protocol().reader_features or ()) & _QUERY_ENGINE_FEATURES
    mapping = table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none"
    return declared | {"columnMapping"} if mapping else declared


def _query_engine_frame(table: DeltaTable) -> pl.LazyFrame:
    schema = pl.DataFrame(pa.schema(table.schema().to_arrow()).empty_table()).schema

    def read(columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        names = list(schema) if columns is None else list(columns)
        selected = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
        reader = pa.RecordBatchReader.from_stream(QueryBuilder().register("port", table).execute(f"select {selected} from port"))
        for batch in reader:
            yield pl.DataFrame(batch).select(pl.col(name).cast(schema[name]) for name in names)

    return frame_from_batches(read, schema)
