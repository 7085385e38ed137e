"""Memory of both vector stores as a collection grows from a thousand to a hundred thousand passages."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.vectors import DIMENSIONS, random_passages
from benchmarks.weaviate_process import weaviate_server

__all__ = ["vector_memory"]

_SIZES = (1_000, 10_000, 100_000)
_PORT = "bench.memory.pages"
_SEARCHES = 50


def vector_memory(bench: Bench) -> Iterator[Figure]:
    """Peak resident memory while a collection is staged and then searched, in fresh processes for each size."""
    for size in _SIZES:
        count = bench.scaled(size, least=100)
        url = f"lancedb://{bench.folder}/lancedb-{size}"
        yield Figure(f"vector_memory.lancedb_staging_at_{size}", _apart(_stage, url, count), "MB")
        yield Figure(f"vector_memory.lancedb_searching_at_{size}", _apart(_search, url, count), "MB")
        with weaviate_server(bench.folder / f"weaviate-{size}") as address:
            yield Figure(f"vector_memory.weaviate_staging_at_{size}", _apart(_stage, address.url, count), "MB")
            _apart(_search, address.url, count)
            yield Figure(f"vector_memory.weaviate_server_at_{size}", _peak_megabytes(address.pid), "MB")


def _apart(action: object, url: str, count: int) -> float:
    """The peak memory of a new process that does it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_told, args=(action, url, count, theirs))
    process.start()
    theirs.close()
    try:
        found: float = ours.recv()
    finally:
        process.join()
    return found


def _told(action: object, url: str, count: int, to: object) -> None:
    import os

    assert callable(action)
    action(url, count)
    to.send(_peak_megabytes(os.getpid()))  # type: ignore[attr-defined]  # a pipe's end


def _stage(url: str, count: int) -> None:
    from contextlib import closing

    from mesh_core.vectors.store import open_store

    with closing(open_store(url)) as store:
        store.ensure_collection(_PORT, dimensions=DIMENSIONS, attributes={"document": str})
        store.stage(_PORT, 1, random_passages(count))


def _search(url: str, count: int) -> None:
    from contextlib import closing

    import numpy as np

    from mesh_core.expressions.tree import TRUE
    from mesh_core.vectors.store import AllowedScope, open_store

    random = np.random.default_rng(5)
    with closing(open_store(url)) as store:
        assert store.count(_PORT, 1) == count
        for _ in range(_SEARCHES):
            text = " ".join(f"word{number}" for number in random.integers(0, 5_000, 8))
            vector = random.normal(size=DIMENSIONS)
            assert store.search(_PORT, text=text, vector=list(vector), version=1, scope=AllowedScope(TRUE), limit=10)


def _peak_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the memory of process {pid} cannot be read")
