"""A table's data files at one Delta version, and which of them can hold given keys, by their statistics alone.

Knows nothing of how rows are read. Source: Delta protocol, "Per-file Statistics": bounds may be wider than the values, never
narrower; a file without bounds can hold anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_

import polars as pl
import pyarrow as pa
from deltalake.exceptions import DeltaError

from governance_server.warehouse.errors import StorageUnavailable, VersionConflict
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.open_tables import OpenTables
from governance_server.warehouse.row_copies import newest_copy

__all__ = ["Snapshot", "StoredFile", "open_snapshot"]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A Parquet file in a folder: plain name, size in bytes, rows."""

    folder: Folder
    name: str
    size: int
    rows: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of one Delta version: `actions` has a row for each, with `path`, `size_bytes`, `num_records` and bounds."""

    folder: Folder
    schema: pa.Schema
    partition_columns: tuple[str, ...]
    actions: pl.DataFrame

    @property
    def rows(self) -> int:
        """Rows of the version."""
        return int(self.actions["num_records"].sum())

    @property
    def size_bytes(self) -> int:
        """Bytes of its files."""
        return int(self.actions["size_bytes"].sum())

    @property
    def is_in_folders(self) -> bool:
        """True if a file lies in a folder of its partition, as an older release compacted: it lacks the partition's columns."""
        return bool(self.actions["path"].str.contains("/", literal=True).any())

    def files(self) -> list[StoredFile]:
        """Every file, by name."""
        return self._named(self.actions)

    def overlapping(self, columns: Sequence[str], keys: pl.DataFrame) -> list[StoredFile]:
        """The files that can hold one of the keys, by name."""
        conditions = [condition for name in columns if (condition := self._may_hold(name, keys[name])) is not None]
        kept = self.actions.filter(reduce(and_, conditions)) if conditions else self.actions
        return self._named(kept)

    def in_partitions(self, partitions: pl.DataFrame) -> list[StoredFile]:
        """The files of these partitions, whose values are given as in the log: text or null, a column each."""
        columns = list(self.partition_columns)
        stored = self.actions.rename({f"partition.{name}": name for name in columns})
        stored = stored.with_columns(pl.col(name).cast(partitions.schema[name]) for name in columns)
        return self._named(stored.join(partitions.select(columns).unique(), on=columns, how="semi", nulls_equal=True))

    def without(self, names: Sequence[str]) -> Snapshot:
        """The version as it would be without these files."""
        return replace(self, actions=self.actions.filter(~pl.col("path").is_in(list(names))))

    def _may_hold(self, name: str, values: pl.Series) -> pl.Expr | None:
        low, high = pl.col(f"min.{name}"), pl.col(f"max.{name}")
        if f"min.{name}" not in self.actions.columns or values.dtype.is_nested() or not values.len() - values.null_count():
            return None
        if self.actions.schema[f"min.{name}"] != values.dtype:
            return None
        outside = (low > pl.lit(values.max(), dtype=values.dtype)) | (high < pl.lit(values.min(), dtype=values.dtype))
        return ~outside.fill_null(False)

    def _named(self, actions: pl.DataFrame) -> list[StoredFile]:
        rows = actions.select("path", "size_bytes", "num_records").sort("path").iter_rows()
        return [StoredFile(self.folder, str(path), int(size), int(count)) for path, size, count in rows]


def open_snapshot(folder: Folder, delta_version: int, tables: OpenTables | None = None) -> Snapshot:
    """The files in which the log's newest version holds the rows of this one. `tables` keeps the table open for the next.

    Raises: VersionConflict if something else was written to the table since; StorageUnavailable.
    """
    with (tables or OpenTables()).newest(folder) as table:
        if table is None:
            raise StorageUnavailable(folder.uri, "there is no table")
        try:
            if newest_copy(table, delta_version) is None:
                raise VersionConflict(f"The log of {folder.uri} has moved on from what is served: only overwriting it helps.")
            actions = pl.DataFrame(pa.table(table.get_add_actions(flatten=True)))
            schema = pa.schema(table.schema().to_arrow())
            return Snapshot(folder, schema, tuple(table.metadata().partition_columns), actions)
        except (DeltaError, OSError) as error:
            raise StorageUnavailable(folder.uri, str(error)) from error
