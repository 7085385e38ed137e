"""What is brought to storage types can be written to a Delta table under the storage schema and read back unchanged."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import deltalake
import polars as pl

from mesh_core.contract import load_contract
from mesh_core.types import normalise, storage_schema

CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: all-types
version: 1.0.0
schema:
- name: t
  properties:
  - {name: id, logicalType: integer, primaryKey: true}
  - {name: small, logicalType: integer, logicalTypeOptions: {format: u8}}
  - {name: huge, logicalType: integer, logicalTypeOptions: {format: u64}}
  - {name: amount, logicalType: number, physicalType: "decimal(10,2)"}
  - {name: ratio, logicalType: number}
  - {name: category, logicalType: string}
  - {name: raw, logicalType: string, logicalTypeOptions: {format: binary}}
  - {name: flag, logicalType: boolean}
  - {name: day, logicalType: date}
  - {name: clock, logicalType: time}
  - {name: local, logicalType: timestamp}
  - {name: moment, logicalType: timestamp, logicalTypeOptions: {timezone: true}}
  - {name: embedding, logicalType: vector, logicalTypeOptions: {dimensions: 2}}
  - {name: tags, logicalType: array, items: {logicalType: string}}
  - name: address
    logicalType: object
    properties: [{name: zip, logicalType: string}, {name: number, logicalType: integer, physicalType: int}]
  - {name: prices, logicalType: map, map: {key: {logicalType: string}, value: {logicalType: number}}}
  - {name: absent, logicalType: date}
"""


def frame() -> pl.DataFrame:
    moment = dt.datetime(2020, 1, 2, 3, 4, 5, 6)
    return pl.DataFrame(
        {
            "id": pl.Series([1, 2], dtype=pl.Int32),
            "small": pl.Series([255, None], dtype=pl.UInt8),
            "huge": pl.Series([2**64 - 1, None], dtype=pl.UInt64),
            "amount": [0.1, None],
            "ratio": [0.1, None],
            "category": pl.Series(["x", None], dtype=pl.Categorical),
            "raw": [b"\x00", None],
            "flag": [True, None],
            "day": [moment.date(), None],
            "clock": [moment.time(), None],
            "local": pl.Series([moment, None], dtype=pl.Datetime("ns")),
            "moment": pl.Series([moment, None], dtype=pl.Datetime("ns")).dt.replace_time_zone("Europe/Berlin"),
            "embedding": pl.Series([[1.0, 2.0], None], dtype=pl.Array(pl.Float32, 2)),
            "tags": pl.Series([["a", None], None], dtype=pl.List(pl.Enum(["a"]))),
            "address": [{"zip": "1", "number": 2}, None],
            "prices": [[{"key": "a", "value": 1.5}], None],
        }
    )


def test_every_storage_type_survives_a_delta_table(tmp_path: Path) -> None:
    port = load_contract(CONTRACT).port("t")
    stored = normalise(frame().lazy(), port).frame
    assert stored is not None
    eager = stored.collect()
    deltalake.write_deltalake(str(tmp_path), eager.to_arrow().cast(storage_schema(port)))
    read = pl.read_delta(str(tmp_path)).sort("id")  # a table has no order
    assert read.equals(eager)
    assert read.schema == eager.schema
    fields = deltalake.DeltaTable(str(tmp_path)).schema().fields
    assert [field.name for field in fields if not field.nullable] == ["id"]
    first = eager.row(0, named=True)
    assert (first["small"], first["huge"], first["amount"]) == (255, Decimal(2**64 - 1), Decimal("0.10"))
    assert first["moment"] == dt.datetime(2020, 1, 2, 2, 4, 5, 6, tzinfo=dt.UTC)
    assert first["clock"] == ((3 * 60 + 4) * 60 + 5) * 1_000_000 + 6
    assert first["absent"] is None
