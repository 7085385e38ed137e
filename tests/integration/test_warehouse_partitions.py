"""A table partitioned by a column of any type reads back value for value, in polars and in delta-rs' own engine."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, DeltaTable, QueryBuilder

from governance_server.warehouse.delivered import VerifiedFile
from governance_server.warehouse.delta_log import TableChange, commit_version
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.partition_rewriting import remove_rows
from governance_server.warehouse.partitions import partition_of
from governance_server.warehouse.snapshot import open_snapshot
from governance_server.warehouse.table_care import compact, rewriting_of, vacuum

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


def partitioned(root: Path, kind: pa.DataType, values: list[Any]) -> LocalFolder:
    """A table with a file of two rows for each value, in its partition."""
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
    return folder


def rows_of(root: Path, version: int | None = None) -> Counter[tuple[Any, ...]]:
    """As polars reads them, which takes partitions from the log."""
    return Counter(pl.scan_delta(DeltaTable(root, version=version)).select("part", "n").collect().rows())


@pytest.mark.parametrize(("kind", "values"), VALUES, ids=[str(kind) for kind, _ in VALUES])
def test_a_partition_column_of_any_type_reads_back(tmp_path: Path, kind: pa.DataType, values: list[Any]) -> None:
    folder = partitioned(tmp_path / "table", kind, values)
    root = folder.path
    files = sorted(path.name for path in root.glob("*.parquet"))
    wanted = {(value, index) for index, value in enumerate(values)}
    assert set(pl.scan_delta(DeltaTable(root)).select("part", "n").collect().rows()) == wanted
    engine = QueryBuilder().register("t", DeltaTable(root)).execute("select part, n from t")
    assert set(pl.DataFrame(pa.table(engine)).rows()) == wanted
    one = pl.DataFrame({"part": pl.DataFrame(pa.table({"part": pa.array(values[:1], kind)}))["part"]})
    found = open_snapshot(folder, 0).in_partitions(one)
    assert [file.name for file in found] == [files[0]]


def test_a_file_of_two_partitions_and_one_of_the_empty_text_have_none(tmp_path: Path) -> None:
    for name, values in (("two", ["a", "b"]), ("empty", [""]), ("one", ["a", "a"])):
        pq.write_table(pa.table({"part": values}), tmp_path / name)
    folder = LocalFolder(tmp_path)
    assert [partition_of(folder, name, ["part"]) for name in ("two", "empty", "one")] == [None, None, (("part", "a"),)]


@pytest.mark.parametrize("z_order", [(), ("n", "part")], ids=["packed", "sorted"])
@pytest.mark.parametrize("is_foreign", [False, True], ids=["ours", "by delta-rs"])
@pytest.mark.parametrize(("kind", "values"), VALUES, ids=[str(kind) for kind, _ in VALUES])
def test_partitions_are_written_anew_whole_and_in_the_tables_folder(
    tmp_path: Path, kind: pa.DataType, values: list[Any], *, is_foreign: bool, z_order: tuple[str, ...]
) -> None:
    """Also those that delta-rs compacted: without the partition's column, in a folder of its own."""
    folder = partitioned(tmp_path / "table", kind, [*values, values[0]])
    wanted = rows_of(folder.path)
    if is_foreign:
        DeltaTable(folder.path).optimize.compact()
    packed = compact(folder, 0, z_order=z_order, scratch=tmp_path)
    assert packed is not None
    assert (packed.files_before, packed.files_after) == (len(values) + (not is_foreign), len(values))
    assert (rows_of(folder.path), rows_of(folder.path, 0)) == (wanted, wanted)
    paths = pa.table(DeltaTable(folder.path).get_add_actions(flatten=True)).column("path").to_pylist()
    assert all(set(pq.read_schema(folder.path / path).names) == {"part", "n"} for path in paths)
    assert sum(partition_of(folder, path, ["part"]) is not None for path in paths) == len(values)
    assert compact(folder, 0, scratch=tmp_path) == type(packed)(packed.delta_version, len(values), len(values))
    assert [path.name for path in tmp_path.iterdir()] == ["table"]
    vacuum(folder, [packed.delta_version], grace=dt.timedelta(0))
    assert rows_of(folder.path) == wanted


@pytest.mark.parametrize(("kind", "values"), VALUES, ids=[str(kind) for kind, _ in VALUES])
def test_rows_go_from_their_files_alone_and_a_partition_without_rows_has_none(
    tmp_path: Path, kind: pa.DataType, values: list[Any]
) -> None:
    folder = partitioned(tmp_path / "table", kind, values)
    before = rows_of(folder.path)
    work = rewriting_of(DeltaTable(folder.path), folder, tmp_path)
    remove_rows(work, lambda batch: pc.not_equal(batch.column("n"), 0), ["n"], CommitProperties(max_commit_retries=0))
    assert rows_of(folder.path) == Counter({row: count for row, count in before.items() if row[1] != 0})
    assert rows_of(folder.path, 0) == before
    assert DeltaTable(folder.path).version() == 1
    remove_rows(work, lambda batch: pc.not_equal(batch.column("n"), 0), ["n"], CommitProperties(max_commit_retries=0))
    assert DeltaTable(folder.path).version() == 1
