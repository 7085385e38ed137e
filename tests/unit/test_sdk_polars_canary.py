"""What `domain_sdk/read.py` relies on in polars' unstable IO source API. A failure here means: read that module again."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest
from polars.io.plugins import register_io_source

FRAME = pl.DataFrame({"a": [1, 2, 3, 4], "b": ["w", "x", "y", "z"], "c": [1.0, 2.0, 3.0, 4.0]})
Asked = tuple[list[str] | None, str | None, int | None]


class Source:
    """Records what polars asks for; applies all of it, as a source must."""

    def __init__(self, batches: int = 4) -> None:
        self.asked: list[Asked] = []
        self.given = 0
        self.is_closed = False
        self.batches = batches

    def __call__(self, columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, size: int | None) -> Any:
        self.asked.append((columns, None if predicate is None else str(predicate), rows))
        return self.frames(columns, predicate, rows)

    def frames(self, columns: list[str] | None, predicate: pl.Expr | None, rows: int | None) -> Iterator[pl.DataFrame]:
        try:
            for index in range(self.batches):
                frame = FRAME.slice(index % 4, 1)
                frame = frame if predicate is None else frame.filter(predicate)
                self.given += 1
                yield frame if columns is None else frame.select(columns)
        finally:
            self.is_closed = True


def _scan(source: Source, schema: Any = FRAME.schema) -> pl.LazyFrame:
    return register_io_source(
        source, schema=schema, validate_schema=True, is_pure=True, explain_name="mesh", explain_detail="a.b.c"
    )


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        (lambda f: f, (None, None, None)),
        (lambda f: f.select("b", "a"), (["a", "b"], None, None)),
        (lambda f: f.select(pl.len()), (["a"], None, None)),
        (lambda f: f.head(2), (None, None, 2)),
        (lambda f: f.filter(pl.col("a") > 1), (None, '[(col("a")) > (1)]', None)),
        (lambda f: f.filter(pl.col("a") > 1).select("b"), (["a", "b"], '[(col("a")) > (1)]', None)),
        (lambda f: f.filter(pl.col("a") > 1).head(1), (None, '[(col("a")) > (1)]', None)),
        (lambda f: f.filter(pl.col("a") > pl.col("a").mean()), (None, None, None)),
        (lambda f: f.filter(pl.col("a").cum_sum() > 3), (None, None, None)),
        (lambda f: f.filter((pl.col("a") > 1) & (pl.col("c") > pl.col("c").mean())), (None, None, None)),
        (lambda f: f.sort("a").head(1), (None, None, None)),
        (lambda f: f.slice(1, 2), (None, None, None)),
    ],
)
@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_polars_pushes_columns_predicate_and_head(
    query: Callable[[pl.LazyFrame], pl.LazyFrame], asked: Asked, engine: Any
) -> None:
    source = Source()
    result = query(_scan(source)).collect(engine=engine)
    assert source.asked == [asked]
    if asked[2] is None:
        assert result.equals(query(FRAME.lazy()).collect())


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_polars_leaves_cutting_at_n_rows_to_the_source(engine: Any) -> None:
    assert _scan(Source()).head(2).collect(engine=engine).height == 4  # so `read._cut` must do it


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_an_error_while_reading_reaches_the_caller_as_itself(engine: Any) -> None:
    class Failing(Source):
        def frames(self, *_: object) -> Iterator[pl.DataFrame]:
            raise PermissionError("denied")
            yield

    with pytest.raises(PermissionError, match="denied"):
        _scan(Failing()).collect(engine=engine)


def test_an_error_while_the_schema_is_resolved_is_wrapped_with_its_text() -> None:
    def denied() -> pl.Schema:
        raise PermissionError("denied")

    with pytest.raises(pl.exceptions.ComputeError, match="PermissionError: denied"):
        _scan(Source(), denied).collect_schema()


def test_the_streaming_engine_closes_a_source_it_needs_no_more() -> None:
    source = Source(batches=100_000)
    assert _scan(source).filter(pl.col("a") > 1).head(1).collect(engine="streaming").height == 1
    deadline = time.monotonic() + 40
    while not source.is_closed and time.monotonic() < deadline:  # it takes effect when Python next enters polars
        pl.Series([0]).len()
        gc.collect()
        time.sleep(0.01)
    assert source.is_closed
    assert source.given < source.batches
    assert source.given < 1000


def test_a_frame_of_another_schema_than_announced_is_refused() -> None:
    with pytest.raises(pl.exceptions.SchemaError):
        _scan(Source(), {"a": pl.String, "b": pl.String, "c": pl.Float64}).collect()


def test_a_source_may_collect_a_lazy_frame_of_its_own() -> None:
    class Nested(Source):
        def frames(self, *_: object) -> Iterator[pl.DataFrame]:
            yield from FRAME.lazy().collect_batches(chunk_size=2, maintain_order=True)

    for engine in ("in-memory", "streaming"):
        assert _scan(Nested()).collect(engine=engine).sort("a").equals(FRAME)  # type: ignore[call-overload]


def test_the_plan_says_which_port_is_read() -> None:
    assert "MESH" in _scan(Source()).explain().upper()
    assert "a.b.c" in _scan(Source()).explain()
