"""OpenLineage events over HTTP and gRPC against a real server."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import polars as pl
import pytest

from domain_sdk import AccessDenied, Mesh
from domainmesh.v1.open_lineage_service_pb2 import ListRunsRequest
from domainmesh.v1.open_lineage_service_pb2_grpc import OpenLineageServiceStub
from tests.integration.journal_databases import postgres_url
from tests.integration.mesh_setup import contract, token_of
from tests.servers import RunningServer

PRODUCER = {
    "producer": "https://test.example/x",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
}


def post(server: RunningServer, token: str, body: Any, *, path: str = "", headers: Mapping[str, str] = {}) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.ready['http']}/api/v1/lineage{path}", data, method="POST")
    for name, value in {"Content-Type": "application/json", "Authorization": f"Bearer {token}", **headers}.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def run_event(
    job: tuple[str, str], state: str = "COMPLETE", *, run: str = "", time: str = "2026-01-01T00:00:00Z", **more: Any
) -> Any:
    named = {"namespace": job[0], "name": job[1]}
    return {**PRODUCER, "eventType": state, "eventTime": time, "run": {"runId": run or str(uuid.uuid4())}, "job": named, **more}


def dataset(namespace: str, name: str, **facets: Any) -> dict[str, Any]:
    base = {"_producer": "https://test.example/x", "_schemaURL": "https://openlineage.io/x"}
    return {"namespace": namespace, "name": name, "facets": {key: {**base, **value} for key, value in facets.items()}}


def columns(**fields: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "fields": {
            target: {"inputFields": [{"namespace": ns, "name": name, "field": field}]}
            for target, (ns, name, field) in fields.items()
        }
    }


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with ExitStack() as stack:
        settings = {"MESH_DATABASE": stack.enter_context(postgres_url())} if request.param == "postgresql" else {}
        running = RunningServer(tmp_path_factory.mktemp(request.param) / "mesh", **settings)
        stack.callback(running.stop)
        yield running


@pytest.fixture(scope="module")
def tokens(server: RunningServer) -> dict[str, str]:
    with server.admin() as mesh:
        mesh.admin.create_domain("risk", members=["service:risk"], namespaces=["spark-risk", "s3://risk-lake"])
        mesh.admin.create_domain("sales", members=["service:sales"], namespaces=["s3://sales-lake", "file|/data/sales/"])
    return {name: token_of(server, f"service:{name}") for name in ("risk", "sales")} | {"admin": server.admin_token}


def test_an_event_becomes_edges_and_its_receipt_says_which(server: RunningServer, tokens: dict[str, str]) -> None:
    output = dataset("s3://risk-lake", "scores", columnLineage=columns(score=("s3://sales-lake", "orders", "amount")))
    event = run_event(("spark-risk", "score"), inputs=[dataset("s3://sales-lake", "orders")], outputs=[output])
    status, receipt = post(server, tokens["risk"], event)
    assert status == 200
    assert receipt["edges"] == [
        {"source": "s3://sales-lake|orders", "target": "s3://risk-lake|scores", "columns": 1, "basis": "COLUMNS"}
    ]
    assert receipt["created"] == [
        f"run {event['run']['runId']}", "job spark-risk score", "dataset s3://sales-lake|orders", "dataset s3://risk-lake|scores",
    ]  # fmt: skip
    assert receipt["stubs"] == ["s3://risk-lake|scores", "s3://sales-lake|orders"]
    assert not receipt["is_repeated"]
    status, again = post(server, tokens["risk"], gzip.compress(json.dumps(event).encode()), headers={"Content-Encoding": "gzip"})
    assert (status, again["is_repeated"], again["edges"]) == (200, True, receipt["edges"])


def test_a_query_tells_columns_and_the_receipt_says_that_they_are_inferred(server: RunningServer, tokens: dict[str, str]) -> None:
    source = dataset("pg", "shop.orders", schema={"fields": [{"name": "id"}, {"name": "mail"}]})
    event = run_event(("spark-risk", "sql"), inputs=[source], outputs=[dataset("s3://risk-lake", "mails")])
    sql = {"_producer": "https://test.example/x", "_schemaURL": "https://openlineage.io/x", "dialect": "postgres"}
    event["job"]["facets"] = {"sql": {**sql, "query": "SELECT lower(mail) AS contact FROM shop.orders"}}
    assert post(server, tokens["sales"], event)[0] == 403, "nobody infers what the sender does not own"
    status, receipt = post(server, tokens["risk"], event)
    assert status == 200
    assert receipt["edges"] == [{"source": "pg|shop.orders", "target": "s3://risk-lake|mails", "columns": 1, "basis": "INFERRED"}]
    assert receipt["uninterpreted"] == []
    assert any("inferred" in note for note in receipt["notes"])
    with server.admin() as mesh:
        graph = mesh.lineage("s3://risk-lake|mails#contact")
    assert ("pg|shop.orders#mail", "s3://risk-lake|mails#contact") in {(it.source, it.target) for it in graph.edges}

    event["run"]["runId"], event["outputs"] = str(uuid.uuid4()), [dataset("s3://risk-lake", "others")]
    event["job"]["facets"]["sql"]["query"] = "SELECT mail FROM shop.others"
    receipt = post(server, tokens["risk"], event)[1]
    assert [it["basis"] for it in receipt["edges"]] == ["PRODUCT"]
    assert receipt["uninterpreted"] == ["$.job.facets.sql"]
    assert any("does not tell the columns" in note for note in receipt["notes"])


def test_a_star_over_a_port_is_read_by_the_catalog_for_who_may_know_its_columns(
    server: RunningServer, tokens: dict[str, str]
) -> None:
    with server.admin() as mesh:
        mesh.admin.create_domain("crm", owners=["user:cora"])
    with server.user("user:cora") as cora:
        text = contract("crm.people", {"people": ["id: integer", "mail: string"]})
        cora.domain("crm").product("people", text).publish(people=pl.DataFrame({"id": [1], "mail": ["a"]}), progress=False)

        def told(run: str) -> tuple[Any, set[tuple[str, str]], set[str]]:
            out = dataset("s3://risk-lake", f"copy-{run}", schema={"fields": [{"name": "id"}, {"name": "mail"}]})
            event = run_event(("spark-risk", run), run=run, inputs=[dataset("mesh", "crm.people.people")], outputs=[out])
            facet = {"_producer": "https://test.example/x", "_schemaURL": "https://openlineage.io/x"}
            event["job"]["facets"] = {"sql": {**facet, "query": f'CREATE TABLE "copy-{run}" AS SELECT * FROM crm.people.people'}}
            status, receipt = post(server, tokens["risk"], event)
            assert status == 200
            with server.admin() as mesh:
                graph = mesh.lineage(f"s3://risk-lake|copy-{run}", direction="upstream", level="column")
            edges = {(it.source, it.target.partition("#")[2]) for it in graph.edges if "#" in it.source}
            return receipt, edges, {it for it in receipt["notes"] if "catalog" in it}

        receipt, edges, notes = told("1")
        assert (receipt["edges"][0]["columns"], edges, notes) == (0, set(), set()), "the sender does not know the port"

        cora.grant("service:risk", "crm.people", actions=["discover"])
        receipt, edges, notes = told("2")
        assert receipt["edges"][0] == {
            "source": "crm.people.people", "target": "s3://risk-lake|copy-2", "columns": 2, "basis": "INFERRED",
        }  # fmt: skip
        assert edges == {("crm.people.people#id", "id"), ("crm.people.people#mail", "mail")}
        assert notes == {"The columns of crm.people.people are the catalog's, as of version 1."}


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (run_event(("spark-risk", "x")), "$.job"),
        (run_event(("mesh", "risk.x")), "$.job"),
        (run_event(("mesh", "sales.x"), outputs=[dataset("s3://risk-lake", "scores")]), "$.outputs[0]"),
        (run_event(("mesh", "sales.x"), outputs=[dataset("mesh", "risk.scores.scores")]), "$.outputs[0]"),
        (run_event(("unknown", "x")), "$.job"),
        (run_event(("mesh", "sales.x"), outputs=[dataset("file", "/data/sales2")]), "$.outputs[0]"),
    ],
)
def test_jobs_and_outputs_of_others_are_refused(server: RunningServer, tokens: dict[str, str], event: Any, path: str) -> None:
    status, answer = post(server, tokens["sales"], event)
    assert (status, answer["error"]) == (403, "ACCESS_DENIED")
    assert [it["path"] for it in answer["violations"]] == [path]


def test_a_batch_is_judged_event_by_event(server: RunningServer, tokens: dict[str, str]) -> None:
    good = run_event(("mesh", "sales.load"), outputs=[dataset("file", "/data/sales/orders")])
    status, answer = post(server, tokens["sales"], [good, {"nothing": 1}, run_event(("spark-risk", "x"))], path="/batch")
    assert status == 200
    assert answer["status"] == "partial_success"
    assert answer["summary"] == {"received": 3, "successful": 1, "failed": 2}
    assert [it.get("error", "") for it in answer["results"]] == ["", "INVALID", "ACCESS_DENIED"]


def test_without_a_token_nothing_is_taken(server: RunningServer) -> None:
    assert post(server, "", run_event(("x", "y")))[0] == 401
    assert post(server, "mesh_0000000000000000_x", run_event(("x", "y")))[0] == 401


def test_grpc_gives_the_same_receipts(server: RunningServer, tokens: dict[str, str]) -> None:
    event = run_event(("spark-risk", "other"), outputs=[dataset("s3://risk-lake", "o")], inputs=[dataset("x", "y")])
    with Mesh.connect(server.url, tokens["risk"]) as mesh:
        found = mesh.record_events([json.dumps(event), "{}"])
    assert found[0].receipt is not None
    assert [(it.source, it.target, it.basis) for it in found[0].receipt.edges] == [("x|y", "s3://risk-lake|o", "PRODUCT")]
    assert found[1].refusal is not None
    assert "none of run, job and dataset" in found[1].refusal


def test_runs_are_found_by_job_and_by_dataset(server: RunningServer, tokens: dict[str, str]) -> None:
    version = {"version": {"datasetVersion": "7"}}
    inputs, outputs = [dataset("s3://sales-lake", "in", **version)], [dataset("s3://risk-lake", "found")]
    for state, time in (("START", "2026-02-01T00:00:00Z"), ("COMPLETE", "2026-02-01T00:05:00Z")):
        event = run_event(("spark-risk", "find"), state, run="run-1", time=time, inputs=inputs, outputs=outputs)
        assert post(server, tokens["risk"], event)[0] == 200
    with Mesh.connect(server.url, tokens["risk"]) as mesh:
        (run,) = mesh.runs("s3://risk-lake|found")
        assert mesh.runs(namespace="spark-risk", job="find") == [run]
    assert (run.state, run.job, run.start_time.minute, run.last_time.minute) == ("COMPLETE", "find", 0, 5)
    assert [(it.dataset, it.version) for it in (*run.inputs, *run.outputs)] == [("", ""), ("s3://risk-lake|found", "")]
    with Mesh.connect(server.url, tokens["sales"]) as mesh, pytest.raises(AccessDenied):
        mesh.runs("s3://risk-lake|found")


def test_pages_of_a_datasets_runs_are_full_of_what_the_caller_may_know(server: RunningServer, tokens: dict[str, str]) -> None:
    for number in range(12):
        name, job = ("risk", "spark-risk") if number % 4 else ("sales", "s3://sales-lake")
        read, time = [dataset("s3://sales-lake", "paged")], f"2026-01-{number + 1:02}T00:00:00Z"
        assert post(server, tokens[name], run_event((job, "paged"), run=f"page-{number}", time=time, inputs=read))[0] == 200
    pages: list[list[str]] = []
    with Mesh.connect(server.url, tokens["sales"]) as mesh:
        stub, token = mesh._transport.control(OpenLineageServiceStub), ""
        while token or not pages:
            request = ListRunsRequest(dataset="s3://sales-lake|paged", page_size=2, page_token=token)
            answer = mesh._transport.call(stub.ListRuns, request)
            pages.append([it.run_id for it in answer.runs])
            token = answer.next_page_token
    assert pages == [["page-8", "page-4"], ["page-0"]]


def test_a_parent_that_is_anothers_job_is_not_named(server: RunningServer, tokens: dict[str, str]) -> None:
    told = {"_producer": "p", "_schemaURL": "s", "job": {"namespace": "spark-risk", "name": "secret"}, "run": {"runId": "r"}}
    child = run_event(("s3://sales-lake", "child"), run="child")
    child["run"]["facets"] = {"parent": told}
    assert post(server, tokens["sales"], child)[0] == 200
    parents = []
    for name in ("sales", "admin"):
        with Mesh.connect(server.url, tokens[name]) as mesh:
            parents += [it.parent for it in mesh.runs(namespace="s3://sales-lake", job="child")]
    assert parents == ["", "spark-risk|secret|r"]


@pytest.mark.parametrize("is_named_first", [True, False])
def test_another_name_of_an_input_is_that_dataset_if_the_sender_owns_one_and_nobody_the_other(
    server: RunningServer, tokens: dict[str, str], is_named_first: bool
) -> None:
    own, free = f"own{is_named_first}", f"free{is_named_first}"
    link = {"identifiers": [{"namespace": "hive://meta", "name": f"db.{own}", "type": "TABLE"}]}
    back = {"identifiers": [{"namespace": "s3://risk-lake", "name": free, "type": "LOCATION"}]}
    given = [dataset("s3://risk-lake", own, symlinks=link), dataset("hive://meta", f"db.{free}", symlinks=back)]
    naming = run_event(("spark-risk", "naming"), inputs=given, outputs=[dataset("s3://risk-lake", f"a{own}")])
    reading = [
        run_event(
            ("spark-risk", node), inputs=[dataset("hive://meta", f"db.{node}")], outputs=[dataset("s3://risk-lake", f"b{node}")]
        )
        for node in (own, free)
    ]
    sent = [naming, *reading] if is_named_first else [*reading, naming]
    assert [post(server, tokens["risk"], event)[1]["claims"] for event in sent] == [[], [], []]
    with server.admin() as mesh:
        for node in (own, free):
            found = {it.id for it in mesh.lineage(f"s3://risk-lake|{node}", direction="downstream").nodes}
            assert found == {f"s3://risk-lake|{it}" for it in (node, f"a{own}", f"b{node}")}


def test_names_of_what_is_anothers_or_nobodys_are_claims(server: RunningServer, tokens: dict[str, str]) -> None:
    for node, other in (
        (("s3://sales-lake", "foreign"), ("hive://meta", "db.foreign")),
        (("hive://meta", "db.nobodys"), ("file", "/nobodys")),
        (("s3://risk-lake", "ours"), ("s3://sales-lake", "renamed")),
        (("hive://meta", "db.stub"), ("s3://sales-lake", "stub")),
    ):
        link = {"identifiers": [{"namespace": other[0], "name": other[1], "type": "TABLE"}]}
        event = run_event(
            ("spark-risk", "claims"), inputs=[dataset(*node, symlinks=link)], outputs=[dataset("s3://risk-lake", "o")]
        )
        assert post(server, tokens["risk"], event)[1]["claims"] == ["|".join(other)]
        with server.admin() as mesh:
            assert mesh.lineage("|".join(other)).root.id == "|".join(other)
            assert mesh.lineage("|".join(node)).root.id == "|".join(node)
    event["inputs"] = [
        dataset("hive://meta", "db.centre", symlinks=link | {"identifiers": [{"namespace": "file", "name": "/c", "type": "L"}]})
    ]
    event["job"], event["outputs"] = {"namespace": "central", "name": "j"}, []
    assert post(server, tokens["admin"], event)[1]["claims"] == []
    with server.admin() as mesh:
        assert mesh.lineage("file|/c").root.id == "hive://meta|db.centre"


def test_what_is_said_of_anothers_dataset_is_a_claim(server: RunningServer, tokens: dict[str, str]) -> None:
    named = dataset("s3://risk-lake", "scores", lineage={"inputs": [{"namespace": "evil", "name": "x", "type": "DATASET"}]})
    event = {**PRODUCER, "eventTime": "2026-01-01T00:00:00Z", "dataset": named}
    status, receipt = post(server, tokens["sales"], event)
    assert (status, receipt["edges"], receipt["claims"]) == (200, [], ["s3://risk-lake|scores"])
    status, receipt = post(server, tokens["risk"], event)
    assert [it["basis"] for it in receipt["edges"]] == ["EXPLICIT"]


def test_a_claim_stays_one_when_more_of_its_run_comes(server: RunningServer, tokens: dict[str, str]) -> None:
    entry = {"namespace": "s3://sales-lake", "name": "theirs", "type": "DATASET"}
    source = {"namespace": "evil", "name": "x", "type": "DATASET"}
    told = {"_producer": "p", "_schemaURL": "s", "entries": [{**entry, "inputs": [source]}]}
    link = {"identifiers": [{"namespace": "s3://sales-lake", "name": "named", "type": "TABLE"}]}
    first = run_event(("spark-risk", "claim"), "START", run="claim", outputs=[dataset("s3://risk-lake", "own", symlinks=link)])
    first["job"]["facets"] = {"lineage": told}
    more = dataset("s3://risk-lake", "own", schema={"fields": [{"name": "x"}]})
    last = run_event(("spark-risk", "claim"), run="claim", time="2026-01-02T00:00:00Z", outputs=[more])
    claims = [post(server, tokens["risk"], event)[1]["claims"] for event in (first, last)]
    assert claims == [["s3://sales-lake|named", "s3://sales-lake|theirs"], []]
    with server.admin() as mesh:
        assert [it.id for it in mesh.lineage("s3://sales-lake|theirs").nodes] == ["s3://sales-lake|theirs"]
        assert mesh.lineage("s3://sales-lake|named").root.id == "s3://sales-lake|named"


def test_events_are_kept_byte_for_byte(server: RunningServer, tokens: dict[str, str]) -> None:
    event = json.dumps(run_event(("spark-risk", "kept"), job_extra=["Ärger \u2028"]), indent=3)
    status, receipt = post(server, tokens["risk"], event.encode())
    assert status == 200
    with server.admin() as mesh:
        (kept,) = mesh.audit.lineage_events(after=receipt["sequence"] - 1, limit=1)
        assert mesh.audit.verify(include_tables=True).is_intact
    assert (kept.json, kept.sender) == (event, "service:risk")


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_the_official_client_sends_as_it_is(server: RunningServer, tokens: dict[str, str], compression: str | None) -> None:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpCompression, HttpConfig, HttpTransport

    auth = ApiKeyTokenProvider({"apiKey": tokens["risk"]})
    config = HttpConfig(url=server.ready["http"], auth=auth, compression=HttpCompression(compression) if compression else None)
    client = OpenLineageClient(transport=HttpTransport(config))
    run = Run(str(uuid.uuid4()))
    for state in (RunState.START, RunState.COMPLETE):
        client.emit(
            RunEvent(
                eventType=state, eventTime="2026-03-01T10:00:00Z", run=run, job=Job("spark-risk", f"client-{compression}"),
                producer="https://test.example", inputs=[InputDataset("s3://x", "in")],
                outputs=[OutputDataset("s3://risk-lake", f"client-{compression}")],
            )
        )  # fmt: skip
    client.close()
    with Mesh.connect(server.url, tokens["risk"]) as mesh:
        (found,) = mesh.runs(namespace="spark-risk", job=f"client-{compression}")
    assert (found.state, found.run_id) == ("COMPLETE", run.runId)
