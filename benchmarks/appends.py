"""Appending a thousand rows to a table that has some, end to end: from the call to the committed release."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.small_table import CONTRACT, rows
from benchmarks.timing import percentile, seconds_of

if TYPE_CHECKING:
    import polars as pl

__all__ = ["appends"]

_APPENDS, _WARM_UPS = 60, 5
_PEER = "bare deltalake.write_deltalake(mode='append') of the same rows"


def appends(bench: Bench) -> Iterator[Figure]:
    """Milliseconds, with a primary key that is looked up over the whole table; a bare append in turns with it."""
    server = bench.server()
    with server.administrator() as admin:
        admin.admin.create_domain("bench", owners=["user:olga"])
    with server.user("user:olga") as owner:
        product = owner.domain("bench").product("small", contract=CONTRACT)
        product.publish(rows=rows(0), progress=False)
        governed, bare = [], []
        for number in range(1, bench.scaled(_APPENDS, least=3) + _WARM_UPS + 1):
            frame = rows(number)
            governed.append(seconds_of(partial(product.publish, rows=frame, mode="append", progress=False)))
            bare.append(seconds_of(partial(_bare, bench.folder / "bare", frame)))
    found, peer = governed[_WARM_UPS:], bare[_WARM_UPS:]
    yield Figure("appends.p50", percentile(found, 0.5) * 1e3, "ms", _PEER, percentile(peer, 0.5) * 1e3, Bar("<", 100))
    yield Figure("appends.p95", percentile(found, 0.95) * 1e3, "ms", _PEER, percentile(peer, 0.95) * 1e3)


def _bare(table: Path, frame: pl.DataFrame) -> None:
    import deltalake

    deltalake.write_deltalake(table, frame, mode="append")
