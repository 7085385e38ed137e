"""Events that real producers recorded, sent as their clients send them: the state their scenarios describe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain_sdk import Mesh
from tests.integration.test_openlineage import post
from tests.servers import RunningServer
from tests.shared_data import shared_data

SPARK, DBT = "openlineage_spark_events.jsonl", "openlineage_dbt_events.jsonl"


@pytest.fixture(scope="module")
def mesh(server: RunningServer) -> Iterator[Mesh]:
    """Everything was sent: one by one, in batches, and over gRPC."""
    with server.admin() as admin:
        for name in ("CLL", "airflow", "simple_run_event"):
            for path in sorted(shared_data("openlineage", name, "events").iterdir()):
                assert post(server, server.admin_token, path.read_bytes())[0] == 200
        for name in (SPARK, DBT):
            lines = shared_data("openlineage", name).read_text().splitlines()
            status, answer = post(server, server.admin_token, b"[" + ",\n".join(lines).encode() + b"]", path="/batch")
            assert (status, answer["status"], answer["summary"]["successful"]) == (200, "success", len(lines))
        (found,) = admin.record_events([shared_data("openlineage", "event_full.json").read_text()])
        assert found.refusal is None
        yield admin


def edges_into(mesh: Mesh, node: str) -> set[tuple[str, str, str]]:
    graph = mesh.lineage(node, direction="upstream", depth=1)
    return {(edge.source, edge.type, edge.subtype) for edge in graph.edges}


def test_the_columns_of_a_spark_table_come_from_where_its_query_says(mesh: Mesh) -> None:
    one, two = "file|/tmp/cll_test/cll_source1", "file|/tmp/cll_test/cll_source2"
    found = edges_into(mesh, "file|/tmp/cll_test/tbl1#ident")
    assert {edge for edge in found if edge[1] == "DIRECT"} == {(f"{one}#a", "DIRECT", "IDENTITY")}
    assert {(f"{one}#a", "INDIRECT", "JOIN"), (f"{two}#a", "INDIRECT", "FILTER"), (f"{one}#b", "INDIRECT", "GROUP_BY")} <= found
    assert (f"{one}#b", "DIRECT", "TRANSFORMATION") in edges_into(mesh, "file|/tmp/cll_test/tbl1#trans")
    assert (f"{two}#c", "DIRECT", "AGGREGATION") in edges_into(mesh, "file|/tmp/cll_test/tbl1#agg")


def test_airflow_copies_are_a_chain_from_bucket_to_bucket(mesh: Mesh) -> None:
    graph = mesh.lineage("gs://mock-bucket|copied.csv#a", direction="downstream", depth=9)
    assert [node.id for node in graph.nodes] == [
        "gs://mock-bucket|copied.csv#a",
        "bigquery|mock-project.test.upload#a",
        "bigquery|mock-project.test.upload_cp#a",
        "gs://mock-bucket|result.csv#a",
    ]
    composed = mesh.lineage("gs://mock-bucket|compose_result.txt", direction="upstream", depth=9)
    names = {node.id.rpartition("|")[2] for node in composed.nodes}
    assert {"copy_of_uploaded_file.txt", "copy_of_uploaded_data.txt", "uploaded_file.txt", "uploaded_data.txt"} <= names
    downloaded = mesh.lineage("file|/files/temp/downloaded_file.txt", direction="upstream", depth=9)
    assert {node.id for node in downloaded.nodes} >= {"gs://mock-bucket|uploaded_file.txt", "file|/files/temp/data.txt"}


def test_every_run_is_there_with_its_end_and_its_parent(mesh: Mesh) -> None:
    recorded: dict[str, dict[str, Any]] = {}
    for path in (*sorted(shared_data("openlineage", "airflow", "events").iterdir()), shared_data("openlineage", SPARK)):
        for event in _events(path):
            known = recorded.setdefault(event["run"]["runId"], {"job": event["job"], "states": set(), "parent": None})
            known["states"].add(event["eventType"])
            known["parent"] = known["parent"] or event["run"].get("facets", {}).get("parent")
    for run_id, known in recorded.items():
        (run,) = [it for it in mesh.runs(namespace=known["job"]["namespace"], job=known["job"]["name"]) if it.run_id == run_id]
        assert run.state in (known["states"] & {"COMPLETE", "FAIL", "ABORT"} or known["states"])
        if known["parent"] is not None:
            assert run.parent.endswith(known["parent"]["run"]["runId"])


def _events(path: Path) -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in path.read_text().splitlines()]
        if path.suffix == ".jsonl"
        else [json.loads(path.read_text())]
    )


def test_spark_and_delta_reach_from_the_raw_file_to_the_aggregate(mesh: Mesh) -> None:
    graph = mesh.lineage("file|/srv/spark/wh/delta/revenue#revenue", direction="upstream", depth=9)
    assert "file|/srv/spark/wh/orders.csv#amount" in {node.id for node in graph.nodes}
    merged = mesh.lineage("file|/srv/spark/wh/delta/customers#region", direction="upstream", depth=1)
    assert "file|/srv/spark/wh/customers.csv#region" in {node.id for node in merged.nodes}, "a merge adds, it does not replace"
    enriched = mesh.lineage("file|/srv/spark/wh/warehouse/mesh.db/orders_enriched#region", direction="upstream", depth=9)
    assert "file|/srv/spark/wh/customers.csv#region" in {node.id for node in enriched.nodes}


def test_a_symlink_is_the_table_itself(mesh: Mesh) -> None:
    runs = mesh.runs("file:/srv/spark/wh/warehouse|mesh.orders_enriched")
    assert {run.job.rpartition(".")[2] for run in runs} == {"mesh_orders_enriched"}


def test_dbt_models_are_a_chain_with_columns(mesh: Mesh) -> None:
    space = "postgres://127.0.0.1:15432"
    graph = mesh.lineage(f"{space}|postgres.mesh.avg#avg_amt", direction="upstream", depth=9)
    assert f"{space}|postgres.public.orders#amount" in {node.id for node in graph.nodes}
    unknown = mesh.lineage(f"{space}|postgres.mesh.daily#n", direction="upstream", depth=1)
    assert [edge.source for edge in unknown.edges] == [f"{space}|postgres.public.orders"], "its columns are not told: unknown"


def test_the_simplest_event_is_an_edge_and_says_on_what_it_rests(mesh: Mesh, server: RunningServer) -> None:
    body = shared_data("openlineage", "simple_run_event", "events", "simple_run_event.json").read_bytes()
    _, receipt = post(server, server.admin_token, body)
    assert receipt["is_repeated"]
    assert receipt["edges"] == [
        {"source": "bigquery|test.table.input", "target": "bigquery|test.table.output", "columns": 0, "basis": "PRODUCT"}
    ]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("event_no_run_id", "$.run"),
        ("event_invalid_run_facet", "$.run.facets.parent.run"),
        ("event_invalid_dataset_facet", "$.outputs[0].facets.ownership.owners[0]"),
    ],
)
def test_invalid_events_are_refused_with_the_path(mesh: Mesh, server: RunningServer, name: str, path: str) -> None:
    status, answer = post(server, server.admin_token, shared_data("openlineage", "invalid", f"{name}.json").read_bytes())
    assert (status, answer["violations"][0]["path"]) == (400, path)


def test_the_stream_verifies_with_all_of_them(mesh: Mesh) -> None:
    assert mesh.audit.verify(include_tables=True).is_intact
