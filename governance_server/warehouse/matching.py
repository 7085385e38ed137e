"""Which stored rows have the key of a delivered one: exact, in bounded memory, whatever the number of rows.

Delivered keys are taken a portion at a time; for each portion only files and row groups whose statistics admit one of its keys
are read, key columns only. What was found is kept as one number for each row of the files that were hit, in files of a scratch
folder where they are large. Knows nothing of what becomes of the rows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from governance_server.warehouse.folder import Folder
from governance_server.warehouse.snapshot import Snapshot, StoredFile

__all__ = ["DELETED", "PAIR", "UNTOUCHED", "Marks", "Matches", "find_matches", "read_columns", "stored_file"]

UNTOUCHED, DELETED = -1, -2
"""Marks of a stored row besides the number of the delivered row that has its key."""

PAIR = "__mesh_pair"
"""The column of a delivered row's number, from 0 over all delivered files."""

Marks: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

_PORTION_ROWS = 1_000_000
_IN_MEMORY_ROWS = 1_000_000
_ROW = "__mesh_row"


@dataclass(slots=True)
class Matches:
    """What was found: for each file that was hit, a mark for each of its rows; and how many stored rows have a delivered key."""

    scratch: Path
    marks: dict[str, Marks] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    samples: list[tuple[object, ...]] = field(default_factory=list)
    """Up to ten of the keys that were found, as (number of the delivered row, key…)."""

    @property
    def rows(self) -> int:
        """Stored rows with a delivered key."""
        return sum(int(np.count_nonzero(marks != UNTOUCHED)) for marks in self.marks.values())

    def note(self, file: StoredFile, found: pl.DataFrame, columns: Sequence[str]) -> None:
        """The found rows of the file, given by `__mesh_row` and `__mesh_pair`, are marked."""
        if not found.height:
            return
        if file.name not in self.marks:
            self.files[file.name] = file
            self.marks[file.name] = self._fresh(file)
        self.marks[file.name][found[_ROW].to_numpy()] = found[PAIR].to_numpy()
        if len(self.samples) < 10:
            self.samples.extend(found.head(10 - len(self.samples)).select(PAIR, *columns).iter_rows())

    def untouched(self, file: StoredFile, rows: pl.DataFrame) -> pl.DataFrame:
        """Those of the file's rows, given with `__mesh_row`, that bear no mark."""
        if file.name not in self.marks:
            return rows
        return rows.filter(pl.Series(self.marks[file.name][rows[_ROW].to_numpy()] == UNTOUCHED))

    def _fresh(self, file: StoredFile) -> Marks:
        if file.rows <= _IN_MEMORY_ROWS:
            return np.full(file.rows, UNTOUCHED, dtype=np.int64)
        with tempfile.NamedTemporaryFile(dir=self.scratch, suffix=".marks", delete=False) as place:
            marks = np.memmap(place.name, dtype=np.int64, mode="w+", shape=(file.rows,))
        marks[:] = UNTOUCHED
        return marks


def find_matches(
    stored: Snapshot | Sequence[StoredFile],
    delivered: Sequence[StoredFile],
    columns: Sequence[str],
    *,
    scratch: Path,
    deleted: Sequence[StoredFile] = (),
    besides: Matches | None = None,
) -> Matches:
    """Every stored row whose key is among the delivered ones; a key with a null in it is equal to none.

    Args:
        stored: A table's version, whose statistics say where to look, or any files.
        delivered: Files whose rows are numbered from 0 in this order.
        columns: The key's columns.
        scratch: An existing folder for what does not fit into memory.
        deleted: Files of keys whose rows are to go.
        besides: Rows that are not to be looked at.
    """
    matches = Matches(scratch)
    for keys in (*_portions(delivered, columns), *_portions(deleted, columns, mark=DELETED)):
        files = stored.overlapping(columns, keys) if isinstance(stored, Snapshot) else stored
        for file in files:
            for first_row, rows in _candidates(file, columns, keys):
                numbered = rows.with_row_index(_ROW, first_row)
                found = (numbered if besides is None else besides.untouched(file, numbered)).join(keys, on=list(columns))
                matches.note(file, found, columns)
    return matches


def stored_file(folder: Folder, name: str) -> StoredFile:
    """The file of that name, with the rows that its footer states. Raises: FileNotFoundError, StorageUnavailable."""
    with folder.open(name) as source:
        return StoredFile(folder, name, source.seek(0, os.SEEK_END), pq.read_metadata(source).num_rows)


def read_columns(file: StoredFile, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """The file's rows in order, a row group at a time."""
    with file.folder.open(file.name) as source, pq.ParquetFile(source) as parquet:
        for group in range(parquet.num_row_groups):
            yield pl.DataFrame(parquet.read_row_group(group, columns=list(columns) if columns is not None else None))


def _portions(files: Sequence[StoredFile], columns: Sequence[str], *, mark: int | None = None) -> Iterator[pl.DataFrame]:
    """The files' keys in portions, each key with its row's number or the mark; a key that occurs twice keeps its last row."""
    waiting: list[pl.DataFrame] = []
    first_row = 0
    for file in files:
        for keys in read_columns(file, columns):
            number = pl.int_range(first_row, first_row + keys.height, dtype=pl.Int64) if mark is None else pl.lit(mark, pl.Int64)
            waiting.append(_canonical(keys).with_columns(number.alias(PAIR)))
            first_row += keys.height
            if sum(part.height for part in waiting) >= _PORTION_ROWS:
                yield pl.concat(waiting).unique(columns, keep="last", maintain_order=True)
                waiting = []
    if waiting:
        yield pl.concat(waiting).unique(columns, keep="last", maintain_order=True)


def _candidates(file: StoredFile, columns: Sequence[str], keys: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Row groups that can hold one of the keys, with the number of their first row."""
    bounds = {name: (keys[name].min(), keys[name].max()) for name in columns if not keys.schema[name].is_nested()}
    first_row = 0
    with file.folder.open(file.name) as source, pq.ParquetFile(source) as parquet:
        positions = {parquet.metadata.schema.column(i).path: i for i in range(parquet.metadata.num_columns)}
        for group in range(parquet.num_row_groups):
            metadata = parquet.metadata.row_group(group)
            checks = ((metadata.column(positions[name]).statistics, *bounds[name]) for name in bounds if name in positions)
            if not any(_is_outside(*check) for check in checks):
                yield first_row, _canonical(pl.DataFrame(parquet.read_row_group(group, columns=list(columns))))
            first_row += metadata.num_rows


def _is_outside(statistics: pq.Statistics | None, low: Any, high: Any) -> bool:  # noqa: ANN401 # values of any type
    if statistics is None or not statistics.has_min_max or low is None or high is None:
        return False
    try:
        return bool(statistics.max < low or statistics.min > high)
    except TypeError:  # the footer's values are of another kind, like bytes for decimals
        return False


def _canonical(keys: pl.DataFrame) -> pl.DataFrame:
    """Equal values in one form: -0.0 is 0.0 and every NaN the same."""
    floats = [name for name, dtype in keys.schema.items() if dtype.is_float()]
    return keys.with_columns((pl.col(name) + 0.0).fill_nan(float("nan")) for name in floats)
