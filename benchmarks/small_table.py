"""A table of a thousand rows with a primary key, for what is measured per publication rather than per row."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["CONTRACT", "PORT", "PRODUCT", "ROWS", "rows"]

PRODUCT = "bench.small"
PORT = "bench.small.rows"
ROWS = 1_000
CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
id: bench.small
name: small
version: 1.0.0
status: active
schema:
  - name: rows
    logicalType: object
    physicalType: table
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: region, logicalType: string, required: true}
      - {name: amount, logicalType: number, required: true, logicalTypeOptions: {minimum: 0}}
    quality:
      - {metric: rowCount, mustBeGreaterThan: 0}
"""


def rows(number: int) -> pl.DataFrame:
    """The number-th thousand of rows."""
    import polars as pl

    ids = pl.int_range(number * ROWS, (number + 1) * ROWS, eager=True)
    return pl.DataFrame({"id": ids, "region": ["EU", "US"] * (ROWS // 2), "amount": (ids % 97).cast(pl.Float64)})
