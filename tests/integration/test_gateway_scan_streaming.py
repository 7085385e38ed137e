"""Canaries: what is relied on of polars' unstable streaming interfaces."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from governance_server.gateway.polars_streaming import frame_from_batches, sink_to_files, stream_batches

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = pl.Schema({"n": pl.Int64, "s": pl.String})


class CountingSource:
    """An endless-looking source that counts the batches taken from it."""

    def __init__(self, batches: int, rows: int = 10_000) -> None:
        self.taken = 0
        self.asked: list[Sequence[str] | None] = []
        self._batches = batches
        self._rows = rows

    def __call__(self, columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        self.asked.append(columns)
        for index in range(self._batches):
            self.taken += 1
            start = index * self._rows
            frame = pl.DataFrame({"n": range(start, start + self._rows), "s": ["x"] * self._rows}, schema=SCHEMA)
            yield frame.select(columns or list(SCHEMA))


def test_batches_come_in_order_and_in_the_size_asked_for():
    frame = frame_from_batches(CountingSource(20), SCHEMA)
    batches = list(stream_batches(frame, batch_rows=30_000))
    assert [b.height for b in batches] == [30_000] * 6 + [20_000]
    assert pl.concat(batches)["n"].to_list() == list(range(200_000))


def test_nothing_runs_before_the_first_batch_is_asked_for():
    source = CountingSource(5)
    stream = stream_batches(frame_from_batches(source, SCHEMA), batch_rows=1_000)
    time.sleep(0.05)
    assert source.taken == 0
    stream.close()
    assert source.taken == 0


def test_a_slow_consumer_holds_the_query_back():
    source = CountingSource(5_000)
    stream = stream_batches(frame_from_batches(source, SCHEMA), batch_rows=10_000)
    next(stream)
    time.sleep(0.5)
    assert source.taken < 200
    stream.close()


def test_closing_the_stream_stops_the_query():
    source = CountingSource(100_000)
    stream = stream_batches(frame_from_batches(source, SCHEMA), batch_rows=10_000)
    next(stream)
    stream.close()
    gc.collect()
    taken = -1
    while taken != source.taken:
        taken = source.taken
        time.sleep(0.3)
    assert taken < 5_000


def test_a_source_of_batches_is_projected_filtered_and_limited():
    source = CountingSource(50)
    frame = frame_from_batches(source, SCHEMA)
    assert frame.filter(pl.col("n") % 2 == 1).select("n").head(3).collect()["n"].to_list() == [1, 3, 5]
    assert source.asked == [["n"]]
    assert frame.filter(pl.col("n") >= 499_999).collect().rows() == [(499_999, "x")]
    assert frame.select(pl.len()).collect().item() == 500_000


def test_a_result_goes_into_several_files_in_order(tmp_path):
    frame = frame_from_batches(CountingSource(100), SCHEMA)
    sink_to_files(frame, tmp_path, rows_per_group=50_000, bytes_per_file=4 << 20)
    files = sorted(tmp_path.iterdir())
    assert len(files) > 1
    assert pl.concat([pl.read_parquet(f) for f in files])["n"].to_list() == list(range(1_000_000))


MEMORY_CHILD = """
import resource, sys, time
import polars as pl
from governance_server.gateway.polars_streaming import stream_batches
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = 0
for batch in stream_batches(pl.scan_parquet(sys.argv[1]), batch_rows=65_536):
    count += batch.height
    time.sleep(0.002)
print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) >> 10)
"""


def test_memory_stays_bounded_however_large_the_table_is(tmp_path):
    import numpy as np

    generator = np.random.default_rng(7)
    path = tmp_path / "large"
    path.mkdir()
    for index in range(5):
        columns = {f"c{i}": generator.integers(0, 1 << 62, 1_000_000) for i in range(10)}
        pl.DataFrame(columns).write_parquet(path / f"{index}.parquet", compression="uncompressed", row_group_size=131_072)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY_CHILD, str(path)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=50
    )
    rows, grown_mb = map(int, done.stdout.split())
    assert rows == 5_000_000
    assert grown_mb < 260  # the rows are 400 MB
