"""The quality conformance pack as values: cases, the contract a case is judged by, and its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import yaml

__all__ = ["CASES", "contract_of", "frame_of"]

_DTYPES: dict[str, pl.DataType] = {"string": pl.String(), "integer": pl.Int64(), "number": pl.Float64()}


def _load() -> list[dict[str, Any]]:
    folder = Path(__file__).parent / "quality"
    return [case for path in sorted(folder.glob("*.yaml")) for case in yaml.safe_load(path.read_text(encoding="utf-8"))]


CASES = _load()
"""In the order of files and cases."""


def type_of(case: dict[str, Any], name: str) -> str:
    """The logical type of a column: as the case says, else by its values."""
    values = [value for value in case["columns"][name] if value is not None]
    natural = "string"
    if values and all(isinstance(value, (int, float)) for value in values):
        natural = "number" if any(isinstance(value, float) for value in values) else "integer"
    return str(case.get("types", {}).get(name, natural))


def frame_of(case: dict[str, Any]) -> pl.DataFrame:
    """The case's table."""
    return pl.DataFrame({name: pl.Series(values, dtype=_DTYPES[type_of(case, name)]) for name, values in case["columns"].items()})


def contract_of(case: dict[str, Any]) -> dict[str, Any]:
    """An ODCS document with one object `t` that makes the case's promise."""
    properties = [{"name": name, "logicalType": type_of(case, name)} for name in case["columns"]]
    rules = [case["rule"]] if "rule" in case else []
    port: dict[str, Any] = {"name": "t", "logicalType": "object", "physicalType": "table", "properties": properties}
    properties[0].update(case.get("column", {}))
    (port if case.get("object") else properties[0])["quality"] = rules
    head = {"kind": "DataContract", "apiVersion": "v3.1.0", "id": "case", "version": "1.0.0", "status": "active", "name": "case"}
    return {**head, "schema": [port]}
