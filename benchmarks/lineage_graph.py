"""The lineage graph as it grows from a thousand to a million column edges, in process; and half a million behind a real server.

In process: what an edge takes in memory, ten hops from a column of the first layer, a tag that reaches ten thousand columns, and
one release that changes one port. Behind the server: the time to its first answer, memory, and the whole reach over gRPC.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.lineage_sample import LAYERS, LineageSample
from benchmarks.machine import memory_bytes
from benchmarks.policy_sample import seed
from benchmarks.timing import percentile

if TYPE_CHECKING:
    from governance_server.rules.lineage_graph import Graph
    from governance_server.rules.tag_flow import TagFlow

__all__ = ["SIZES", "lineage_graph"]

SIZES = (1_000, 10_000, 100_000, 500_000, 1_000_000)
_BARRED = 500_000
_WALKS = 200
_DESCENDANTS = 10_000


def lineage_graph(bench: Bench) -> Iterator[Figure]:
    """Each size in a process of its own, so that memory is that of one graph."""
    for size in SIZES:
        edges = bench.scaled(size, least=500)
        command = [sys.executable, "-m", "benchmarks.lineage_graph", str(edges)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        is_barred = size == _BARRED
        yield Figure(f"lineage_graph.walk_p50_at_{size}", found["walk_p50"], "ms")
        yield Figure(f"lineage_graph.walk_p99_at_{size}", found["walk_p99"], "ms", bar=Bar("<", 200) if is_barred else None)
        yield Figure(f"lineage_graph.tag_at_{size}", found["tag"], "ms", bar=Bar("<", 1_000) if is_barred else None)
        yield Figure(f"lineage_graph.retracted_at_{size}", found["retracted"], "ms", bar=Bar("<", 1_000) if is_barred else None)
        yield Figure(f"lineage_graph.release_at_{size}", found["release"], "ms")
        yield Figure(f"lineage_graph.load_at_{size}", found["load"], "ms")
        yield Figure(f"lineage_graph.bytes_per_edge_at_{size}", found["bytes_per_edge"], "bytes")
        if is_barred:
            yield Figure("lineage_graph.reached", found["reached"], "columns")
            yield Figure("lineage_graph.tagged", found["tagged"], "columns")
    yield from _behind_a_server(bench)


def _behind_a_server(bench: Bench) -> Iterator[Figure]:
    from governance_server.storage.engine import open_database

    sample = LineageSample(bench.scaled(_BARRED, least=500))
    server = bench.server()
    token = server.token("user:owner")
    before = server.start_again()
    server.stop()
    database = open_database(f"sqlite:///{server.home}/mesh.db")
    try:
        seed(database, sample)
    finally:
        database.close()
    begin = time.perf_counter()
    server.start()
    with server.as_token(token) as mesh:
        mesh.reach(f"{sample.port(LAYERS - 1, 0)}.column0", direction="upstream", depth=1)
        yield Figure(
            "lineage_graph.start_up", time.perf_counter() - begin, "s", "the same with an empty mesh", before, Bar("<", 5)
        )
        yield Figure("lineage_graph.memory", memory_bytes(server.pids[0]) / 1e6, "MB")
        durations = []
        for number in range(_WALKS):
            asked = f"{sample.port(0, number % sample.ports_of_layer)}.column{number % 5}"
            begin = time.perf_counter()
            found = mesh.reach(asked, depth=LAYERS - 1)
            durations.append((time.perf_counter() - begin) * 1e3)
            assert found.is_complete
    yield Figure("lineage_graph.reach_p50", percentile(durations, 0.5), "ms")
    yield Figure("lineage_graph.reach_p99", percentile(durations, 0.99), "ms", bar=Bar("<", 200))


def _measured(edges: int) -> dict[str, float]:
    from governance_server.rules.lineage_graph import Graph
    from governance_server.rules.lineage_walk import Direction, reach
    from governance_server.rules.tag_flow import TagFlow

    sample = LineageSample(edges)
    messages = [lineage.SerializeToString() for lineage in sample.lineages()]
    _loaded(Graph(), messages[:10])
    before = memory_bytes(os.getpid())
    begin = time.perf_counter()
    graph = _loaded(Graph(), messages)
    load_seconds = time.perf_counter() - begin
    grown = memory_bytes(os.getpid()) - before
    starts = [
        graph.nodes.column(graph.nodes.port(sample.port(0, n % sample.ports_of_layer)), f"column{n % 5}") for n in range(_WALKS)
    ]
    walks, reached = [], 0
    for start in starts:
        begin = time.perf_counter()
        found = reach(graph, [start], Direction.DOWNSTREAM, depth=LAYERS - 1)
        walks.append((time.perf_counter() - begin) * 1e3)
        reached = max(reached, len(found.nodes))
    flow = TagFlow(graph, lambda port: [f"column{number}" for number in range(5)])
    tag, retracted, tagged = _tagged(flow, sample, graph)
    return {
        "walk_p50": percentile(walks, 0.5), "walk_p99": percentile(walks, 0.99), "reached": reached, "load": load_seconds * 1e3,
        "bytes_per_edge": grown / len(messages) / 25, "tag": tag, "retracted": retracted, "tagged": tagged,
        "release": _release(flow, graph, messages),
    }  # fmt: skip


def _loaded(graph: Graph, messages: list[bytes]) -> Graph:
    from domainmesh.v1 import lineage_pb2

    for message in messages:
        graph.put(lineage_pb2.PortLineage.FromString(message))
    graph.layout()
    return graph


def _tagged(flow: TagFlow, sample: LineageSample, graph: Graph) -> tuple[float, float, int]:
    """Milliseconds until one tag has reached ten thousand columns or all there are to reach, and until it is gone again."""
    from governance_server.rules.lineage_walk import Direction, reach

    layer = 0
    while layer < LAYERS - 1:  # as near to ten thousand descendants as a start of some layer gives
        start = graph.nodes.column(graph.nodes.port(sample.port(layer, 0)), "column0")
        if len(reach(graph, [start], Direction.DOWNSTREAM, depth=LAYERS).nodes) <= 2 * _DESCENDANTS:
            break
        layer += 1
    flow.settle()
    port = sample.port(layer, 0)
    begin = time.perf_counter()
    flow.declare(port, {"column0": frozenset({"pii.email"})})
    tagged = len(flow.settle())
    given = time.perf_counter() - begin
    begin = time.perf_counter()
    flow.declare(port, {})
    flow.settle()
    taken = time.perf_counter() - begin
    flow.declare(port, {"column0": frozenset({"pii.email"})})
    flow.settle()
    return given * 1e3, taken * 1e3, tagged


def _release(flow: TagFlow, graph: Graph, messages: list[bytes]) -> float:
    """Milliseconds of one port's new lineage, tags brought up to date; the median of fifty."""
    from domainmesh.v1 import lineage_pb2

    durations = []
    for number in range(50):
        lineage = lineage_pb2.PortLineage.FromString(messages[(number * 37) % len(messages)])
        begin = time.perf_counter()
        flow.touch(graph.put(lineage))
        flow.settle()
        durations.append((time.perf_counter() - begin) * 1e3)
    return percentile(durations, 0.5)


if __name__ == "__main__":
    print(json.dumps(_measured(int(sys.argv[1]))))
