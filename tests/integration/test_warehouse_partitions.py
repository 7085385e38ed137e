"""A table partitioned by a column of any type reads back value for value, in polars and in delta-rs' own engine."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, QueryBuilder

from governance_server.warehouse.delivered import VerifiedFile
from governance_server.warehouse.delta_log import TableChange, commit_version
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.partitions import partition_of
from governance_server.warehouse.snapshot import open_snapshot

VALUES: list[tuple[pa.DataType, list[Any]]] = [
    (pa.string(), ["EU", "a/b=c %d", "ü", "null", " ", None]),
    (pa.int64(), [1, -5, None]),
    (pa.int32(), [7, 2**31 - 1]),
    (pa.bool_(), [True, False, None]),
    (pa.date32(), [dt.date(2026, 1, 31), None]),
    (pa.timestamp("us", "UTC"), [dt.datetime(2026, 1, 1, 12, 30, 0, 123456, tzinfo=dt.UTC), None]),
    (pa.timestamp("us"), [dt.datetime(2026, 1, 1, 12, 30), dt.datetime(1969, 12, 31, 23, 59, 59, 999999)]),
    (pa.decimal128(10, 2), [Decimal("1.50"), Decimal("-0.01"), None]),
    (pa.float64(), [1.5, -0.25]),
]


@pytest.mark.parametrize(("kind", "values"), VALUES, ids=[str(kind) for kind, _ in VALUES])
def test_a_partition_column_of_any_type_reads_back(tmp_path: Path, kind: pa.DataType, values: list[Any]) -> None:
    root = tmp_path / "table"
    root.mkdir()
    folder = LocalFolder(root)
    schema = pa.schema([pa.field("part", kind), pa.field("n", pa.int64())])
    files = []
    for index, value in enumerate(values):
        name = f"pub-{index:032x}-x.parquet"
        pq.write_table(pa.table({"part": pa.array([value] * 2, kind), "n": [index, index]}, schema=schema), root / name)
        place = partition_of(folder, name, ["part"])
        assert place is not None
        files.append(VerifiedFile(name, (root / name).stat().st_size, 2, '{"numRecords":2}', place))
    change = TableChange(files, schema, partition_by=("part",))
    assert commit_version(folder, change, publication_id=f"pub-{1:032x}", version=1) == 0
    wanted = {(value, index) for index, value in enumerate(values)}
    assert set(pl.scan_delta(DeltaTable(root)).select("part", "n").collect().rows()) == wanted
    engine = QueryBuilder().register("t", DeltaTable(root)).execute("select part, n from t")
    assert set(pl.DataFrame(pa.table(engine)).rows()) == wanted
    one = pl.DataFrame({"part": pl.DataFrame(pa.table({"part": pa.array(values[:1], kind)}))["part"]})
    found = open_snapshot(folder, 0).in_partitions(one)
    assert [file.name for file in found] == [files[0].name]


def test_a_file_of_two_partitions_and_one_of_the_empty_text_have_none(tmp_path: Path) -> None:
    for name, values in (("two", ["a", "b"]), ("empty", [""]), ("one", ["a", "a"])):
        pq.write_table(pa.table({"part": values}), tmp_path / name)
    folder = LocalFolder(tmp_path)
    assert [partition_of(folder, name, ["part"]) for name in ("two", "empty", "one")] == [None, None, (("part", "a"),)]
