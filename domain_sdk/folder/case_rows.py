"""What somebody sees of rows made up for a test: the row filter, then each column's branches and masks, as the gateway does it.

Imports polars; import this module on first use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import reduce
from types import MappingProxyType
from typing import Any

import polars as pl

from domainmesh.v1 import question_pb2
from mesh_core.expressions.polars import to_polars
from mesh_core.expressions.sql import parse_filter
from mesh_core.masks import Mask
from mesh_core.masks.polars import mask_expression

__all__ = ["UnusableRows", "seen_rows"]

_SALT = b"a test of policies"
_DTYPES: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "string": pl.String(),
        "integer": pl.Int64(),
        "number": pl.Float64(),
        "boolean": pl.Boolean(),
        "date": pl.Date(),
        "timestamp": pl.Datetime("us"),
    }
)


class UnusableRows(ValueError):
    """The rows of a test do not fit the port; the message says why."""


def seen_rows(rows: Sequence[Mapping[str, Any]], types: Mapping[str, str], sight: question_pb2.Sight) -> list[dict[str, Any]]:
    """What is seen of the rows, in their order: visible columns that the rows name; dates and times as text.

    Raises:
        UnusableRows: a row names a column that the port does not have, or a value is not of its type.
    """
    unknown = sorted({name for row in rows for name in row} - set(types))
    if unknown:
        raise UnusableRows(f"the port has no column {', '.join(unknown)}; it has {', '.join(types)}.")
    named = [name for name in types if any(name in row for row in rows)]
    schema = pl.Schema({name: _DTYPES.get(kind, pl.String()) for name, kind in types.items()})
    try:
        cells = [{name: _cell(row.get(name), types[name]) for name in types} for row in rows]
        frame = pl.DataFrame(cells, schema=schema)
    except (ValueError, TypeError, pl.exceptions.PolarsError) as error:
        raise UnusableRows(f"a value is not of its column's type: {error}") from error
    if sight.row_filter:
        frame = frame.filter(_condition(sight.row_filter, types, schema))
    shown = [_column(it, types, schema) for it in sight.columns if it.name in named]
    return [{name: _plain(value) for name, value in row.items()} for row in frame.select(shown).to_dicts()]


def _column(column: question_pb2.SeenColumn, types: Mapping[str, str], schema: pl.Schema) -> pl.Expr:
    raw, dtype = pl.col(column.name), schema[column.name]

    def masked(value: pl.Expr, mask: str) -> pl.Expr:
        return mask_expression(value, Mask(mask), dtype, query_salt=_SALT) if mask else value

    def otherwise(rest: pl.Expr, branch: question_pb2.ShownBranch) -> pl.Expr:
        value = masked(raw, branch.mask)
        return pl.when(_condition(branch.condition, types, schema)).then(value).otherwise(rest) if branch.condition else value

    value = reduce(otherwise, reversed(column.branches), pl.lit(None, dtype))
    return masked(value, column.guard_mask).alias(column.name)


def _condition(sql: str, types: Mapping[str, str], schema: pl.Schema) -> pl.Expr:
    return to_polars(parse_filter(sql, types), schema)


def _cell(value: object, kind: str) -> object:
    if isinstance(value, str) and kind == "date":
        return date.fromisoformat(value)
    if isinstance(value, str) and kind == "timestamp":
        return datetime.fromisoformat(value).replace(tzinfo=None)
    return value


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
