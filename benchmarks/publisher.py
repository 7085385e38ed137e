"""One publication in a process of its own, so that its peak memory can be told: `python -m benchmarks.publisher`.

Ways: `mesh` (through the SDK, address and token from MESH_URL and MESH_TOKEN), `write_deltalake` and `sink_delta` (bare).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.machine import peak_memory_bytes

__all__ = ["WAYS"]


def _mesh(source: Path, target: Path) -> Callable[[], object]:
    import polars as pl

    from benchmarks.lineitem import CONTRACT
    from domain_sdk import Mesh

    product = Mesh.connect().domain("tpch").product("lineitem", contract=CONTRACT)
    return lambda: product.publish(lineitem=pl.scan_parquet(source), progress=False)


def _write_deltalake(source: Path, target: Path) -> Callable[[], object]:
    import deltalake
    import pyarrow.dataset

    reader = pyarrow.dataset.dataset(source).scanner().to_reader()
    return lambda: deltalake.write_deltalake(target, reader, mode="overwrite")


def _sink_delta(source: Path, target: Path) -> Callable[[], object]:
    import polars as pl

    return lambda: pl.scan_parquet(source).sink_delta(target, mode="overwrite")


WAYS = {"mesh": _mesh, "write_deltalake": _write_deltalake, "sink_delta": _sink_delta}
"""Way → from source file and target folder, the publication to measure."""


def _main(way: str, source: str, target: str) -> None:
    action = WAYS[way](Path(source), Path(target))
    begin = time.perf_counter()
    action()
    print(json.dumps({"seconds": time.perf_counter() - begin, "peak_bytes": peak_memory_bytes()}), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
