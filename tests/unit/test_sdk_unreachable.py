"""Nothing answers: every way to read says so soon, also the second time, and never waits for itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from domain_sdk import Mesh, MeshError, ServerUnreachable

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
