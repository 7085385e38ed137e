"""Events as other producers write them: what they leave empty, call otherwise or take back is read as it is meant."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from domain_sdk import Mesh
from tests.integration.test_openlineage import columns, dataset, post, run_event
from tests.servers import RunningServer

LAKE = "s3://lake"
BASE = {"_producer": "https://test.example/x", "_schemaURL": "https://openlineage.io/spec/facets/0-9-9/Old.json"}


@pytest.fixture(scope="module")
def mesh(server: RunningServer) -> Iterator[Mesh]:
    with server.admin() as admin:
        yield admin


def taken(server: RunningServer, event: Any) -> Any:
    status, receipt = post(server, server.admin_token, event)
    assert status == 200, receipt
    return receipt


def edges_into(mesh: Mesh, node: str) -> set[tuple[str, str, str]]:
    graph = mesh.lineage(node, direction="upstream", depth=1)
    return {(edge.source, edge.type, edge.subtype) for edge in graph.edges}


def test_null_where_nothing_is_known_is_read_as_absent_and_said(server: RunningServer, mesh: Mesh) -> None:
    source = dataset(LAKE, "in", schema={"fields": [{"name": "a", "type": None, "description": None}], "_deleted": None})
    told = columns(a=(LAKE, "in", "a"))
    told["fields"]["a"] |= {"transformationType": None, "transformationDescription": None}
    output = dataset(LAKE, "nulls", columnLineage=told)
    event = run_event(("kafka-connect", "sink"), inputs=[source | {"inputFacets": {"subset": None}}], outputs=[output])
    event["run"]["facets"] = {
        "parent": None,
        "nominalTime": None,
        "errorMessage": {**BASE, "message": "m", "programmingLanguage": "java", "stackTrace": None},
    }
    event["job"]["facets"] = {"documentation": None}
    receipt = taken(server, event)
    assert receipt["edges"] == [{"source": f"{LAKE}|in", "target": f"{LAKE}|nulls", "columns": 1, "basis": "COLUMNS"}]
    assert any("null" in note for note in receipt["notes"])
    (kept,) = mesh.audit.lineage_events(after=receipt["sequence"] - 1, limit=1)
    assert json.loads(kept.json) == event


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"run": {"runId": None}}, "$.run.runId"),
        ({"job": {"namespace": "x", "name": None}}, "$.job.name"),
        ({"job": {"namespace": "x", "name": "y", "facets": None}}, "$.job.facets"),
        ({"outputs": None}, "$.outputs"),
        ({"eventTime": None}, "$.eventTime"),
        ({"inputs": [None]}, "$.inputs[0]"),
        ({"outputs": [{"namespace": "x", "name": "y", "facets": {"columnLineage": {**BASE, "fields": None}}}]}, "columnLineage"),
    ],
)
def test_null_where_the_schema_needs_a_value_is_refused(server: RunningServer, change: Any, path: str) -> None:
    status, answer = post(server, server.admin_token, {**run_event(("kafka-connect", "sink")), **change})
    assert status == 400
    assert answer["violations"][0]["path"].endswith(path)


@pytest.mark.parametrize("more", [{"namespace": "x", "name": "y"}, 5, {"facets": []}])
def test_a_run_event_with_a_dataset_is_one_about_a_run(server: RunningServer, more: Any) -> None:
    event = run_event(("proxy", "both"), outputs=[dataset(LAKE, "both")], inputs=[dataset(LAKE, "in")], dataset=more)
    receipt = taken(server, event)
    assert [(it["source"], it["target"]) for it in receipt["edges"]] == [(f"{LAKE}|in", f"{LAKE}|both")]
    assert any("$.dataset was not read" in note for note in receipt["notes"])


def test_an_event_of_job_and_dataset_is_refused_as_the_schema_says(server: RunningServer) -> None:
    event = run_event(("proxy", "both"), dataset={"namespace": "x", "name": "y"})
    del event["run"]
    status, answer = post(server, server.admin_token, event)
    assert (status, answer["violations"][0]["path"]) == (400, "$.dataset")


@pytest.mark.parametrize("names", [("parentRun",), ("parentRun", "parent"), ("parent",)])
def test_the_parent_is_found_under_its_early_name_too(server: RunningServer, mesh: Mesh, names: tuple[str, ...]) -> None:
    run = str(uuid.uuid4())
    parent = {**BASE, "job": {"namespace": "air", "name": "dag"}, "run": {"runId": "dag-1"}}
    event = run_event(("air", f"dag.{'-'.join(names)}"), run=run)
    event["run"]["facets"] = dict.fromkeys(names, parent)
    receipt = taken(server, event)
    (found,) = mesh.runs(namespace="air", job=f"dag.{'-'.join(names)}")
    assert found.parent == "air|dag|dag-1"
    assert receipt["uninterpreted"] == (["$.run.facets.parentRun"] if len(names) == 2 else [])


@pytest.mark.parametrize("alias", [{}, {"job": 1, "run": 2}, {"job": {"namespace": 1, "name": "x"}, "run": {"runId": "y"}}])
def test_a_facet_that_is_only_called_like_a_parent_is_kept_unread(server: RunningServer, mesh: Mesh, alias: Any) -> None:
    event = run_event(("air", "odd"))
    event["run"]["facets"] = {"parentRun": {**BASE, **alias}}
    assert taken(server, event)["uninterpreted"] == ["$.run.facets.parentRun"]


def test_a_facet_that_is_taken_back_tells_nothing_any_more(server: RunningServer, mesh: Mesh) -> None:
    run, inputs = str(uuid.uuid4()), [dataset(LAKE, "in")]
    told = [dataset(LAKE, "taken-back", columnLineage=columns(a=(LAKE, "in", "a")))]
    gone = [dataset(LAKE, "taken-back", columnLineage={"fields": {}, "_deleted": True})]
    taken(server, run_event(("spark", "back"), "START", run=run, outputs=told, inputs=inputs))
    assert edges_into(mesh, f"{LAKE}|taken-back#a") == {(f"{LAKE}|in#a", "DIRECT", "TRANSFORMATION")}
    taken(server, run_event(("spark", "back"), run=run, time="2026-01-01T00:00:01Z", outputs=gone, inputs=inputs))
    assert {source for source, _, _ in edges_into(mesh, f"{LAKE}|taken-back#a")} <= {f"{LAKE}|in"}, "its columns are unknown"


def test_what_decides_rows_and_words_of_no_specification_are_edges(server: RunningServer, mesh: Mesh) -> None:
    source = {"namespace": LAKE, "name": "in"}
    steps = [{"type": "DIRECT", "subtype": "AGGREGATE"}]
    facet = {
        "fields": {"n": {"inputFields": [{**source, "field": "a", "transformations": steps}]}},
        "dataset": [{**source, "field": "day", "transformations": [{"type": "INDIRECT", "subtype": "FILTER", "masking": False}]}],
    }
    inputs = [dataset(LAKE, "in"), dataset(LAKE, "in")]
    receipt = taken(server, run_event(("hive", "q"), inputs=inputs, outputs=[dataset(LAKE, "words", columnLineage=facet)]))
    assert [(it["source"], it["columns"]) for it in receipt["edges"]] == [(f"{LAKE}|in", 1)]
    found = edges_into(mesh, f"{LAKE}|words#n")
    assert {(f"{LAKE}|in#a", "DIRECT", "AGGREGATE"), (f"{LAKE}|in#day", "INDIRECT", "FILTER")} <= found


@pytest.mark.parametrize(
    "time", ["2024-05-01T10:00:00.123456789Z", "2024-05-01T10:00:00.123", "2024-05-01T12:00:00+0200", "2024-05-01 10:00:00Z",
             "2024-05-01T12:00:00.5+02:00[Europe/Rome]"],
)  # fmt: skip
def test_times_are_read_as_clients_of_many_languages_write_them(server: RunningServer, mesh: Mesh, time: str) -> None:
    run = str(uuid.uuid4())
    receipt = taken(server, run_event(("times", run), run=run, time=time))
    (found,) = mesh.runs(namespace="times", job=run)
    assert (found.last_time.hour, found.last_time.minute) == (10, 0)
    assert any("time zone" in note for note in receipt["notes"]) == time.endswith(".123")


def job_event(name: str, day: int, **more: Any) -> dict[str, Any]:
    event = run_event(("static", name), time=f"2026-03-0{day}T00:00:00Z", **more)
    return {key: value for key, value in event.items() if key not in ("run", "eventType")}


def test_what_a_job_declares_without_a_run_counts_until_it_declares_otherwise(server: RunningServer, mesh: Mesh) -> None:
    first = [dataset(LAKE, "declared", columnLineage=columns(a=(LAKE, "in", "a")))]
    receipt = taken(server, job_event("view", 1, inputs=[dataset(LAKE, "in")], outputs=first))
    assert receipt["created"][0] == "declaration of job view"
    assert edges_into(mesh, f"{LAKE}|declared#a") == {(f"{LAKE}|in#a", "DIRECT", "TRANSFORMATION")}
    assert mesh.runs(namespace="static", job="view") == [], "nothing ran"

    other = [dataset(LAKE, "declared", columnLineage=columns(a=(LAKE, "other", "b")))]
    taken(server, job_event("view", 3, inputs=[dataset(LAKE, "other")], outputs=other))
    stale = taken(server, job_event("view", 2, inputs=[dataset(LAKE, "stale")], outputs=[dataset(LAKE, "declared")]))
    assert stale["is_repeated"], "a later declaration was there already"
    assert edges_into(mesh, f"{LAKE}|declared#a") == {(f"{LAKE}|other#b", "DIRECT", "TRANSFORMATION")}

    ran = [dataset(LAKE, "declared", columnLineage=columns(a=(LAKE, "ran", "c")))]
    taken(server, run_event(("static", "view"), inputs=[dataset(LAKE, "ran")], outputs=ran))
    assert {source for source, _, _ in edges_into(mesh, f"{LAKE}|declared#a")} == {f"{LAKE}|other#b", f"{LAKE}|ran#c"}


def test_what_a_dataset_declares_of_itself_is_replaced_by_what_it_declares_next(server: RunningServer, mesh: Mesh) -> None:
    def declare(day: int, source: str) -> None:
        named = dataset(LAKE, "self", columnLineage=columns(a=(LAKE, source, "a")))
        event = job_event("x", day)
        del event["job"]
        taken(server, {**event, "dataset": named})

    declare(2, "second")
    declare(1, "first")
    assert {source for source, _, _ in edges_into(mesh, f"{LAKE}|self#a")} == {f"{LAKE}|second#a"}


def test_explicit_lineage_is_complete_and_makes_no_edge_that_it_does_not_name(server: RunningServer, mesh: Mesh) -> None:
    two = [dataset(LAKE, "explicit-1"), dataset(LAKE, "explicit-2", columnLineage=columns(a=(LAKE, "b", "a")))]
    entry = {"namespace": LAKE, "name": "explicit-1", "type": "DATASET"}
    source = {"namespace": LAKE, "name": "a", "type": "DATASET"}
    event = run_event(("explicit", "job"), inputs=[dataset(LAKE, "a"), dataset(LAKE, "b")], outputs=two)
    event["job"]["facets"] = {"lineage": {**BASE, "entries": [{**entry, "inputs": [source]}]}}
    receipt = taken(server, event)
    assert [(it["source"], it["target"], it["basis"]) for it in receipt["edges"]] == [
        (f"{LAKE}|a", f"{LAKE}|explicit-1", "EXPLICIT")
    ]
    assert sum("`columnLineage` was not read" in note or "in no entry" in note for note in receipt["notes"]) == 2
    assert mesh.lineage(f"{LAKE}|explicit-1", direction="upstream").edges != ()
