"""A mesh whose warehouse is a bucket: published by signed PUTs, read through the gateway alone, revoked, killed and recovered."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import obstore
import polars as pl
import pytest

from domain_sdk import AccessDenied, Conflict, Mesh, MeshError, Overloaded, WrongState
from domainmesh.v1 import publication_service_pb2 as pb
from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub
from governance_server.warehouse.object_folder import ObjectFolder
from governance_server.warehouse.opening import open_warehouse
from tests.integration.crash_shop import CONTRACT, PRODUCT, assert_whole, publish, seen, set_up, until
from tests.integration.mesh_setup import detail_of, raw_mesh, token_of
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240, func_only=True)]

TTL_SECONDS = 10
SETTINGS = {"MESH_EMBEDDER": "hashing", "MESH_PUBLICATION_TTL_SECONDS": str(TTL_SECONDS)}
PORT = f"{PRODUCT}.items"


@pytest.fixture(scope="module")
def embedder() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESH_EMBEDDER", "hashing")
        yield


@pytest.fixture(scope="module")
def shop(
    embedder: None, new_warehouse: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningServer, str]]:
    """A server with its warehouse in a bucket and versions 1 and 2 published, and the warehouse's URL."""
    folder = tmp_path_factory.mktemp("shop")
    url = new_warehouse()
    server = RunningServer(folder / "mesh", MESH_WAREHOUSE=url, MESH_EMBEDDER="hashing")
    with server.admin() as mesh:
        set_up(mesh)
        publish(mesh, folder, "one")
        publish(mesh, folder, "two")
    yield server, url
    server.stop()


def test_every_version_reads_whole_as_stream_as_files_and_in_sql(shop: tuple[RunningServer, str]) -> None:
    server, _ = shop
    with server.admin() as mesh:
        assert (seen(mesh), seen(mesh, 1), seen(mesh, 2)) == ("two", "one", "two")
        by_file = mesh.scan(PORT, via="files").filter(pl.col("number") < 5).select("number").collect()
        assert by_file["number"].sort().to_list() == [0, 1, 2, 3, 4]
        by_stream = mesh.scan(PORT, via="stream", version=1).select("attempt").unique().collect()
        assert by_stream.to_series().to_list() == ["one"]
        joined = mesh.sql(f"select count(*) n from {PORT} i join {PRODUCT}.prices p on i.number = p.number and p.attempt = 'two'")
        assert joined["n"].to_list() == [3000]


def test_obligations_hold_and_a_revocation_ends_what_was_given(shop: tuple[RunningServer, str]) -> None:
    server, _ = shop
    with server.admin() as mesh, Mesh.connect(server.url, token_of(server, "user:ana")) as ana:
        with pytest.raises(AccessDenied):
            ana.read(PORT)
        grant = mesh.grant("user:ana", PORT, rows="number < 10", masks={"note": "replace-with-null"})
        assert ana.read(PORT).sort("number").rows()[0] == (0, "two", None)
        files = ana.scan(PORT, via="files")
        assert files.collect().height == 10
        mesh.revoke(grant.id)
        with pytest.raises(AccessDenied):
            ana.read(PORT)
        with pytest.raises((MeshError, pl.exceptions.PolarsError)):
            files.collect()


def test_nothing_of_the_data_lies_on_a_disk_and_nothing_is_left_of_deliveries(shop: tuple[RunningServer, str]) -> None:
    server, url = shop
    warehouse = open_warehouse(url, server.home / "drop")
    assert not (server.home / "warehouse").exists()
    assert set(warehouse.root.subfolders()) == {"shop"}
    assert list(Path(tempfile.gettempdir()).glob("mesh-publish-*")) == []


def test_no_caller_learns_a_credential_and_only_the_publisher_gets_its_uploads_signed(shop: tuple[RunningServer, str]) -> None:
    server, _ = shop
    with raw_mesh(server, server.admin_token) as mesh:
        stub = mesh.control(PublicationServiceStub)
        begun = stub.BeginPublication(pb.BeginPublicationRequest(product=PRODUCT, contract_text=CONTRACT), metadata=mesh.metadata)
        assert all(location.is_upload and not location.path for location in begun.locations)
        wanted = pb.SignUploadsRequest(id=begun.id, files=[upload(PORT), upload(PORT, name="b")])
        signed = stub.SignUploads(wanted, metadata=mesh.metadata)
        assert len(signed.uploads) == 2
        assert "secret-of-the-server" not in str(begun) + str(signed)
        wrong = [upload("shop.stock.other"), upload(PORT, name="../x"), upload(PORT, sha256=b"short")]
        problem = failure(stub, pb.SignUploadsRequest(id=begun.id, files=wrong), mesh.metadata)
        assert len(detail_of(problem).violations) == 3
        stranger = (("authorization", f"Bearer {token_of(server, 'user:stranger')}"),)
        assert failure(stub, wanted, stranger).code() == grpc.StatusCode.PERMISSION_DENIED
        stub.AbortPublication(pb.AbortPublicationRequest(id=begun.id), metadata=mesh.metadata)
        assert failure(stub, wanted, mesh.metadata).code() == grpc.StatusCode.FAILED_PRECONDITION


def upload(port: str, *, name: str = "a.parquet", sha256: bytes = bytes(32)) -> pb.UploadedFile:
    return pb.UploadedFile(port=port, name=name, size_bytes=1, sha256=sha256)


def failure(stub: PublicationServiceStub, request: pb.SignUploadsRequest, metadata: object) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        stub.SignUploads(request, metadata=metadata)  # type: ignore[arg-type]
    return caught.value


def test_an_upload_that_breaks_off_is_repeated(shop: tuple[RunningServer, str], tmp_path: Path, monkeypatch) -> None:
    from domain_sdk import _places

    server, _ = shop
    whole_put, broken = _places._put, []

    def put(signed: pb.SignedUpload, path: Path, *others: Any) -> None:
        if len(broken) < 2:
            broken.append(path)
            raise ConnectionResetError
        whole_put(signed, path, *others)

    monkeypatch.setattr(_places, "_put", put)
    monkeypatch.setattr(_places, "_FIRST_PAUSE_SECONDS", 0.01)
    with server.admin() as mesh:
        assert publish(mesh, tmp_path, "two").version == mesh.domain("shop").product("stock").release().version
    assert len(broken) == 2


FAULTS = ["take_over.file:2", "publish.intent", "commit_version.after_log:2", "publish.final"]


@pytest.fixture(scope="module")
def prepared(embedder: None, new_warehouse: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The home of a stopped server with version 1 published, and its warehouse."""
    folder, url = tmp_path_factory.mktemp("prepared"), new_warehouse()
    server = RunningServer(folder / "mesh", **SETTINGS, MESH_WAREHOUSE=url)
    with server.admin() as mesh:
        set_up(mesh)
        publish(mesh, folder, "one")
    server.stop()
    return folder / "mesh", url


@pytest.mark.parametrize(
    "fault", [FAULTS[0], FAULTS[2], *(pytest.param(it, marks=pytest.mark.soak) for it in (FAULTS[1], FAULTS[3]))]
)
def test_a_server_killed_while_publishing_into_a_bucket_serves_the_old_or_the_new_version_whole(
    prepared: tuple[Path, str], tmp_path: Path, fault: str
) -> None:
    home, url = tmp_path / "mesh", f"{prepared[1]}-{fault.replace(':', '-')}"
    shutil.copytree(prepared[0], home)
    copy_objects(prepared[1], url)
    settings = {**SETTINGS, "MESH_WAREHOUSE": url}
    server = RunningServer(home, **settings, MESH_FAULT=fault)
    try:
        with server.admin() as mesh, pytest.raises(MeshError):
            publish(mesh, tmp_path, "two")
        assert server.wait() == -9, f"the server did not reach {fault}"
        server.environment = settings
        server.start()
        is_rolled_forward = fault != FAULTS[0]
        with server.admin() as mesh:
            time.sleep(0 if is_rolled_forward else TTL_SECONDS)
            assert until(lambda: is_repaired(mesh), seconds=60)
            released = {1: "one", **({2: "two"} if is_rolled_forward else {})}
            assert_whole(mesh, home, released, warehouse=url)
            assert publish(mesh, tmp_path, "three").version == 3
            assert_whole(mesh, home, {**released, 3: "three"}, warehouse=url)
    finally:
        server.stop()


def is_repaired(mesh: Mesh) -> bool:
    """Whether a repair ran through: the server's own at its start may still hold the product."""
    try:
        return mesh.admin.repair() is not None
    except (Conflict, Overloaded):
        return False


def copy_objects(source: str, target: str) -> None:
    """Everything below one URL lies below the other, too."""
    root, other = (open_warehouse(url, Path()).root for url in (source, target))
    assert isinstance(root, ObjectFolder)
    assert isinstance(other, ObjectFolder)
    for found in obstore.list(root.bucket.store, root.prefix + "/"):
        for it in found:
            obstore.copy(root.bucket.store, it["path"], other.prefix + it["path"].removeprefix(root.prefix))


def test_rules_over_whole_ports_are_run_on_files_in_a_bucket(shop: tuple[RunningServer, str]) -> None:
    server, _ = shop
    contract = (
        "kind: DataContract\napiVersion: v3.2.0\nid: x\nversion: 1.0.0\nschema:\n- name: a\n"
        "  quality: [{type: sql, query: 'select sum(n) from {object}', mustBe: 6}]\n  properties:\n"
        "  - {name: n, logicalType: integer, relationships: [{to: b.n}]}\n"
        "- name: b\n  properties: [{name: n, logicalType: integer}]\n"
    )
    with server.admin() as mesh:
        product = mesh.domain(PRODUCT.partition(".")[0]).product("whole-ports", contract)
        rows = pl.DataFrame({"n": [1, 2, 3]})
        found = {it.check: it for it in product.preview(a=rows, b=rows.head(2), progress=False).quality if it.port.endswith(".a")}
        assert (found["quality[0]"].measured, found["n.relationships[0]"].failing_rows) == ("6", 1)
        release = product.publish(a=rows, b=rows, progress=False)
        assert {it.status.value for it in release.quality} == {"passed"}


def test_upkeep_in_a_bucket_leaves_what_may_be_read_and_removes_what_may_not(
    embedder: None, new_warehouse, tmp_path: Path
) -> None:
    url = new_warehouse()
    server = RunningServer(tmp_path / "mesh", MESH_WAREHOUSE=url, MESH_EMBEDDER="hashing")
    try:
        with server.admin() as mesh:
            set_up(mesh)
            for attempt in ("one", "two", "three"):
                publish(mesh, tmp_path, attempt)
            upkeep = mesh.domain("shop").product("stock").upkeep
            upkeep.compact(z_order=["number"])
            upkeep.retire(1, reason="wrong prices")
            assert {it.port.rpartition(".")[2]: it.count for it in upkeep.vacuum(grace_hours=0)}["items"] >= 1
            with pytest.raises(WrongState, match="wrong prices"):
                mesh.read(PORT, version=1)
            assert (seen(mesh, 2), seen(mesh)) == ("two", "three")
            publish(mesh, tmp_path, "four")
            assert (seen(mesh, 3), seen(mesh)) == ("three", "four")
    finally:
        server.stop()
