"""Erasure on a real server, after appends and merges, on a disk and in a bucket: no byte of the storage tells of the subject."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import obstore
import polars as pl
import pytest

from domain_sdk import WrongState
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.object_folder import ObjectFolder
from governance_server.warehouse.opening import open_warehouse
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240, func_only=True)]

SUBJECT, OTHER = "ana.erased@subject.example", "bob.stays@other.example"
PORT = "crm.members.people"
CONTRACT = """
kind: DataContract
apiVersion: v3.2.0
id: crm.members
name: Members
version: 1.0.0
status: active
schema:
  - name: people
    logicalType: object
    physicalType: table
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: email, logicalType: string, tags: [pii.email]}
"""


def rows(*members: tuple[int, str]) -> dict[str, pl.DataFrame]:
    return {"people": pl.DataFrame(members, schema={"id": pl.Int64, "email": pl.String}, orient="row")}


def places(home: Path, warehouse: str) -> list[str]:
    """Where in storage the subject stands."""
    found = [str(path) for path in home.rglob("*") if path.is_file() and SUBJECT.encode() in path.read_bytes().lower()]
    root = open_warehouse(warehouse, home / "drop").root
    if isinstance(root, LocalFolder):
        return found
    assert isinstance(root, ObjectFolder)
    store = root.bucket.store
    keys = [it["path"] for some in obstore.list(store) for it in some]
    return found + [key for key in keys if SUBJECT.encode() in bytes(obstore.get(store, key).bytes()).lower()]


@pytest.mark.parametrize("storage", ["local", "s3"])
def test_an_erasure_reaches_rows_that_merges_replaced_and_publishing_goes_on(
    storage: str, new_warehouse: Callable[[], str], tmp_path: Path
) -> None:
    home = tmp_path / "mesh"
    warehouse = new_warehouse() if storage == "s3" else str(home / "warehouse")
    server = RunningServer(home, MESH_WAREHOUSE=warehouse, MESH_EMBEDDER="hashing")
    try:
        with server.admin() as mesh:
            mesh.admin.create_domain("crm", owners=["user:admin"])
            members = mesh.domain("crm").product("members", contract=CONTRACT)
            members.publish(rows((1, OTHER), (2, "x@x.example")), progress=False)
            members.publish(rows((3, SUBJECT)), mode="append", progress=False)
            members.publish(rows((3, "new@y.example")), mode="merge", progress=False)
            members.publish(rows((4, SUBJECT)), mode="append", progress=False)
            assert any("_mesh_changes" in place for place in places(home, warehouse))
            (receipt,) = mesh.admin.erase("pii.email", SUBJECT, reason="she asked", products=["crm.members"])
            assert (receipt.is_complete, receipt.version, receipt.retired_versions) == (True, 5, (2, 4))
            assert places(home, warehouse) == []
            left = [(1, OTHER), (2, "x@x.example"), (3, "new@y.example")]
            assert mesh.read(PORT).sort("id").rows() == left
            assert mesh.read(PORT, version=3).sort("id").rows() == left
            with pytest.raises(WrongState, match="erasure"):
                mesh.read(PORT, version=2)
            members.publish(rows((5, "z@z.example")), mode="append", progress=False)
            members.publish(rows((5, "w@w.example")), mode="merge", progress=False)
            assert mesh.read(PORT).sort("id").rows() == [*left, (5, "w@w.example")]
            assert mesh.audit.verify(include_tables=True).is_intact
    finally:
        server.stop()
