"""The change feed: what became different of what a caller sees, release by release, under one read plan.

Rows that went out and rows that came in are governed apart, each as a read would be (policy filter on raw values, then masks);
only then are they compared. So the feed tells exactly the difference between two governed reads: a row that leaves the filter is
a delete, one that enters it an insert, and a change of values that are hidden is none. Knows nothing of gRPC or of how plans are
made. Source: Delta protocol, "Change Data Files", for the names of the change types.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl
import pyarrow as pa

from governance_server.gateway.encode import to_record_batches
from governance_server.gateway.governed_frame import Governed, govern
from governance_server.gateway.polars_streaming import stream_batches
from governance_server.gateway.scan_errors import PlanOutdated, ScanFailed
from governance_server.gateway.table_source import RawRows, open_files, open_table
from governance_server.rules.read_plans import ReadPlan
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.layout import CHANGE_FOLDER
from governance_server.warehouse.matching import DELETED, PAIR

__all__ = ["CHANGE_TYPE", "VERSION", "ChangeStep", "Changes"]

CHANGE_TYPE, VERSION = "_change_type", "_version"
_BATCH_ROWS = 65_536
_PAIRED_ROWS = 262_144
"""Rows that are compared at once with those they replaced."""


@dataclass(frozen=True, slots=True)
class ChangeStep:
    """What one release did to a table; files are named as in the table's folder.

    Attributes:
        version: The product's version.
        inserted: Files whose rows came in.
        deleted: Files all of whose rows went out.
        replaced: Files of rows that went out, with the number of the row that took their place.
        whole: The Delta versions (before, after) if everything was replaced; before is -1 for a first release.
    """

    version: int
    inserted: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    whole: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of one table as one caller may see them.

    Attributes:
        plan: What the caller may see.
        folder: Where the table lies.
        delta_version: The version that says which columns there are.
        salt: For masks that are local to a query.
    """

    plan: ReadPlan
    folder: Folder
    delta_version: int
    salt: bytes

    def schema(self, columns: Sequence[str]) -> pl.Schema:
        """The columns, then `_change_type` and `_version`. Raises: PlanOutdated, ScanFailed."""
        table = open_table(self.plan.port, self.folder, self.delta_version)
        shown = self._governed(table, columns).schema
        return pl.Schema({**shown, CHANGE_TYPE: pl.String(), VERSION: pl.Int64()})

    def scan(self, steps: Sequence[ChangeStep], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The changes in order of versions, at least one batch; within a version deletes come first, pairs of an update together.

        Raises: PlanOutdated, ScanFailed.
        """
        schema = self.schema(columns)
        yield from to_record_batches(pl.DataFrame(schema=schema))
        try:
            for step in steps:
                for frame, change in self._step(step, columns):
                    if frame.height:
                        yield from to_record_batches(self._shaped(frame, schema, change, step.version))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise ScanFailed(self.plan.port, type(error).__name__) from None

    def _step(self, step: ChangeStep, columns: Sequence[str]) -> Iterator[tuple[pl.DataFrame, str]]:
        port = self.plan.port
        if step.whole is not None:
            before, after = step.whole
            if before >= 0:
                yield from self._all(open_table(port, self.folder, before), columns, "delete")
            yield from self._all(open_table(port, self.folder, after), columns, "insert")
            return
        if step.deleted:
            yield from self._all(open_files(port, self.folder, step.deleted), columns, "delete")
        if step.replaced:
            yield from self._pairs(step, columns)
        elif step.inserted:
            yield from self._all(open_files(port, self.folder, step.inserted), columns, "insert")

    def _all(self, source: RawRows, columns: Sequence[str], change: str) -> Iterator[tuple[pl.DataFrame, str]]:
        governed = self._governed(source, columns)
        for frame in stream_batches(governed.frame, batch_rows=_BATCH_ROWS):
            yield frame, change

    def _pairs(self, step: ChangeStep, columns: Sequence[str]) -> Iterator[tuple[pl.DataFrame, str]]:
        """Deleted rows, then portions of new rows beside those they replaced."""
        old = open_files(self.plan.port, self.folder.inside(CHANGE_FOLDER), step.replaced)
        yield from self._all(_Part(old, pl.col(PAIR) == DELETED), columns, "delete")
        if not step.inserted:
            return
        new = open_files(self.plan.port, self.folder, step.inserted, numbered=PAIR)
        count = int(new.frame.select(pl.len()).collect().item())
        for start in range(0, count, _PAIRED_ROWS):
            here = pl.col(PAIR).is_between(start, start + _PAIRED_ROWS - 1)
            came = self._governed(_Part(new, here), columns, carried=[PAIR]).frame.collect(engine="streaming")
            went = self._governed(_Part(old, here), columns, carried=[PAIR]).frame.collect(engine="streaming")
            yield from _told_apart(came, went)

    def _governed(self, source: RawRows, columns: Sequence[str], carried: Sequence[str] = ()) -> Governed:
        """The rows of an older version have the columns they have; the others are null later on."""
        present = tuple(column for column in self.plan.columns if column.name in source.schema)
        names = [name for name in columns if name in source.schema]
        plan = replace(self.plan, columns=present)
        return govern(source, plan, names, joined=None, salt=self.salt, carried=carried)

    def _shaped(self, frame: pl.DataFrame, schema: pl.Schema, change: str, version: int) -> pl.DataFrame:
        shaped = []
        for name, dtype in schema.items():
            if name == VERSION:
                shaped.append(pl.lit(version, dtype=pl.Int64).alias(name))
            elif name == CHANGE_TYPE:
                shaped.append(pl.col(name) if name in frame.columns else pl.lit(change).alias(name))
            elif name not in frame.columns:
                shaped.append(pl.lit(None, dtype=dtype).alias(name))
            elif frame.schema[name] != dtype:
                raise PlanOutdated(self.plan.port, f"in version {version} {name} had another type: ask since a later version")
            else:
                shaped.append(pl.col(name))
        return frame.select(shaped)


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of a source for which something of the mesh's own holds."""

    source: RawRows
    condition: pl.Expr

    @property
    def frame(self) -> pl.LazyFrame:
        """The rows."""
        return self.source.frame.filter(self.condition)

    @property
    def schema(self) -> pl.Schema:
        """Their columns."""
        return self.source.schema


def _told_apart(came: pl.DataFrame, went: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, str]]:
    """Deletes, inserts and updates among rows that are shown; pairs that look the same are no change."""
    yield went.join(came, on=PAIR, how="anti").drop(PAIR), "delete"
    yield came.join(went, on=PAIR, how="anti").drop(PAIR), "insert"
    after = came.join(went, on=PAIR, how="semi").sort(PAIR)
    before = went.join(came, on=PAIR, how="semi").sort(PAIR)
    columns = [name for name in before.columns if name in after.columns and name != PAIR]
    differs = [before[name].ne_missing(after[name]) for name in columns if before.schema[name] == after.schema[name]]
    added = [name for name in after.columns if name not in before.columns]
    differs += [after[name].is_not_null() for name in added]
    if not differs:
        return
    changed = pl.DataFrame([series.alias(str(index)) for index, series in enumerate(differs)]).select(pl.any_horizontal(pl.all()))
    kept = changed.to_series()
    pairs = [
        part.filter(kept).with_columns(pl.lit(kind).alias(CHANGE_TYPE))
        for part, kind in ((before, "update_preimage"), (after, "update_postimage"))
    ]
    yield pl.concat(pairs, how="diagonal").sort(PAIR, maintain_order=True).drop(PAIR), "update_postimage"
