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
from governance_server.gateway.governed_frame import Governed, govern
from governance_server.gateway.polars_streaming import stream_batches
from governance_server.gateway.scan_errors import ScanFailed
from governance_server.gateway.sql_engine import ClearFiles, GovernedStream
from governance_server.gateway.table_source import TableSource, open_table
from governance_server.rules.read_plans import ReadPlan
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.schemas import schema_differences
from mesh_core.expressions.tree import TRUE

__all__ = ["files_table", "governed_table"]

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
    return GovernedStream(schema, lambda: _batches(plan.port, governed, schema, is_current))


def files_table(files: Sequence[tuple[Folder, str]], schema: pa.Schema) -> GovernedStream | ClearFiles:
    """All rows of these Parquet files, in order, wherever they lie."""
    paths = tuple(str(folder.path / name) for folder, name in files if isinstance(folder, LocalFolder))
    if paths and len(paths) == len(files):
        return ClearFiles(paths, tuple(schema.names))
    return GovernedStream(schema, lambda: _rows(files, schema))


def _rows(files: Sequence[tuple[Folder, str]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for folder, name in files:
        with folder.open(name) as source:
            for batch in pq.ParquetFile(source).iter_batches(batch_size=_BATCH_ROWS):
                yield batch.cast(schema)


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


def _batches(port: str, governed: Governed, schema: pa.Schema, is_current: Callable[[], None]) -> Iterator[pa.RecordBatch]:
    is_current()
    try:
        with closing(stream_batches(governed.frame, batch_rows=_BATCH_ROWS)) as frames:
            for frame in frames:
                is_current()
                for batch in frame.to_arrow(compat_level=_NATIVE).to_batches():
                    yield batch.cast(schema) if batch.schema != schema else batch
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ScanFailed(port, type(error).__name__) from None
