"""Writes one port's rows as Parquet files: one pass, bounded memory, every batch shown to the quality checker on its way.

Takes frames and streams that are in the port's storage types already and never converts a value. Writes no Delta log: what it
writes is invisible until the server has verified it. Knows nothing of contracts, publications or the wire.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeAlias, runtime_checkable

import polars as pl
import pyarrow as pa

from domain_sdk.errors import ContractViolated, StorageUnavailable, Violation

__all__ = ["ArrowStream", "BatchObserver", "DeliveredFile", "FileSeries", "Rows", "write_port"]

_GROUP_ROWS = 131_072
_GROUP_BYTES = 64 << 20
_READ_ROWS = 65_536
_FILE_BYTES = 192 << 20
"""In memory; Parquet is a third to a tenth of it."""


@runtime_checkable
class ArrowStream(Protocol):
    """Anything that hands its rows out by the Arrow C stream interface: pyarrow, pandas, DuckDB, delta-rs and others."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A capsule of an Arrow C stream."""
        ...


class BatchObserver(Protocol):
    """What looks at every batch that is written."""

    def observe(self, batch: pl.DataFrame) -> None:
        """The batch was taken into account."""
        ...


Rows: TypeAlias = pl.DataFrame | pl.LazyFrame | pa.Table | pa.RecordBatchReader | ArrowStream
"""What a port can be written from. Lazy frames and readers are consumed in a stream."""


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """One written Parquet file: plain name, size in bytes, number of rows."""

    name: str
    size: int
    rows: int


def write_port(
    frame: Rows,
    folder: Path,
    schema: pa.Schema,
    *,
    checker: BatchObserver | None = None,
    progress: Callable[[int], None] | None = None,
    partition_by: Sequence[str] = (),
) -> list[DeliveredFile]:
    """The rows lie in `folder` as Parquet files of at most 192 MB of rows each, in order; no file at all for no rows.

    If anything stops it, Ctrl-C included, none of its files is left.

    Args:
        frame: Columns exactly as in `schema`: names, types, order.
        folder: An existing folder that is the caller's alone.
        schema: The port's storage schema. Nulls in its required columns are written; reporting them is the checker's work.
        checker: Sees every batch, in order, before it is written.
        progress: Called after every batch with the number of rows handed to the writer so far.
        partition_by: Columns of which each file holds one combination of values; 192 MB is then the bound for all that wait.

    Raises:
        ContractViolated: The columns are not those of the schema; all differences are listed.
        StorageUnavailable: The folder cannot be written, for example because the disk is full.
    """
    expected = pl.DataFrame(schema.empty_table()).schema
    rows = 0
    with FileSeries(folder, partition_by=partition_by) as series:
        for batch in _groups(_batches(frame, expected)):
            if checker is not None:
                checker.observe(batch)
            series.write(batch)
            rows += batch.height
            if progress is not None:
                progress(rows)
    return series.finished


def _batches(frame: Rows, expected: pl.Schema) -> Iterator[pl.DataFrame]:
    """The frame in batches of at most `_READ_ROWS` rows or whatever the stream gives, each with the expected columns."""
    if isinstance(frame, pl.LazyFrame):
        _check_schema(frame.collect_schema(), expected)
        yield from frame.collect_batches(chunk_size=_READ_ROWS, maintain_order=True, lazy=True, engine="streaming")
        return
    if isinstance(frame, pl.DataFrame):
        _check_schema(frame.schema, expected)
        yield from frame.iter_slices(_GROUP_ROWS)
        return
    reader = frame if isinstance(frame, pa.RecordBatchReader) else pa.RecordBatchReader.from_stream(frame)
    _check_schema(pl.DataFrame(reader.schema.empty_table()).schema, expected)
    for batch in reader:
        yield from pl.DataFrame(batch).iter_slices(_GROUP_ROWS)


def _check_schema(actual: pl.Schema, expected: pl.Schema) -> None:
    if actual == expected and list(actual) == list(expected):
        return
    violations = [Violation(name, "the column is missing.") for name in expected if name not in actual]
    violations += [Violation(name, "the contract has no such column.") for name in actual if name not in expected]
    for name in (name for name in expected if name in actual and actual[name] != expected[name]):
        violations.append(Violation(name, f"the column is {actual[name]}, the contract stores {expected[name]}."))
    if not violations:
        violations.append(Violation("", f"the columns are in another order than the contract's: {', '.join(expected)}."))
    raise ContractViolated("The rows do not have the contract's columns.", violations=violations)


def _groups(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in batches that make good row groups: large, but bounded in rows and bytes."""
    waiting: list[pl.DataFrame] = []
    rows, size = 0, 0.0
    for batch in batches:
        for part in _bounded(batch):
            if waiting and (rows + part.height > _GROUP_ROWS or size + part.estimated_size() > _GROUP_BYTES):
                yield pl.concat(waiting, rechunk=False)
                waiting, rows, size = [], 0, 0.0
            waiting.append(part)
            rows += part.height
            size += part.estimated_size()
    if rows:
        yield pl.concat(waiting, rechunk=False)


def _bounded(batch: pl.DataFrame) -> Iterator[pl.DataFrame]:
    size = batch.estimated_size()
    if size <= _GROUP_BYTES:
        yield batch
        return
    yield from batch.iter_slices(max(1, batch.height * _GROUP_BYTES // int(size)))


@dataclass(slots=True)
class _Waiting:
    """Rows of one partition that no file has yet."""

    rows: list[pl.DataFrame] = field(default_factory=list)
    size: float = 0.0


class FileSeries:
    """Parquet files written one after the other; on leaving with an exception, none of them remains.

    One file is encoded in a thread of its own while the rows of the next one are read and checked; a third is never in memory.
    """

    def __init__(self, folder: Path, *, prefix: str = "part", partition_by: Sequence[str] = ()) -> None:
        self.finished: list[DeliveredFile] = []
        self._folder = folder
        self._prefix = prefix
        self._partition_by = list(partition_by)
        self._waiting: dict[tuple[object, ...], _Waiting] = {}
        self._waiting_bytes = 0.0
        self._encoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mesh-write")
        self._encoding: Future[None] | None = None

    def __enter__(self) -> FileSeries:
        """The series itself."""
        return self

    def write(self, batch: pl.DataFrame) -> None:
        """The batch is part of the current file, or of its partitions' files. Raises: StorageUnavailable."""
        for key, part in self._partitions(batch):
            waiting = self._waiting.setdefault(key, _Waiting())
            size = part.estimated_size()
            waiting.rows.append(part)
            waiting.size += size
            self._waiting_bytes += size
        while self._waiting_bytes >= _FILE_BYTES:
            self._start_file(max(self._waiting, key=lambda key: self._waiting[key].size))

    def _partitions(self, batch: pl.DataFrame) -> Iterator[tuple[tuple[object, ...], pl.DataFrame]]:
        if not self._partition_by:
            yield (), batch
            return
        yield from batch.partition_by(self._partition_by, maintain_order=True, as_dict=True).items()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """All files are finished, or none remains."""
        is_complete = False
        try:
            if kind is None:
                for key in list(self._waiting):
                    self._start_file(key)
                self._settle()
                is_complete = True
        finally:
            self._encoder.shutdown(wait=True)
            if not is_complete:
                for file in self.finished:
                    (self._folder / file.name).unlink(missing_ok=True)

    def _start_file(self, key: tuple[object, ...]) -> None:
        self._settle()
        waiting = self._waiting.pop(key)
        self._waiting_bytes -= waiting.size
        self._encoding = self._encoder.submit(self._encode, pl.concat(waiting.rows, rechunk=False))

    def _settle(self) -> None:
        """The file that was being encoded is finished."""
        encoding, self._encoding = self._encoding, None
        try:
            if encoding is not None:
                encoding.result()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StorageUnavailable(
                f"The data files could not be written to {self._folder} ({error}): make room or check its permissions."
            ) from error

    def _encode(self, rows: pl.DataFrame) -> None:
        partial = self._folder / f".{uuid.uuid4().hex}.partial"
        group_rows = min(_GROUP_ROWS, max(1, int(rows.height * _GROUP_BYTES / max(1.0, rows.estimated_size()))))
        try:
            rows.write_parquet(partial, compression="snappy", statistics=True, row_group_size=group_rows)
            final = self._folder / f"{self._prefix}-{len(self.finished):05}.parquet"
            partial.rename(final)
        finally:
            partial.unlink(missing_ok=True)
        self.finished.append(DeliveredFile(final.name, final.stat().st_size, rows.height))
