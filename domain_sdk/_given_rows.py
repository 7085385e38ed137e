"""What a table can be made from, as a schema and batches: polars frames, Arrow streams, rows of JSON files.

Imports polars and pyarrow: loaded on first use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import polars as pl
import pyarrow as pa

from domain_sdk._json_rows import JsonRows
from domain_sdk._write import ArrowStream
from domain_sdk.errors import InvalidRequest
from mesh_core.contract import Port
from mesh_core.quality import frame_batches
from mesh_core.types import plan_types
from mesh_core.types.normalise import ProblemKind

__all__ = ["GivenRows", "given_rows", "nullable", "typed_if_empty"]

_OFFSET = re.compile(r"[+-]\d\d:\d\d")
_read: WeakSet[pa.RecordBatchReader] = WeakSet()
"""Readers that were read: they give no rows again, and nothing of them says so. A publication would empty its table."""


@dataclass(frozen=True, slots=True)
class GivenRows:
    """Rows as given: a schema and batches that can be read once."""

    schema: pl.Schema
    batches: Callable[[], Iterator[pl.DataFrame]]
    total: int | None


def given_rows(name: str, given: Any) -> GivenRows:  # noqa: ANN401 # any of the kinds told apart here
    """The rows of what was given for the port of this name.

    Raises:
        InvalidRequest: it is nothing that a table can be made from, or a reader that was read before.
    """
    if isinstance(given, pl.DataFrame):
        return GivenRows(given.schema, lambda: given.iter_slices(131_072), given.height)
    if isinstance(given, pl.LazyFrame):
        return GivenRows(given.collect_schema(), lambda: frame_batches(given), None)
    if isinstance(given, JsonRows):
        return GivenRows(given.schema, given.frames, None)
    if isinstance(given, ArrowStream | pa.RecordBatchReader):
        reader = _in_known_zones(_reader(name, given))
        return GivenRows(pl.DataFrame(reader.schema.empty_table()).schema, lambda: map(pl.DataFrame, reader), None)
    raise InvalidRequest(
        f"A table cannot be made from {type(given).__name__}: give a polars frame, an Arrow stream or paths of files.",
        resource=name,
    )


def _reader(name: str, given: ArrowStream | pa.RecordBatchReader) -> pa.RecordBatchReader:
    if not isinstance(given, pa.RecordBatchReader):
        return pa.RecordBatchReader.from_stream(given)
    if given in _read:
        raise InvalidRequest(
            f"The reader for {name} was read before, and gives its rows only once: make a new one, or give a table.",
            resource=name,
        )
    _read.add(given)
    return given


def _in_known_zones(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The reader; times of zones that are offsets, like `+05:30`, are in UTC: the same moments, and polars knows no such zone."""
    fields = [_in_utc(field) for field in reader.schema]
    return reader if fields == list(reader.schema) else reader.cast(pa.schema(fields))


def _in_utc(field: pa.Field) -> pa.Field:
    kind = field.type
    is_offset = pa.types.is_timestamp(kind) and kind.tz and _OFFSET.fullmatch(kind.tz)
    return field.with_type(pa.timestamp(kind.unit, "UTC")) if is_offset else field


def typed_if_empty(given: Any, port: Port) -> Any:  # noqa: ANN401 # any kind of rows, as given
    """What was given; of a frame without rows, text columns that the contract wants otherwise have no type of their own.

    A file of text with nothing but a header says nothing about types, and there is no value that could be changed. Rows are asked
    for only when the types alone would be refused.
    """
    if not isinstance(given, pl.DataFrame | pl.LazyFrame):
        return given
    schema = given.collect_schema()
    if not schema:  # nulls in place of every column would be a row
        return pl.DataFrame(schema={column.name: pl.Null() for column in port.columns[:1] if not column.required})
    problems = plan_types(schema, port).problems
    typeless = {it.column for it in problems if it.kind is ProblemKind.TYPE and schema.get(it.column) == pl.String}
    if not typeless or not given.lazy().head(1).collect(engine="streaming").is_empty():
        return given
    return pl.DataFrame(schema={name: pl.Null() if name in typeless else dtype for name, dtype in schema.items()})


def nullable(field: pa.Field) -> pa.Field:
    """The field, in which anything may be null, at every depth: an object that is null has no required fields either."""
    kind = field.type
    if pa.types.is_struct(kind):
        kind = pa.struct([nullable(part) for part in kind.fields])
    elif pa.types.is_list(kind):
        kind = pa.list_(nullable(kind.value_field))
    return field.with_type(kind).with_nullable(True)
