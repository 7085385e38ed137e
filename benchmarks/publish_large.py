"""Sixty million rows: lineitem at ten times the scale, published with every check on and read back; what it takes of memory.

Not among the benchmarks that run by themselves: it takes minutes and 20 GB of disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

from benchmarks import lineitem, machine
from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure

__all__ = ["publish_large"]

_TIMES = 10
_BUDGET_MB = 2048
_BAR = Bar("≤", _BUDGET_MB)


def publish_large(bench: Bench) -> Iterator[Figure]:
    """Peak resident memory of each process; the publisher's keys do not come in their order, and one more column is unique."""
    source = lineitem.generated(bench.scale * _TIMES)
    server = bench.server()
    token = lineitem.prepare_domain(server)
    environment = {**os.environ, "MESH_URL": server.url, "MESH_TOKEN": token}
    published = _run("mesh_unsorted", str(source), environment)
    yield Figure("publish_large.peak_memory", published["peak_bytes"] / 1e6, "MB", bar=_BAR)
    yield Figure("publish_large.seconds", published["seconds"], "s")
    control, *gateways = server.pids
    yield Figure("publish_large.server_peak_memory", machine.peak_memory_bytes(control) / 1e6, "MB", bar=_BAR)
    with server.user("user:tom") as owner:
        owner.grant("user:plain", lineitem.PORT, actions=["read"])
    reader = {**environment, "MESH_TOKEN": server.token("user:plain")}
    read = _run("read_back", str(bench.folder), reader)
    assert read["rows"] == published["rows"], f"{read['rows']} rows read, {published['rows']} published"
    yield Figure("publish_large.reader_peak_memory", read["peak_bytes"] / 1e6, "MB", bar=_BAR)
    peak = max(machine.peak_memory_bytes(pid) for pid in gateways)
    yield Figure("publish_large.gateway_peak_memory", peak / 1e6, "MB", bar=_BAR)


def _run(way: str, source: str, environment: Mapping[str, str]) -> Mapping[str, float]:
    command = [sys.executable, "-m", "benchmarks.publisher", way, source, "-"]
    done = subprocess.run(command, env=dict(environment), stdout=subprocess.PIPE, text=True, check=True)
    measured: Mapping[str, float] = json.loads(done.stdout)
    return measured
