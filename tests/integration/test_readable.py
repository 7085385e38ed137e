"""What the catalog says beside a product or port that was found: readable now, with a purpose, or to be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import Mesh
from tests.integration.mesh_setup import contract
from tests.servers import RunningServer

PORT = "desk.orders.rows"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = RunningServer(tmp_path_factory.mktemp("desk") / "mesh", MESH_EMBEDDER="hashing")
    with server.admin() as admin:
        admin.admin.create_domain("desk", owners=["user:cora"])
        for purpose, parent in (("planning", ""), ("forecasting", "planning"), ("auditing", "")):
            admin.admin.create_purpose(purpose, parent=parent)
    with server.user("user:cora") as cora:
        text = contract("desk.orders", {"rows": ["id: integer"]})
        cora.domain("desk").product("orders", text).publish(rows=pl.DataFrame({"id": [1]}), progress=False)
        for name in ("ida", "ben", "eve"):
            cora.grant(f"user:{name}", PORT, actions=["discover", "request"])
        cora.grant("user:ida", PORT, purpose="forecasting")
        cora.grant("user:ben", PORT, purpose="auditing", deny=True)
    yield server
    server.stop()


def told(mesh: Mesh) -> dict[str, tuple[bool, tuple[str, ...]]]:
    return {hit.name: (hit.is_readable, hit.readable_purposes) for hit in mesh.discover("orders")}


def test_what_is_readable_with_a_purpose_says_which(desk: RunningServer, tmp_path: Path) -> None:
    with desk.user("user:ida") as ida:
        assert told(ida)[PORT] == (False, ("forecasting",))
        assert ida.scan(PORT, purpose="forecasting").collect().height == 1


@pytest.mark.parametrize("user", ["user:ben", "user:eve"])
def test_purposes_of_others_and_of_denials_are_not_told(desk: RunningServer, user: str) -> None:
    with desk.user(user) as mesh:
        assert told(mesh)[PORT] == (False, ())


def test_what_is_readable_without_a_purpose_names_none(desk: RunningServer) -> None:
    with desk.user("user:cora") as cora:
        assert told(cora)[PORT] == (True, ())


def test_a_product_is_readable_as_its_ports_are(desk: RunningServer) -> None:
    with desk.user("user:cora") as cora:
        cora.grant("user:ida", "desk.orders", actions=["discover"])
    with desk.user("user:ida") as ida:
        assert told(ida)["desk.orders"] == (False, ("forecasting",))
