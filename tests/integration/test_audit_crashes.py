"""What was acknowledged is in the decision log: through SIGKILL, with several servers at once, and on a full disk."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import grpc
import pytest

from domain_sdk import AccessDenied, Mesh, MeshError, StorageUnavailable
from domainmesh.v1 import read_service_pb2
from domainmesh.v1.read_service_pb2_grpc import ReadServiceStub
from tests.integration.audit_shop import ORDERS, Shop, opened_shop
from tests.integration.mesh_setup import raw_mesh
from tests.integration.replicas import ORDERS as SHARED
from tests.integration.replicas import DatabaseKind, orders, publish_orders, replicas_on
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240, func_only=True)]

ROWS = 2_000_000
STREAMERS = ("user:s1", "user:s2")


@pytest.fixture
def shop(new_server: Callable[..., RunningServer], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    with opened_shop(new_server("mesh", MESH_EMBEDDER="hashing"), rows=ROWS) as shop:
        yield shop


def gateway_pid(server: RunningServer) -> int:
    assert server.process is not None
    pid = server.process.pid
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


class Readers:
    """Small reads, each of another number of rows, until they fail; and large ones that stop in the middle."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.acknowledged: set[int] = set()
        self.limits = count(1)
        self.begun: set[str] = set()
        self.is_killed = threading.Event()

    def read_small(self) -> None:
        with suppress(MeshError):
            while not self.is_killed.is_set():
                limit = next(self.limits)
                assert self.shop.owner.read(ORDERS, columns=["id"], limit=limit, via="stream").height == limit
                self.acknowledged.add(limit)

    def read_large(self, name: str, token: str) -> None:
        with raw_mesh(self.shop.server, token) as raw, suppress(grpc.RpcError):
            stream = raw.gateway(ReadServiceStub).Read(read_service_pb2.ReadRequest(port=ORDERS), metadata=raw.metadata)
            for number, _ in enumerate(stream):
                if number == 3:  # header, schema, and rows
                    self.begun.add(name)
                    self.is_killed.wait(60)
                    return


@pytest.mark.parametrize("victim", ["gateway", "server"])
def test_what_had_been_read_when_a_process_was_killed_is_in_the_log(shop: Shop, victim: str) -> None:
    readers = Readers(shop)
    tokens = {}
    for name in STREAMERS:
        shop.enter(name)
        shop.owner.grant(name, ORDERS, actions=["read"])
        tokens[name] = shop.admin.admin.create_token(name).secret
    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(readers.read_large, name, token) for name, token in tokens.items()]
        work += [pool.submit(readers.read_small) for _ in range(2)]
        deadline = time.monotonic() + 90
        while (readers.begun != set(STREAMERS) or len(readers.acknowledged) < 5) and time.monotonic() < deadline:
            time.sleep(0.05)
        if victim == "gateway":
            os.kill(gateway_pid(shop.server), signal.SIGKILL)
        else:
            shop.server.kill()
        readers.is_killed.set()
        for each in work:
            each.result(60)
    if victim == "server":
        shop.server.start()
    with shop.server.admin() as admin:
        found = admin.audit.decisions(limit=None)
        assert admin.audit.verify().is_intact
    assert readers.acknowledged
    assert readers.acknowledged <= {it.rows for it in found if it.end == "complete" and it.principal == "user:olga"}
    assert readers.begun == set(STREAMERS)
    for name in STREAMERS:
        assert {it.end for it in found if it.principal == name and it.kind == "read"} <= {"begun", "cancelled", "failed"}
        assert "begun" in {it.end for it in found if it.principal == name}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_gateways_write_one_log_without_gaps(tmp_path: Path, kind: DatabaseKind) -> None:
    with replicas_on(kind, tmp_path) as pair:
        publish_orders(pair.user("user:olga", 0), orders("one"))
        meshes = [pair.user("user:olga", side) for side in (0, 1)]

        def read(number: int) -> None:
            assert meshes[number % 2].read(SHARED, limit=1 + number % 20, via="stream").height == 1 + number % 20

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(read, range(60)))
        for side in (0, 1):
            found = pair.admin(side).audit.decisions(limit=None, principal="user:olga")
            assert sum(it.kind == "read" for it in found) == 60
            assert pair.admin(side).audit.verify().is_intact
        report = pair.admin(1).audit.report(SHARED)
        assert sum(it.rows for it in report.uses if it.kind == "read") == sum(1 + number % 20 for number in range(60))


@contextmanager
def full_disk(pid: int, *, room_bytes: int) -> Iterator[None]:
    """No file of the process can grow beyond this, as on a full disk."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (room_bytes, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def reads(mesh: Mesh, times: int) -> int:
    """How many of so many reads were served before one failed."""
    for number in range(times):
        try:
            mesh.read(ORDERS, limit=3, via="stream")
        except StorageUnavailable:
            return number
    return times


def test_a_full_disk_stops_reads_and_refusals_and_nothing_acknowledged_is_lost(shop: Shop) -> None:
    largest = max(path.stat().st_size for path in shop.server.home.glob("mesh.db*"))
    with full_disk(gateway_pid(shop.server), room_bytes=largest + 100_000):
        served = reads(shop.owner, 200)
        assert 0 < served < 200
        with pytest.raises(StorageUnavailable, match="not logged is not served"):
            shop.reader.read(ORDERS)
    assert reads(shop.owner, 3) == 3
    with pytest.raises(AccessDenied):
        shop.reader.read(ORDERS)
    complete = [it for it in shop.decisions(principal="user:olga", kinds=("read",)) if it.end == "complete"]
    assert len(complete) >= served + 3
    assert shop.admin.audit.verify().is_intact


def test_a_stream_that_is_cut_by_a_revocation_or_left_by_its_reader_says_so(shop: Shop) -> None:
    for name in STREAMERS:
        shop.enter(name)
        grant = shop.owner.grant(name, ORDERS, actions=["read"])
        token = shop.admin.admin.create_token(name).secret
        with raw_mesh(shop.server, token) as raw:
            stream = raw.gateway(ReadServiceStub).Read(read_service_pb2.ReadRequest(port=ORDERS), metadata=raw.metadata)
            for _ in range(3):
                next(stream)
            if name == "user:s1":
                shop.owner.revoke(grant.id)
                with pytest.raises(grpc.RpcError, match="may not read"):
                    list(stream)
            else:
                stream.cancel()
    for name, end in zip(STREAMERS, ("revoked", "cancelled"), strict=True):
        found = shop.decisions(principal=name, kinds=("read",), at_least=2)
        assert [it.end for it in found] == ["begun", end]
        assert 0 < found[1].rows < ROWS
    (use,) = shop.admin.audit.report(principal="user:s1").uses
    assert (use.count, use.unfinished, 0 < use.rows < ROWS) == (1, 1, True)
