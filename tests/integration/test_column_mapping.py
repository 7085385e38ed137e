"""Canary: why a rename rewrites the table. When one of these fails, columns could be renamed in the Delta log alone."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaProtocolError

FIELD = {
    "name": "amount",
    "type": "long",
    "nullable": True,
    "metadata": {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "col-1"},
}


@pytest.fixture
def mapped(tmp_path: Path) -> Path:
    """A table whose column `amount` is called `col-1` in its file, after the Delta protocol's "Column Mapping"."""
    pq.write_table(pa.table({"col-1": [1, 2]}), tmp_path / "f.parquet")
    schema = json.dumps({"type": "struct", "fields": [FIELD]})
    configuration = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "1"}
    metadata = {
        "id": "x", "format": {"provider": "parquet", "options": {}}, "schemaString": schema, "partitionColumns": [],
        "configuration": configuration, "createdTime": 0,
    }  # fmt: skip
    size = (tmp_path / "f.parquet").stat().st_size
    add = {"path": "f.parquet", "partitionValues": {}, "size": size, "modificationTime": 0, "dataChange": True}
    lines = [{"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}, {"metaData": metadata}, {"add": add}]
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / "_delta_log" / f"{0:020}.json").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


def test_polars_refuses_a_table_that_maps_columns(mapped: Path) -> None:
    with pytest.raises(DeltaProtocolError, match="column mapping"):
        pl.scan_delta(mapped).collect()


def test_delta_rs_reads_one_by_its_query_engine_alone_and_renames_no_column(mapped: Path) -> None:
    table = DeltaTable(mapped)
    read = pa.table(QueryBuilder().register("t", table).execute("select amount from t").read_all())
    assert read.column("amount").to_pylist() == [1, 2]
    assert table.to_pyarrow_table().column("amount").to_pylist() == [None, None]
    assert not [name for name in dir(table.alter) if "rename" in name or name == "drop_columns"]
