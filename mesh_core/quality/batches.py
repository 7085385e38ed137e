"""Streams a lazy frame as batches: the one place of this package that touches polars' unstable batch collection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from mesh_core.contract.model import Port
from mesh_core.quality.checker import Checker
from mesh_core.quality.report import Report

__all__ = ["check_frame", "frame_batches"]

BATCH_ROWS = 250_000


def frame_batches(frame: pl.LazyFrame, *, rows: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
    """The frame's rows in order, in batches of at most `rows`; at least one batch, empty for an empty frame."""
    yield pl.DataFrame(schema=frame.collect_schema())
    yield from frame.collect_batches(chunk_size=rows, maintain_order=True, lazy=True, engine="streaming")


def check_frame(frame: pl.LazyFrame, port: Port, *, spill_directory: Path | None = None) -> Report:
    """The report on the frame, read once, streaming. Types are judged as for a write, and nothing is written."""
    checker = Checker(port, spill_directory=spill_directory)
    try:
        for batch in frame_batches(frame):
            checker.observe(batch)
        return checker.finish()
    finally:
        checker.close()
