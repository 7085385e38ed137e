"""A publisher that does not see the server's drop folder: its files go through the server's own HTTP door, by signed requests."""

from __future__ import annotations

import hashlib
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain_sdk import _places
from domainmesh.v1 import publication_pb2
from domainmesh.v1 import publication_service_pb2 as pb
from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub
from tests.integration.crash_shop import CONTRACT, PRODUCT, publish, seen, set_up
from tests.integration.mesh_setup import raw_mesh
from tests.servers import RunningServer

pytestmark = pytest.mark.timeout(120, func_only=True)

PORT = f"{PRODUCT}.items"
BYTES = b"what was announced"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESH_EMBEDDER", "hashing")
        server = RunningServer(tmp_path_factory.mktemp("shop") / "mesh")
        with server.admin() as mesh:
            set_up(mesh)
        yield server
        server.stop()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process sees what one on another machine sees: no drop folder."""
    monkeypatch.setattr(_places, "_is_reached", lambda location: False)


def test_tables_and_collections_are_published_without_the_drop_folder(
    shop: RunningServer, elsewhere: None, tmp_path: Path
) -> None:
    with shop.admin() as mesh:
        publish(mesh, tmp_path, "far")
        assert seen(mesh) == "far"
    assert list((shop.home / "drop").iterdir()) == []
    assert list(Path(tempfile.gettempdir()).glob("mesh-publish-*")) == []


def test_an_upload_that_breaks_off_is_repeated(
    shop: RunningServer, elsewhere: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_put, broken = _places._put, []

    def put(signed: pb.SignedUpload, path: Path, *others: Any) -> None:
        if len(broken) < 2:
            broken.append(path)
            raise ConnectionResetError
        whole_put(signed, path, *others)

    monkeypatch.setattr(_places, "_put", put)
    monkeypatch.setattr(_places, "_FIRST_PAUSE_SECONDS", 0.01)
    with shop.admin() as mesh:
        publish(mesh, tmp_path, "again")
        assert (seen(mesh), len(broken)) == ("again", 2)


def test_a_ticket_takes_its_own_bytes_at_its_own_place_and_nothing_else(shop: RunningServer) -> None:
    with raw_mesh(shop, shop.admin_token) as mesh, shop.admin() as admin:
        stub = mesh.control(PublicationServiceStub)
        begun = stub.BeginPublication(pb.BeginPublicationRequest(product=PRODUCT, contract_text=CONTRACT), metadata=mesh.metadata)
        digest = hashlib.sha256(BYTES).digest()
        wanted = pb.UploadedFile(port=PORT, name="a.parquet", size_bytes=len(BYTES), sha256=digest)
        (signed,) = stub.SignUploads(pb.SignUploadsRequest(id=begun.id, files=[wanted]), metadata=mesh.metadata).uploads
        url, _ = admin._transport.door(signed.url)
        folder = shop.home / "drop" / begun.id / "items"
        assert put(url, b"what was altered !") == 400
        assert put(url, BYTES + b"!") == 400
        assert put(url, BYTES[:-1]) == 400
        assert put(url.replace("a.parquet", "b.parquet"), BYTES) == 403
        assert put(url.replace("/items/", "/prices/"), BYTES) == 403
        assert put(url.replace("expires=1", "expires=9"), BYTES) == 403
        assert put(url.partition("?")[0], BYTES) == 403
        assert list(folder.iterdir()) == []
        assert put(url, BYTES) == 201
        assert [(it.name, it.read_bytes()) for it in folder.iterdir()] == [("a.parquet", BYTES)]
        stub.AbortPublication(pb.AbortPublicationRequest(id=begun.id), metadata=mesh.metadata)
        assert put(url, BYTES) == 409
        assert not folder.exists()


def put(url: str, body: bytes) -> int:
    request = urllib.request.Request(url, data=body, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_who_may_publish_no_more_can_upload_no_more(shop: RunningServer) -> None:
    with shop.user("user:eve") as eve, shop.admin() as admin:
        grant = admin.grant("user:eve", PRODUCT, actions=["write"])
        method = eve._transport.control(PublicationServiceStub)
        begun = eve._transport.call(method.BeginPublication, pb.BeginPublicationRequest(product=PRODUCT, contract_text=CONTRACT))
        wanted = pb.UploadedFile(port=PORT, name="a", size_bytes=len(BYTES), sha256=hashlib.sha256(BYTES).digest())
        (signed,) = eve._transport.call(method.SignUploads, pb.SignUploadsRequest(id=begun.id, files=[wanted])).uploads
        admin.revoke(grant.id)
        assert put(eve._transport.door(signed.url)[0], BYTES) == 403


def test_files_go_by_path_only_into_a_folder_that_is_here(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    shown = {"": False, str(tmp_path / "absent"): False, str(tmp_path / "file"): False, str(tmp_path): True}
    for path, is_reached in shown.items():
        assert _places._is_reached(publication_pb2.WriteLocation(path=path)) is is_reached, path
    assert not _places._is_reached(publication_pb2.WriteLocation(path=str(tmp_path), is_upload=True))
