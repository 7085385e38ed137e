"""OpenLineage ingest end to end: 16 KiB events over HTTP from another process, each durable when it is acknowledged."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.lineage_client import event_texts
from benchmarks.machine import peak_memory_bytes
from benchmarks.mesh_process import MeshProcess

__all__ = ["lineage_ingest"]

_SECONDS = 20.0
_CONNECTIONS = 32
_BATCH = 100
_KNOWN_JOBS = 500


def lineage_ingest(bench: Bench) -> Iterator[Figure]:
    """Runs of 500 jobs, one event a request and a hundred; jobs never seen before, each with twenty new edges between columns."""
    server = bench.server()
    seconds = max(3.0, _SECONDS * min(1.0, bench.scale))
    with server.administrator() as mesh:
        mesh.admin.create_domain("bench", members=["service:bench"], namespaces=["s3://bench", "bench-spark"])
        mesh.admin.create_principal("service:bench")
        token = mesh.admin.create_token("service:bench").secret
    _run(server, token, seconds=seconds / 4, batch=1)  # every job is known from here on
    bare = _bare(bench.folder, seconds / 4)
    single = _run(server, token, seconds=seconds, batch=1)
    yield Figure("lineage_ingest.single", single, "events/s", "one SQLite commit each, nothing else", bare, Bar("≥", 1000))
    yield Figure(
        "lineage_ingest.batch", _run(server, token, seconds=seconds, batch=_BATCH, connections=4), "events/s", bar=Bar("≥", 1000)
    )
    fresh = _run(server, token, seconds=seconds / 2, batch=_BATCH, connections=2, jobs=2**40, first=10**9)
    yield Figure("lineage_ingest.new_jobs", fresh, "events/s")
    yield Figure("lineage_ingest.memory", peak_memory_bytes(server.pids[0]) / 1e6, "MB")


def _run(
    server: MeshProcess,
    token: str,
    *,
    seconds: float,
    batch: int,
    connections: int = _CONNECTIONS,
    jobs: int = _KNOWN_JOBS,
    first: int = 0,
) -> float:
    """Acknowledged events a second."""
    command = [sys.executable, "-m", "benchmarks.lineage_client", str(server.ready["http"]), token]
    command += [str(it) for it in (seconds, connections, batch, jobs, first)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer = json.loads(done.stdout)
    return float(answer["events"] / answer["seconds"])


def _bare(folder: Path, seconds: float) -> float:
    """Events a second that plain SQLite stores, each in a durable commit of its own, on the same disk."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE event (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    texts, count, end = list(islice(event_texts(0, jobs=_KNOWN_JOBS), 64)), 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        connection.execute("INSERT INTO event (body) VALUES (?)", (texts[count % 64],))
        count += 1
    connection.close()
    return count / seconds
