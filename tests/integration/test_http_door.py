"""What the HTTP doors answer to requests that are no requests of theirs: one JSON error each, and nothing of it in the log."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.integration.mesh_setup import token_of
from tests.integration.test_openlineage import post, run_event
from tests.servers import RunningServer

EVENT = json.dumps(run_event(("mesh", "odd.job"), run="r")).encode()
BAD_CHUNK = b"Transfer-Encoding: chunked\r\n\r\nnot a length\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    running = RunningServer(tmp_path_factory.mktemp("door") / "mesh", MESH_LOG_LEVEL="INFO", MESH_FILES_PORT=port)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def token(server: RunningServer) -> str:
    with server.admin() as mesh:
        mesh.admin.create_domain("odd", members=["service:odd"], namespaces=["odd"])
    return token_of(server, "service:odd")


@pytest.fixture(autouse=True)
def quiet(server: RunningServer) -> Iterator[None]:
    """A mistake of a client is no failure of the server."""
    before = len(server.log.read_text())
    yield
    logged = server.log.read_text()[before:]
    assert "Traceback" not in logged
    assert "ERROR" not in logged
    assert "hidden-secret" not in logged


class Answer(NamedTuple):
    """A status, headers by name in lower case, and what the JSON says."""

    status: int
    headers: dict[str, str]
    body: Any


def ask(server: RunningServer, request: bytes, *, door: str = "http") -> Answer:
    address = urlsplit(str(server.ready["http"]) if door == "http" else f"//127.0.0.1:{server.environment['MESH_FILES_PORT']}")
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=40) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            headers = {}
            while line := answer.readline().strip():
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = answer.read(int(headers["content-length"]))
    assert headers["content-type"].startswith("application/json")
    told = json.loads(body)
    assert set(told) == {"error", "message", "resource", "violations"}
    assert "hidden-secret" not in str(told)
    return Answer(status, headers, told)


def head(first: str, *headers: str) -> bytes:
    return "\r\n".join((first, "Host: x", *headers, "", "")).encode()


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer", "Bearer  "])
def test_the_scheme_of_a_token_is_read_in_any_case(server: RunningServer, token: str, scheme: str) -> None:
    assert post(server, "", EVENT, headers={"Authorization": f"{scheme} {token}"})[0] == 200


@pytest.mark.parametrize("scheme", ["Basic", "bear", ""])
def test_other_schemes_are_refused(server: RunningServer, token: str, scheme: str) -> None:
    assert post(server, "", EVENT, headers={"Authorization": f"{scheme} {token}"})[0] == 401
    assert post(server, "", EVENT, headers={"Authorization": f"bearer{token}"})[0] == 401


@pytest.mark.parametrize(
    "encoding", ["snappy", "br", "zstd", "gzip, gzip", "gzip, br", "x", "aws-chunked", "gzip\r\nContent-Encoding: br"]
)
@pytest.mark.parametrize("path", ["POST /api/v1/lineage", "POST /api/v1/lineage/batch", "PUT /uploads/p/q/r"])
def test_a_content_encoding_that_is_not_known_is_refused(server: RunningServer, token: str, encoding: str, path: str) -> None:
    lines = (f"Authorization: Bearer {token}", f"Content-Length: {len(EVENT)}", f"Content-Encoding: {encoding}")
    answer = ask(server, head(f"{path} HTTP/1.1", *lines) + EVENT)
    assert (answer.status, answer.body["error"]) == (415, "INVALID")
    assert "gzip" in answer.body["message"]
    assert answer.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(EVENT)),
        ("GZIP", gzip.compress(EVENT)),
        ("deflate", zlib.compress(EVENT)),
        ("identity", EVENT),
        ("", EVENT),
    ],
)
def test_known_content_encodings_are_read(server: RunningServer, token: str, encoding: str, body: bytes) -> None:
    assert post(server, token, body, headers={"Content-Encoding": encoding})[0] == 200


@pytest.mark.parametrize("path", ["/api/v1/lineage", "/uploads/p/q/r", "/nowhere"])
@pytest.mark.parametrize(
    "rest", [b"Content-Length: 8\r\nContent-Encoding: gzip\r\n\r\nnot gzip", b"Content-Encoding: gzip\r\n" + BAD_CHUNK, BAD_CHUNK]
)
def test_a_body_that_is_not_what_its_headers_say_is_refused(server: RunningServer, token: str, path: str, rest: bytes) -> None:
    method = "PUT" if path.startswith("/uploads") else "POST"
    start = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n".encode()
    assert ask(server, start + rest).status in {400, 403, 404}


@pytest.mark.parametrize("door", ["http", "files"])
def test_paths_and_methods_that_are_not_served_are_told_as_json(server: RunningServer, door: str) -> None:
    answer = ask(server, head("GET /nowhere HTTP/1.1"), door=door)
    assert (answer.status, answer.body["error"]) == (404, "NOT_FOUND")
    path, allowed = ("/api/v1/lineage", "POST") if door == "http" else ("/files/a/b", "GET,HEAD")
    answer = ask(server, head(f"DELETE {path} HTTP/1.1"), door=door)
    assert (answer.status, answer.body["error"], answer.headers["allow"]) == (405, "INVALID", allowed)
    assert allowed in answer.body["message"]
    answer = ask(server, head(f"POST {path} HTTP/1.1", "Expect: miracles"), door=door)
    assert (answer.status, answer.body["error"]) == (417, "INVALID")


@pytest.mark.parametrize("door", ["http", "files"])
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (head("POST /api/v1/lineage HTTP/1.1", "Authorization: Bearer hidden-secret" + "x" * 20_000), 431),
        (head("POST /api/v1/lineage?hidden-secret=" + "x" * 20_000 + " HTTP/1.1"), 431),
        (head("POST /api/v1/lineage HTTP/1.1", *(f"H{i}: x" for i in range(5_000))), 400),
        (head("POST /api/v1/lineage HTTP/1.1", "hidden-secret without a colon"), 400),
        (head("POST /api/v1/lineage HTTP/1.1", "Authorization: Bearer hidden-secret\x00"), 400),
        (head("POST /api/v1/lineage HTTP/1.1", "Content-Length: -1"), 400),
        (head("POST /api/v1/lineage HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked"), 400),
        (head("POST /api/v1/lineage HTTP/1.1", "Transfer-Encoding: gzip"), 400),
        (head("hidden-secret"), 400),
        (head("POST /api/v1/lineage HTTP/9.9"), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_told_as_json(server: RunningServer, door: str, request_: bytes, status: int) -> None:
    answer = ask(server, request_, door=door)
    assert (answer.status, answer.body["error"]) == (status, "TOO_LARGE" if status == 431 else "INVALID")


def test_a_client_that_leaves_before_its_body_came_is_no_failure(server: RunningServer, token: str) -> None:
    address = urlsplit(str(server.ready["http"]))
    for start in ("POST /api/v1/lineage", "POST /nowhere"):
        with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
            connection.sendall(head(f"{start} HTTP/1.1", f"Authorization: Bearer {token}", "Content-Length: 99") + b"{")
    assert post(server, token, EVENT)[0] == 200
