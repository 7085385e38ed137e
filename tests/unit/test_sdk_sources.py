"""What a port can be published from: files of every kind, and sources that are broken or change, each one clear error."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from domain_sdk._delivery import Delivered, deliver
from domain_sdk.errors import Conflict, InvalidRequest, MeshError
from domain_sdk.release import QualityStatus
from mesh_core.contract import Column, Port

ENTRIES = Port(
    name="entries",
    columns=(
        Column("id", logical_type="integer", required=True, primary_key_position=1),
        Column("code", logical_type="string"),
        Column("price", logical_type="number", physical_type="decimal(10,2)"),
    ),
)
FRAME = pl.DataFrame(
    {"id": [1, 2, 3], "code": ["0042", None, "x"], "price": ["1.50", "2.00", "3.25"]}, schema_overrides={"id": pl.Int64}
).cast({"price": pl.Decimal(10, 2)})
NAME = "finance.ledger.entries"


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def delivered(given: Any, folder: Path | None, port: Port = ENTRIES) -> Delivered:
    return deliver(port, NAME, given, folder=folder, hook=lambda *_: None)


def stored(folder: Path, made: Delivered) -> pl.DataFrame:
    return pl.read_parquet([folder / file.name for file in made.files])


def failed(made: Delivered) -> set[str]:
    return {it.check for it in made.quality if it.status is QualityStatus.FAILED}


WRITERS = {
    "parquet": pl.DataFrame.write_parquet,
    "csv": pl.DataFrame.write_csv,
    "ndjson": lambda frame, path: frame.cast({"price": pl.Float64}).write_ndjson(path),  # polars writes decimals as text
    "arrow": pl.DataFrame.write_ipc,
}


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("given", ["file", "path", "pattern", "folder", "list"])
def test_files_of_every_kind_are_published_with_the_contracts_types(drop: Path, files: Path, ending: str, given: str) -> None:
    for index in range(3):
        WRITERS[ending](FRAME.slice(index, 1), files / f"{index}.{ending}")
    WRITERS[ending](FRAME, files / f"all.{ending}")
    ways = {
        "file": str(files / f"all.{ending}"),
        "path": files / f"all.{ending}",
        "pattern": str(files / f"[0-9].{ending}"),
        "folder": files,
        "list": [files / f"{index}.{ending}" for index in range(3)],
    }
    (files / f"all.{ending}").rename(files.parent / f"all.{ending}") if given == "folder" else None
    made = delivered(ways[given], drop)
    assert failed(made) == set()
    assert stored(drop, made).equals(FRAME)


def test_files_that_are_not_there_of_two_kinds_or_of_no_known_kind_are_named(drop: Path, files: Path) -> None:
    FRAME.write_csv(files / "a.csv")
    FRAME.write_parquet(files / "b.parquet")
    (files / "c.xlsx").touch()
    for given, said in (
        (files / "none.csv", "not a file"),
        (str(files / "*.feather"), "no file matches"),
        (files, "several kinds"),
        ([files / "c.xlsx"], "none of"),
    ):
        with pytest.raises(InvalidRequest, match=said):
            delivered(given, drop)
    assert list(drop.iterdir()) == []


def test_text_that_is_not_utf8_and_a_file_that_is_no_parquet_are_one_clear_error(drop: Path, files: Path) -> None:
    (files / "a.csv").write_bytes(b"id,code,price\n1,\xff\xfe,1.00\n")
    (files / "b.parquet").write_bytes(b"PAR1 no more")
    for name in ("a.csv", "b.parquet"):
        with pytest.raises(InvalidRequest, match=NAME):
            delivered(files / name, drop)
    assert list(drop.iterdir()) == []


def test_zones_that_differ_from_file_to_file_are_one_clear_error(drop: Path, files: Path) -> None:
    port = Port("entries", columns=(Column("at", logical_type="timestamp", options={"timezone": True}),))
    moment = dt.datetime(2026, 1, 1)
    for name, zone in (("a", "UTC"), ("b", "Europe/Berlin")):
        frame = pl.DataFrame({"at": [moment]}).with_columns(pl.col("at").dt.replace_time_zone(zone))
        frame.write_parquet(files / f"{name}.parquet")
    with pytest.raises(InvalidRequest, match=NAME):
        delivered(files, drop, port)
    one = delivered(files / "b.parquet", drop, port)
    assert stored(drop, one)["at"].to_list() == [dt.datetime(2025, 12, 31, 23, tzinfo=dt.UTC)]


def test_columns_of_one_name_are_one_clear_error(drop: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["id", "id"])
    with pytest.raises(InvalidRequest, match=r"more than once.*id"):
        delivered(table, drop)


def overwriting(path: Path, after: int) -> pl.LazyFrame:
    """The file's rows; it is written anew while they are read."""
    seen = 0

    def change(batch: pl.DataFrame) -> pl.DataFrame:
        nonlocal seen
        seen += 1
        if seen == after:
            FRAME.with_columns(id=pl.col("id") + 10).write_parquet(path.with_suffix(".new"))
            os.replace(path.with_suffix(".new"), path)
        return batch

    return pl.scan_parquet(path).map_batches(change, schema=FRAME.schema, streamable=True)


def other_type(frame: pl.LazyFrame) -> pl.LazyFrame:
    """A frame whose second batch has another type than it says."""
    calls = 0

    def change(batch: pl.DataFrame) -> pl.DataFrame:
        nonlocal calls
        calls += 1
        return batch if calls == 1 else batch.with_columns(pl.col("id").cast(pl.String))

    return frame.map_batches(change, schema=FRAME.schema, streamable=True)


def test_a_file_that_changes_while_it_is_read_is_one_clear_error(drop: Path, files: Path) -> None:
    FRAME.write_parquet(files / "a.parquet")
    with pytest.raises(Conflict, match="changed while they were read"):
        delivered(overwriting(files / "a.parquet", 1), drop)


def test_a_frame_that_gives_other_types_later_on_is_one_clear_error(drop: Path) -> None:
    big = FRAME.sample(600_000, with_replacement=True).with_columns(id=pl.int_range(600_000, dtype=pl.Int64))
    with pytest.raises(MeshError) as caught:
        delivered(other_type(big.lazy()), drop)
    assert type(caught.value) in (Conflict, InvalidRequest)
    assert list(drop.iterdir()) == []


def test_a_stream_that_breaks_off_is_one_clear_error_and_leaves_nothing(drop: Path) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from FRAME.to_arrow().to_batches()
        raise pa.ArrowInvalid("the other side hung up")

    reader = pa.RecordBatchReader.from_batches(FRAME.to_arrow().schema, batches())
    with pytest.raises(InvalidRequest, match="hung up"):
        delivered(reader, drop)
    assert list(drop.iterdir()) == []


def test_a_frame_that_its_owner_changes_in_place_is_published_as_it_was(drop: Path) -> None:
    frame = FRAME.clone()

    def hook(done: int, total: int | None) -> None:
        if "added" not in frame.columns:
            frame.insert_column(0, pl.lit(1).alias("added"))

    made = deliver(ENTRIES, NAME, frame, folder=drop, hook=hook)
    assert stored(drop, made).equals(FRAME)


WIDE = Port("entries", columns=tuple(Column(f"c{number}", logical_type="integer") for number in range(5_000)))


def test_five_thousand_columns_are_published(drop: Path) -> None:
    frame = pl.DataFrame({f"c{number}": [1, 2] for number in range(5_000)})
    made = delivered(frame, drop, WIDE)
    assert failed(made) == set()
    assert stored(drop, made).shape == (2, 5_000)


def test_values_that_overflow_a_decimal_are_counted(drop: Path) -> None:
    frame = FRAME.with_columns(price=pl.Series([10**8, 1, 10**9], dtype=pl.Int64))
    made = delivered(frame, drop)
    assert {it.check: it.failing_rows for it in made.quality}["price.type"] == 2


RANGED = Port(
    "entries",
    columns=(
        Column("low", logical_type="number", options={"minimum": 0, "maximum": 10}),
        Column("tags", logical_type="array", items=Column("tag", logical_type="string", required=True)),
    ),
)


def test_nan_and_infinities_break_a_range_and_nulls_inside_are_found(drop: Path) -> None:
    frame = pl.DataFrame(
        {"low": [float("nan"), float("inf"), float("-inf"), 5.0, None], "tags": [["a"], [None], None, [], ["b"]]}
    )
    made = {it.check: it.failing_rows for it in delivered(frame, drop, RANGED).quality}
    assert made["low.minimum"] == 3
    assert made["low.maximum"] == 3
    assert made["tags[].required"] == 1


def test_a_reader_that_was_read_before_does_not_empty_the_table(drop: Path) -> None:
    reader = FRAME.to_arrow().to_reader()
    assert len(delivered(reader, None).quality) > 0
    with pytest.raises(InvalidRequest, match="was read before, and gives its rows only once"):
        delivered(reader, drop)


def test_a_frame_without_columns_has_no_rows(drop: Path) -> None:
    port = Port("entries", columns=(Column("code", logical_type="string"), Column("price", logical_type="number")))
    for given in (pl.DataFrame(), pl.LazyFrame(), pa.table({})):
        assert delivered(given, drop, port).files == ()


def test_times_of_a_zone_that_is_an_offset_are_the_same_moments(drop: Path) -> None:
    port = Port("entries", columns=(Column("at", logical_type="timestamp", options={"timezone": True}),))
    made = delivered(pa.table({"at": pa.array([0], pa.timestamp("s", "+05:30"))}), drop, port)
    assert stored(drop, made)["at"].to_list() == [dt.datetime(1970, 1, 1, tzinfo=dt.UTC)]


def test_an_object_that_is_null_has_no_required_fields_in_a_stream_either(drop: Path) -> None:
    inner = Column("x", logical_type="integer", required=True)
    items = Column("", logical_type="object", columns=(inner,))
    port = Port(
        "entries",
        columns=(Column("o", logical_type="object", columns=(inner,)), Column("l", logical_type="array", items=items)),
    )
    table = pa.table({"o": [{"x": 1}, None], "l": [[{"x": 1}, None], None]})
    made = delivered(table.to_reader(), drop, port)
    assert failed(made) == set()
    assert stored(drop, made).to_dict(as_series=False) == table.to_pydict()


def test_the_index_of_a_pandas_frame_is_called_so() -> None:
    table = pa.table({"id": [1], "code": ["a"], "price": [None], "__index_level_0__": [5]})
    (schema,) = [it for it in delivered(table, None).quality if it.check == "schema"]
    assert "it is the index of a pandas frame: leave it out with reset_index(drop=True)" in schema.message
