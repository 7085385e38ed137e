"""The raw rows of a pinned Delta version, for the gateway only.

They come from polars' own scan, or from delta-rs' query engine where polars cannot read. Knows nothing of policy;
nothing here may reach a consumer before it went through `governed_frame`.
Source: Delta protocol, "Reader Requirements"; polars reads neither deletion vectors nor column mapping.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError, DeltaProtocolError, TableNotFoundError

from governance_server.gateway.polars_streaming import frame_from_batches
from governance_server.gateway.scan_errors import ScanFailed
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.log_entries import LOG_FOLDER, entry_name
from governance_server.warehouse.windowed_table import open_version

__all__ = ["RawRows", "TableSource", "open_files", "open_table"]

_KEPT_OPEN = 32
_QUERY_ENGINE_FEATURES = frozenset({"deletionVectors", "columnMapping"})


class RawRows(Protocol):
    """Raw rows as a lazy frame, and their schema."""

    @property
    def frame(self) -> pl.LazyFrame:
        """The rows."""
        ...

    @property
    def schema(self) -> pl.Schema:
        """Their columns."""
        ...


@dataclass(frozen=True, slots=True)
class FileRows:
    """The rows of some files of a table, in the files' order."""

    frame: pl.LazyFrame
    schema: pl.Schema


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
    """The pinned version, opened; its rows are read when the frame is. Raises: ScanFailed.

    Versions on a local disk that were opened lately stay open, as long as their log entry is the same file.
    """
    try:
        if isinstance(table_root, LocalFolder) and (entry := _log_entry(table_root, delta_version)) is not None:
            return _opened_before(table_root, delta_version, entry)
        return _opened(table_root, delta_version)
    except (DeltaError, DeltaProtocolError, TableNotFoundError, pl.exceptions.PolarsError, OSError) as error:
        raise ScanFailed(port, type(error).__name__) from error


def _log_entry(table_root: LocalFolder, delta_version: int) -> tuple[int, ...] | None:
    """What tells the version's log entry from any other file; None if it is part of a checkpoint by now."""
    try:
        found = (table_root.path / LOG_FOLDER / entry_name(delta_version)).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@lru_cache(maxsize=_KEPT_OPEN)
def _opened_before(folder: LocalFolder, delta_version: int, entry: tuple[int, ...]) -> TableSource:
    return _opened(folder, delta_version)


def _opened(folder: Folder, delta_version: int) -> TableSource:
    table = open_version(folder, delta_version)
    if _special_features(table) or _is_mixed(table):
        table = DeltaTable(folder.uri, version=delta_version, storage_options=folder.storage_options)
        frame = _query_engine_frame(table)
    else:
        frame = pl.scan_delta(table)
    return TableSource(table, frame, frame.collect_schema())


def _is_mixed(table: DeltaTable) -> bool:
    """Whether some files of a partitioned table lie in a folder of their partition and others do not.

    Publications deliver plain names, with the partition's columns in the file; delta-rs writes `region=EU/…` without them when it
    compacts or erases. Polars takes a partition from the path alone, for all files or none.
    """
    if not table.metadata().partition_columns:
        return False
    paths = pa.table(table.get_add_actions(flatten=True)).column("path").to_pylist()
    return len({"/" in path for path in paths}) > 1


def open_files(port: str, folder: Folder, names: Sequence[str], *, numbered: str | None = None) -> FileRows:
    """The rows of these Parquet files, with a column of their numbers from 0 if a name for it is given. Raises: ScanFailed."""
    paths = [f"{folder.uri.rstrip('/')}/{name}" for name in names]
    try:
        options = dict(folder.storage_options) or None
        frame = pl.scan_parquet(paths, glob=False, storage_options=options, row_index_name=numbered)
        shaped = frame if numbered is None else frame.with_columns(pl.col(numbered).cast(pl.Int64))
        return FileRows(shaped, shaped.collect_schema())
    except (pl.exceptions.PolarsError, OSError) as error:
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
