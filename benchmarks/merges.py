"""A merge into a large table: one row in sixty of lineitem gets new values, in every file, so that all are written anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import lineitem, machine
from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure

__all__ = ["merges"]

_PEER = "deltalake's merge of the same rows into the same table"
_BUDGET_MB = 1024


def merges(bench: Bench) -> Iterator[Figure]:
    """Seconds of the merge, and the peak resident memory of who does the work: our server, deltalake's process."""
    source = lineitem.generated(bench.scale)
    server = bench.server()
    token = lineitem.prepare_domain(server)
    environment = {**os.environ, "MESH_URL": server.url, "MESH_TOKEN": token}
    _run("mesh", source, bench.folder, environment)
    _run("write_deltalake", source, bench.folder / "bare", environment)
    server.start_again()
    merged = _run("mesh_merge", source, bench.folder, {**environment, "MESH_URL": server.url})
    server_peak = machine.peak_memory_bytes(server.pids[0]) / 1e6
    peer = _run("delta_merge", source, bench.folder / "bare", environment)
    yield Figure("merges.seconds", merged["seconds"], "s", _PEER, peer["seconds"])
    yield Figure("merges.server_peak_memory", server_peak, "MB", _PEER, peer["peak_bytes"] / 1e6, Bar("≤", _BUDGET_MB))
    yield Figure("merges.publisher_peak_memory", merged["peak_bytes"] / 1e6, "MB")


def _run(way: str, source: Path, target: Path, environment: Mapping[str, str]) -> Mapping[str, float]:
    command = [sys.executable, "-m", "benchmarks.publisher", way, str(source), str(target)]
    done = subprocess.run(command, env=dict(environment), stdout=subprocess.PIPE, text=True, check=True)
    measured: Mapping[str, float] = json.loads(done.stdout)
    return measured
