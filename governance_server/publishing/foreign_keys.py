"""Foreign keys at publish: does every value exist in the port referred to, as that is published with it or served now?

The port referred to is read with the server's own rights, so a producer that may not read it still gets the check. It learns how
many of its rows miss, and which of its own rows only where it sees the other column anyway. The keys of both sides are streamed
into the engine of governed SQL, which spills what does not fit into its memory and ends when its time is over.
Source: ODCS 3.1 "Relationships"; SQL's MATCH SIMPLE: a key with a null in it refers to nothing and is in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import pyarrow as pa

from governance_server.caller import Caller
from governance_server.gateway.polars_streaming import stream_batches
from governance_server.gateway.sql_engine import GovernedStream, SqlEngine
from governance_server.gateway.sql_errors import EngineFailed, EngineOutOfMemory, EngineTimeout, QueryRefused
from governance_server.publishing.candidate_files import Candidate, Found, NotRunnable, OtherPorts
from mesh_core.contract import Port
from mesh_core.contract.relationships import ForeignKey, foreign_key
from mesh_core.quality.check import Check
from mesh_core.quality.report import MAX_SAMPLES
from mesh_core.quality.samples import sample_text

__all__ = ["ForeignKeys"]

_ROW = "__row"
_SECONDS = 600.0
"""For one key."""
_BATCH_ROWS = 131_072
_MISSING = """
WITH missing AS MATERIALIZED (
    SELECT {row}, {firsts} FROM source
    WHERE {known} AND NOT EXISTS (SELECT 1 FROM target WHERE {same})
    GROUP BY {row}
)
SELECT (SELECT count(*) FROM missing), * FROM missing ORDER BY {row} LIMIT {limit}
"""


class ForeignKeys:
    """Checks foreign keys, one at a time."""

    def __init__(self, spill_folder: Path, memory_bytes: int, others: OtherPorts, *, timeout_seconds: float = _SECONDS) -> None:
        self._spill_folder = spill_folder
        self._memory_bytes = memory_bytes
        self._others = others
        self._timeout_seconds = timeout_seconds

    def run(self, check: Check, port: Port, candidate: Candidate, caller: Caller) -> Found:
        """How many rows refer to nothing. One that takes too much time or memory has failed. Raises: NotRunnable."""
        entry = check.argument if isinstance(check.argument, dict) else {}
        key = foreign_key(entry, candidate.contract, product=candidate.product, port=port.name, path=check.path)
        if isinstance(key, str):
            raise NotRunnable(key)
        is_elsewhere = "." in key.target
        known = self._others.frame(caller, key.target) if is_elsewhere else candidate.frame(candidate.contract.port(key.target))
        source = candidate.contract.port(key.port)
        shown = [column.name for column in source.primary_key]
        try:
            count, rows = self._missing(candidate.frame(source), known, key, shown)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise NotRunnable(f"{key.target} could not be read ({type(error).__name__})") from error
        except EngineTimeout:
            return Found(False, f"looking for its values in {key.target} was stopped after {self._timeout_seconds:g} seconds")
        except EngineOutOfMemory:
            return Found(False, f"looking for its values in {key.target} takes more memory than a query may have")
        except (EngineFailed, QueryRefused) as error:
            raise NotRunnable(f"the engine failed ({type(error).__name__})") from error
        if not count:
            return Found(True, f"every value is in {key.target}")
        columns = [path[0] for path in key.target_columns]
        is_shown = not check.is_personal and (not is_elsewhere or self._others.shows(caller, key.target, columns))
        samples = tuple(_sample(row, len(key.columns)) for row in rows) if is_shown else ()
        return Found(False, f"{count} rows refer to what is not in {key.target}", count, samples=samples)

    def _missing(
        self, source: pl.LazyFrame, known: pl.LazyFrame, key: ForeignKey, shown: list[str]
    ) -> tuple[int, list[tuple[object, ...]]]:
        """The number of rows without a partner, and the first of them: row number, the values, the row's own primary key."""
        names = [f"__key{index}" for index in range(len(key.columns))]
        own = [f"__own{index}" for index in range(len(shown))]
        left = _keys(source.with_row_index(_ROW), key.columns, names, [pl.col(_ROW), *map(pl.col, shown)])
        right = _keys(known, key.target_columns, names, [])
        types = left.collect_schema(), right.collect_schema()
        casts = [pl.col(name).cast(_common(types[0][name], types[1][name], key)) for name in names]
        renamed = left.with_columns(casts).rename(dict(zip(shown, own, strict=True)))
        tables = {"source": _stream(renamed), "target": _stream(right.with_columns(casts))}
        sql = _MISSING.format(
            row=_ROW,
            firsts=", ".join(f"first({name}) AS {name}" for name in (*names, *own)),
            known=" AND ".join(f"{name} IS NOT NULL" for name in names),
            same=" AND ".join(f"target.{name} = source.{name}" for name in names),
            limit=MAX_SAMPLES,
        )
        engine = SqlEngine(self._spill_folder, self._memory_bytes)
        with closing(engine.run(sql, tables, timeout_seconds=self._timeout_seconds)) as batches:
            rows = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
        return (int(str(rows[0][0])) if rows else 0), [row[1:] for row in rows]


def _stream(frame: pl.LazyFrame) -> GovernedStream:
    """The frame as a table of the engine, read anew by each scan."""
    schema = pl.DataFrame(schema=frame.collect_schema()).to_arrow(compat_level=pl.CompatLevel.oldest()).schema

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in stream_batches(frame, batch_rows=_BATCH_ROWS):
            yield from batch.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema).to_batches()

    return GovernedStream(schema, batches)


def _keys(frame: pl.LazyFrame, paths: tuple[tuple[str, ...], ...], names: list[str], kept: list[pl.Expr]) -> pl.LazyFrame:
    schema = frame.collect_schema()
    for path, name in zip(paths, names, strict=True):
        if not path or path[0] not in schema:
            raise NotRunnable(f"there is no column {'.'.join(path) or '(none)'}")
        frame = frame.with_columns(pl.col(path[0]).alias(name))
        for step in path[1:]:
            frame = _stepped(frame, name, step)
    return frame.select(*kept, *names)


def _stepped(frame: pl.LazyFrame, name: str, step: str) -> pl.LazyFrame:
    """One step further into a nested value; the items of a list become rows."""
    dtype = frame.collect_schema()[name]
    if isinstance(dtype, pl.List):
        frame = frame.explode(name)
        dtype = frame.collect_schema()[name]
        if step == "[]":
            return frame
    if not isinstance(dtype, pl.Struct) or step not in {field.name for field in dtype.fields}:
        raise NotRunnable(f"there is no {step!r} in {dtype}")
    return frame.with_columns(pl.col(name).struct.field(step).alias(name))


def _common(left: pl.DataType, right: pl.DataType, key: ForeignKey) -> pl.DataType:
    if left == right:
        return left
    if left.is_integer() and right.is_integer():
        return pl.Int64()
    if (left.is_integer() or left.is_decimal()) and (right.is_integer() or right.is_decimal()):
        scales = [dtype.scale for dtype in (left, right) if isinstance(dtype, pl.Decimal)]
        return pl.Decimal(38, max(scales))
    if left.is_temporal() and right.is_temporal() and isinstance(left, pl.Datetime) == isinstance(right, pl.Datetime):
        return left
    raise NotRunnable(f"{left} cannot refer to the {right} of {key.target}")


def _sample(row: tuple[object, ...], width: int) -> str:
    """`row 3: 7`, or with the row's own key `row 3, key 12: 7`."""
    number, values, own = row[0], row[1 : 1 + width], row[1 + width :]
    named = f", key {sample_text(own, is_personal=False)}" if own else ""
    return f"row {number}{named}: {sample_text(values, is_personal=False)}"
