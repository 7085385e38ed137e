"""Counts repeated keys exactly over a stream, in bounded memory.

Keeps each batch's key columns. As long as they only rise, as in data written in key order, they are distinct and nothing more
is done. Otherwise one 64-bit hash a row is sorted: equal keys have equal hashes, so when no hash repeats the keys are proven
distinct, and where hashes repeat, a second look over the kept keys groups just those candidates and decides. Past the budget
keys and hashes go to files, the hashes in 64 partitions, so that judging needs one partition of them at a time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from mesh_core.quality.report import MAX_SAMPLES

__all__ = ["KeyTracker", "Repeats"]

_Hashes: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]
_PARTITIONS = 64
_SHIFT = np.uint64(58)
_SEED = 0x5EED
_MAX_CANDIDATES = 4_000_000
_ROW, _COUNT = "row", "count"


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often keys repeat.

    Attributes:
        rows: Rows beyond the first of each key.
        samples: Up to ten repeated keys as (row of the first occurrence, occurrences, key), by row.
    """

    rows: int
    samples: tuple[tuple[int, int, tuple[object, ...]], ...]


class KeyTracker:
    """The keys of a stream of batches. A key with a null in any column is never a repeat."""

    def __init__(self, columns: tuple[str, ...], *, memory_bytes: int, directory: Path | None = None) -> None:
        self.columns = columns
        self._names = [f"key{index}" for index in range(len(columns))]
        self._memory_bytes = memory_bytes
        self._parent = directory
        self._held_bytes = 0
        self._keys: list[pl.DataFrame] = []
        self._last: pl.DataFrame | None = None
        self._is_rising = True
        self._spill: tempfile.TemporaryDirectory[str] | None = None
        self._spilled: list[Path] = []
        self._hashed = 0

    def add(self, batch: pl.DataFrame) -> None:
        """The batch's keys are counted in; the batch's columns are kept by reference until memory_bytes is passed."""
        keys = batch.select(
            _canonical(name, batch.schema[name]).alias(key) for name, key in zip(self.columns, self._names, strict=True)
        )
        if not keys.height:
            return
        self._is_rising = self._is_rising and _rises(keys if self._last is None else pl.concat([self._last, keys]))
        self._last = keys.tail(1)
        self._keys.append(keys)
        self._held_bytes += int(keys.estimated_size()) + 8 * keys.height
        if self._held_bytes > self._memory_bytes:
            self._flush()

    def repeats(self) -> Repeats:
        """The repeats among all keys added so far, exact."""
        rows = 0
        samples: list[tuple[int, int, tuple[object, ...]]] = []
        for candidates in self._candidates():
            grouped = self._group(candidates)
            rows += int((grouped[_COUNT] - 1).sum())
            samples.extend((row[-1], row[-2], row[:-2]) for row in grouped.sort(_ROW).head(MAX_SAMPLES).iter_rows())
        return Repeats(rows, tuple(sorted(samples, key=lambda sample: sample[0])[:MAX_SAMPLES]))

    def close(self) -> None:
        """The spill files are gone and the keys forgotten."""
        if self._spill is not None:
            self._spill.cleanup()
            self._spill = None
        self._keys, self._spilled, self._last = [], [], None

    def _flush(self) -> None:
        """The held keys are in a file; once keys stopped rising, their hashes and those of earlier files are too."""
        if self._spill is None:
            self._spill = tempfile.TemporaryDirectory(prefix="mesh-keys-", dir=self._parent)
        path = Path(self._spill.name) / f"keys-{len(self._spilled):06}.arrow"
        pl.concat(self._keys).write_ipc(path, compression="uncompressed")
        self._spilled.append(path)
        self._keys, self._held_bytes = [], 0
        if not self._is_rising:
            self._partition_hashes(Path(self._spill.name))

    def _partition_hashes(self, root: Path) -> None:
        for path in self._spilled[self._hashed :]:
            hashes = _sorted_hashes([pl.read_ipc(path)])
            edges = np.searchsorted(hashes >> _SHIFT, np.arange(_PARTITIONS + 1, dtype=np.uint64))
            for part in range(_PARTITIONS):
                with (root / f"hashes-{part:02}").open("ab") as file:
                    hashes[edges[part] : edges[part + 1]].tofile(file)
        self._hashed = len(self._spilled)

    def _candidates(self) -> Iterator[pl.Series]:
        """Hashes that occur more than once, in portions a second look can hold."""
        if self._is_rising:
            return
        if self._spill is None:
            yield from _portions(_repeated(_sorted_hashes(self._keys)))
            return
        if self._keys:
            self._flush()
        waiting: list[_Hashes] = []
        for part in range(_PARTITIONS):
            waiting.append(_repeated(np.sort(np.fromfile(Path(self._spill.name) / f"hashes-{part:02}", dtype=np.uint64))))
            if sum(map(len, waiting)) > _MAX_CANDIDATES:
                yield from _portions(np.concatenate(waiting))
                waiting = []
        if waiting:
            yield from _portions(np.concatenate(waiting))

    def _group(self, candidates: pl.Series) -> pl.DataFrame:
        """The keys that truly repeat among the candidates, with their count and first row."""
        names = self._names
        parts: list[pl.DataFrame] = []
        first_row, limit = 0, _MAX_CANDIDATES
        for keys in self._blocks():
            suspects = keys.with_row_index(_ROW, first_row).filter(_row_hashes(keys).is_in(candidates.implode()))
            counted = suspects.drop_nulls(names).group_by(names).agg(pl.len().cast(pl.Int64).alias(_COUNT), pl.col(_ROW).min())
            parts.append(counted)
            first_row += keys.height
            if sum(part.height for part in parts) > limit:
                parts = [_merged(parts, names)]
                limit = max(_MAX_CANDIDATES, 2 * parts[0].height)
        return _merged(parts, names).filter(pl.col(_COUNT) > 1)

    def _blocks(self) -> Iterator[pl.DataFrame]:
        for path in self._spilled:
            yield pl.read_ipc(path)
        yield from self._keys


def _canonical(name: str, dtype: pl.DataType) -> pl.Expr:
    """Equal values in one form: -0.0 is 0.0 and every NaN the same."""
    return (pl.col(name) + 0.0).fill_nan(float("nan")) if dtype.is_float() else pl.col(name)


def _row_hashes(keys: pl.DataFrame) -> pl.Series:
    return keys.hash_rows(_SEED)


def _merged(parts: list[pl.DataFrame], names: list[str]) -> pl.DataFrame:
    return pl.concat(parts).group_by(names).agg(pl.col(_COUNT).sum(), pl.col(_ROW).min())


def _rises(keys: pl.DataFrame) -> bool:
    """Whether each row is greater than the one before, columns compared in order; false with any null or incomparable type."""
    if any(dtype.is_nested() or dtype == pl.Boolean for dtype in keys.dtypes):
        return False
    rising = pl.lit(False)
    for name in reversed(keys.columns):
        before = pl.col(name).shift(1)
        rising = (pl.col(name) > before) | ((pl.col(name) == before) & rising)
    return keys.select(rising.slice(1).all(ignore_nulls=False)).item() is True


def _sorted_hashes(blocks: list[pl.DataFrame]) -> _Hashes:
    """The hashes of all complete keys of the blocks, in order."""
    return pl.concat([_complete_hashes(keys) for keys in blocks]).sort().to_numpy()


def _complete_hashes(keys: pl.DataFrame) -> pl.Series:
    hashes = _row_hashes(keys)
    if any(series.null_count() for series in keys):
        return hashes.filter(keys.select(pl.all_horizontal(pl.all().is_not_null())).to_series())
    return hashes


def _repeated(ordered: _Hashes) -> _Hashes:
    """The distinct values that occur more than once in an ordered array."""
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _portions(candidates: _Hashes) -> Iterator[pl.Series]:
    for start in range(0, len(candidates), _MAX_CANDIDATES):
        yield pl.Series(candidates[start : start + _MAX_CANDIDATES])
