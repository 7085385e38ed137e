"""How soon a server is ready, and what it holds in memory when nobody asks anything."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.machine import memory_bytes
from benchmarks.mesh_process import MeshProcess
from benchmarks.timing import median_seconds

__all__ = ["idle_memory", "serve_ready"]

_LIBRARIES = "import grpc, sqlmodel"


def serve_ready(bench: Bench) -> Iterator[Figure]:
    """Seconds from the start of the process to its ready line, on an empty home and on one that exists."""
    first: list[float] = []
    second: list[float] = []
    for repetition in range(5):
        server = MeshProcess(bench.folder / f"mesh-{repetition}")
        for durations in (first, second):
            durations.append(server.start())
            server.stop()
    imports = median_seconds(lambda: subprocess.run([sys.executable, "-c", _LIBRARIES], check=True), repetitions=5)
    peer = f"python -c '{_LIBRARIES}'"
    bar = Bar("<", 2)
    yield Figure("serve_ready.first_start", statistics.median(first[1:]), "s", peer, imports, bar)
    yield Figure("serve_ready.second_start", statistics.median(second[1:]), "s", peer, imports, bar)


def idle_memory(bench: Bench) -> Iterator[Figure]:
    """Resident memory of both processes, right after the ready line."""
    server = bench.server()
    control, *gateway = (memory_bytes(pid) / 1e6 for pid in server.pids)
    yield Figure("idle_memory.both", control + sum(gateway), "MB", bar=Bar("<", 250))
    yield Figure("idle_memory.control", control, "MB")
    yield Figure("idle_memory.gateway", sum(gateway), "MB")
