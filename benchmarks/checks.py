"""Decisions at 100,000 rules: in process beside stock casbin over the same rows, and over gRPC from a real server."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.machine import processor_seconds
from benchmarks.mesh_process import MeshProcess
from benchmarks.policy_sample import PolicySample, Question, seed
from benchmarks.timing import percentile

if TYPE_CHECKING:
    from governance_server.policy.projection import PolicyProjection

__all__ = ["checks"]

_RULES = 100_000
_DECISIONS = 20_000
_ROUNDS = 5
_CASBIN_DECISIONS = 12
_MANY = 100
_IN_FLIGHT = 16


def checks(bench: Bench) -> Iterator[Figure]:
    """Latency in process as the services ask against `casbin.Enforcer.enforce`; and checks/s over gRPC.

    In process includes looking up the head revision, as every answer of a service does.
    """
    server = bench.server()
    server.stop()
    sample = PolicySample(bench.scaled(_RULES, least=500))
    questions = sample.questions(_DECISIONS)
    yield from _in_process(server, sample, questions)
    server.start()
    yield from _over_grpc(server, questions)


def _in_process(server: MeshProcess, sample: PolicySample, questions: Sequence[Question]) -> Iterator[Figure]:
    from governance_server.caller import Caller
    from governance_server.policy.projection import PolicyProjection
    from governance_server.storage.engine import open_database

    database = open_database(f"sqlite:///{server.home}/mesh.db")
    try:
        seed(database, sample)
        policy = PolicyProjection(database, now=lambda: datetime.now(UTC))
        asking = [(Caller(principal), action, obj, purpose) for principal, action, obj, purpose in questions]
        begin = time.perf_counter()
        policy.check(*asking[0])
        load_seconds = time.perf_counter() - begin
        first = _latencies(policy.check, asking[1:])
        rounds = [_latencies(policy.check, asking) for _ in range(_ROUNDS)]
        alone = [_latencies(_engine_alone(policy), questions) for _ in range(_ROUNDS)]
        enforce = _stock_enforcer(policy)
        asked = questions[:_CASBIN_DECISIONS]
        stock = statistics.median(_latencies(enforce, asked))
        assert [policy.check(*question).allowed for question in asking[: len(asked)]] == [
            enforce(*question) for question in asked
        ]
    finally:
        database.close()
    median, slowest = percentile(first, 0.5), percentile(first, 0.99)
    peer = "casbin.Enforcer.enforce over the same rules, in decisions/s"
    yield Figure("checks.in_process", 1e6 / median, "decisions/s", peer, 1e6 / stock, Bar("≥", 10_000, of="ratio"))
    yield Figure("checks.in_process_p50", median, "µs", "casbin.Enforcer.enforce over the same rules", stock)
    yield Figure("checks.in_process_p99", slowest, "µs", bar=Bar("<", 50))
    kept = [statistics.median(percentile(one, share) for one in rounds) for share in (0.5, 0.99)]
    yield Figure("checks.in_process_again_p50", kept[0], "µs")
    yield Figure("checks.in_process_again_p99", kept[1], "µs")
    yield Figure("checks.engine_p99", statistics.median(percentile(one, 0.99) for one in alone), "µs")
    yield Figure("checks.policy_load", load_seconds, "s")


def _engine_alone(policy: PolicyProjection) -> Callable[[str, str, str, str], object]:
    """The decision without the look-up of the head."""
    engine = policy._engine
    return lambda principal, action, obj, purpose: engine.decide(policy._request(principal, action, obj, purpose))


def _latencies(check: Callable[..., object], questions: Sequence[tuple[Any, ...]]) -> list[float]:
    """Microseconds of each decision."""
    found = []
    for question in questions:
        begin = time.perf_counter_ns()
        check(*question)
        found.append((time.perf_counter_ns() - begin) / 1e3)
    return found


def _stock_enforcer(policy: PolicyProjection) -> Callable[[str, str, str, str], bool]:
    """Casbin's own enforcer with the same model, rules and links; what names contain is spelled out as links."""
    import casbin

    from governance_server.policy.graphs import implied_links
    from governance_server.policy.model import MODEL_PATH
    from governance_server.rules import policy_facts
    from governance_server.rules.policy_rows import Rule, domain_of

    rows = {*policy_facts.BASE_ROWS, *(row for rows in policy.facts().rows.values() for row in rows)}
    rules = [row for row in rows if isinstance(row, Rule)]
    enforcer: Any = casbin.Enforcer(casbin.Enforcer.new_model(path=str(MODEL_PATH)))
    for rule in rules:
        row = [rule.sub, rule.dom, rule.obj, rule.act, rule.purpose, rule.unless, rule.nbf, rule.exp, rule.value]
        enforcer.model["p"][rule.section].policy.append([*row, rule.kind, rule.rid] if rule.section == "p3" else [*row, rule.rid])
    for link in {row for row in rows if not isinstance(row, Rule)} | set(implied_links({rule.obj for rule in rules})):
        names = [link.child, link.parent, link.domain] if link.section == "g" else [link.child, link.parent]
        enforcer.model["g"][link.section].policy.append(names)
    enforcer.build_role_links()
    enforcer.rm_map["g"].has_link("user:u0", "group:g0", "*")  # casbin builds this role graph when first asked

    def enforce(principal: str, action: str, obj: str, purpose: str) -> bool:
        for link in implied_links({obj}):
            enforcer.rm_map["g2"].add_link(link.child, link.parent)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return bool(enforcer.enforce(principal, domain_of(obj), obj, action, purpose, now))

    return enforce


def _over_grpc(server: MeshProcess, questions: Sequence[Question]) -> Iterator[Figure]:
    """One client, one call after the other: unary by the SDK, by the generated stub, and in bulk.

    What a core does is the checks divided by the processor time that the control server took for them.
    """
    import grpc

    from domainmesh.v1.decision_service_pb2 import CheckManyRequest, CheckRequest
    from domainmesh.v1.decision_service_pb2_grpc import DecisionServiceStub

    def asked(action: str, of_port: bool) -> list[CheckRequest]:
        return [
            CheckRequest(principal=q[0], action=action, resource=q[2] if of_port else q[2].partition(".t")[0], purpose=q[3])
            for q in questions
        ]

    with server.administrator() as mesh, grpc.insecure_channel(server.url.removeprefix("http://")) as channel:
        mesh.check("read", questions[0][2], principal=questions[0][0])
        unary = _rate(lambda q: mesh.check(q[1], q[2], principal=q[0], purpose=q[3]), questions[:2_000])
        stub = DecisionServiceStub(channel)
        metadata = (("authorization", f"Bearer {server.administrator_token}"),)
        some = asked("discover", False)[:4_000]
        one = _per_core(server, lambda check: stub.Check(check, metadata=metadata), some)
        busy = _per_core(server, _kept_in_flight(stub.Check, metadata), some)
        bulk = {
            action: _per_core(server, lambda page: stub.CheckMany(page, metadata=metadata), pages)
            for action, of_port in (("discover", False), ("read", True))
            if (pages := _pages(CheckManyRequest, asked(action, of_port)))
        }
    yield Figure("checks.unary", unary, "checks/s")
    yield Figure("checks.unary_per_core", busy[1], "checks/s", bar=Bar("≥", 2_000))
    yield Figure("checks.unary_alone_per_core", one[1], "checks/s")
    yield Figure("checks.bulk_of_100", _MANY * bulk["discover"][0], "checks/s", "one check a call", one[0])
    yield Figure("checks.bulk_of_100_per_core", _MANY * bulk["discover"][1], "checks/s", bar=Bar("≥", 50_000))
    yield Figure("checks.bulk_of_100_columns_per_core", _MANY * bulk["read"][1], "checks/s")


def _kept_in_flight(call: Any, metadata: Any) -> Callable[[Any], object]:  # noqa: ANN401  # a stub's method
    """Calls without waiting for the answer, as many clients do, as long as no more than `_IN_FLIGHT` are on their way."""
    places = threading.Semaphore(_IN_FLIGHT)

    def answered(call: Any) -> None:  # noqa: ANN401  # a grpc future
        places.release()
        call.result()

    def ask(argument: object) -> None:
        places.acquire()
        call.future(argument, metadata=metadata).add_done_callback(answered)

    return ask


def _pages(message: Any, checks: Sequence[Any]) -> list[Any]:  # noqa: ANN401  # a generated class
    return [message(checks=checks[at : at + _MANY]) for at in range(0, len(checks), _MANY)]


def _per_core(server: MeshProcess, call: Callable[[Any], object], arguments: Sequence[Any]) -> tuple[float, float]:
    """Calls per second, and per second of the control server's processor time; the medians of three runs."""
    rates = []
    for _ in range(3):
        used, begin = processor_seconds(server.pids[0]), time.perf_counter()
        for argument in arguments:
            call(argument)
        elapsed = time.perf_counter() - begin
        rates.append((len(arguments) / elapsed, len(arguments) / max(processor_seconds(server.pids[0]) - used, 1e-9)))
    first, second = zip(*rates, strict=True)
    return statistics.median(first), statistics.median(second)


def _rate(call: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    """Calls per second, the median of three runs."""
    rates = []
    for _ in range(3):
        begin = time.perf_counter()
        for argument in arguments:
            call(argument)
        rates.append(len(arguments) / (time.perf_counter() - begin))
    return statistics.median(rates)
