"""Limits of a real server: what is too much is refused at once, and who waits does not slow who asks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import pytest

from domain_sdk import Overloaded
from domainmesh.v1 import decision_service_pb2, journal_pb2, journal_service_pb2
from domainmesh.v1.decision_service_pb2_grpc import DecisionServiceStub
from domainmesh.v1.error_reason_pb2 import ERROR_REASON_OVERLOADED, ErrorDetail
from domainmesh.v1.journal_service_pb2_grpc import JournalServiceStub
from tests.integration.crash_shop import until
from tests.servers import RunningServer

pytestmark = pytest.mark.slow

CHECK = decision_service_pb2.CheckRequest(action="administer", resource="mesh")


@dataclass
class Client:
    """A connection that takes no part in the SDK's retries."""

    channel: grpc.Channel
    token: str

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token}"),)

    def check(self) -> bool:
        return bool(DecisionServiceStub(self.channel).Check(CHECK, metadata=self.metadata, timeout=20).is_allowed)

    def check_later(self) -> grpc.Future:
        return DecisionServiceStub(self.channel).Check.future(CHECK, metadata=self.metadata, timeout=20)

    def watch(self) -> grpc.Call:
        """A watcher of changes to come; it waits until one does."""
        request = journal_service_pb2.WatchChangesRequest(after_revision=1_000_000)
        return JournalServiceStub(self.channel).WatchChanges(request, metadata=self.metadata)

    def watch_from_the_start(self) -> Iterator[journal_pb2.Change]:
        return JournalServiceStub(self.channel).WatchChanges(journal_service_pb2.WatchChangesRequest(), metadata=self.metadata)


@contextmanager
def connected(server: RunningServer) -> Iterator[Client]:
    with grpc.insecure_channel(server.url.removeprefix("http://")) as channel:
        yield Client(channel, server.admin_token)


def median_seconds(call: Callable[[], object], times: int = 60) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def refused(stream: grpc.Call) -> bool:
    """True if the server has answered that there are too many; False while the stream is open."""
    return stream.is_active() is False and stream.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_hundred_idle_watchers_do_not_slow_a_check(server: RunningServer) -> None:
    with connected(server) as client:
        client.check()
        alone = median_seconds(client.check)
        watchers = [client.watch_from_the_start() for _ in range(100)]
        for watcher in watchers:
            assert next(watcher).revision == 1
        among_watchers = median_seconds(client.check)
        assert client.check()
        assert among_watchers < 5 * alone + 0.02
        with server.admin() as mesh:
            mesh.admin.create_purpose("limits")
        assert any(change.subject == "limits" for change in watchers[99])
        for watcher in watchers:
            watcher.cancel()  # type: ignore[attr-defined] # it is a call as well


def test_a_stream_beyond_the_limit_is_refused_at_once_and_calls_still_work(new_server: Callable[..., RunningServer]) -> None:
    server = new_server(MESH_MAX_STREAMS="4")
    with connected(server) as client, connected(server) as other:
        open_streams = [client.watch_from_the_start() for _ in range(4)]
        for stream in open_streams:
            next(stream)
        excess = [other.watch() for _ in range(40)]
        for stream in excess:
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)  # type: ignore[call-overload] # it is an iterator as well
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            detail = dict(caught.value.trailing_metadata() or ())["mesh-error-bin"]
            assert ErrorDetail.FromString(detail).reason == ERROR_REASON_OVERLOADED
        assert other.check()
        with server.admin() as mesh, pytest.raises(Overloaded, match="4 streams are open already"):
            next(iter(mesh.audit.watch()))


def test_a_watcher_whose_client_went_away_frees_its_place(new_server: Callable[..., RunningServer]) -> None:
    server = new_server(MESH_MAX_STREAMS="1")
    with connected(server) as gone:
        next(gone.watch_from_the_start())
    with connected(server) as client:

        def is_admitted() -> bool:
            try:
                return next(client.watch_from_the_start()).revision == 1
            except grpc.RpcError as error:
                return error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED

        assert until(is_admitted, seconds=30)


def test_calls_beyond_the_limit_are_refused_at_once_and_none_hangs(new_server: Callable[..., RunningServer]) -> None:
    server = new_server(MESH_MAX_CALLS="2", MESH_MAX_STREAMS="1", MESH_CALL_THREADS="1")
    with connected(server) as client:
        client.check()
        flood = [client.check_later() for _ in range(500)]
        codes = {call.exception().code() if call.exception() else None for call in flood}
        assert codes == {None, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert client.check()


def test_a_server_with_open_watchers_stops_in_good_order(new_server: Callable[..., RunningServer]) -> None:
    server = new_server()
    with connected(server) as client:
        watchers = [client.watch_from_the_start() for _ in range(10)]
        for watcher in watchers:
            next(watcher)
        assert server.process is not None
        server.process.terminate()
        assert server.wait() == 0
        with pytest.raises(grpc.RpcError):
            list(watchers[0])
    assert "Traceback" not in server.log.read_text()
