"""The bad rows of a port on their way to its quarantine: out of the stream, kept on disk until their own port is written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from domain_sdk.release import QualityResult, QualityStatus
from mesh_core.contract import Port
from mesh_core.contract.quarantine import quarantine_port
from mesh_core.quality.diverting import Diverter
from mesh_core.types import storage_schema

__all__ = ["Quarantine"]

_ROWS_IN_MEMORY = 200_000


class Quarantine:
    """Rows that are set aside. Close it once they are written."""

    def __init__(self, port: Port, name: str) -> None:
        self._name = name
        self._diverter = Diverter(port)
        self._empty = pl.DataFrame(storage_schema(quarantine_port(port)).empty_table())
        self._held: list[pl.DataFrame] = []
        self._rows = 0
        self._folder = tempfile.TemporaryDirectory(prefix="mesh-quarantine-")
        self._files: list[Path] = []

    def without_bad(self, batches: Callable[[], Iterator[pl.DataFrame]]) -> Callable[[], Iterator[pl.DataFrame]]:
        """The same stream with the bad rows taken out of it, to be read once."""
        return lambda: map(self._good, batches())

    def frame(self) -> pl.LazyFrame:
        """The rows that were set aside, with their reasons, in the order they came."""
        held = pl.concat([self._empty, *self._held])
        return pl.concat([pl.scan_parquet(self._files), held.lazy()]) if self._files else held.lazy()

    def result(self) -> QualityResult:
        """How many rows were set aside, and for which checks; never blocks."""
        count = self._diverter.diverted
        why = ", ".join(f"{rows} {check}" for check, rows in self._diverter.reasons.items())
        message = f"{count} rows are in quarantine: {why}" if count else "no row had to be set aside"
        status = QualityStatus.FAILED if count else QualityStatus.PASSED
        total = self._diverter.diverted + self._rows
        return QualityResult(self._name, "", "quarantine", status, False, count, total, message, (), measured=str(count))

    def close(self) -> None:
        """Nothing of it is left on this machine."""
        self._held = []
        self._folder.cleanup()
        self._diverter.close()

    def _good(self, batch: pl.DataFrame) -> pl.DataFrame:
        good, bad = self._diverter.split(batch)
        self._rows += good.height
        if bad.height:
            self._held.append(bad.select(self._empty.columns).cast(self._empty.schema))
        if sum(frame.height for frame in self._held) > _ROWS_IN_MEMORY:
            path = Path(self._folder.name) / f"{len(self._files):06}.parquet"
            pl.concat(self._held).write_parquet(path)
            self._files.append(path)
            self._held = []
        return good
