"""Foreign keys at publish: does every value exist in the port referred to, as that is published with it or served now?

The port referred to is read with the server's own rights, so a producer that may not read it still gets the check. It learns how
many of its rows miss, and which of its own rows only where it sees the other column anyway.
Source: ODCS 3.1 "Relationships"; SQL's MATCH SIMPLE: a key with a null in it refers to nothing and is in order.
"""

from __future__ import annotations

import polars as pl

from governance_server.caller import Caller
from governance_server.publishing.candidate_files import Candidate, Found, NotRunnable, OtherPorts
from mesh_core.contract import Port
from mesh_core.contract.relationships import ForeignKey, foreign_key
from mesh_core.quality.check import Check
from mesh_core.quality.report import MAX_SAMPLES
from mesh_core.quality.samples import sample_text

__all__ = ["check_key"]

_ROW = "__row"


def check_key(check: Check, port: Port, candidate: Candidate, others: OtherPorts, caller: Caller) -> Found:
    """How many rows refer to nothing. Raises: NotRunnable."""
    entry = check.argument if isinstance(check.argument, dict) else {}
    key = foreign_key(entry, candidate.contract, product=candidate.product, port=port.name, path=check.path)
    if isinstance(key, str):
        raise NotRunnable(key)
    source = candidate.contract.port(key.port)
    is_elsewhere = "." in key.target
    known = others.frame(caller, key.target) if is_elsewhere else candidate.frame(candidate.contract.port(key.target))
    try:
        missing = _missing(candidate.frame(source), known, key, [column.name for column in source.primary_key])
        count, rows = missing.height, missing.head(MAX_SAMPLES)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise NotRunnable(f"{key.target} could not be read ({type(error).__name__})") from error
    if not count:
        return Found(True, f"every value is in {key.target}")
    columns = [path[0] for path in key.target_columns]
    is_shown = not check.is_personal and (not is_elsewhere or others.shows(caller, key.target, columns))
    samples = tuple(_sample(row, len(key.columns)) for row in rows.iter_rows()) if is_shown else ()
    return Found(False, f"{count} rows refer to what is not in {key.target}", count, samples=samples)


def _missing(source: pl.LazyFrame, known: pl.LazyFrame, key: ForeignKey, shown: list[str]) -> pl.DataFrame:
    """Rows without a partner: row number, the values, the row's own primary key."""
    names = [f"__key{index}" for index in range(len(key.columns))]
    left = _keys(source.with_row_index(_ROW), key.columns, names, [_ROW, *shown])
    right = _keys(known, key.target_columns, names, [])
    types = left.collect_schema(), right.collect_schema()
    common = [_common(types[0][name], types[1][name], key) for name in names]
    casts = [pl.col(name).cast(dtype) for name, dtype in zip(names, common, strict=True)]
    lefts, rights = left.with_columns(casts), right.with_columns(casts).unique()
    found = lefts.drop_nulls(names).join(rights, on=names, how="anti").select(_ROW, *names, *shown)
    return found.unique(_ROW).sort(_ROW).collect(engine="streaming")


def _keys(frame: pl.LazyFrame, paths: tuple[tuple[str, ...], ...], names: list[str], kept: list[str]) -> pl.LazyFrame:
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
