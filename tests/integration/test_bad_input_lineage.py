"""Events that are wrong, huge or odd: each ends clearly and bounded, and nothing else is affected."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from domain_sdk import Mesh
from tests.integration.mesh_setup import token_of
from tests.integration.test_openlineage import columns, dataset, post, run_event
from tests.servers import RunningServer

JOB = ("mesh", "odd.job")


@pytest.fixture(scope="module")
def token(server: RunningServer) -> str:
    with server.admin() as mesh:
        mesh.admin.create_domain("odd", members=["service:odd"], namespaces=["odd"])
        mesh.admin.create_domain("calm", members=["service:calm"], namespaces=["calm"])
    return token_of(server, "service:odd")


@pytest.fixture(autouse=True, scope="module")
def unharmed(server: RunningServer, token: str) -> Iterator[None]:
    """Another domain's events are taken in as ever, before and after, and the audit holds."""
    calm = token_of(server, "service:calm")
    event = run_event(("calm", "job"), inputs=[dataset("calm", "s")], outputs=[dataset("calm", "t")])
    assert post(server, calm, event)[0] == 200
    yield
    assert post(server, calm, event)[1]["is_repeated"]
    with server.admin() as mesh:
        assert mesh.audit.verify(include_tables=True).is_intact


VALID = run_event(JOB, run="r")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"null", "JSON object"),
        (b"[]", "JSON object"),
        (b'"text"', "JSON object"),
        (b"{}", "none of run, job and dataset"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (json.dumps(VALID).replace('"r"', "NaN").encode(), "not JSON"),
        (json.dumps(VALID).replace('"r"', '"\\ud800"').encode(), "not JSON"),
        (json.dumps({**VALID, "eventType": "DONE"}).encode(), "$.eventType"),
        (json.dumps({**VALID, "eventTime": "yesterday"}).encode(), "$.eventTime"),
        (json.dumps({**VALID, "eventTime": "2026-13-01T00:00:00Z"}).encode(), "$.eventTime"),
        (json.dumps({**VALID, "eventTime": 5}).encode(), "$.eventTime"),
        (json.dumps({**VALID, "inputs": None}).encode(), "$.inputs"),
        (json.dumps({**VALID, "inputs": [{"name": "x"}]}).encode(), "$.inputs[0]"),
        (json.dumps({**VALID, "outputs": {"a": 1}}).encode(), "$.outputs"),
        (json.dumps({**VALID, "run": {"runId": ""}}).encode(), "$.run.runId"),
        (json.dumps({**VALID, "job": {"namespace": "mesh", "name": "x" * 10_000}}).encode(), "$.job.name"),
        (json.dumps({**VALID, "job": {"namespace": "mesh", "name": "odd.\u0000"}}).encode(), "$.job.name"),
        (json.dumps({key: value for key, value in VALID.items() if key != "producer"}).encode(), "producer"),
        (json.dumps(run_event(JOB, outputs=[dataset("mesh", "odd.a.b", columnLineage={"fields": 3})])).encode(), "columnLineage"),
        (json.dumps(run_event(JOB, outputs=[dataset("mesh", "odd.a.b", schema={"fields": [{}]})])).encode(), "schema.fields[0]"),
    ],
)
def test_what_is_no_event_is_refused_with_the_place(server: RunningServer, token: str, body: bytes, words: str) -> None:
    status, answer = post(server, token, body)
    assert status == 400
    assert words in answer["message"] + json.dumps(answer["violations"])
    with Mesh.connect(server.url, token) as mesh:
        (found,) = mesh.record_events([body])
    assert found.refusal is not None
    assert words.split(" (")[0] in found.refusal


def test_twenty_megabytes_are_refused_before_they_are_read_whole(server: RunningServer, token: str) -> None:
    facet = {"_producer": "p", "_schemaURL": "s", "t": "x" * (20 << 20)}
    event = json.dumps({**VALID, "run": {"runId": "r", "facets": {"x": facet}}})
    status, answer = post(server, token, event.encode())
    assert (status, answer["error"]) == (413, "TOO_LARGE")
    bomb = gzip.compress(event.encode() * 5)
    assert len(bomb) < 1 << 20
    assert post(server, token, bomb, headers={"Content-Encoding": "gzip"})[0] == 413


def test_what_is_not_gzip_is_refused(server: RunningServer, token: str) -> None:
    assert post_raw(server, token, b"not gzip", "Content-Encoding: gzip\r\n").startswith(b"HTTP/1.1 400")


def post_raw(server: RunningServer, token: str, body: bytes, headers: str = "") -> bytes:
    address = urlsplit(str(server.ready["http"]))
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=40) as connection:
        connection.sendall(_head(token, len(body), headers) + body)
        return connection.recv(4096)


def _head(token: str, length: int, headers: str = "") -> bytes:
    first = f"POST /api/v1/lineage HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    return f"{first}Content-Length: {length}\r\n{headers}\r\n".encode()


def test_whoever_sends_slowly_keeps_nobody_waiting(server: RunningServer, token: str) -> None:
    address = urlsplit(str(server.ready["http"]))
    slow = [socket.create_connection((str(address.hostname), int(address.port or 0))) for _ in range(50)]
    for connection in slow:
        connection.sendall(_head(token, 99) + b"{")
    assert post(server, token, run_event(JOB))[0] == 200
    for connection in slow:
        connection.close()


def test_runs_that_are_each_others_parents_are_kept_as_told(server: RunningServer, token: str) -> None:
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    for run, parent in ((one, two), (two, one), (one, one)):
        event = run_event(("odd", "circle"), run=run)
        named = {"run": {"runId": parent}, "job": {"namespace": "odd", "name": "p"}}
        event["run"]["facets"] = {"parent": {"_producer": "p", "_schemaURL": "s", **named}}
        assert post(server, token, event)[0] == 200
    with Mesh.connect(server.url, token) as mesh:
        assert {it.run_id for it in mesh.runs(namespace="odd", job="circle")} == {one, two}


def test_a_dataset_made_of_itself_is_an_edge_like_any_other(server: RunningServer, token: str) -> None:
    loop = dataset("odd", "loop", columnLineage=columns(x=("odd", "loop", "x")))
    status, receipt = post(server, token, run_event(("odd", "loop"), inputs=[dataset("odd", "loop")], outputs=[loop]))
    assert (status, receipt["edges"][0]["source"]) == (200, "odd|loop")
    with Mesh.connect(server.url, token) as mesh:
        assert mesh.lineage("odd|loop#x", depth=50).is_complete


@pytest.mark.slow
@pytest.mark.timeout(200, func_only=True)
def test_a_hundred_thousand_columns_are_taken_in(server: RunningServer, token: str) -> None:
    fields = {f"c{i}": ("odd", "wide", f"c{i}") for i in range(40_000)}
    schema = {"fields": [{"name": f"c{i}"} for i in range(100_000)]}
    wide = dataset("odd", "wider", schema=schema, columnLineage=columns(**fields))
    status, receipt = post(server, token, run_event(("odd", "wide"), inputs=[dataset("odd", "wide")], outputs=[wide]))
    assert (status, receipt["edges"][0]["columns"]) == (200, 40_000)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2026-05-01T00:00:00.123456789Z", "2026-05-01T00:00:00.123456+00:00"),
        ("2026-05-01T02:00:00.5+02:00", "2026-05-01T00:00:00.500000+00:00"),
        ("2026-05-01T00:00:00", "2026-05-01T00:00:00+00:00"),
        ("2026-05-01T00:00:00.1-0000", "2026-05-01T00:00:00.100000+00:00"),
    ],
)
def test_times_are_read_to_the_nanosecond_and_without_zone_as_utc(
    server: RunningServer, token: str, text: str, start: str
) -> None:
    job = f"time-{text}"
    status, receipt = post(server, token, run_event(("odd", job), time=text))
    assert status == 200
    assert bool(receipt["notes"]) == (text[-1].isdigit() and "+" not in text and "-0000" not in text)
    with Mesh.connect(server.url, token) as mesh:
        assert mesh.runs(namespace="odd", job=job)[0].start_time.isoformat() == start


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("9999-12-31T23:59:59.999999999-14:00", "2262-04-11T23:47:16.854775+00:00"),
        ("9999-12-31T00:00:00Z", "2262-04-11T23:47:16.854775+00:00"),
        ("0001-01-01T00:00:00Z", "1677-09-21T00:12:43.145224+00:00"),
        ("0001-01-01T00:00:00+14:00", "1677-09-21T00:12:43.145224+00:00"),
    ],
)
def test_times_that_nanoseconds_do_not_reach_count_as_the_nearest(
    server: RunningServer, token: str, text: str, start: str
) -> None:
    status, receipt = post(server, token, run_event(("odd", f"far-{text}"), time=text))
    assert status == 200
    assert "$.eventTime counts as the nearest time between 1678 and 2262" in receipt["notes"][0]
    with Mesh.connect(server.url, token) as mesh:
        assert mesh.runs(namespace="odd", job=f"far-{text}")[0].start_time.isoformat() == start


@pytest.mark.parametrize("levels", [200, 253, 254, 500, 1000])
def test_a_facet_that_is_nested_without_end_tells_its_edges(server: RunningServer, token: str, levels: int) -> None:
    told = columns(x=("odd", "deep-source", "y"))
    told["fields"]["x"]["inputFields"][0]["more"] = "HERE"
    output: dict[str, Any] = {
        "namespace": "odd",
        "name": f"deep-{levels}",
        "type": "DATASET",
        "fields": {"z": {"inputs": []}},
        "more": "HERE",
    }
    output["fields"]["z"]["inputs"].append({"namespace": "odd", "name": "v", "field": "w", "type": "DATASET"})
    deep = b'{"a":' * levels + b"1" + b"}" * levels
    event = run_event(("odd", "deep"), outputs=[dataset("odd", f"deep-{levels}", columnLineage=told)])
    explicit = run_event(("odd", "deep"))
    explicit["job"]["facets"] = {"lineage": {"_producer": "p", "_schemaURL": "s", "entries": [output]}}
    for sent, source in ((event, "odd|deep-source"), (explicit, "odd|v")):
        status, receipt = post(server, token, json.dumps(sent).encode().replace(b'"HERE"', deep))
        assert (status, [it["source"] for it in receipt["edges"]]) == (200, [source])


def test_unicode_names_come_back_as_they_were(server: RunningServer, token: str) -> None:
    name = "Größe/表 🌍|a#b%23\u2028"
    told = columns(**{"spalte ä#": ("odd", name, "列|x#")})
    outputs = [dataset("odd", "u", columnLineage=told)]
    status, receipt = post(server, token, run_event(("odd", name), inputs=[dataset("odd", name)], outputs=outputs))
    assert status == 200
    source = receipt["edges"][0]["source"]
    with Mesh.connect(server.url, token) as mesh:
        nodes = mesh.lineage("odd|u#spalte ä#", direction="upstream").nodes
        assert [node.id for node in nodes] == ["odd|u#spalte ä#", f"{source}#列|x#"]
        assert mesh.runs(namespace="odd", job=name)[0].job == name


def test_a_facet_with_a_wrong_schema_url_is_read_by_its_key(server: RunningServer, token: str) -> None:
    output = dataset("odd", "w", columnLineage={**columns(x=("odd", "v", "y")), "_schemaURL": "gopher://nowhere#/x"})
    status, receipt = post(server, token, run_event(("odd", "w"), outputs=[output]))
    assert (status, receipt["edges"][0]["columns"]) == (200, 1)


def test_many_at_once_are_all_answered(server: RunningServer, token: str) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(post(server, token, run_event(("odd", "many")))[0])) for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 40
