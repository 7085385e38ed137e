"""The SDK writes a port's rows in one pass, whatever they come from, and leaves nothing behind when it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain_sdk import _write
from domain_sdk._write import write_port
from domain_sdk.errors import ContractViolated, StorageUnavailable
from governance_server.warehouse.delivered import DeliveredFile as Delivered
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.verify import verify_files

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("name", pa.string()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("amount", pa.decimal128(10, 2)),
        pa.field("tags", pa.list_(pa.string())),
    ]
)
FRAME = pl.DataFrame(
    {
        "id": range(1_000),
        "name": [None, "ä"] * 500,
        "at": [datetime(2026, 1, 1, tzinfo=UTC)] * 1_000,
        "amount": [Decimal("1.50")] * 1_000,
        "tags": [["a", None], []] * 500,
    },
    schema_overrides={"amount": pl.Decimal(10, 2), "at": pl.Datetime("us", "UTC")},
)


class Recorder:
    """Remembers the batches it was shown."""

    def __init__(self) -> None:
        self.batches: list[pl.DataFrame] = []

    def observe(self, batch: pl.DataFrame) -> None:
        self.batches.append(batch)


class OnlyAStream:
    """Nothing but the Arrow C stream interface."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


def read(folder: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in sorted(folder.iterdir())])


@pytest.mark.parametrize(
    "make",
    [
        lambda: FRAME,
        FRAME.lazy,
        FRAME.to_arrow,
        lambda: FRAME.to_arrow(compat_level=pl.CompatLevel.oldest()),
        lambda: FRAME.to_arrow().to_reader(max_chunksize=7),
        lambda: OnlyAStream(FRAME),
    ],
    ids=["frame", "lazy", "table", "old table", "reader", "stream"],
)
def test_every_kind_of_rows_is_written_whole_and_checked_once(tmp_path, make):
    recorder, progress = Recorder(), []
    files = write_port(make(), tmp_path, SCHEMA, checker=recorder, progress=progress.append)
    assert read(tmp_path).equals(FRAME)
    assert pl.concat(recorder.batches).equals(FRAME)
    assert [(f.name, f.size, f.rows) for f in files] == [(p.name, p.stat().st_size, 1_000) for p in tmp_path.iterdir()]
    assert progress[-1] == 1_000


def test_the_server_accepts_the_files_as_they_are(tmp_path):
    written = write_port(FRAME, tmp_path, SCHEMA)
    (verified,) = verify_files(LocalFolder(tmp_path), [Delivered(f.name, f.size, f.rows) for f in written], SCHEMA)
    stats = json.loads(verified.stats_json)
    assert (stats["numRecords"], stats["minValues"]["id"], stats["maxValues"]["id"]) == (1_000, 0, 999)
    assert stats["nullCount"] == {"id": 0, "name": 500, "at": 0, "amount": 0}


def test_large_input_becomes_several_files_and_row_groups_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(_write, "_FILE_BYTES", 200_000)
    monkeypatch.setattr(_write, "_GROUP_ROWS", 20_000)
    monkeypatch.setattr(_write, "_READ_ROWS", 10_000)
    frame = pl.DataFrame({"n": range(300_000)})
    files = write_port(frame.lazy(), tmp_path, pa.schema([("n", pa.int64())]))
    assert len(files) > 2
    assert [f.name for f in files] == [f"part-{i:05}.parquet" for i in range(len(files))]
    assert read(tmp_path)["n"].to_list() == list(range(300_000))
    assert pq.read_metadata(tmp_path / files[0].name).row_group(0).num_rows == 20_000


def test_wide_rows_make_smaller_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(_write, "_GROUP_BYTES", 100_000)
    recorder = Recorder()
    write_port(pl.DataFrame({"s": ["x" * 1_000] * 1_000}), tmp_path, pa.schema([("s", pa.string())]), checker=recorder)
    assert len(recorder.batches) >= 10
    assert max(b.estimated_size() for b in recorder.batches) <= 110_000


def test_no_rows_are_no_files(tmp_path):
    assert write_port(FRAME.clear().lazy(), tmp_path, SCHEMA) == []
    assert list(tmp_path.iterdir()) == []


def test_a_null_in_a_required_column_is_written_for_the_checker_to_report(tmp_path):
    frame = FRAME.with_columns(id=pl.lit(None, dtype=pl.Int64))
    write_port(frame, tmp_path, SCHEMA)
    assert read(tmp_path)["id"].null_count() == 1_000


@pytest.mark.parametrize("kind", [lambda f: f, pl.DataFrame.lazy, pl.DataFrame.to_arrow])
def test_other_columns_than_the_contracts_are_refused_all_at_once(tmp_path, kind):
    frame = FRAME.drop("tags").with_columns(pl.col("id").cast(pl.Int32), extra=1)
    with pytest.raises(ContractViolated) as caught:
        write_port(kind(frame), tmp_path, SCHEMA)
    assert sorted(v.path for v in caught.value.violations) == ["extra", "id", "tags"]
    assert list(tmp_path.iterdir()) == []


def test_another_order_of_columns_is_refused(tmp_path):
    with pytest.raises(ContractViolated, match="order"):
        write_port(FRAME.select(reversed(FRAME.columns)), tmp_path, SCHEMA)


def test_a_source_that_fails_half_way_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(_write, "_FILE_BYTES", 1)
    monkeypatch.setattr(_write, "_GROUP_ROWS", 10)

    def batches() -> Iterator[pa.RecordBatch]:
        table = pa.table({"n": range(10)})
        yield from table.to_batches() * 5
        raise ValueError("planted")

    reader = pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), batches())
    with pytest.raises(ValueError, match="planted"):
        write_port(reader, tmp_path, reader.schema)
    assert list(tmp_path.iterdir()) == []


def test_a_checker_that_fails_leaves_no_file(tmp_path):
    class Failing:
        def observe(self, batch: pl.DataFrame) -> None:
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        write_port(FRAME, tmp_path, SCHEMA, checker=Failing())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageUnavailable, match="file"):
        write_port(FRAME, tmp_path / "file", SCHEMA)


CHILD = """
import resource, signal, sys, time
from pathlib import Path
import polars as pl, pyarrow as pa
from domain_sdk import _write
from domain_sdk.errors import StorageUnavailable
folder, mode = Path(sys.argv[1]), sys.argv[2]
_write._FILE_BYTES = 4 << 20
frame = pl.DataFrame({"n": range(1_200_000)}).with_columns((pl.col("n") * 7919 % 1_000_003).alias("m"))
schema = pa.schema([("n", pa.int64()), ("m", pa.int64())])
if mode == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
    try:
        _write.write_port(frame, folder, schema)
    except StorageUnavailable as error:
        print("unavailable:", error)
else:
    def progress(rows):
        if rows > 500_000:
            print("started", flush=True)
            time.sleep(0.2)
    try:
        _write.write_port(frame, folder, schema, progress=progress)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_a_full_disk_is_one_clear_error_and_leaves_no_file(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), "full"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("unavailable: The data files could not be written")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_no_file(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), "interrupt"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    assert any(name.startswith("part-") for name in os.listdir(tmp_path))
    time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=50)
    assert "interrupted" in out, err
    assert list(tmp_path.iterdir()) == []


MEMORY_CHILD = """
import resource, sys
from pathlib import Path
import polars as pl, pyarrow.parquet as pq
from domain_sdk import _write
from domain_sdk._write import write_port
_write._FILE_BYTES = _write._GROUP_BYTES = 4 << 20
schema = pq.read_schema(next(Path(sys.argv[1]).iterdir())).remove_metadata()
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
files = write_port(pl.scan_parquet(sys.argv[1]), Path(sys.argv[2]), schema)
print(sum(f.rows for f in files), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) >> 10)
"""


def test_memory_stays_bounded_however_large_the_frame_is(tmp_path):
    import numpy as np

    generator = np.random.default_rng(7)
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for index in range(5):
        columns = {f"c{i}": generator.integers(0, 1_000, 600_000) for i in range(10)}
        pl.DataFrame(columns).write_parquet(
            tmp_path / "in" / f"{index}.parquet", compression="uncompressed", row_group_size=32_768
        )
    done = subprocess.run(
        [sys.executable, "-c", MEMORY_CHILD, str(tmp_path / "in"), str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=55,
    )
    rows, grown_mb = map(int, done.stdout.split())
    assert rows == 3_000_000
    assert grown_mb < 180  # the rows are 240 MB
