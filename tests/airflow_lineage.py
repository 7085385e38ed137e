"""What the mesh knows once the DAG of `soak/airflow_dag.py` has run: the same for a live run and for its recorded events."""

from __future__ import annotations

import json

import polars as pl

from domain_sdk import Mesh, PortEntry
from tests.integration.mesh_setup import contract, token_of
from tests.servers import RunningServer

__all__ = ["check_airflow_run", "prepare_airflow"]

ORDERS, REVENUE = "shop.orders.orders", "shop.revenue.revenue"


def prepare_airflow(server: RunningServer, *, database: str, files: str) -> str:
    """The token of `service:airflow`, which owns the domain `shop`; its table of orders, tagged, is published already.

    Args:
        server: The mesh.
        database: The PostgreSQL database as Airflow names its tables: `namespace|database.schema`.
        files: The folder that the DAG's last task works in.
    """
    namespaces = ["airflow-shop", database.partition("|")[0], f"file|{files}/"]
    with server.admin() as admin:
        admin.admin.create_domain("shop", owners=["service:airflow"], namespaces=namespaces)
    token = token_of(server, "service:airflow")
    with Mesh.connect(server.url, token) as shop:
        text = contract("shop.orders", {"orders": ["id: integer", "customer: string, tags: [pii.name]", "amount: integer"]})
        rows = pl.DataFrame({"id": [1, 2], "customer": ["ana", "ben"], "amount": [10, 20]})
        shop.domain("shop").product("orders", text).publish(orders=rows, progress=False)
        shop.set_dataset_alias(f"{database}.orders", ORDERS)
    return token


def check_airflow_run(server: RunningServer, token: str, *, database: str, files: str) -> None:
    """Runs, edges, columns, tags and receipts are what the DAG did; then the table it made is published, and is the same node."""
    with server.admin() as admin:
        events = [event.json for event in admin.audit.lineage_events(limit=1000) if event.sender == "service:airflow"]
    with Mesh.connect(server.url, token) as shop:
        _check_runs(shop, files)
        text = contract("shop.revenue", {"revenue": ["buyer: string", "total: integer"]})
        rows = pl.DataFrame({"buyer": ["ana", "ben"], "total": [10, 20]})
        shop.domain("shop").product("revenue", text).publish(revenue=rows, progress=False)
        shop.set_dataset_alias(f"{database}.revenue", REVENUE)
        _check_columns(shop)
        _check_receipts(shop, [text for text in events if '"airflow-shop"' in text])


def _check_runs(shop: Mesh, files: str) -> None:
    (dag,) = shop.runs(namespace="airflow-shop", job="shop")
    tasks = {name: shop.runs(namespace="airflow-shop", job=f"shop.{name}")[0] for name in ("load", "revenue", "export")}
    assert {run.state for run in (dag, *tasks.values())} == {"COMPLETE"}
    assert {run.parent for run in tasks.values()} == {f"airflow-shop|shop|{dag.run_id}"}
    assert [it.dataset for it in tasks["load"].outputs] == [ORDERS]
    assert [it.dataset for it in tasks["revenue"].inputs] == [ORDERS]
    copied = shop.lineage(f"file|{files}/out.csv", direction="upstream")
    assert [edge.source for edge in copied.edges] == [f"file|{files}/in.csv"]
    assert [(origin.job, origin.basis) for origin in copied.origins] == [("airflow-shop|shop.export", "PRODUCT")]


def _check_columns(shop: Mesh) -> None:
    for source, column in (("customer", "buyer"), ("amount", "total")):
        found = shop.lineage(f"{REVENUE}.{column}", direction="upstream", depth=1).edges
        assert [edge.source for edge in found if edge.type == "DIRECT"] == [f"{ORDERS}#{source}"]
    entry = shop.show(REVENUE)
    assert isinstance(entry, PortEntry)
    tags = {column.name: [tag.tag for tag in column.derived_tags] for column in entry.columns}
    assert tags == {"buyer": ["pii.name"], "total": []}


def _check_receipts(shop: Mesh, events: list[str]) -> None:
    """Sent again, every event is known; the receipt says on what its edges rest and what was stored without being read."""
    ends = {json.loads(text)["job"]["name"]: text for text in events if json.loads(text)["eventType"] == "COMPLETE"}
    assert {"shop", "shop.load", "shop.revenue", "shop.export"} <= set(ends)
    for name, result in zip(ends, shop.record_events(ends.values()), strict=True):
        assert result.receipt is not None, result.refusal
        assert (result.receipt.is_repeated, result.receipt.claims) == (True, ())
        if name == "shop.revenue":
            assert [(it.source, it.target, it.columns, it.basis) for it in result.receipt.edges] == [
                (ORDERS, REVENUE, 2, "COLUMNS")
            ]
            assert "$.run.facets.airflow" in result.receipt.uninterpreted
