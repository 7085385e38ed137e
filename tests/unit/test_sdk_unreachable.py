"""Nothing answers: every way to read says so soon, also the second time, and never waits for itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from domain_sdk import Mesh, MeshError, ServerUnreachable, Unauthenticated
from domain_sdk._failures import to_mesh_error
from domainmesh.v1.error_reason_pb2 import ErrorDetail, ErrorReason

TOKEN = f"mesh_{'0' * 16}_{'x' * 43}"
GIVEN_UP_SECONDS = 30

READS: dict[str, Callable[[Mesh], object]] = {
    "read": lambda mesh: mesh.read("shop.orders.orders"),
    "retrieve": lambda mesh: mesh.retrieve("shop.orders.manuals", "how?"),
    "status": lambda mesh: mesh.status(),
}


@pytest.fixture
def mesh() -> Iterator[Mesh]:
    with Mesh.connect("http://127.0.0.1:9", TOKEN, timeout_seconds=0.2) as connected:
        yield connected


def _failures(call: Callable[[], object], times: int) -> list[MeshError]:
    """What the calls raised, one after the other on one thread; fewer if one of them never came back."""
    raised: list[MeshError] = []

    def run() -> None:
        for _ in range(times):
            try:
                call()
            except MeshError as error:
                raised.append(error)

    caller = threading.Thread(target=run, daemon=True)
    caller.start()
    caller.join(GIVEN_UP_SECONDS)
    return raised


@pytest.mark.parametrize("name", READS)
def test_a_call_to_a_closed_port_says_that_nothing_answers_as_often_as_it_is_tried(mesh: Mesh, name: str) -> None:
    failures = _failures(lambda: READS[name](mesh), 2)
    assert [type(failure) for failure in failures] == [ServerUnreachable, ServerUnreachable]


def test_rows_of_a_scan_of_a_closed_port_say_that_nothing_answers(mesh: Mesh) -> None:
    source = mesh._source("shop.orders.orders")
    failures = _failures(lambda: list(source(None, None, None, None)), 2)
    assert [type(failure) for failure in failures] == [ServerUnreachable, ServerUnreachable]


def test_threads_that_read_first_at_the_same_time_all_hear_that_nothing_answers(mesh: Mesh) -> None:
    raised: list[list[MeshError]] = []
    threads = [
        threading.Thread(target=lambda: raised.append(_failures(lambda: mesh.read("shop.orders.orders"), 1)), daemon=True)
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GIVEN_UP_SECONDS)
    assert [[type(failure) for failure in failures] for failures in raised] == [[ServerUnreachable]] * 4


class _Failed(grpc.RpcError, grpc.Call):
    """A call that failed with this code and these words."""

    def __init__(self, code: grpc.StatusCode, details: str, packed: bytes | None = None) -> None:
        self._code, self._details, self._packed = code, details, packed

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return (("mesh-error-bin", self._packed),) if self._packed else ()


_Failed.__abstractmethods__ = frozenset()  # the rest of a call is not looked at
FAILED: Any = _Failed
REFUSED = (
    "failed to connect to all addresses; last error: UNKNOWN: ipv4:{address}: Failed to connect to remote host: "
    "connect: Connection refused (111)"
)


@pytest.mark.parametrize(
    ("details", "said"),
    [
        (REFUSED.format(address="10.0.0.7:443"), "does not answer: nothing listens at 10.0.0.7:443."),
        ("DNS resolution failed for mesh.example: C-ares", "does not answer: its name cannot be resolved."),
        ("last error: UNKNOWN: ipv4:1.2.3.4:5: new words", "does not answer."),
        ("no healthy upstream", "does not answer: no healthy upstream."),
        ("", "does not answer."),
    ],
)
def test_what_does_not_answer_is_said_without_the_words_of_grpc(details: str, said: str) -> None:
    failure = to_mesh_error(FAILED(grpc.StatusCode.UNAVAILABLE, details), "https://mesh.example")
    assert (type(failure), failure.message) == (ServerUnreachable, f"The mesh server at https://mesh.example {said}")


def test_a_closed_port_is_named_once(mesh: Mesh) -> None:
    (failure,) = _failures(mesh.status, 1)
    assert str(failure).splitlines()[0] == "The mesh server at http://127.0.0.1:9 does not answer: nothing listens there."
    assert failure.__cause__ is not None


def test_a_refused_token_is_told_to_log_in_once() -> None:
    message = "The token is expired: log in again with `mesh login`."
    detail = ErrorDetail(reason=ErrorReason.ERROR_REASON_UNAUTHENTICATED, message=message)
    failure = to_mesh_error(FAILED(grpc.StatusCode.UNAUTHENTICATED, message, detail.SerializeToString()), "u")
    assert (type(failure), str(failure)) == (Unauthenticated, message)
    assert "mesh login" in str(to_mesh_error(FAILED(grpc.StatusCode.UNAUTHENTICATED, "no"), "u"))
