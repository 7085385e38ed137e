"""Runs are read as they were at a revision: the answer of then, whatever came later."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from domain_sdk import AccessDenied, InvalidRequest, LineageRun, Mesh
from tests.integration.journal_databases import postgres_url
from tests.integration.mesh_setup import token_of
from tests.integration.test_openlineage import dataset, post, run_event
from tests.servers import RunningServer

LAKE = "s3://past"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with ExitStack() as stack:
        settings = {"MESH_DATABASE": stack.enter_context(postgres_url())} if request.param == "postgresql" else {}
        running = RunningServer(tmp_path_factory.mktemp(request.param) / "mesh", **settings)
        stack.callback(running.stop)
        yield running


@pytest.fixture(scope="module")
def mesh(server: RunningServer) -> Iterator[Mesh]:
    with server.admin() as admin:
        yield admin


def send(server: RunningServer, event: Any) -> None:
    status, answer = post(server, server.admin_token, event)
    assert status == 200, answer


def marked(mesh: Mesh, name: str) -> int:
    """A revision that was written now."""
    mesh.admin.create_principal(f"service:mark-{name}")
    return mesh.status().revision


def test_a_run_is_what_its_events_had_told_by_then(server: RunningServer, mesh: Mesh) -> None:
    job, before = ("past", "load"), marked(mesh, "before")
    first = [dataset(LAKE, "in", version={"datasetVersion": "1"})]
    send(server, run_event(job, "START", run="one", inputs=first))
    begun = marked(mesh, "begun")
    more = [dataset(LAKE, "in", version={"datasetVersion": "2"}), dataset(LAKE, "late")]
    send(server, run_event(job, run="one", time="2026-01-01T01:00:00Z", inputs=more, outputs=[dataset(LAKE, "out")]))
    send(server, run_event(job, run="two", time="2026-01-02T00:00:00Z"))

    def told(**asked: Any) -> list[tuple[str, str, int, list[tuple[str, str]], list[str]]]:
        return [
            (it.run_id, it.state, it.last_time.hour, [(i.dataset, i.version) for i in it.inputs], [o.dataset for o in it.outputs])
            for it in mesh.runs(**asked)
        ]

    assert told(namespace="past", job="load", as_of=before) == []
    assert told(namespace="past", job="load", as_of=begun) == [("one", "START", 0, [(f"{LAKE}|in", "1")], [])]
    ended = ("one", "COMPLETE", 1, [(f"{LAKE}|in", "2"), (f"{LAKE}|late", "")], [f"{LAKE}|out"])
    assert told(namespace="past", job="load") == [("two", "COMPLETE", 0, [], []), ended]
    assert told(namespace="past", job="load", as_of=marked(mesh, "ended")) == told(namespace="past", job="load")
    assert told(dataset=f"{LAKE}|out", as_of=begun) == [], "it had not named that dataset by then"
    assert [it[0] for it in told(dataset=f"{LAKE}|in", as_of=begun)] == ["one"]
    versions = {it.job_version for revision in (begun, 0) for it in mesh.runs(f"{LAKE}|in", as_of=revision)}
    assert len(versions) == 2, "it read and wrote other datasets"


def test_every_earlier_answer_can_be_had_again(server: RunningServer, mesh: Mesh) -> None:
    chance, seen = random.Random(20_261_126), dict[int, tuple[list[LineageRun], list[LineageRun]]]()
    nodes = [dataset(LAKE, f"table-{number}") for number in range(4)]

    def answers(revision: int = 0) -> tuple[list[LineageRun], list[LineageRun]]:
        """Of a job and of a dataset, whatever the pages."""
        return mesh.runs(namespace="past", job="many", as_of=revision), mesh.runs(f"{LAKE}|table-1", as_of=revision)

    for number in range(12):
        for _ in range(chance.randrange(1, 4)):
            state, hour = chance.choice(("START", "RUNNING", "COMPLETE", "FAIL")), chance.randrange(10, 24)
            event = run_event(("past", "many"), state, run=f"many-{chance.randrange(5)}", time=f"2026-01-01T{hour}:00:00Z")
            send(server, event | {"inputs": chance.sample(nodes, 2), "outputs": chance.sample(nodes, 1)})
        seen[marked(mesh, f"many-{number}")] = answers()
    assert len({str(it) for it in seen.values()}) > 6, "else little is compared"
    for revision, expected in seen.items():
        assert answers(revision) == expected, revision


def test_pages_of_the_past_go_on_where_they_ended(server: RunningServer, mesh: Mesh) -> None:
    from domainmesh.v1.open_lineage_service_pb2 import ListRunsRequest
    from domainmesh.v1.open_lineage_service_pb2_grpc import OpenLineageServiceStub

    for number in range(7):
        source = [dataset(LAKE, "paged")] if number % 2 else [dataset(LAKE, "other")]
        time = f"2026-01-0{number + 1}T00:00:00Z"
        send(server, run_event(("past", "paged"), "START", run=f"paged-{number}", time=time, inputs=source))
    revision = marked(mesh, "paged")
    for number in range(7):  # all of them read it later
        named = [dataset(LAKE, "paged")]
        send(server, run_event(("past", "paged"), run=f"paged-{number}", time="2026-02-01T00:00:00Z", inputs=named))
    stub, found, token = mesh._transport.control(OpenLineageServiceStub), [], ""
    while True:
        request = ListRunsRequest(dataset=f"{LAKE}|paged", as_of=revision, page_size=2, page_token=token)
        answer = mesh._transport.call(stub.ListRuns, request)
        found += [it.run_id for it in answer.runs]
        token = answer.next_page_token
        if not token:
            break
    assert found == ["paged-5", "paged-3", "paged-1"]


def test_who_could_not_see_the_job_then_does_not_see_it_as_of_then(server: RunningServer, mesh: Mesh) -> None:
    send(server, run_event(("past-owned", "load"), run="owned"))
    before = marked(mesh, "owned")
    mesh.admin.create_domain("pastowner", members=["service:past"], namespaces=["past-owned"])
    with Mesh.connect(server.url, token_of(server, "service:past")) as member:
        assert [it.run_id for it in member.runs(namespace="past-owned", job="load")] == ["owned"]
        with pytest.raises(AccessDenied):
            member.runs(namespace="past-owned", job="load", as_of=before)
    with pytest.raises(InvalidRequest, match="newest revision"):
        mesh.runs(namespace="past", job="load", as_of=10**9)
