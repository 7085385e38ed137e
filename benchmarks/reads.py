"""Governed reads of lineitem by the public SDK, beside polars reading the same Delta table with nobody in between."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmarks import lineitem
from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.mesh_process import MeshProcess
from benchmarks.timing import in_turns, seconds_of

if TYPE_CHECKING:
    import polars as pl

    from domain_sdk import Mesh

__all__ = ["reads"]

_REPETITIONS = 5
_BARE = "bare polars scan_delta(…).collect() of the same table"
_ROWS = "l_quantity > 1"
_MASKS = {"l_comment": "replace-with-null", "l_shipinstruct": "show-first-4", "l_shipdate": "truncate-to-month"}


def reads(bench: Bench) -> Iterator[Figure]:
    """Rows per second by each way; the ways are measured in turns on a warm page cache."""
    import polars as pl

    server = bench.server()
    lineitem.publish(server, bench.scale)
    with server.user("user:tom") as owner:
        owner.grant("user:plain", lineitem.PORT, actions=["read"])
        owner.grant("user:bound", lineitem.PORT, actions=["read"], rows=_ROWS, masks=_MASKS)
    table = str(server.warehouse(lineitem.PORT))
    with server.user("user:plain") as plain, server.user("user:bound") as bound:
        yield from _whole(plain, lambda: pl.scan_delta(table).collect())
        yield from _selective(plain, pl.scan_delta(table))
        yield from _aggregate(plain, pl.scan_delta(table))
        yield from _under_obligations(plain, bound)
        yield from _first_build(server, bound)


def _scan(mesh: Mesh, via: Literal["files", "stream", "auto"]) -> Callable[[], pl.DataFrame]:
    return lambda: mesh.scan(lineitem.PORT, via=via).collect()


def _whole(mesh: Mesh, bare: Callable[[], pl.DataFrame]) -> Iterator[Figure]:
    by_files, streamed = _scan(mesh, "files"), _scan(mesh, "stream")
    rows = bare().height
    assert by_files().height == streamed().height == rows
    peer, files, stream = in_turns(bare, by_files, streamed, repetitions=_REPETITIONS, warm_ups=0)
    yield Figure("reads.files", rows / files, "rows/s", _BARE, rows / peer, Bar("≥", 0.7, of="ratio"))
    yield Figure("reads.streamed", rows / stream, "rows/s", _BARE, rows / peer, Bar("≥", 0.2, of="ratio"))


def _selective(mesh: Mesh, table: pl.LazyFrame) -> Iterator[Figure]:
    """One row in seven, three columns of sixteen."""
    import polars as pl

    def chosen(frame: pl.LazyFrame) -> pl.DataFrame:
        wanted = frame.filter(pl.col("l_shipmode") == "AIR")
        return wanted.select("l_orderkey", "l_extendedprice", "l_shipdate").collect()

    rows = chosen(table).height
    assert chosen(mesh.scan(lineitem.PORT)).height == rows
    bare, governed = in_turns(lambda: chosen(table), lambda: chosen(mesh.scan(lineitem.PORT)), repetitions=2 * _REPETITIONS)
    peer = f"the same filter and columns on {_BARE.removesuffix('.collect() of the same table')}"
    yield Figure("reads.selective", rows / governed, "rows/s", peer, rows / bare, Bar("≥", 0.4, of="ratio"))


def _aggregate(mesh: Mesh, table: pl.LazyFrame) -> Iterator[Figure]:
    """Sums by two columns under a filter: SQL in the gateway beside polars' own plan."""
    import polars as pl

    query = f"""SELECT l_returnflag, l_linestatus, sum(l_quantity) AS quantity, count(*) AS lines FROM {lineitem.PORT}
        WHERE l_shipdate <= DATE '1998-09-02' GROUP BY ALL ORDER BY ALL"""

    def bare() -> pl.DataFrame:
        kept = table.filter(pl.col("l_shipdate") <= pl.date(1998, 9, 2)).group_by("l_returnflag", "l_linestatus")
        return (
            kept.agg(pl.sum("l_quantity").alias("quantity"), pl.len().alias("lines"))
            .sort("l_returnflag", "l_linestatus")
            .collect()
        )

    assert mesh.sql(query)["lines"].to_list() == bare()["lines"].to_list()
    peer, governed = in_turns(bare, lambda: mesh.sql(query), repetitions=2 * _REPETITIONS)
    yield Figure(
        "reads.aggregate",
        1 / governed,
        "queries/s",
        "the same group-by on polars scan_delta",
        1 / peer,
        Bar("≥", 0.8, of="ratio"),
    )


def _under_obligations(plain: Mesh, bound: Mesh) -> Iterator[Figure]:
    """A row filter that keeps 98 % and three masks, beside the same path without them."""
    for name, via in (("files", "files"), ("streamed", "stream")):
        without, with_them = _scan(plain, via), _scan(bound, via)  # type: ignore[arg-type]  # both are literals
        rows, kept = without().height, with_them().height
        assert 0.9 * rows < kept < rows
        peer, governed = in_turns(without, with_them, repetitions=_REPETITIONS, warm_ups=0)
        words = f"the same path without filter and masks ({name})"
        yield Figure(f"reads.masked_{name}", kept / governed, "rows/s", words, rows / peer, Bar("≥", 0.8, of="ratio"))


def _first_build(server: MeshProcess, bound: Mesh) -> Iterator[Figure]:
    """The first read of a plan writes its files; they are removed to measure it again."""
    cache = server.home / "files"
    warm = statistics.median(seconds_of(_scan(bound, "files")) for _ in range(3))
    durations = []
    for _ in range(3):
        _empty(cache)
        durations.append(seconds_of(_scan(bound, "files")))
    yield Figure("reads.masked_files_first", statistics.median(durations), "s", "the same read once the files exist", warm)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
