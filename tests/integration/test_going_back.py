"""Going back to an earlier version: its rows are published again, as a new version."""

from __future__ import annotations

import polars as pl

from tests.integration.mesh_setup import contract
from tests.servers import RunningServer


def test_the_rows_of_an_earlier_version_are_published_again(server: RunningServer) -> None:
    with server.admin() as admin:
        admin.admin.create_domain("undo", owners=["user:uma"])
    with server.user("user:uma") as uma:
        product = uma.domain("undo").product("orders", contract("undo.orders", {"rows": ["id: integer", "note: string"]}))
        product.publish(rows=pl.DataFrame({"id": [1, 2], "note": ["a", None]}), progress=False)
        product.publish(rows=pl.DataFrame({"id": [9], "note": ["wrong"]}), progress=False)
        release = product.publish(rows=uma.read("undo.orders.rows", version=1), progress=False)
        assert release.version == 3
        assert sorted(uma.read("undo.orders.rows").rows()) == [(1, "a"), (2, None)]
        assert uma.read("undo.orders.rows", version=2).rows() == [(9, "wrong")]
