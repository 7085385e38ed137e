"""`python -m benchmarks [name…]`: measures, prints a table, keeps `results.json`, rewrites `docs/benchmarks.md`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.appends import appends
from benchmarks.ask import ask
from benchmarks.bench import Bench, Benchmark, NotRun
from benchmarks.checks import checks
from benchmarks.decisions import decisions
from benchmarks.documents import documents
from benchmarks.figures import entry_of, load_entries, merged, store_entries
from benchmarks.filings import filings
from benchmarks.governed_retrieval import governed_retrieval
from benchmarks.grants import grants
from benchmarks.growth import growth
from benchmarks.lineage_graph import lineage_graph
from benchmarks.lineage_ingest import lineage_ingest
from benchmarks.merges import merges
from benchmarks.openfga import openfga
from benchmarks.personal_data import personal_data
from benchmarks.publish import publish
from benchmarks.publish_large import publish_large
from benchmarks.quality import quality
from benchmarks.reads import reads
from benchmarks.report import markdown, print_table
from benchmarks.retrieval import retrieval
from benchmarks.revocation import revocation
from benchmarks.serve import idle_memory, serve_ready
from benchmarks.tatqa import tatqa
from benchmarks.vector_memory import vector_memory
from benchmarks.vectors import vectors

__all__ = ["BENCHMARKS", "LONG", "main"]

BENCHMARKS: Mapping[str, Benchmark] = {
    "serve_ready": serve_ready,
    "idle_memory": idle_memory,
    "decisions": decisions,
    "lineage_graph": lineage_graph,
    "checks": checks,
    "grants": grants,
    "openfga": openfga,
    "lineage_ingest": lineage_ingest,
    "publish": publish,
    "appends": appends,
    "merges": merges,
    "quality": quality,
    "reads": reads,
    "revocation": revocation,
    "vectors": vectors,
    "documents": documents,
    "personal_data": personal_data,
    "retrieval": retrieval,
    "governed_retrieval": governed_retrieval,
    "filings": filings,
    "ask": ask,
    "tatqa": tatqa,
}
"""Name → what it measures, in the order they run."""

LONG: Mapping[str, Benchmark] = {"growth": growth, "publish_large": publish_large, "vector_memory": vector_memory}
"""Those that run only when they are named: they take many minutes."""

_ROOT = Path(__file__).resolve().parent.parent
_RESULTS = Path(__file__).with_name("results.json")
_PAGE = _ROOT / "docs" / "benchmarks.md"


def main(arguments: Sequence[str]) -> int:
    """Runs the benchmarks named, or all; 1 if one could not be run."""
    os.environ["MESH_DOCUMENT_CACHE"] = "off"  # what an earlier run embedded would be no time at all
    asked = _parsed(arguments)
    names = asked.names or list(BENCHMARKS)
    fresh: list[dict[str, Any]] = []
    not_run: dict[str, str] = {}
    for name in names:
        begin = time.perf_counter()
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            found = list(_entries({**BENCHMARKS, **LONG}[name], asked.scale))
        except NotRun as reason:
            not_run[name] = str(reason)
        else:
            fresh += found
            if asked.scale == 1:
                _keep(name, found)
        print(f"{name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    print_table(fresh)
    for name, missing in not_run.items():
        print(f"{name} was not run: {missing}")
    if asked.scale != 1:
        print(f"Nothing is stored: the bars are set for scale 1, this was scale {asked.scale:g}.")
    return 1 if not_run else 0


def _keep(name: str, found: Sequence[Mapping[str, Any]]) -> None:
    """What this benchmark found is stored and on the page at once: a run that is ended later has not been in vain."""
    entries = merged(load_entries(_RESULTS), found, benchmarks=[name])
    store_entries(_RESULTS, entries)
    _PAGE.write_text(markdown(entries), encoding="utf-8")


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures the bars of the design.")
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, *LONG, []], metavar="name", help=_names())
    parser.add_argument("--scale", type=float, default=1, help="size of the inputs; only figures at 1 are stored")
    return parser.parse_args(arguments)


def _names() -> str:
    return f"{', '.join(BENCHMARKS)}; only if named: {', '.join(LONG)}"


def _entries(benchmark: Benchmark, scale: float) -> Iterator[dict[str, Any]]:
    described, code = machine.describe(), machine.code(_ROOT)
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        bench = Bench(scale, Path(folder))
        with bench.cleanup:
            for figure in benchmark(bench):
                measured_at = datetime.now(UTC).isoformat(timespec="seconds")
                yield entry_of(figure, measured_at=measured_at, code=code, machine=described)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
