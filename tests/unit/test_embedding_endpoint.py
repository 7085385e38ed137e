"""An embedding endpoint of OpenAI's kind: what is sent to it, what it may answer, and what is an error."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from mesh_core.embedding import EmbedderUnavailable, open_embedder
from mesh_core.embedding_endpoint import EndpointEmbedder

Answer = Callable[[list[str]], Any]


class Endpoint:
    """A server on loopback that answers as told and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], str | None]] = []
        self.answer: Answer = lambda texts: {"data": [{"index": n, "embedding": [3, 4]} for n in range(len(texts))]}
        self.status = 200
        self.piece, self.pause = 2**20, 0.0
        """Bytes that are sent at once, and seconds until the next."""
        self.refusals: list[tuple[int, dict[str, str]]] = []
        """Statuses and headers of the first answers."""
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.asked.append((self.path, body, self.headers.get("Authorization")))
                said = endpoint.answer(body["input"])
                content = said if isinstance(said, bytes) else json.dumps(said).encode()
                status, headers = endpoint.refusals.pop(0) if endpoint.refusals else (endpoint.status, {})
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                for start in range(0, len(content), endpoint.piece):
                    self.wfile.write(content[start : start + endpoint.piece])
                    time.sleep(endpoint.pause)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, dimensions: int = 2) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1?model=small&dimensions={dimensions}"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    running = Endpoint()
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_texts_become_unit_vectors_in_their_order(endpoint: Endpoint) -> None:
    def backwards(texts: list[str]) -> Any:
        return {"data": [{"index": n, "embedding": [0, len(texts[n])] if n else [5, 0]} for n in reversed(range(len(texts)))]}

    endpoint.answer = backwards
    embedder = open_embedder(endpoint.url(), api_key="k-1")
    assert embedder.embed(["a", "bb"]).tolist() == [[1, 0], [0, 1]]
    assert endpoint.asked == [
        ("/v1/embeddings", {"model": "small", "input": ["a", "bb"], "encoding_format": "float"}, "Bearer k-1")
    ]


def test_model_and_dimension_are_what_vectors_are_made_by(endpoint: Endpoint) -> None:
    embedder = open_embedder(endpoint.url())
    assert (embedder.model, embedder.dimensions) == ("small@2", 2)
    assert embedder.embed([]).shape == (0, 2)


def test_many_texts_are_asked_in_parts(endpoint: Endpoint) -> None:
    assert open_embedder(endpoint.url()).embed(["x"] * 300).shape == (300, 2)
    assert sum(len(body["input"]) for _, body, _ in endpoint.asked) == 300
    assert len(endpoint.asked) > 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"data": [{"index": 0, "embedding": [1, 2, 3]}]}, "2 dimensions"),
        ({"data": [{"index": 0, "embedding": [math.nan, 1]}]}, "NaN"),
        ({"data": [{"index": 0, "embedding": [0, 0]}]}, "zeros"),
        ({"data": []}, "0 vectors for 1 texts"),
        ({"data": [{"index": 0, "embedding": [1, 1]}, {"index": 0, "embedding": [1, 1]}]}, "2 vectors for 1 texts"),
        ({"error": "no"}, "no embeddings"),
        ({"data": [{"index": 0, "embedding": "abc"}]}, "no embeddings"),
        ({"data": [{"index": math.inf, "embedding": [1, 1]}]}, "no embeddings"),
        ({"data": [{"index": 0, "embedding": [1e200, 1e200]}]}, "infinite"),
        (b"[" * 200_000, "nests without end"),
        (b"<html>", "no JSON"),
        (b'{"data": [' + b"[]," * 1_000_000, "more than vectors need"),
    ],
)
def test_what_is_no_vector_of_the_model_is_an_error(endpoint: Endpoint, said: Any, words: str) -> None:
    endpoint.answer = lambda texts: said
    with pytest.raises(EmbedderUnavailable, match=words):
        open_embedder(endpoint.url()).embed(["secret question"])


def test_a_refusal_names_the_status_and_not_the_key(endpoint: Endpoint) -> None:
    endpoint.status = 401
    with pytest.raises(EmbedderUnavailable, match="401") as caught:
        open_embedder(endpoint.url(), api_key="k-secret").embed(["x"])
    assert "k-secret" not in str(caught.value)


def test_an_endpoint_that_is_busy_is_asked_again_when_it_says(endpoint: Endpoint) -> None:
    waited: list[float] = []
    day = "Fri, 27 Nov 2026 10:00:{:02} GMT"
    endpoint.refusals = [
        (429, {"Retry-After": "2"}),
        (503, {"Retry-After": day.format(7), "Date": day.format(4)}),
        (500, {}),
        (429, {"Retry-After": "soon"}),
    ]
    assert EndpointEmbedder(endpoint.url(), pause=waited.append).embed(["x"]).shape == (1, 2)
    assert waited == [2, 3, 2, 4]
    assert len(endpoint.asked) == 5


@pytest.mark.parametrize(
    ("refusals", "waits", "words"),
    [
        ([(429, {"Retry-After": "86400"})], [], "asks to wait 86400 s"),
        ([(503, {})] * 9, [0.5, 1, 2, 4], "status 503"),
        ([(429, {"Retry-After": "20"})] * 3, [20], "status 429"),
        ([(401, {"Retry-After": "1"})], [], "status 401"),
        ([(503, {"Retry-After": f"Fri, 27 Nov {'9' * 30} 10:00:00 GMT"})] * 9, [0.5, 1, 2, 4], "status 503"),
    ],
)
def test_patience_with_an_endpoint_has_an_end(
    endpoint: Endpoint, refusals: list[tuple[int, dict[str, str]]], waits: list[float], words: str
) -> None:
    waited: list[float] = []
    endpoint.refusals = refusals
    with pytest.raises(EmbedderUnavailable, match=words):
        EndpointEmbedder(endpoint.url(), pause=waited.append).embed(["x"])
    assert waited == waits


def test_attempts_and_pauses_end_within_what_a_call_is_given(endpoint: Endpoint) -> None:
    def slow(texts: list[str]) -> Any:
        time.sleep(0.7)
        return {"data": [{"index": 0, "embedding": [3, 4]}]}

    endpoint.answer, endpoint.refusals = slow, [(503, {"Retry-After": "0"})] * 3
    embedder = EndpointEmbedder(endpoint.url(), timeout_seconds=1)
    began = time.monotonic()
    with pytest.raises(EmbedderUnavailable, match="did not answer within"):
        embedder.embed_within(["x"], 1)
    assert time.monotonic() - began < 1.4
    endpoint.refusals = [(503, {"Retry-After": "0"})] * 3
    assert embedder.embed(["x"]).shape == (1, 2)


def test_a_pause_that_leaves_no_time_is_not_made(endpoint: Endpoint) -> None:
    endpoint.refusals = [(429, {"Retry-After": "3"})]
    with pytest.raises(EmbedderUnavailable, match="asks to wait 3 s"):
        EndpointEmbedder(endpoint.url(), pause=lambda seconds: pytest.fail("waited")).embed_within(["x"], 2)


def test_an_endpoint_that_stands_still_is_given_up(endpoint: Endpoint) -> None:
    def slow(texts: list[str]) -> Any:
        time.sleep(1)
        return {}

    endpoint.answer = slow
    with pytest.raises(EmbedderUnavailable, match=r"did not answer within 0\.2 s"):
        EndpointEmbedder(endpoint.url(), timeout_seconds=0.2).embed(["x"])


def test_an_endpoint_that_never_comes_to_an_end_is_given_up(endpoint: Endpoint) -> None:
    endpoint.answer = lambda texts: b" " * 10_000
    endpoint.piece, endpoint.pause = 1, 0.05
    with pytest.raises(EmbedderUnavailable, match=r"did not answer within 0\.2 s"):
        EndpointEmbedder(endpoint.url(), timeout_seconds=0.2).embed(["x"])


@pytest.mark.parametrize("head", ["HTTP/1.1 200 OK\r\nX-Wait: ", "HTTP/1.1 100 Continue\r\n\r\n" * 3])
def test_an_endpoint_whose_head_never_comes_to_an_end_is_given_up(head: str) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(head.encode())
        for _ in range(100):
            time.sleep(0.05)
            connection.sendall(b"a" if head.endswith(" ") else head.encode())

    began = time.monotonic()
    with talking(drip) as url, pytest.raises(EmbedderUnavailable, match=r"did not answer within 0\.2 s"):
        EndpointEmbedder(url, timeout_seconds=0.2).embed(["x"])
    assert time.monotonic() - began < 3


def test_an_endpoint_whose_chunk_never_begins_is_given_up() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(80):
            connection.sendall(b"0")
            time.sleep(0.05)

    began = time.monotonic()
    with talking(drip) as url, pytest.raises(EmbedderUnavailable, match=r"did not answer within 0\.2 s"):
        EndpointEmbedder(url, timeout_seconds=0.2).embed(["x"])
    assert time.monotonic() - began < 3


def test_head_and_body_of_an_answer_share_one_limit(endpoint: Endpoint) -> None:
    def slow(texts: list[str]) -> Any:
        time.sleep(0.7)
        return {"data": [{"index": 0, "embedding": [3, 4]}]}

    endpoint.answer, endpoint.piece, endpoint.pause = slow, 20, 0.35
    with pytest.raises(EmbedderUnavailable, match="did not answer within 1 s"):
        EndpointEmbedder(endpoint.url(), timeout_seconds=1).embed(["x"])


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 401 no key k-secret\r\nContent-Length: 0\r\n\r\n",
        b"no HTTP but k-secret\r\n\r\n",
        b'HTTP/1.1 200 OK\r\n\r\n{"data": [{"index": "k-secret", "embedding": [1, 2]}]}',
        b'HTTP/1.1 200 OK\r\n\r\n{"data": [{"index": 0, "embedding": ["k-secret", 2]}]}',
    ],
)
def test_a_key_that_an_endpoint_repeats_is_in_no_error_that_may_be_logged(said: bytes) -> None:
    with talking(lambda connection: connection.sendall(said)) as url, pytest.raises(EmbedderUnavailable) as told:
        EndpointEmbedder(url, api_key="k-" + "secret").embed(["x"])
    assert "k-secret" not in logged(told.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", "…"])
def test_a_key_that_cannot_be_sent_is_told_as_such_and_not_shown(endpoint: Endpoint, end: str) -> None:
    with pytest.raises(EmbedderUnavailable, match="MESH_EMBEDDER_API_KEY holds a line break") as told:
        open_embedder(endpoint.url(), api_key="k-" + "secret" + end).embed(["x"])
    assert "k-secret" not in logged(told.value)
    assert endpoint.asked == []


def logged(error: BaseException) -> str:
    """The error and its causes, as a log has them, without lines of code."""
    lines = traceback.TracebackException.from_exception(error).format()
    return "".join(line for line in lines if not line.startswith("  "))


@contextmanager
def talking(talk: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of a server that says this to whoever has sent a request, whatever it is."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError), server.accept()[0] as connection:
                while b'"float"' not in connection.recv(1 << 16):
                    pass
                talk(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1?model=small&dimensions=2"


def test_an_endpoint_that_is_not_there_is_named() -> None:
    with pytest.raises(EmbedderUnavailable, match=r"127\.0\.0\.1 cannot be reached"):
        open_embedder("http://127.0.0.1:9/v1?model=m&dimensions=2").embed(["x"])


@pytest.mark.parametrize(
    "url",
    ["http://host/v1", "http://host/v1?model=m", "http://host/v1?model=m&dimensions=0", "http://[host/v1?model=m&dimensions=2"],
)
def test_an_address_without_model_or_dimension_is_refused(url: str) -> None:
    with pytest.raises(EmbedderUnavailable, match="state address, model and dimension"):
        open_embedder(url)


def test_vectors_are_single_precision(endpoint: Endpoint) -> None:
    assert open_embedder(endpoint.url()).embed(["x"]).dtype == np.float32
