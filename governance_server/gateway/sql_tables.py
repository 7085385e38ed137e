"""Ports as tables of the SQL engine: each scan is a governed read of the pinned version, cut to the columns a query needs.

Policy is applied before a row leaves this module (design §6): whatever the user's SQL does, it does it to what the user may see.
Where policy withholds no row and masks none of those columns, the engine reads the table's own files, cut to the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from governance_server.gateway.governed_files import own_files
from governance_server.gateway.governed_frame import govern
from governance_server.gateway.key_rows import key_columns, key_rows
from governance_server.gateway.polars_streaming import frame_from_batches, stream_batches
from governance_server.gateway.scan_errors import ScanFailed
from governance_server.gateway.sql_engine import ClearFiles, GovernedStream
from governance_server.gateway.sql_jobs import FilesRead, KeysRead, WholeRead
from governance_server.gateway.table_source import TableSource, open_table
from governance_server.rules.read_plans import ReadPlan
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.schemas import schema_differences
from mesh_core.expressions.tree import TRUE

__all__ = ["files_table", "governed_table", "keys_table"]

_BATCH_ROWS = 131_072
_MOST_FILES = 256  # the footer of each is read before the engine is
_PATTERN = frozenset("*?[]{}")  # the engine would take such a path for many
_NATIVE = pl.CompatLevel.newest()  # the engine knows string views, so nothing is copied on the way to it


def governed_table(
    plan: ReadPlan,
    columns: Sequence[str],
    *,
    table: tuple[Folder, int],
    salt: bytes,
    is_current: Callable[[], None] = lambda: None,
) -> GovernedStream | ClearFiles:
    """The plan's rows with these visible columns.

    Args:
        plan: What the reader may see.
        columns: Of the plan's columns.
        table: Where the table lies, and its Delta version.
        salt: For masks that are local to the query.
        is_current: Called before each batch leaves; raises if the plan is not the reader's any more.

    Raises: ScanFailed, PlanOutdated.
    """
    source = open_table(plan.port, *table)
    clear = _clear_files(plan, source, table[0], columns)
    if clear is not None:
        return clear
    governed = govern(source, plan, columns, joined=None, salt=salt)
    schema = pl.DataFrame(schema=governed.schema).to_arrow(compat_level=_NATIVE).schema
    return GovernedStream(schema, lambda: _streamed(plan.port, governed.frame, schema, is_current))


def files_table(files: Sequence[tuple[Folder, str]], schema: pa.Schema) -> GovernedStream | ClearFiles:
    """All rows of these Parquet files, in order, wherever they lie."""
    paths = tuple(str(folder.path / name) for folder, name in files if isinstance(folder, LocalFolder))
    if paths and len(paths) == len(files):
        return ClearFiles(paths, tuple(schema.names))
    return GovernedStream(schema, lambda: _rows(files, schema))


def keys_table(read: KeysRead) -> GovernedStream:
    """The keys of all the rows, in order. Raises: ScanFailed, NoKey."""
    port = read.rows.port if isinstance(read.rows, WholeRead) else "the files to be published"
    names = key_columns(read.paths)
    casts = [pl.col(name).cast(dtype) for name, dtype in zip(names, read.types, strict=True)]
    frame = key_rows(_frame(read.rows), read.paths, read.beside).with_columns(casts)
    schema = pl.DataFrame(schema=frame.collect_schema()).to_arrow(compat_level=_NATIVE).schema
    return GovernedStream(schema, lambda: _streamed(port, frame, schema, lambda: None))


def _frame(read: FilesRead | WholeRead) -> pl.LazyFrame:
    if isinstance(read, WholeRead):
        return open_table(read.port, read.folder, read.delta_version).frame
    empty = pl.DataFrame(read.schema.empty_table())
    if not read.files:
        return empty.lazy()
    paths = [folder.path / name for folder, name in read.files if isinstance(folder, LocalFolder)]
    if len(paths) == len(read.files):
        return pl.scan_parquet(paths, glob=False)
    return frame_from_batches(lambda columns: map(pl.DataFrame, _rows(read.files, read.schema, columns)), empty.schema)


def _rows(
    files: Sequence[tuple[Folder, str]], schema: pa.Schema, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches with all columns, or these."""
    wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    for folder, name in files:
        with folder.open(name) as source:
            for batch in pq.ParquetFile(source).iter_batches(batch_size=_BATCH_ROWS, columns=wanted.names):
                yield batch.select(wanted.names).cast(wanted)


def _clear_files(plan: ReadPlan, source: TableSource, table_root: Folder, columns: Sequence[str]) -> ClearFiles | None:
    """The table's own files, if they hold what the plan shows of these columns, each in the table's schema; else None."""
    clear = {column.name for column in plan.columns if column.is_clear}
    if plan.row_filter != TRUE or not clear.issuperset(columns):
        return None
    files = own_files(source, table_root)
    if not files or len(files) > _MOST_FILES or set(table_root.uri) & _PATTERN:
        return None
    schema = pa.schema(source.table.schema().to_arrow())
    if any(schema_differences(_schema_of(file.path, file.size), schema) for file in files):
        return None
    return ClearFiles(tuple(str(file.path) for file in files), tuple(columns))


@lru_cache(maxsize=4 * _MOST_FILES)
def _schema_of(path: Path, size: int) -> pa.Schema:
    """The schema of a data file, which never changes: a table's files are written once."""
    return pq.read_schema(path)


def _streamed(port: str, rows: pl.LazyFrame, schema: pa.Schema, is_current: Callable[[], None]) -> Iterator[pa.RecordBatch]:
    is_current()
    try:
        with closing(stream_batches(rows, batch_rows=_BATCH_ROWS)) as frames:
            for frame in frames:
                is_current()
                for batch in frame.to_arrow(compat_level=_NATIVE).to_batches():
                    yield batch.cast(schema) if batch.schema != schema else batch
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ScanFailed(port, type(error).__name__) from None
