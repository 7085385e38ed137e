"""Weaviate goes away under a store that is open, or the store's process under Weaviate: it is told, nothing is left behind."""

from __future__ import annotations

import signal
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesh_core.expressions.tree import TRUE
from mesh_core.vectors.identifiers import collection_identifier
from mesh_core.vectors.passages import Passage
from mesh_core.vectors.store import AllowedScope, CollectionOutdated, Published, StoreUnavailable, VectorStore, open_store
from tests.integration.crash_shop import until
from tests.integration.weaviate_server import free_ports, running_weaviate, weaviate_binary

pytestmark = [pytest.mark.weaviate, pytest.mark.timeout(150, func_only=True)]

NAME = "away.notes.pages"
EVERYTHING = AllowedScope(TRUE)


def passage(number: int) -> Passage:
    vector = [1.0, number + 1.0, 0.5]
    return Passage(f"p{number}", "a.md", "A", "", f"note {number}", 0, 6, None, (), {}, vector)


def found(store: VectorStore) -> list[str]:
    hits = store.search(NAME, text="note", vector=[1, 1, 0], version=1, scope=EVERYTHING, limit=10)
    return sorted(hit.passage.id for hit in hits)


CALLS: dict[str, Callable[[VectorStore], Any]] = {
    "search": found,
    "count": lambda store: store.count(NAME, 1),
    "stage": lambda store: store.stage(NAME, 2, [passage(0)]),
    "unstage": lambda store: store.unstage(NAME, 1),
    "erase": lambda store: store.erase(NAME, lambda text: True),
    "prune": lambda store: store.prune(NAME, [1]),
    "ensure": lambda store: store.ensure_collection(NAME, dimensions=3, attributes={}),
}


def test_a_weaviate_that_is_away_is_told_in_one_sentence_and_used_again_when_it_is_back(tmp_path: Path) -> None:
    ports = free_ports()
    with ExitStack() as stack:
        with running_weaviate(weaviate_binary(), tmp_path, ports=ports) as url:
            store = open_store(url)
            stack.callback(store.close)
            store.ensure_collection(NAME, dimensions=3, attributes={})
            store.stage(NAME, 1, [passage(0), passage(1)])
            assert found(store) == ["p0", "p1"]
        for name, call in CALLS.items():
            with pytest.raises(StoreUnavailable) as told:
                call(store)
            assert "cannot be reached: check that it runs, and MESH_VECTORS." in str(told.value), name
            assert "\n" not in str(told.value)
        stack.enter_context(running_weaviate(weaviate_binary(), tmp_path, ports=ports))
        assert until(lambda: is_back(store), seconds=90)
        assert found(store) == ["p0", "p1"]


def test_a_weaviate_that_does_not_answer_is_told_in_one_sentence_and_used_again_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesh_core.vectors.weaviate_connection._QUERY_SECONDS", 1)
    monkeypatch.setattr("mesh_core.vectors.weaviate_connection._INSERT_SECONDS", 1)
    processes: list[subprocess.Popen[bytes]] = []
    with running_weaviate(weaviate_binary(), tmp_path, started=processes.append) as url, closing(open_store(url)) as store:
        store.ensure_collection(NAME, dimensions=3, attributes={})
        store.stage(NAME, 1, [passage(0), passage(1)])

        def frozen_meanwhile() -> Iterator[Passage]:
            """More than is written at once."""
            yield from map(passage, range(1500))
            processes[0].send_signal(signal.SIGSTOP)
            yield from map(passage, range(1500, 5000))

        with pytest.raises(StoreUnavailable, match="does not answer") as told:
            store.stage(NAME, 2, frozen_meanwhile())
        try:
            for name, call in CALLS.items():
                with pytest.raises(StoreUnavailable, match="does not answer: check that it is well") as told:
                    call(store)
                assert "\n" not in str(told.value), name
        finally:
            processes[0].send_signal(signal.SIGCONT)
        assert until(lambda: is_back(store), seconds=90)
        assert found(store) == ["p0", "p1"]


@pytest.mark.parametrize("said", ["[]", '{"nodes": 3}', '{"version": "1.35.2", "nodes": [3]}', "<html>hello</html>"])
def test_what_is_no_weaviate_is_told_in_one_sentence(said: str) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for grpc_port in (10, server.server_port):
            with pytest.raises(StoreUnavailable, match="check that it is well, MESH_VECTORS and the API key") as told:
                open_store(f"weaviate://127.0.0.1:{server.server_port}?grpc_port={grpc_port}")
            assert "\n" not in str(told.value)
        server.shutdown()


def test_a_weaviate_that_hangs_up_in_the_middle_of_a_call_is_told_as_one_that_went_away(weaviate_url: str) -> None:
    """Seen when it was killed: the client lets what its HTTP library fails with through."""
    is_over = threading.Event()

    class HangsUp(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if is_over.is_set():
                return
            with urllib.request.urlopen(f"http://{weaviate_url.split('/')[2].split('?')[0]}{self.path}") as answer:
                said = answer.read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_DELETE = do_PUT = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), HangsUp) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = weaviate_url.partition("grpc_port=")[2]
        with closing(open_store(f"weaviate://127.0.0.1:{server.server_port}?grpc_port={port}")) as store:
            is_over.set()
            for name in ("search", "stage", "unstage", "erase", "prune", "ensure"):
                with pytest.raises(StoreUnavailable, match="cannot be reached: check that it runs, and MESH_VECTORS") as told:
                    CALLS[name](store)
                assert "\n" not in str(told.value), name
        server.shutdown()


def test_a_weaviate_that_was_never_there_is_told_as_one_that_went_away() -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached: check that it runs, and MESH_VECTORS"):
        open_store("weaviate://127.0.0.1:9?grpc_port=10")


def is_back(store: VectorStore, version: int = 1, count: int = 2) -> bool:
    try:
        return store.count(NAME, version) == count
    except StoreUnavailable:
        return False


def test_what_was_staged_or_rebuilt_is_found_by_its_vector_after_weaviate_was_killed(tmp_path: Path) -> None:
    """Weaviate 1.35 keeps the newest entries of its vector index in memory until it is given another batch."""
    ports = free_ports()
    with killed_after(tmp_path, ports, lambda store: stage_scattered(store, 200, 400)) as store:
        assert missed(store, 400) == []
        assert store.rebuild(NAME) == 400
    with killed_after(tmp_path, ports, lambda store: store.rebuild(NAME)) as store:
        assert missed(store, 400) == []


def test_a_vector_index_that_lost_its_newest_entries_is_refused_until_it_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a release left it that did not see to that, or a machine that lost its power."""
    ports = free_ports()
    with monkeypatch.context() as patch:
        patch.setattr("mesh_core.vectors.weaviate_store.write_down", lambda collection: None)
        with killed_after(tmp_path, ports, lambda store: stage_scattered(store, 200, 400)) as store:
            lost = missed(store, 400)
            assert lost
            assert store.count(NAME, 2) == 400
            for published in (Published(400), Published(400, 2, 200)):
                with pytest.raises(CollectionOutdated, match=r"[23]\d\d of 400 passages are in the vector index"):
                    missed(store, 400, published)
    with running_weaviate(weaviate_binary(), tmp_path, ports=ports) as url, closing(open_store(url)) as store:
        assert store.rebuild(NAME) == 400
        assert missed(store, 400, Published(400, 2, 200)) == []


def test_a_vector_index_that_lost_entries_under_an_open_store_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh_core.vectors.weaviate_store.write_down", lambda collection: None)
    monkeypatch.setattr("mesh_core.vectors.weaviate_vectors._ASKED_SECONDS", 0.0)
    ports, processes = free_ports(), list[subprocess.Popen[bytes]]()
    with ExitStack() as stack:
        with running_weaviate(weaviate_binary(), tmp_path, ports=ports, started=processes.append) as url:
            store = open_store(url)
            stack.callback(store.close)
            stage_scattered(store, 200, 400)
            assert missed(store, 400, Published(400, 2, 200)) == []
            processes[0].kill()
        stack.enter_context(running_weaviate(weaviate_binary(), tmp_path, ports=ports))
        assert until(lambda: is_back(store, 2, 400), seconds=30)
        with pytest.raises(CollectionOutdated):
            missed(store, 400, Published(400, 2, 200))


def scattered(number: int) -> Passage:
    """A passage whose vector is near no other's."""
    return replace(passage(number), vector=np.random.default_rng(number).normal(size=32).astype(np.float32))


def stage_scattered(store: VectorStore, first: int, second: int) -> None:
    """Version 1 holds so many passages, version 2 so many."""
    store.ensure_collection(NAME, dimensions=32, attributes={})
    for version, count in ((1, first), (2, second)):
        store.stage(NAME, version, map(scattered, range(count)))


def missed(store: VectorStore, count: int, published: Published | None = None) -> list[str]:
    """Those that a search by their own vector does not find."""
    asked = {"text": "", "version": 2, "scope": EVERYTHING, "limit": 1, "alpha": 1, "published": published}
    wanted = map(scattered, range(count))
    return [it.id for it in wanted if [h.passage.id for h in store.search(NAME, vector=list(it.vector), **asked)] != [it.id]]  # type: ignore[arg-type]


@contextmanager
def killed_after(folder: Path, ports: Mapping[str, int], act: Callable[[VectorStore], object]) -> Iterator[VectorStore]:
    """The store as it is found after its server was killed at the moment when `act` was done."""
    processes: list[subprocess.Popen[bytes]] = []
    running = partial(running_weaviate, weaviate_binary(), folder, ports=ports)
    with running(started=processes.append) as url, closing(open_store(url)) as store:
        act(store)
        processes[0].kill()
    with running() as url, closing(open_store(url)) as store:
        yield store


class Killed(BaseException):
    """Nothing after this point happened, as after SIGKILL."""


def test_what_a_killed_rebuild_left_behind_goes_with_the_next_call(weaviate_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what was erased would lie there for ever: the repeated erasure finds nothing in the collection that is read."""

    def die(seconds: float) -> None:
        raise Killed

    with closing(open_store(weaviate_url)) as store:
        store.ensure_collection(NAME, dimensions=3, attributes={})
        store.stage(NAME, 1, [passage(0), passage(1), passage(2)])
        for call in (
            lambda: store.erase(NAME, lambda text: "note 3" in text),
            lambda: store.unstage(NAME, 2),
            lambda: store.stage(NAME, 2, [passage(0), passage(2)]),
            lambda: store.prune(NAME, [1, 2]),
        ):
            with monkeypatch.context() as patch:
                patch.setattr("mesh_core.vectors.weaviate_collections.time.sleep", die)
                with pytest.raises(Killed):
                    store.rebuild(NAME)
            assert len(left(store)) == 2
            call()
            assert len(left(store)) == 1
        store.drop_collection(NAME)
        assert left(store) == []


def left(store: Any) -> list[str]:
    """The collections that the server holds for the name."""
    return [it for it in store._client.collections.list_all(simple=True) if it.startswith(collection_identifier(NAME))]
