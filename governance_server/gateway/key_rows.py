"""The keys that rows refer by, or are referred to by: each path of a key a plain column, with types in which both sides compare.

Source: ODCS 3.1 "Relationships".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import polars as pl

__all__ = ["OWN", "ROW", "KeyPaths", "NoKey", "common_type", "key_columns", "key_rows"]

ROW = "__row"
"""The row's number in its table, from 0."""
OWN = "__own"
"""Before the position of a column that comes along with the key."""
_KEY = "__key"
KeyPaths: TypeAlias = tuple[tuple[str, ...], ...]


class NoKey(Exception):
    """The columns make no such key; the message says why."""


def key_columns(paths: KeyPaths) -> list[str]:
    """The names of the key's columns in the rows."""
    return [f"{_KEY}{index}" for index in range(len(paths))]


def key_rows(frame: pl.LazyFrame, paths: KeyPaths, beside: Sequence[str] | None = None) -> pl.LazyFrame:
    """Columns `__key0`…, the items of a list each in a row of its own; lazy, in order.

    With `beside`, even if it is empty, `__row` is before them and these columns of the row as `__own0`….

    Raises: NoKey.
    """
    numbered = frame if beside is None else frame.with_row_index(ROW)
    schema = frame.collect_schema()
    for path, name in zip(paths, key_columns(paths), strict=True):
        if not path or path[0] not in schema:
            raise NoKey(f"there is no column {'.'.join(path) or '(none)'}")
        numbered = numbered.with_columns(pl.col(path[0]).alias(name))
        for step in path[1:]:
            numbered = _stepped(numbered, name, step)
    kept = [] if beside is None else [pl.col(ROW), *(pl.col(name).alias(f"{OWN}{i}") for i, name in enumerate(beside))]
    return numbered.select(*kept, *key_columns(paths))


def _stepped(frame: pl.LazyFrame, name: str, step: str) -> pl.LazyFrame:
    """One step further into a nested value; the items of a list become rows."""
    dtype = frame.collect_schema()[name]
    if isinstance(dtype, pl.List):
        frame = frame.explode(name)
        dtype = frame.collect_schema()[name]
        if step == "[]":
            return frame
    if not isinstance(dtype, pl.Struct) or step not in {field.name for field in dtype.fields}:
        raise NoKey(f"there is no {step!r} in {dtype}")
    return frame.with_columns(pl.col(name).struct.field(step).alias(name))


def common_type(left: pl.DataType, right: pl.DataType) -> pl.DataType:
    """The type in which values of both are equal if they are the same. Raises: NoKey."""
    if left == right:
        return left
    if left.is_integer() and right.is_integer():
        return pl.Int64()
    if (left.is_integer() or left.is_decimal()) and (right.is_integer() or right.is_decimal()):
        scales = [dtype.scale for dtype in (left, right) if isinstance(dtype, pl.Decimal)]
        return pl.Decimal(38, max(scales))
    if left.is_temporal() and right.is_temporal() and isinstance(left, pl.Datetime) == isinstance(right, pl.Datetime):
        return left
    raise NoKey(f"{left} cannot refer to {right}")
