"""Publishing lineitem with every check on, beside writing the same rows to a Delta table with no check at all."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import lineitem
from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.publisher import WAYS

__all__ = ["publish"]

_REPETITIONS = 3
_PEER = "bare deltalake.write_deltalake of the same file"


def publish(bench: Bench) -> Iterator[Figure]:
    """Seconds from the call to the committed release, and the publisher's peak memory; ways in turns."""
    source = lineitem.generated(bench.scale)
    server = bench.server()
    environment = {"MESH_URL": server.url, "MESH_TOKEN": lineitem.prepare_domain(server)}
    found: dict[str, list[Mapping[str, float]]] = {way: [] for way in WAYS}
    for repetition in range(_REPETITIONS + 1):
        for way, results in found.items():
            measured = _one(way, source, bench.folder / way, environment)
            if repetition:
                results.append(measured)
    seconds = {way: statistics.median(it["seconds"] for it in results) for way, results in found.items()}
    peak = {way: statistics.median(it["peak_bytes"] / 1e6 for it in results) for way, results in found.items()}
    bare = seconds["write_deltalake"]
    yield Figure("publish.seconds", seconds["mesh"], "s", _PEER, bare, Bar("≤", 1.3, of="ratio"))
    yield Figure("publish.peak_memory", peak["mesh"], "MB", _PEER, peak["write_deltalake"])
    yield Figure("publish.seconds_of_sink_delta", seconds["sink_delta"], "s", _PEER, bare)


def _one(way: str, source: Path, target: Path, environment: Mapping[str, str]) -> Mapping[str, float]:
    command = [sys.executable, "-m", "benchmarks.publisher", way, str(source), str(target)]
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True)
    measured: Mapping[str, float] = json.loads(done.stdout)
    return measured
