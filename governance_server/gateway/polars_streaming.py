"""The one home of polars' unstable streaming interfaces: batches out of a plan, a plan out of batches, a plan into several files.

`LazyFrame.collect_batches`, `polars.io.plugins.register_io_source` and `pl.PartitionBy` may change with any release; a canary
test holds each to what is relied on here: bounded memory, order kept, an early stop that stops the work.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

__all__ = ["frame_from_batches", "sink_to_files", "stream_batches"]

BatchSource = Callable[[Sequence[str] | None], Iterator[pl.DataFrame]]
"""Called with the columns needed (None = all), gives the rows in batches."""


def stream_batches(frame: pl.LazyFrame, *, batch_rows: int) -> Generator[pl.DataFrame, None, None]:
    """The rows, in order, in frames of `batch_rows` (the last may be shorter); closing the generator stops the query.

    A few batches are computed ahead; beyond that the query waits for the consumer.
    """
    batches = frame.collect_batches(chunk_size=batch_rows, maintain_order=True, lazy=True, engine="streaming")
    yield from batches


def frame_from_batches(source: BatchSource, schema: pl.Schema) -> pl.LazyFrame:
    """A lazy frame over a source that can only project; predicates and limits are applied batch by batch."""

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        remaining = n_rows
        for batch in source(columns):
            kept = batch if remaining is None else batch.head(remaining)
            if remaining is not None:
                remaining -= kept.height
            yield kept if predicate is None else kept.filter(predicate)
            if remaining == 0:
                return

    return register_io_source(read, schema=schema)


def sink_to_files(frame: pl.LazyFrame, folder: Path, *, rows_per_group: int, bytes_per_file: int) -> None:
    """The frame's rows lie in Parquet files `*.parquet` in the folder, written in a stream."""
    target = pl.PartitionBy(folder, approximate_bytes_per_file=bytes_per_file)
    frame.sink_parquet(
        target, compression="zstd", compression_level=1, statistics=True, row_group_size=rows_per_group, engine="streaming"
    )
