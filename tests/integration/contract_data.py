"""Rows that fit a contract, made from what ODCS says of its columns alone: names, logical types, options."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

__all__ = ["fitting_frame"]

ROWS = 5
_BY_PHYSICAL = {"int": "integer", "bigint": "integer", "smallint": "integer", "date": "date", "boolean": "boolean"}


def fitting_frame(port: Mapping[str, Any]) -> pl.DataFrame:
    """Five distinct rows for a schema object of a parsed ODCS document."""
    return pl.DataFrame([_series(column) for column in port.get("properties") or ()])


def _series(column: Mapping[str, Any]) -> pl.Series:
    values = [_value(column, row) for row in range(ROWS)]
    return pl.Series(column["name"], values, dtype=_dtype(column))


def _kind(column: Mapping[str, Any]) -> str:
    physical = str(column.get("physicalType", "")).partition("(")[0].lower()
    logical = str(column.get("logicalType") or _BY_PHYSICAL.get(physical, "string"))
    return "integer" if logical == "number" and physical == "int" else logical


def _options(column: Mapping[str, Any]) -> Mapping[str, Any]:
    found = column.get("logicalTypeOptions") or {}
    return found if isinstance(found, Mapping) else {}


def _dtype(column: Mapping[str, Any]) -> pl.DataType:
    match _kind(column):
        case "integer":
            return pl.Int64()
        case "number":
            return pl.Float64()
        case "boolean":
            return pl.Boolean()
        case "date":
            return pl.Date()
        case "timestamp":
            return pl.Datetime("us", "UTC") if _options(column).get("timezone") else pl.Datetime("us")
        case "time":
            return pl.Time()
        case "array":
            return pl.List(_dtype({"name": "item", **(column.get("items") or {"logicalType": "string"})}))
        case "object":
            inner = column.get("properties") or ()
            return pl.Struct({item["name"]: _dtype(item) for item in inner}) if inner else pl.Struct({"any": pl.String()})
        case _:
            return pl.String()


def _value(column: Mapping[str, Any], row: int) -> Any:
    options = _options(column)
    match _kind(column):
        case "integer":
            return int(options.get("minimum", 1)) + row
        case "number":
            return float(options.get("minimum", 0)) + row / 2
        case "boolean":
            return row % 2 == 0
        case "date":
            return date(2024, 1, 1 + row)
        case "timestamp":
            return datetime(2024, 1, 1 + row, 12, tzinfo=UTC if options.get("timezone") else None)
        case "time":
            return datetime(2024, 1, 1, 8, row).time()
        case "array":
            return [_value({"name": "item", **(column.get("items") or {"logicalType": "string"})}, row)]
        case "object":
            return {item["name"]: _value(item, row) for item in column.get("properties") or ()} or {"any": "x"}
        case _:
            return "x" * max(0, int(options.get("minLength", 1)) - 1) + str(row)
