"""Decisions inside one process as the policy grows; changes to the index; role links; memory. No server and no database."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.policy_sample import PolicySample, Question, view_of
from benchmarks.timing import percentile

__all__ = ["decisions"]

_SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
_BARRED_SIZE = 100_000
_QUESTIONS = 20_000
_LINKS = 50_000
_STRANGERS = 1_000_000


def decisions(bench: Bench) -> Iterator[Figure]:
    """Each size in a process of its own, so that memory is that of one policy."""
    for size in _SIZES:
        measured = _in_own_process("growth", bench.scaled(size, least=100))
        bars = (Bar("≤", 10), Bar("≤", 50)) if size == _BARRED_SIZE else (None, None)
        yield Figure(f"decisions.p50_at_{size}", measured["p50"], "µs", bar=bars[0])
        yield Figure(f"decisions.p99_at_{size}", measured["p99"], "µs", bar=bars[1])
        yield Figure(f"decisions.kept_p50_at_{size}", measured["kept_p50"], "µs")
        if size >= _BARRED_SIZE:
            yield Figure(f"decisions.change_p50_at_{size}", measured["change_p50"], "µs", bar=_at(size, Bar("≤", 100)))
            yield Figure(f"decisions.change_p99_at_{size}", measured["change_p99"], "µs")
            yield Figure(f"decisions.bytes_per_rule_at_{size}", measured["bytes_per_rule"], "bytes", bar=Bar("≤", 2_048))
    links = _in_own_process("links", bench.scaled(_LINKS, least=500))
    yield Figure("decisions.role_links_load", links["milliseconds"], "ms", bar=Bar("<", 200))
    strangers = _in_own_process("strangers", bench.scaled(_STRANGERS, least=100_000))
    yield Figure("decisions.memory_after_strangers", strangers["grown_megabytes"], "MB", bar=Bar("≤", 8))


def _at(size: int, bar: Bar) -> Bar | None:
    return bar if size == _BARRED_SIZE else None


def _in_own_process(what: str, size: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.decisions", what, str(size)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _growth(size: int) -> dict[str, float]:
    """Questions asked once are new to everything but the name closures; asked again they are kept decisions."""
    from benchmarks.machine import memory_bytes

    sample = PolicySample(size)
    _warm(sample)
    before = memory_bytes(_pid())
    view = view_of(sample.writes())
    grown = memory_bytes(_pid()) - before
    asked = sample.questions(_QUESTIONS + 2_000)
    _latencies(_decider(view.engine), asked[_QUESTIONS:])
    first = _latencies(_decider(view.engine), asked[:_QUESTIONS])
    again = _latencies(_decider(view.engine), asked[:_QUESTIONS])
    changes = _changes(view.engine, sample)
    return {
        "p50": percentile(first, 0.5), "p99": percentile(first, 0.99), "kept_p50": percentile(again, 0.5),
        "change_p50": percentile(changes, 0.5), "change_p99": percentile(changes, 0.99), "bytes_per_rule": grown / size,
    }  # fmt: skip


def _warm(sample: PolicySample) -> None:
    """Everything is imported, so that memory grows by the policy alone."""
    view_of(PolicySample(10, users=5, groups=2, domains=1).writes())


def _pid() -> int:
    import os

    return os.getpid()


def _decider(engine: object) -> Callable[[str, str, str, str], object]:
    """Asks as the projection does: the domain from the name, the time of the server."""
    from governance_server.policy.engine import Request
    from governance_server.policy.indexed_engine import IndexedEngine
    from governance_server.rules.policy_rows import domain_of

    assert isinstance(engine, IndexedEngine)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return lambda sub, act, obj, purpose: engine.decide(Request(sub, domain_of(obj), obj, act, purpose, now))


def _latencies(decide: Callable[..., object], questions: Sequence[Question]) -> list[float]:
    """Microseconds of each decision."""
    found = []
    for question in questions:
        begin = time.perf_counter_ns()
        decide(*question)
        found.append((time.perf_counter_ns() - begin) / 1e3)
    return found


def _changes(engine: object, sample: PolicySample) -> list[float]:
    """Microseconds of each grant and each revocation of it, applied to the index."""
    from domainmesh.v1 import grant_pb2
    from governance_server.policy.indexed_engine import IndexedEngine
    from governance_server.rules.policy_facts import grant_rows
    from governance_server.rules.policy_rows import PolicyDelta

    assert isinstance(engine, IndexedEngine)
    found = []
    for number, (subject, action, obj, _) in enumerate(sample.questions(1_000)):
        resource = obj.partition("#")[0]
        grant = grant_pb2.Grant(
            id=f"new-{number}", subject=subject, resource=resource, actions=[action], effect=grant_pb2.EFFECT_ALLOW
        )
        rows = tuple(grant_rows(grant))
        for delta in (PolicyDelta(add=rows), PolicyDelta(remove=rows)):
            begin = time.perf_counter_ns()
            engine.apply(delta, revision=engine.revision + 1)
            found.append((time.perf_counter_ns() - begin) / 1e3)
    return found


def _links(size: int) -> dict[str, float]:
    """Role links of one domain, loaded, and the first decision that needs them."""
    from governance_server.policy.engine import Request
    from governance_server.policy.indexed_engine import IndexedEngine
    from governance_server.rules.policy_facts import BASE_ROWS
    from governance_server.rules.policy_rows import Link, Rule

    rules = [row for row in BASE_ROWS if isinstance(row, Rule)]
    links = [Link("g", f"user:{number}", f"role:r{number % 500}", "sales") for number in range(size)]
    begin = time.perf_counter()
    engine = IndexedEngine()
    engine.load(rules, links, revision=1)
    engine.decide(Request("user:7", "sales", "sales.orders", "read", "x", "2026-11-26T00:00:00Z"))
    return {"milliseconds": (time.perf_counter() - begin) * 1e3}


def _strangers(size: int) -> dict[str, float]:
    """Denials for names nobody knows: how much memory grows after the first hundred thousand."""
    from benchmarks.machine import memory_bytes

    decide = _decider(view_of(PolicySample(1_000).writes()).engine)
    settled = 0
    for number in range(size + 100_000):
        if number == 100_000:
            settled = memory_bytes(_pid())
        decide(f"user:x{number}", "read", f"e{number}.p{number}.t#c", f"why{number}")
    return {"grown_megabytes": (memory_bytes(_pid()) - settled) / 1e6}


if __name__ == "__main__":
    print(json.dumps({"growth": _growth, "links": _links, "strangers": _strangers}[sys.argv[1]](int(sys.argv[2]))))
