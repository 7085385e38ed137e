"""Appends, merges, partitions and the change feed of a mesh whose warehouse is a bucket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import ContractViolated
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240, func_only=True)]

CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
id: shop.stock
name: stock
version: 1.0.0
status: active
schema:
  - name: rows
    logicalType: object
    physicalType: table
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: region, logicalType: string, required: true, partitioned: true, partitionKeyPosition: 1}
      - {name: amount, logicalType: integer}
    quality:
      - {metric: rowCount, mustBeGreaterThan: 2}
      - {type: sql, query: "select count(*) from {object} where amount < 0", mustBe: 0}
"""
PORT = "shop.stock.rows"


def rows(*ids: int, region: str = "EU", amount: int = 1) -> pl.DataFrame:
    return pl.DataFrame({"id": ids, "region": [region] * len(ids), "amount": [amount] * len(ids)})


def test_every_mode_and_the_feed_work_in_a_bucket(new_warehouse: Callable[[], str], tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "mesh", MESH_WAREHOUSE=new_warehouse())
    try:
        with server.admin() as mesh:
            mesh.admin.create_domain("shop", owners=["user:admin"])
            product = mesh.domain("shop").product("stock", contract=CONTRACT)
            product.publish(rows=pl.concat([rows(1, 2, 3), rows(4, 5, region="US")]), progress=False)
            product.publish(rows=rows(6, region="US"), mode="append", progress=False)
            (packed,) = product.upkeep.compact()
            assert (packed.files_before, packed.files_after) == (3, 2)
            changes = pl.concat([rows(1, amount=9), rows(7), rows(4, region="US")]).with_columns(gone=pl.col("id") == 4)
            product.publish(rows=changes, mode="merge", delete_flag="gone", progress=False)
            product.publish(rows=rows(5, 8, region="US", amount=3), mode="replace-partitions", progress=False)
            for bad in (rows(2), rows(20, amount=-1)):
                with pytest.raises(ContractViolated):
                    product.publish(rows=bad, mode="append", progress=False)
            product.upkeep.compact(z_order=["id"])
            product.upkeep.vacuum(grace_hours=0)
            wanted = pl.concat([rows(1, amount=9), rows(2, 3, 7), rows(5, 8, region="US", amount=3)])
            assert mesh.read(PORT).sort("id").equals(wanted.sort("id"))
            state = Counter(mesh.read(PORT, version=1).iter_rows())
            for *values, kind, _ in mesh.changes(PORT, since=1).collect().iter_rows():
                state[tuple(values)] += 1 if kind in ("insert", "update_postimage") else -1
            assert +state == Counter(wanted.iter_rows())
    finally:
        server.stop()
