"""Tells the rows that keep a port's promises from those that break one, batch by batch.

A promise is about a row if one row alone can break it: types, required, options, enums, keys, and rules that allow nobody
(`mustBe: 0`). Of equal keys the first good row stays. Knows nothing of where the rows go.
"""

from __future__ import annotations

import polars as pl

from mesh_core.contract.model import Port
from mesh_core.contract.quarantine import REASONS
from mesh_core.quality.check import LIBRARY, RECORDED, Check, Kind
from mesh_core.quality.checker import Checker

__all__ = ["Diverter"]

_KEYED = (Kind.UNIQUE, Kind.PRIMARY_KEY, Kind.DUPLICATE_VALUES)
_SEEDS = (0x5EED, 0xBEEF)


class Diverter(Checker):
    """Splits batches. Memory: sixteen bytes a row for each set of unique columns; two 64-bit hashes stand for a key."""

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.diverted = 0
        self.reasons: dict[str, int] = {}
        keyed = [check for check in self._checks if check.kind in _KEYED and check.columns and _is_of_rows(check)]
        self._keyed_checks = [check for check in keyed if len(check.path) < 2]
        self._seen: dict[str, pl.DataFrame] = {}

    def split(self, batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The good rows as they came, and the bad ones in storage types with their reasons."""
        plan = self._planned(batch.schema)
        stored = batch.select(plan.select())
        if not batch.height or plan.problems:
            return batch, stored.clear().with_columns(pl.lit("", dtype=pl.String).alias(REASONS))
        faults = {it.check.name: batch.select(it.fault.fill_null(False)).to_series() for it in self._losses}
        for it in self._faults:
            if _is_of_rows(it.check):
                faults[it.check.name] = stored.select(it.fault.fill_null(False)).to_series()
        is_bad = _any(list(faults.values()), batch.height)
        for check in self._keyed_checks:
            if all(name in stored.columns for name in check.columns):
                repeated = self._repeated(check, stored, is_bad)
                faults[check.name] = faults.get(check.name, repeated) | repeated
                is_bad = is_bad | repeated
        return batch.filter(~is_bad), self._told(stored, faults, is_bad)

    def _told(self, stored: pl.DataFrame, faults: dict[str, pl.Series], is_bad: pl.Series) -> pl.DataFrame:
        for name, fault in faults.items():
            if count := int(fault.sum()):
                self.reasons[name] = self.reasons.get(name, 0) + count
        self.diverted += int(is_bad.sum())
        named = pl.DataFrame([fault.alias(name) for name, fault in faults.items()])
        words = pl.concat_str(
            [pl.when(pl.col(name)).then(pl.lit(name)) for name in named.columns], separator="; ", ignore_nulls=True
        )
        return stored.with_columns(named.select(words).to_series().alias(REASONS)).filter(is_bad)

    def _repeated(self, check: Check, stored: pl.DataFrame, is_bad: pl.Series) -> pl.Series:
        """True for rows whose complete key a good row had before."""
        keys = stored.select(check.columns)
        counts = ~is_bad & keys.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
        canonical = keys.select((pl.col(pl.Float32, pl.Float64) + 0.0).fill_nan(float("nan"))) if _has_floats(keys) else keys
        hashed = pl.DataFrame({f"h{index}": canonical.hash_rows(seed) for index, seed in enumerate(_SEEDS)})
        marked = hashed.with_columns(counts=counts)
        first = marked.select(pl.struct("h0", "h1", "counts").is_first_distinct()).to_series()
        seen = self._seen.get(check.name, hashed.clear())
        known = marked.join(seen.with_columns(seen=True), on=["h0", "h1"], how="left", maintain_order="left")["seen"]
        repeated = counts & (~first | known.fill_null(False))
        self._seen[check.name] = pl.concat([seen, hashed.filter(counts & ~repeated)])
        return repeated


def _is_of_rows(check: Check) -> bool:
    if not check.is_blocking or check.kind in RECORDED or check.kind in (Kind.SCHEMA, Kind.ROW_COUNT):
        return False
    return check.kind not in LIBRARY or (
        check.rule is not None
        and check.rule.operator == "mustBe"
        and check.rule.threshold == 0
        and check.rule.threshold is not False
    )


def _any(faults: list[pl.Series], height: int) -> pl.Series:
    found = pl.repeat(False, height, dtype=pl.Boolean, eager=True)
    for fault in faults:
        found = found | fault
    return found


def _has_floats(keys: pl.DataFrame) -> bool:
    return any(dtype.is_float() for dtype in keys.dtypes)
