"""The mesh beside OpenFGA: one model, the same facts, questions and client; answers must be equal before any is timed.

Both on SQLite, called by Python's gRPC, one call after the other. OpenFGA runs as it comes, and once more with its caches on,
which may then answer from a past of ten seconds; the mesh is never stale.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.mesh_process import MeshProcess
from benchmarks.openfga_model import authorization_model, relation, tuples
from benchmarks.openfga_process import OpenFga, openfga_server
from benchmarks.policy_sample import PolicySample, Question, seed

__all__ = ["openfga"]

_GRANTS = 20_000
_QUESTIONS = 2_000
_MANY = 100
_CACHES = ("--check-query-cache-enabled", "--check-iterator-cache-enabled")

Asked = Callable[[Sequence[Question]], list[bool]]


def openfga(bench: Bench) -> Iterator[Figure]:
    """Unary latency, unary and batched checks a second; each question once a round, three rounds."""
    sample = PolicySample(bench.scaled(_GRANTS, least=500))
    facts = list(tuples(sample))
    server = _mesh(bench, PolicySample(sample.grants))
    questions = _questions(sample, bench.scaled(_QUESTIONS, least=100))
    pages = [questions[at : at + _MANY] for at in range(0, len(questions), _MANY)]
    mesh = _mesh_calls(server)
    for name, options in (("", ()), ("_cached", _CACHES)):
        with openfga_server(bench.folder / f"openfga{name}", *options) as (client, _):
            peer = _openfga_calls(client, _filled(client, facts))
            assert mesh[1](questions[:_MANY]) == peer[1](questions[:_MANY])
            assert [mesh[0](q) for q in questions[:_MANY]] == mesh[1](questions[:_MANY])
            ours, theirs = _in_turns(mesh[0], peer[0], questions)
            batch, their_batch = _in_turns(mesh[1], peer[1], pages)
            assert [a for page in pages for a in mesh[1](page)] == [a for page in pages for a in peer[1](page)]
        words = "OpenFGA with caches (10 s stale)" if options else "OpenFGA"
        yield Figure(f"openfga.unary_p50{name}", 1e6 * ours[0], "µs", words, 1e6 * theirs[0])
        yield Figure(f"openfga.unary{name}", ours[1], "checks/s", words, theirs[1])
        bar = None if options else Bar("≥", 5, of="ratio")
        yield Figure(
            f"openfga.batch{name}", _MANY * batch[1], "checks/s", f"{words}, BatchCheck of 100", _MANY * their_batch[1], bar
        )


def _questions(sample: PolicySample, count: int) -> list[Question]:
    """Reads of whole ports, for work."""
    return [(user, action, obj.partition("#")[0], purpose) for user, action, obj, purpose in sample.questions(count)]


def _mesh(bench: Bench, sample: PolicySample) -> MeshProcess:
    from governance_server.storage.engine import open_database

    server = bench.server()
    server.stop()
    database = open_database(f"sqlite:///{server.home}/mesh.db")
    try:
        seed(database, sample)
    finally:
        database.close()
    server.start()
    return server


def _mesh_calls(server: MeshProcess) -> tuple[Callable[[Question], bool], Asked]:
    """One check, and a page of them."""
    import grpc

    from domainmesh.v1.decision_service_pb2 import CheckManyRequest, CheckRequest
    from domainmesh.v1.decision_service_pb2_grpc import DecisionServiceStub

    stub = DecisionServiceStub(grpc.insecure_channel(server.url.removeprefix("http://")))
    metadata = (("authorization", f"Bearer {server.administrator_token}"),)

    def message(question: Question) -> CheckRequest:
        return CheckRequest(principal=question[0], action=question[1], resource=question[2], purpose=question[3])

    def many(questions: Sequence[Question]) -> list[bool]:
        reply = stub.CheckMany(CheckManyRequest(checks=map(message, questions)), metadata=metadata)
        return [result.is_allowed for result in reply.results]

    return lambda question: bool(stub.Check(message(question), metadata=metadata).is_allowed), many


def _filled(client: OpenFga, facts: Sequence[dict[str, str]]) -> dict[str, str]:
    """The store and the model that hold the facts."""
    store = {"store_id": client.call("CreateStore", {"name": "bench"}).id}
    model = client.call("WriteAuthorizationModel", {**store, **authorization_model()}).authorization_model_id
    known = {**store, "authorization_model_id": model}
    for at in range(0, len(facts), _MANY):
        client.call("Write", {**known, "writes": {"tuple_keys": facts[at : at + _MANY]}})
    return known


def _openfga_calls(client: OpenFga, known: dict[str, str]) -> tuple[Callable[[Question], bool], Asked]:
    """The same two for OpenFGA; its messages are made as the mesh's are, field by field."""
    check, make_check = client.method("Check")
    batch, make_batch = client.method("BatchCheck")
    single, page = make_check(known), make_batch(known)

    def one(question: Question) -> bool:
        request = type(single)()
        request.CopyFrom(single)
        _fill(request.tuple_key, question)
        return bool(check(request).allowed)

    def many(questions: Sequence[Question]) -> list[bool]:
        request = type(page)()
        request.CopyFrom(page)
        for number, question in enumerate(questions):
            item = request.checks.add(correlation_id=str(number))
            _fill(item.tuple_key, question)
        result: Any = batch(request).result
        failed = [item.error.message for item in result.values() if item.HasField("error")]
        if failed:
            raise RuntimeError(f"OpenFGA did not answer {len(failed)} checks of a batch: {failed[0]}")
        return [result[str(number)].allowed for number in range(len(questions))]

    return one, many


def _fill(key: Any, question: Question) -> None:  # noqa: ANN401  # a message known at run time only
    user, action, obj, _ = question
    key.user, key.relation, key.object = user, relation(action), f"port:{obj}"


def _in_turns(
    ours: Callable[[Any], object], theirs: Callable[[Any], object], arguments: Sequence[Any]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """For each side: median seconds of a call, and calls a second in the median round."""
    rounds: tuple[list[list[float]], list[list[float]]] = ([], [])
    for _ in range(3):
        for call, kept in zip((ours, theirs), rounds, strict=True):
            kept.append([_seconds(call, argument) for argument in arguments])
    first, second = (
        (statistics.median(t for one in kept for t in one), statistics.median(len(one) / sum(one) for one in kept))
        for kept in rounds
    )
    return first, second


def _seconds(call: Callable[[Any], object], argument: Any) -> float:  # noqa: ANN401  # whatever the call takes
    begin = time.perf_counter()
    call(argument)
    return time.perf_counter() - begin
