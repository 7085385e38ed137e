"""Every check of one contract on one Parquet file: ours beside datacontract-cli and Great Expectations, each in its environment.

The contract is lineitem's: nulls, lists of values, bounds, a length, a composite key, a row count. Each engine runs in a process
of its own, and is timed once its imports are done, until its verdict; each reads the file itself.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import lineitem
from benchmarks.bench import Bench, NotRun
from benchmarks.figures import Bar, Figure

__all__ = ["quality"]

_REPETITIONS = 3
_SHARE = 0.1
"""Of lineitem: 600,000 rows at scale 1. The peers take minutes for more."""
_PEERS = {"datacontract": "datacontract-cli 1.2.8", "great-expectations": "Great Expectations 1.24.1"}


def quality(bench: Bench) -> Iterator[Figure]:
    """Seconds for all checks of the file, warm, and rows a second of ours; the three in turns."""
    source = lineitem.generated(bench.scale * _SHARE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "domain-mesh" / "quality-peers"
    if not all((cache / name / ".built").exists() for name in _PEERS):
        raise NotRun("the peers are not there: run scripts/build-quality-peers")
    interpreters = {"mesh": sys.executable} | {name: str(cache / name / "bin" / "python") for name in _PEERS}
    contract = bench.folder / "contract.yaml"
    server = f"servers: [{{server: local, type: local, path: {source}, format: parquet}}]\n"
    contract.write_text(lineitem.CONTRACT.read_text(encoding="utf-8") + server, encoding="utf-8")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in interpreters}
    for _ in range(_REPETITIONS):
        for name, interpreter in interpreters.items():
            command = [interpreter, str(Path(__file__).with_name("quality_runner.py")), name, str(contract), str(source)]
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent) if name == "mesh" else ""}
            begin = time.perf_counter()
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, env=environment
            )
            told = json.loads(done.stdout.splitlines()[-1])
            found[name].append({**told, "whole": time.perf_counter() - begin})
    seconds = {name: statistics.median(it["seconds"] for it in results) for name, results in found.items()}
    for name, words in _PEERS.items():
        peer = f"{words}, {found[name][0]['checks']:g} checks of the same file"
        yield Figure(f"quality.seconds_beside_{name}", seconds["mesh"], "s", peer, seconds[name], Bar("≤", 0.1, of="ratio"))
    yield Figure("quality.rows_per_second", found["mesh"][0]["rows"] / seconds["mesh"], "rows/s")
    yield Figure("quality.peak_memory", statistics.median(it["peak_bytes"] / 1e6 for it in found["mesh"]), "MB")
