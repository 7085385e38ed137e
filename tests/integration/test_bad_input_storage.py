"""Storage that is missing, full or taken away: one clear error, nothing half published, and all is well once it is back."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import MeshError, StorageUnavailable
from domainmesh.v1 import publication_pb2, publication_service_pb2
from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub
from tests.integration.bad_input_market import CONTRACT, Market, lines, orders, refused
from tests.servers import RunningServer

pytestmark = pytest.mark.slow

PUBLISH = """
import sys
from domain_sdk import Mesh, MeshError
from tests.integration.bad_input_market import CONTRACT, lines, orders
with Mesh.connect(sys.argv[1], sys.argv[2]) as mesh:
    product = mesh.domain("sales").product("orders", contract=CONTRACT)
    try:
        product.publish(orders=orders(), lines=lines(200_000), progress=False)
    except MeshError as error:
        print(type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def opened(server: RunningServer) -> Iterator[Market]:
    market = Market(server)
    yield market
    market.close()


@pytest.fixture
def market(opened: Market) -> Iterator[Market]:
    yield opened
    opened.assert_unharmed()
    opened.version = opened.publish().version
    opened.assert_unharmed()


@contextmanager
def full_disk(server: RunningServer, *, room_bytes: int) -> Iterator[None]:
    """No file of the control server can grow beyond this, as on a full disk."""
    assert server.process is not None
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (room_bytes, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)


def serve(home: str, **environment: str) -> tuple[int, str]:
    settings = {
        **os.environ,
        "MESH_HOME": home,
        "MESH_PORT": "0",
        "MESH_GATEWAY_PORT": "0",
        "MESH_FILES_PORT": "0",
        **environment,
    }
    command = [sys.executable, "-m", "governance_server", "serve"]
    ended = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=30, check=False)
    return ended.returncode, ended.stderr


def test_a_home_that_cannot_be_had_is_named_and_the_server_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for home in ("/proc/missing-disk/mesh", str(tmp_path / "file"), str(tmp_path / "file" / "mesh")):
        status, said = serve(home)
        assert status == 2, said
        assert Path(home).parts[2] in said
        assert "Traceback" not in said
    status, said = serve(str(tmp_path / "mesh"), MESH_DROP=str(tmp_path / "file" / "drop"))
    assert (status, str(tmp_path / "file") in said, "Traceback" in said) == (2, True, False), said


def test_a_removed_drop_area_is_named_and_publishing_works_once_it_is_back(market: Market) -> None:
    shutil.rmtree(market.drop)
    with refused(StorageUnavailable, str(market.drop)):
        market.publish()
    market.drop.write_text("a file where a folder should be")
    with refused(StorageUnavailable, str(market.drop)):
        market.publish()
    market.drop.unlink()
    market.drop.mkdir(mode=0o700)


def test_a_removed_delivery_is_named_and_the_publication_can_be_given_up(market: Market) -> None:
    stub = market.stub(PublicationServiceStub)
    request = publication_service_pb2.BeginPublicationRequest(product="sales.orders", contract_text=CONTRACT)
    publication = market.sent(stub.BeginPublication, request)
    shutil.rmtree(market.drop / publication.id)
    ports = [publication_pb2.DeliveredPort(port=f"sales.orders.{port}") for port in ("orders", "lines")]
    with refused(StorageUnavailable, publication.id, "removed"):
        market.sent(stub.CommitPublication, publication_service_pb2.CommitPublicationRequest(id=publication.id, ports=ports))
    market.sent(stub.AbortPublication, publication_service_pb2.AbortPublicationRequest(id=publication.id))


def test_a_full_disk_under_the_publisher_publishes_nothing_and_leaves_nothing(market: Market) -> None:
    owner_token = market.owner._transport._token()
    limits = (20_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    ended = subprocess.run(
        [sys.executable, "-c", PUBLISH, market.server.url, owner_token],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert ended.stdout.startswith("StorageUnavailable"), ended.stdout
    assert str(market.drop) in ended.stdout
    assert "room" in ended.stdout


def test_a_full_disk_under_the_database_refuses_writes_serves_reads_and_loses_nothing(market: Market) -> None:
    acknowledged = []
    with full_disk(market.server, room_bytes=max(path.stat().st_size for path in market.server.home.glob("mesh.db*")) + 400_000):
        with refused(StorageUnavailable, "nothing of it was stored"):
            for _ in range(200):
                acknowledged.append(
                    market.owner.grant("user:stan", "sales.orders.lines", actions=["discover"], reason="x" * 2000)
                )
        assert market.reader.read("sales.orders.orders").equals(orders())
        assert market.owner.check("read", "sales.orders.orders")
    known = {grant.id for grant in market.owner.grants()}
    assert {grant.id for grant in acknowledged} <= known
    assert acknowledged
    with market.server.admin() as admin:
        assert admin.audit.verify().is_intact


def test_a_full_disk_while_the_server_commits_is_survived(market: Market) -> None:
    """The files fit, what the server writes afterwards does not: old or new is served, whole, and the next one succeeds."""
    wide = lines().with_columns(sku=pl.lit("y" * 100))
    with full_disk(market.server, room_bytes=1000), pytest.raises(MeshError) as caught:
        market.publish(lines=wide)
    assert isinstance(caught.value, StorageUnavailable), caught.value
    with market.server.admin() as admin:
        admin.admin.repair()
    market.version = market.owner.domain("sales").product("orders").release().version
    seen = market.reader.read("sales.orders.lines").sort("line")
    assert seen.equals(lines()) or seen.equals(wide)
    market.version = market.publish().version
