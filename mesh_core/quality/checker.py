"""Evaluates a port's checks over a stream of batches, in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from mesh_core.contract.model import Port
from mesh_core.quality.check import RECORDED, Check, Kind
from mesh_core.quality.compile import compile_checks, dotted, is_personal
from mesh_core.quality.judge import judge, recorded
from mesh_core.quality.keys import KeyTracker, Repeats
from mesh_core.quality.predicates import fault, nested, suspicion
from mesh_core.quality.report import MAX_SAMPLES, CheckResult, Report, Sample
from mesh_core.quality.samples import sample_text
from mesh_core.quality.values import NotEvaluable
from mesh_core.types.normalise import TypePlan, plan_types

__all__ = ["Checker", "SchemaChanged"]

_KEYED = frozenset({Kind.UNIQUE, Kind.DUPLICATE_VALUES, Kind.PRIMARY_KEY})


class SchemaChanged(ValueError):
    """A batch of a stream has other columns or types than the first one."""


@dataclass(frozen=True, slots=True)
class _Probe:
    """How a check is counted on a batch: `count` yields the rows at fault, or with `is_rough` at least as many."""

    check: Check
    fault: pl.Expr
    count: pl.Expr
    is_rough: bool = False


@dataclass(slots=True)
class _Tally:
    """What is known of one check so far."""

    rows: int = 0
    samples: list[Sample] = field(default_factory=list)


class Checker:
    """Judges batches of one port as they pass by.

    Memory: one tally a check and, for each distinct set of unique columns, the keys with a hash a row, up to `memory_bytes`
    for all of them together; beyond that keys go to a temporary directory.

    Example:
        checker = Checker(port)
        for batch in batches:
            write(checker.observe(batch))
        report = checker.finish()
    """

    def __init__(self, port: Port, *, memory_bytes: int = 256 * 1024 * 1024, spill_directory: Path | None = None) -> None:
        self._port = port
        self._checks = compile_checks(port)
        self._tallies = {check.name: _Tally() for check in self._checks}
        self._unevaluated: dict[str, str] = {}
        self._total_rows = 0
        self._schema: pl.Schema | None = None
        self._plan: TypePlan | None = None
        self._faults: list[_Probe] = []
        self._losses: list[_Probe] = []
        self._nested: dict[str, pl.Expr] = {}
        self._key = tuple(column.name for column in port.primary_key)
        self._is_key_personal = any(is_personal(column) for column in port.primary_key)
        sets = {_tracked(check): None for check in self._checks if check.kind in _KEYED}
        share = memory_bytes // max(len(sets), 1)
        self._trackers = {columns: KeyTracker(columns, memory_bytes=share, directory=spill_directory) for columns in sets}

    def observe(self, batch: pl.DataFrame) -> pl.DataFrame:
        """The batch in storage types and contract order, after counting it in.

        A value that cannot be held exactly is null in what is returned, and a column of a wrong type is absent from it: then the
        report is not ok and nothing of the stream may be published.

        Raises:
            SchemaChanged: the batch has another schema than the first one.
        """
        plan = self._planned(batch.schema)
        self._count(batch, self._losses)
        stored = batch if _is_stored(batch, plan) else batch.select(plan.select())
        self._count(stored, self._faults)
        keyed = stored.with_columns(**self._nested) if self._nested else stored
        for columns, tracker in self._trackers.items():
            if all(name in keyed.columns for name in columns):
                tracker.add(keyed)
        self._total_rows += batch.height
        return stored

    def finish(self) -> Report:
        """The report on everything observed; temporary files are gone. Call it once."""
        repeats = {columns: tracker.repeats() for columns, tracker in self._trackers.items()}
        for tracker in self._trackers.values():
            tracker.close()
        results = tuple(self._result(check, repeats) for check in self._checks)
        return Report(self._port.name, self._total_rows, results)

    def close(self) -> None:
        """Temporary files are gone; for a stream that is abandoned before finish."""
        for tracker in self._trackers.values():
            tracker.close()

    def _planned(self, schema: pl.Schema) -> TypePlan:
        if self._plan is not None and schema == self._schema:
            return self._plan
        if self._plan is not None:
            raise SchemaChanged(
                f"port {self._port.name!r}: a batch has another schema than the first; give all batches the same columns."
            )
        self._schema = schema
        self._plan = plan = plan_types(schema, self._port)
        losses = {column.name: column.conversion.loss for column in plan.columns}
        stored = plan.schema()
        for check in self._checks:
            loss = losses.get(check.columns[0]) if check.columns else None
            if check.kind is Kind.TYPE and loss is not None:
                self._losses.append(_Probe(check, loss, loss.sum()))
            else:
                self._prepare(check, stored)
        return plan

    def _prepare(self, check: Check, stored: pl.Schema) -> None:
        if check.kind in (Kind.SCHEMA, Kind.TYPE, Kind.ROW_COUNT) or check.kind in RECORDED:
            return
        absent = [name for name in check.columns if name not in stored]
        try:
            if absent:
                raise NotEvaluable(f"the frame has no usable column {', '.join(absent)}")
            if check.kind in _KEYED and not check.columns:
                raise NotEvaluable("the rule names no properties")
            if check.kind in _KEYED and len(check.path) > 1:
                self._nested[dotted(check.path)] = nested(check.path, stored)
            if check.kind in (Kind.UNIQUE, Kind.DUPLICATE_VALUES):
                return
            self._faults.append(_probe(check, stored))
        except NotEvaluable as error:
            self._unevaluated[check.name] = str(error)

    def _count(self, frame: pl.DataFrame, probes: list[_Probe]) -> None:
        if not probes:
            return
        counts = frame.select(probe.count.alias(str(index)) for index, probe in enumerate(probes)).row(0)
        for probe, count in zip(probes, counts, strict=True):
            if count:
                rows = frame.select(probe.fault.sum()).item() if probe.is_rough else count
                self._tally(frame, probe, rows or 0)

    def _tally(self, frame: pl.DataFrame, probe: _Probe, rows: int) -> None:
        tally = self._tallies[probe.check.name]
        if rows and len(tally.samples) < MAX_SAMPLES:
            tally.samples.extend(self._sampled(frame, probe.check, probe.fault, MAX_SAMPLES - len(tally.samples)))
        tally.rows += rows

    def _sampled(self, frame: pl.DataFrame, check: Check, expr: pl.Expr, limit: int) -> Iterable[Sample]:
        rows = frame.select(expr.fill_null(False).arg_true().head(limit)).to_series()
        found = frame[rows]
        is_keyed = bool(self._key) and check.columns != self._key and all(name in found.columns for name in self._key)
        keys = _chosen(found, self._key).iter_rows() if is_keyed else iter([()] * len(rows))
        for row, values, key in zip(rows, _chosen(found, check.columns).iter_rows(), keys, strict=True):
            named = sample_text(key, is_personal=check.is_personal or self._is_key_personal) if key else ""
            yield Sample(self._total_rows + row, sample_text(values, is_personal=check.is_personal), named)

    def _result(self, check: Check, repeats: dict[tuple[str, ...], Repeats]) -> CheckResult:
        tally = self._tallies[check.name]
        if check.name in self._unevaluated:
            return recorded(check, self._unevaluated[check.name], self._total_rows)
        if check.kind in _KEYED:
            found = repeats[_tracked(check)]
            tally.rows += found.rows
            for row, times, key in found.samples[: MAX_SAMPLES - len(tally.samples)]:
                shown = sample_text(key, is_personal=check.is_personal)
                tally.samples.append(Sample(row, f"{shown} × {times}"))
        if check.kind is Kind.ROW_COUNT:
            tally.rows = self._total_rows
        return judge(check, tally.rows, self._total_rows, tuple(tally.samples), self._plan)


def _tracked(check: Check) -> tuple[str, ...]:
    """The columns whose repeats are counted: the check's own, or one made of the path to a nested value."""
    return (dotted(check.path),) if len(check.path) > 1 else check.columns


def _probe(check: Check, stored: pl.Schema) -> _Probe:
    expr = fault(check, stored)
    if check.kind in (Kind.REQUIRED, Kind.NULL_VALUES) and len(check.path) == 1:
        return _Probe(check, expr, pl.col(check.path[0]).null_count())
    rough = suspicion(check, stored)
    return _Probe(check, expr, expr.sum()) if rough is None else _Probe(check, expr, rough.sum(), is_rough=True)


def _is_stored(batch: pl.DataFrame, plan: TypePlan) -> bool:
    same_order = batch.columns == [column.name for column in plan.columns]
    return same_order and all(column.conversion.is_identity for column in plan.columns)


def _chosen(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """These columns, named by their places. A select would take names like `*` for patterns, and names may be there twice."""
    return pl.DataFrame([frame.get_column(name).alias(str(place)) for place, name in enumerate(names)])
