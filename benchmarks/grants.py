"""Grants and revocations end to end: many clients at once over gRPC, each acknowledged only once it is on disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.mesh_process import MeshProcess
from benchmarks.policy_sample import PolicySample, seed
from benchmarks.timing import percentile

__all__ = ["grants"]

_RULES = 100_000
_CLIENTS = 16
_SECONDS = 15.0


def grants(bench: Bench) -> Iterator[Figure]:
    """Sixteen owners grant and revoke on a mesh of 100,000 rules: changes a second and how long each took to be durable."""
    from governance_server.storage.engine import open_database

    server = bench.server(MESH_CALL_THREADS=str(_CLIENTS))
    server.stop()
    database = open_database(f"sqlite:///{server.home}/mesh.db")
    try:
        seed(database, PolicySample(bench.scaled(_RULES, least=500)))
    finally:
        database.close()
    server.start()
    _make_domain(server)
    token = server.token("user:bench-owner")
    alone = _run(server, token, clients=1, seconds=_SECONDS / 3)
    together = _run(server, token, clients=_CLIENTS, seconds=max(2.0, _SECONDS * min(1.0, bench.scale)))
    yield Figure("grants.durable", together.per_second, "changes/s", "one client alone", alone.per_second, Bar("≥", 500))
    yield Figure("grants.durable_p50", percentile(together.milliseconds, 0.5), "ms")
    yield Figure("grants.durable_p99", percentile(together.milliseconds, 0.99), "ms", bar=Bar("<", 50))


def _make_domain(server: MeshProcess) -> None:
    with server.administrator() as mesh:
        mesh.admin.create_principal("user:bench-owner")
        mesh.admin.create_domain("bench", owners=["user:bench-owner"])


class _Run:
    """What the clients of one run did."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.per_second = 0.0


def _run(server: MeshProcess, token: str, *, clients: int, seconds: float) -> _Run:
    """Each client grants and revokes, one after the other, until the time is over."""
    done, run = threading.Event(), _Run()
    failed: list[BaseException] = []
    threads = [threading.Thread(target=_work, args=(server, token, number, done, run, failed)) for number in range(clients)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    done.wait(seconds)
    done.set()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    run.per_second = len(run.milliseconds) / (time.perf_counter() - begin)
    return run


def _work(server: MeshProcess, token: str, number: int, done: threading.Event, run: _Run, failed: list[BaseException]) -> None:
    import grpc

    from domainmesh.v1 import grant_pb2, grant_service_pb2
    from domainmesh.v1.grant_service_pb2_grpc import GrantServiceStub

    wanted = grant_pb2.Grant(subject=f"user:reader-{number}", resource="bench", actions=["read"], effect=grant_pb2.EFFECT_ALLOW)
    metadata = (("authorization", f"Bearer {token}"),)
    try:
        with grpc.insecure_channel(
            server.url.removeprefix("http://"), options=[("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            stub = GrantServiceStub(channel)
            while not done.is_set():
                create = grant_service_pb2.CreateGrantRequest(grant=wanted)
                given: Any = _timed(run, lambda: stub.CreateGrant(create, metadata=metadata))  # noqa: B023  # called at once
                revoke = grant_service_pb2.RevokeGrantRequest(id=given.id)
                _timed(run, lambda: stub.RevokeGrant(revoke, metadata=metadata))  # noqa: B023  # called at once
    except BaseException as error:  # noqa: BLE001  # raised again by the run that started this thread
        failed.append(error)
        done.set()


def _timed(run: _Run, call: Any) -> Any:  # noqa: ANN401  # a stub's method and its reply
    begin = time.perf_counter()
    reply = call()
    run.milliseconds.append((time.perf_counter() - begin) * 1e3)
    return reply
