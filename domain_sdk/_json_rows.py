"""Rows of NDJSON files, read with the types that the contract promises, at every depth.

A number becomes what its digits say, never by way of a float; a text stays a text. A key that the contract does not know is not
dropped, wherever it stands. Imports polars and pyarrow: loaded on first use.
Source: RFC 8259; ndjson.org.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.json as pj

from domain_sdk._text_values import as_written
from mesh_core.contract import Column, Port
from mesh_core.types import UnknownType, target_of

__all__ = ["JsonRows", "json_kind"]

_BLOCK_BYTES = 16 << 20
"""No object may be longer."""


class JsonRows:
    """The files' rows, file after file; read anew each time they are asked for."""

    def __init__(self, files: Sequence[Path], port: Port | None) -> None:
        self.files = files
        kinds = {column.name: json_kind(column) for column in port.columns} if port else {}
        self.kinds: Mapping[str, pl.DataType] = {name: kind for name, kind in kinds.items() if kind is not None}
        """What the contract promises; columns that it leaves open are not in it."""
        self.columns = frozenset(column.name for column in port.columns) if port else frozenset()
        """Every column of the contract; none if it is not known."""
        self._explicit = pa.schema([(name, _arrow(kind)) for name, kind in _as_read(self.kinds).items()])

    @cached_property
    def schema(self) -> pl.Schema:
        """The contract's columns, and those that the beginning of a file has besides."""
        read = pl.Schema(_as_read(self.kinds))
        for file in self.files:
            if not _is_blank(file):
                with self._open(file) as reader:
                    read = pl.Schema({**read, **pl.DataFrame(reader.schema.empty_table()).schema})
        return self._written(pl.DataFrame(schema=read)).schema

    def frames(self) -> Iterator[pl.DataFrame]:
        """The rows in batches, all of this schema."""
        for file in self.files:
            for batch in self._batches(file):
                batch.validate(full=True)  # the reader takes any bytes for text
                yield self._frame(batch)

    def _frame(self, batch: pa.RecordBatch) -> pl.DataFrame:
        frame = self._written(pl.DataFrame(batch))
        missing = [pl.lit(None, kind).alias(name) for name, kind in self.schema.items() if name not in frame.columns]
        return frame.with_columns(missing).select(self.schema.names())

    def _written(self, frame: pl.DataFrame) -> pl.DataFrame:
        for name, kind in self.kinds.items():
            if kind == pl.Float32 and bool(frame[name].is_infinite().any()):
                raise pa.ArrowInvalid(f"{name}: a number is too large for 32 bits")
        return frame.with_columns([as_written(name, kind) for name, kind in self.kinds.items() if kind.is_temporal()])

    def _batches(self, file: Path) -> Iterator[pa.RecordBatch]:
        if not _is_blank(file):
            with self._open(file) as reader:
                yield from reader

    def _open(self, file: Path) -> pj.JSONStreamingReader:
        return pj.open_json(
            str(file),
            read_options=pj.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=pj.ParseOptions(explicit_schema=self._explicit, unexpected_field_behavior="infer"),
        )


def json_kind(column: Column) -> pl.DataType | None:
    """What the column's values are read as; None for what the contract leaves open, and for maps.

    Times inside objects and arrays are texts, as are bytes: no JSON value is one.
    """
    if column.logical_type == "object" and column.columns:
        parts = {part.name: json_kind(part) for part in column.columns}
        known = {name: _inside(kind) for name, kind in parts.items() if kind is not None}
        return pl.Struct(known) if len(known) == len(parts) else None
    if column.logical_type == "array" and column.items:
        inner = json_kind(column.items)
        return None if inner is None else pl.List(_inside(inner))
    if column.logical_type == "vector":
        return pl.List(pl.Float64())
    try:
        target = target_of(column)
    except UnknownType:
        return None
    if target.is_time:
        return pl.Time()
    return pl.String() if target.dtype == pl.Binary else target.dtype


def _inside(kind: pl.DataType) -> pl.DataType:
    return pl.String() if kind.is_temporal() else kind


def _as_read(kinds: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    return {name: _inside(kind) for name, kind in kinds.items()}


def _arrow(kind: Any) -> pa.DataType:  # noqa: ANN401 # polars' type of types is private
    """The Arrow type that the reader knows for it."""
    if isinstance(kind, pl.Struct):
        return pa.struct([(part.name, _arrow(part.dtype)) for part in kind.fields])
    if isinstance(kind, pl.List):
        return pa.list_(_arrow(kind.inner))
    return pl.Series(dtype=kind).to_arrow(compat_level=pl.CompatLevel.oldest()).type


def _is_blank(file: Path) -> bool:
    with file.open("rb") as opened:
        return all(not line.strip() for line in opened)
