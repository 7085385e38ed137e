"""SIGKILL of the server at each step of an append and a merge over two tables: all of it is there afterwards, or nothing is."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import Mesh, MeshError
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240, func_only=True)]

SERVER = {"MESH_PUBLICATION_TTL_SECONDS": "1"}
BEFORE_INTENT = ["publish.begun", "take_over.file:2", "take_over.done:2", "publish.verified"]
AFTER_INTENT = [
    "publish.intent",
    "take_over.file:4",
    "take_over.done:4",
    "publish.taken_over",
    "commit_version.before_log",
    "commit_version.after_log",
    "publish.port_written",
    "publish.taken_over:2",
    "commit_version.before_log:2",
    "commit_version.after_log:2",
    "publish.before_final",
    "publish.final",
]
SAMPLE = ["publish.verified", "commit_version.after_log", "publish.port_written"]
CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
id: shop.stock
name: stock
version: 1.0.0
status: active
schema:
  - name: items
    logicalType: object
    physicalType: table
    properties: &columns
      - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: attempt, logicalType: string, required: true}
  - name: prices
    logicalType: object
    physicalType: table
    properties: *columns
"""
HELD = 1000


def rows(ids: range, attempt: str) -> pl.DataFrame:
    return pl.DataFrame({"id": ids, "attempt": [attempt] * len(ids)})


def given(attempt: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What a merge of items and an append of prices bring: each attempt its own hundred keys, and items 0 to 9 once more."""
    own = range(HELD + 100 * (ord(attempt) - ord("a")), HELD + 100 * (ord(attempt) - ord("a")) + 100)
    flagged = pl.concat([rows(range(10), attempt), rows(own, attempt), rows(range(900, 910), attempt)])
    return flagged.with_columns(gone=pl.col("id").is_between(900, 909)), rows(own, attempt)


def publish(mesh: Mesh, attempt: str) -> int:
    product = mesh.domain("shop").product("stock", contract=CONTRACT)
    items, prices = given(attempt)
    return product.publish(
        items=items, prices=prices, mode={"items": "merge", "prices": "append"}, delete_flag="gone", progress=False
    ).version


def seen(mesh: Mesh, attempts: str) -> None:
    """Both tables hold what these attempts made of them, whole."""
    items = dict.fromkeys(range(HELD), "0")
    prices = dict(items)
    for attempt in attempts:
        merged, appended = given(attempt)
        for number, name, gone in merged.iter_rows():
            items.pop(number, None) if gone else items.update({number: name})
        prices.update(appended.iter_rows())
    assert dict(mesh.read("shop.stock.items").iter_rows()) == items
    assert dict(mesh.read("shop.stock.prices").iter_rows()) == prices


def replayed(mesh: Mesh, port: str, since: int) -> Counter[tuple[int, str]]:
    state = Counter(mesh.read(port, version=since).iter_rows())
    for number, attempt, kind, _ in mesh.changes(port, since=since).collect().iter_rows():
        state[number, attempt] += 1 if kind in ("insert", "update_postimage") else -1
    return +state


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a stopped server with version 1 published."""
    folder = tmp_path_factory.mktemp("prepared")
    server = RunningServer(folder / "mesh", **SERVER)
    with server.admin() as mesh:
        mesh.admin.create_domain("shop", owners=["user:admin"])
        product = mesh.domain("shop").product("stock", contract=CONTRACT)
        product.publish(items=rows(range(HELD), "0"), prices=rows(range(HELD), "0"), progress=False)
    server.stop()
    return folder / "mesh"


def crash_and_recover(prepared: Path, folder: Path, fault: str) -> None:
    home = folder / "mesh"
    shutil.copytree(prepared, home)
    server = RunningServer(home, **SERVER, MESH_FAULT=fault)
    try:
        with server.admin() as mesh, pytest.raises(MeshError):
            publish(mesh, "a")
        assert server.wait() == -9, f"the server did not reach {fault}"
        server.environment = SERVER
        server.start()
        with server.admin() as mesh:
            mesh.admin.repair()
            mesh.admin.repair()
            done = "" if fault in BEFORE_INTENT else "a"
            seen(mesh, done)
            publish(mesh, "b")
            seen(mesh, f"{done}b")
            for port in ("shop.stock.items", "shop.stock.prices"):
                assert replayed(mesh, port, 1) == Counter(mesh.read(port).iter_rows())
            assert mesh.audit.verify(include_tables=True).is_intact
        left = [path for area in (home / "drop", home / "warehouse" / ".incoming") for path in area.rglob("*")]
        assert left == []
    finally:
        server.stop()


@pytest.mark.parametrize("fault", SAMPLE)
def test_a_server_killed_while_merging_leaves_all_of_it_or_nothing(prepared: Path, tmp_path: Path, fault: str) -> None:
    crash_and_recover(prepared, tmp_path, fault)


@pytest.mark.soak
@pytest.mark.parametrize("fault", [fault for fault in BEFORE_INTENT + AFTER_INTENT if fault not in SAMPLE])
def test_a_server_killed_at_any_other_step_of_a_merge_leaves_all_of_it_or_nothing(
    prepared: Path, tmp_path: Path, fault: str
) -> None:
    crash_and_recover(prepared, tmp_path, fault)
