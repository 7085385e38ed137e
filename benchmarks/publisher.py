"""One publication in a process of its own, so that its peak memory can be told: `python -m benchmarks.publisher`.

Ways: `mesh` (through the SDK, address and token from MESH_URL and MESH_TOKEN), `write_deltalake` and `sink_delta` (bare).
At large scale: `mesh_unsorted` (keys that do not rise, one more unique column) and `read_back`. Into a table that is there:
`mesh_merge` and `delta_merge`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.machine import peak_memory_bytes

__all__ = ["LARGE_WAYS", "MERGE_WAYS", "WAYS"]


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


def _mesh_unsorted(source: Path, target: Path) -> Callable[[], object]:
    """Keys in another order than their own, and a unique number for each line, so that both must be spilled and compared."""
    import polars as pl

    from benchmarks.lineitem import CONTRACT
    from domain_sdk import Mesh

    extra = "      - {name: l_id, logicalType: integer, unique: true, description: A number of its own.}\n"
    before, after = CONTRACT.read_text().split("    quality:\n      - {metric: rowCount")
    contract = f"{before}{extra}    quality:\n      - {{metric: rowCount{after}"
    number = pl.col("l_orderkey").cast(pl.Int64) * 8 + pl.col("l_linenumber")
    frame = pl.scan_parquet(source).with_columns(pl.col("l_orderkey") ^ 1023, l_id=number * 0x5DEECE66D % (2**53 - 111))
    product = Mesh.connect().domain("tpch").product("lineitem", contract=contract)
    return lambda: product.publish(lineitem=frame, progress=False).ports[0].row_count


def _read_back(source: Path, target: Path) -> Callable[[], object]:
    from benchmarks.lineitem import PORT
    from domain_sdk import Mesh

    frame = Mesh.connect().scan(PORT)
    return lambda: sum(batch.height for batch in frame.collect_batches())


LARGE_WAYS = {"mesh_unsorted": _mesh_unsorted, "read_back": _read_back}
"""Way → what to measure where there are many rows; each gives their number."""


def _changed(source: Path) -> Any:  # noqa: ANN401 # a polars frame, imported late
    """Every sixtieth row with another quantity: its key is in the table."""
    import polars as pl

    return (
        pl.scan_parquet(source).gather_every(60).with_columns(l_quantity=(pl.col("l_quantity") % 49 + 1).cast(pl.Decimal(15, 2)))
    )


def _mesh_merge(source: Path, target: Path) -> Callable[[], object]:
    from benchmarks.lineitem import CONTRACT
    from domain_sdk import Mesh

    product = Mesh.connect().domain("tpch").product("lineitem", contract=CONTRACT)
    rows = _changed(source).collect()
    return lambda: product.publish(lineitem=rows, mode="merge", progress=False).ports[0].row_count


def _delta_merge(source: Path, target: Path) -> Callable[[], object]:
    import deltalake

    rows = _changed(source).collect().to_arrow()
    same = " AND ".join(f"t.{name} = s.{name}" for name in ("l_orderkey", "l_linenumber"))

    def merge() -> object:
        merger = deltalake.DeltaTable(target).merge(rows, same, source_alias="s", target_alias="t")
        return merger.when_matched_update_all().when_not_matched_insert_all().execute()["num_output_rows"]

    return merge


MERGE_WAYS = {"mesh_merge": _mesh_merge, "delta_merge": _delta_merge}
"""Way → from source file and table, the merge to measure."""


def _main(way: str, source: str, target: str) -> None:
    action = {**WAYS, **LARGE_WAYS, **MERGE_WAYS}[way](Path(source), Path(target))
    begin = time.perf_counter()
    rows = action()
    found = {"seconds": time.perf_counter() - begin, "peak_bytes": peak_memory_bytes()}
    print(json.dumps({**found, "rows": rows} if way in LARGE_WAYS else found), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
