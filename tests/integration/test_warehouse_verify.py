"""Delivered files are checked against what was declared and against the contract's storage schema, all problems at once."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from governance_server.warehouse.delivered import DeliveredFile
from governance_server.warehouse.errors import DeliveryRejected, StorageUnavailable
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.verify import verify_files

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("name", pa.string()),
        pa.field("day", pa.date32()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("amount", pa.decimal128(10, 2)),
    ]
)
TABLE = pa.table(
    {
        "id": [3, 1, 2],
        "name": ["b", None, "a"],
        "day": [date(2026, 1, 2), date(2026, 1, 1), None],
        "at": [datetime(2026, 1, 1, 12, tzinfo=UTC), None, None],
        "amount": [Decimal("1.50"), Decimal("2.25"), None],
    },
    schema=pa.schema([f.with_nullable(True) for f in SCHEMA]),
)


def deliver(folder: Path, name: str, table: pa.Table, **options: object) -> DeliveredFile:
    pq.write_table(table, folder / name, **options)
    return DeliveredFile(name, (folder / name).stat().st_size, table.num_rows)


def problems(folder: Path, files: list[DeliveredFile], schema: pa.Schema = SCHEMA) -> tuple[str, ...]:
    with pytest.raises(DeliveryRejected) as caught:
        verify_files(LocalFolder(folder), files, schema)
    return caught.value.problems


def test_statistics_are_the_protocols(tmp_path):
    (verified,) = verify_files(LocalFolder(tmp_path), [deliver(tmp_path, "a.parquet", TABLE, row_group_size=1)], SCHEMA)
    assert json.loads(verified.stats_json) == {
        "numRecords": 3,
        "minValues": {"id": 1, "name": "a", "day": "2026-01-01", "at": "2026-01-01T12:00:00.000000Z"},
        "maxValues": {"id": 3, "name": "b", "day": "2026-01-02", "at": "2026-01-01T12:00:00.000000Z"},
        "nullCount": {"id": 0, "name": 1, "day": 1, "at": 2, "amount": 1},
    }


def test_the_arrow_flavour_of_a_type_does_not_matter(tmp_path):
    frame = pl.from_arrow(TABLE)
    frame.write_parquet(tmp_path / "p.parquet")
    dictionary = TABLE.set_column(1, "name", TABLE["name"].dictionary_encode())
    files = [
        DeliveredFile("p.parquet", (tmp_path / "p.parquet").stat().st_size, 3),
        deliver(tmp_path, "d.parquet", dictionary),
        deliver(tmp_path, "l.parquet", TABLE.set_column(1, "name", TABLE["name"].cast(pa.large_string()))),
    ]
    assert [f.rows for f in verify_files(LocalFolder(tmp_path), files, SCHEMA)] == [3, 3, 3]


def test_every_problem_of_every_file_is_reported_at_once(tmp_path):
    null_id = TABLE.set_column(0, "id", pa.array([1, None, None], pa.int64()))
    declared = deliver(tmp_path, "rows.parquet", TABLE)
    (tmp_path / "junk.parquet").write_bytes(b"PAR1 this is not PAR1")
    found = problems(
        tmp_path,
        [
            DeliveredFile("rows.parquet", declared.size + 1, 99),
            deliver(tmp_path, "nulls.parquet", null_id),
            deliver(tmp_path, "types.parquet", TABLE.set_column(0, "id", pa.array([1, 2, 3], pa.int32()))),
            deliver(tmp_path, "extra.parquet", TABLE.append_column("x", pa.array([1, 2, 3])).drop_columns(["name"])),
            deliver(tmp_path, "order.parquet", TABLE.select(["name", "id", "day", "at", "amount"])),
            DeliveredFile("junk.parquet", 21, 1),
            DeliveredFile("absent.parquet", 1, 1),
            DeliveredFile("../escape.parquet", 1, 1),
            DeliveredFile("absent.parquet", 1, 1),
        ],
    )
    text = "\n".join(found)
    for expected in (
        "'../escape.parquet' is not a plain file name",
        "absent.parquet: declared more than once",
        f"rows.parquet: {declared.size} bytes, declared were {declared.size + 1}",
        "rows.parquet: 3 rows, declared were 99",
        "nulls.parquet: the required column id has 2 null(s)",
        "types.parquet: the column id is int32, the contract asks for int64",
        "extra.parquet: the column name is missing",
        "extra.parquet: the column x is not in the contract",
        "order.parquet: the columns are in the order name, id",
        "junk.parquet: not a readable Parquet file",
        "absent.parquet: the file is missing",
    ):
        assert expected in text


def test_a_required_column_without_statistics_is_scanned(tmp_path):
    null_id = TABLE.set_column(0, "id", pa.array([1, None, None], pa.int64()))
    good = deliver(tmp_path, "good.parquet", TABLE, write_statistics=False)
    bad = deliver(tmp_path, "bad.parquet", null_id, write_statistics=False)
    assert problems(tmp_path, [good, bad]) == ("bad.parquet: the required column id has 2 null(s).",)


def test_a_required_nested_column_is_scanned(tmp_path):
    schema = pa.schema([pa.field("tags", pa.list_(pa.string()), nullable=False)])
    table = pa.table({"tags": pa.array([["a", None], [], None], pa.list_(pa.string()))})
    assert problems(tmp_path, [deliver(tmp_path, "n.parquet", table)], schema) == (
        "n.parquet: the required column tags has 1 null(s).",
    )


def test_a_link_a_folder_and_a_pipe_are_no_files(tmp_path):
    real = deliver(tmp_path, "real.parquet", TABLE)
    (tmp_path / "link.parquet").symlink_to(tmp_path / "real.parquet")
    (tmp_path / "folder.parquet").mkdir()
    os.mkfifo(tmp_path / "pipe.parquet")
    names = ["link.parquet", "folder.parquet", "pipe.parquet"]
    found = problems(tmp_path, [DeliveredFile(name, real.size, 3) for name in names])
    assert [p.split(":")[0] for p in found] == names
    assert all("not a regular file" in p for p in found)


def test_bounds_that_may_be_wrong_are_left_out(tmp_path):
    table = pa.table({"f": [1.0, float("nan")], "s": ["x" * 40, "y"], "b": [True, False], "a.b": [1, 2]})
    (verified,) = verify_files(LocalFolder(tmp_path), [deliver(tmp_path, "a.parquet", table)], table.schema)
    stats = json.loads(verified.stats_json)
    assert stats["minValues"] == stats["minValues"] | {"a.b": 1}
    assert set(stats["minValues"]) == set(stats["maxValues"]) == {"a.b"}


def test_a_missing_folder_is_one_clear_error(tmp_path):
    with pytest.raises(StorageUnavailable, match="nowhere"):
        verify_files(LocalFolder(tmp_path / "nowhere"), [], SCHEMA)
