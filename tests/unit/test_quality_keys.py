"""Repeated keys are counted exactly, whatever the order, the types, the batches and the memory."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_core.quality import keys as keys_module
from mesh_core.quality.keys import KeyTracker, Repeats

ROWS = st.lists(st.tuples(st.one_of(st.none(), st.integers(-3, 3)), st.one_of(st.none(), st.sampled_from(["a", "b", ""]))))


def tracked(rows: list[tuple[Any, ...]], schema: dict[str, Any], *, size: int, memory_bytes: int) -> Repeats:
    tracker = KeyTracker(tuple(schema), memory_bytes=memory_bytes)
    for start in range(0, max(len(rows), 1), size):
        tracker.add(pl.DataFrame(rows[start : start + size], schema=schema, orient="row"))
    found = tracker.repeats()
    tracker.close()
    return found


def expected(rows: list[tuple[Any, ...]]) -> int:
    counts = Counter(row for row in rows if None not in row)
    return sum(count - 1 for count in counts.values())


@settings(deadline=None, max_examples=60)
@given(ROWS, st.integers(1, 5), st.sampled_from([1, 10**9]))
def test_repeats_equal_a_count_by_hand(rows: list[tuple[Any, ...]], size: int, memory_bytes: int) -> None:
    found = tracked(rows, {"a": pl.Int64, "b": pl.String}, size=size, memory_bytes=memory_bytes)
    assert found.rows == expected(rows)
    for row, times, key in found.samples:
        assert rows.index(key) == row
        assert rows.count(key) == times


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.booleans(), st.integers(1, 4))
def test_sorted_and_unsorted_streams_agree(values: list[int], in_order: bool, size: int) -> None:
    rows = [(value,) for value in (sorted(values) if in_order else values)]
    assert tracked(rows, {"a": pl.Int64}, size=size, memory_bytes=10**9).rows == expected(rows)


def test_a_stream_that_rises_and_only_falls_after_spilling_is_still_judged_whole() -> None:
    rows = [(value,) for value in range(100)] + [(7,), (8,)]
    found = tracked(rows, {"a": pl.Int64}, size=10, memory_bytes=200)
    assert (found.rows, found.samples) == (2, ((7, 2, (7,)), (8, 2, (8,))))


def test_a_hash_collision_alone_is_no_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(frame: pl.DataFrame) -> pl.Series:
        return pl.Series([1] * frame.height, dtype=pl.UInt64)

    monkeypatch.setattr(keys_module, "_row_hashes", constant)
    assert tracked([(3,), (1,), (2,)], {"a": pl.Int64}, size=2, memory_bytes=10**9).rows == 0
    assert tracked([(3,), (1,), (3,)], {"a": pl.Int64}, size=2, memory_bytes=1).rows == 1


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (pl.Float64, [0.0, -0.0, float("nan"), float("nan"), 1.0]),
        (pl.Boolean, [True, True, True]),
        (pl.Binary, [b"x", b"y", b"x", b"x"]),
        (pl.Date, [dt.date(2020, 1, 2), dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.date(2020, 1, 2)]),
        (pl.Datetime("us", "UTC"), [dt.datetime(2020, 1, 2, tzinfo=dt.UTC)] * 3),
        (pl.Decimal(10, 2), [1, 1, 2, 1]),
        (pl.List(pl.Int64), [[1], [2], [1], [1]]),
        (pl.Struct({"x": pl.Int64}), [{"x": 1}, {"x": 2}, {"x": 1}, {"x": 1}]),
    ],
)
def test_every_stored_type_can_be_a_key(dtype: Any, values: list[Any]) -> None:
    tracker = KeyTracker(("a",), memory_bytes=10**9)
    tracker.add(pl.DataFrame({"a": pl.Series(values, dtype=dtype)}))
    assert tracker.repeats().rows == 2


def test_spill_files_lie_where_asked_and_are_gone_afterwards(tmp_path: Path) -> None:
    tracker = KeyTracker(("a",), memory_bytes=1, directory=tmp_path)
    for value in (3, 2, 3):
        tracker.add(pl.DataFrame({"a": [value]}))
    assert list(tmp_path.iterdir())
    assert tracker.repeats().rows == 1
    tracker.close()
    assert not list(tmp_path.iterdir())
