"""The transport against real gRPC: tokens, revisions, retries, deadlines and failures as errors."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from domain_sdk import Mesh, errors
from domain_sdk._transport import Transport
from domainmesh.v1 import (
    domain_pb2,
    domain_service_pb2,
    domain_service_pb2_grpc,
    journal_pb2,
    journal_service_pb2_grpc,
    publication_service_pb2,
    publication_service_pb2_grpc,
)
from domainmesh.v1.error_reason_pb2 import ErrorDetail, ErrorReason, Violation
from domainmesh.v1.server_service_pb2 import GetServerInfoRequest, GetServerInfoResponse
from domainmesh.v1.server_service_pb2_grpc import ServerServiceStub
from tests.integration.sdk_fakes import Context, ScriptedServer, fail, serving


def _ok(context: Context) -> GetServerInfoResponse:
    return GetServerInfoResponse(version="fake")


def _failing(code: grpc.StatusCode, reason: str = "", text: str = "it failed") -> Callable[[Context], Any]:
    detail = ErrorDetail(reason=ErrorReason.Value(f"ERROR_REASON_{reason}"), message=text) if reason else None
    return lambda context: fail(context, code, detail, text)


def _call(transport: Transport, **options: Any) -> GetServerInfoResponse:
    return transport.call(transport.control(ServerServiceStub).GetServerInfo, GetServerInfoRequest(), **options)


def test_every_call_carries_the_token_and_the_newest_revision_seen() -> None:
    def at(revision: int) -> Callable[[Context], GetServerInfoResponse]:
        def step(context: Context) -> GetServerInfoResponse:
            context.set_trailing_metadata((("mesh-revision", str(revision)),))
            return GetServerInfoResponse()

        return step

    server = ScriptedServer(at(5), at(9), at(7), _ok)
    with serving(server.register) as address:
        transport = Transport(address, "secret")
        for _ in range(4):
            _call(transport)
        transport.close()
    assert [call["authorization"] for call in server.calls] == ["Bearer secret"] * 4
    assert [call.get("mesh-min-revision") for call in server.calls] == [None, "5", "9", "9"]
    assert transport.revision == 9


def test_a_line_break_behind_a_token_is_forgiven() -> None:
    server = ScriptedServer()
    with serving(server.register) as address:
        _call(Transport(address, "secret\n"))
    assert server.calls[0]["authorization"] == "Bearer secret"


@pytest.mark.parametrize("token", ["", " \n", "sec\nret", "sécret", "sec\x00ret"])
def test_a_token_that_cannot_be_one_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(errors.Unauthenticated) as caught:
        Transport("127.0.0.1:9", token)
    assert "ret" not in str(caught.value)


def test_a_forked_process_makes_its_own_connection() -> None:
    code = (
        "import os, sys; from domain_sdk import Mesh\n"
        "mesh = Mesh.connect(sys.argv[1], 't'); mesh.status()\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if mesh.status().version == 'fake' else 1)\n"
        "print(os.waitpid(child, 0)[1], mesh.status().version)"
    )
    with serving(ScriptedServer().register) as address:
        done = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["0", "fake"]


def test_the_revision_of_a_failed_call_is_remembered_too() -> None:
    def denied(context: Context) -> Any:
        detail = ErrorDetail(reason=ErrorReason.ERROR_REASON_ACCESS_DENIED)
        context.set_trailing_metadata((("mesh-revision", "42"), ("mesh-error-bin", detail.SerializeToString())))
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "")

    with serving(ScriptedServer(denied).register) as address:
        transport = Transport(address, "t")
        with pytest.raises(errors.AccessDenied):
            _call(transport)
        assert transport.revision == 42


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_a_transient_failure_is_retried_until_it_passes(code: grpc.StatusCode) -> None:
    server = ScriptedServer(_failing(code), _failing(code), _ok)
    with serving(server.register) as address:
        assert _call(Transport(address, "t")).version == "fake"
    assert len(server.calls) == 3


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "PURPOSE_NOT_HELD", errors.PurposeNotHeld),
        (grpc.StatusCode.ABORTED, "CONFLICT", errors.Conflict),
        (grpc.StatusCode.INTERNAL, "INTERNAL", errors.InternalError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_LARGE", errors.TooLarge),
        (grpc.StatusCode.FAILED_PRECONDITION, "", errors.WrongState),
        (grpc.StatusCode.UNAUTHENTICATED, "", errors.Unauthenticated),
        (grpc.StatusCode.DATA_LOSS, "", errors.MeshError),
    ],
)
def test_any_other_failure_is_raised_at_once(code: grpc.StatusCode, reason: str, kind: type[errors.MeshError]) -> None:
    server = ScriptedServer(_failing(code, reason))
    with serving(server.register) as address, pytest.raises(errors.MeshError) as caught:
        _call(Transport(address, "t"))
    assert type(caught.value) is kind
    assert isinstance(caught.value.__cause__, grpc.RpcError)
    assert len(server.calls) == 1


def test_the_detail_of_a_failure_becomes_the_errors_attributes() -> None:
    detail = ErrorDetail(
        reason=ErrorReason.ERROR_REASON_CONTRACT_VIOLATED,
        resource="finance.ledger",
        message="The data breaks the contract.",
        violations=[Violation(path="a", message="m1"), Violation(path="b", message="m2")],
        request_id="r-9",
    )
    server = ScriptedServer(lambda c: fail(c, grpc.StatusCode.FAILED_PRECONDITION, detail))
    with serving(server.register) as address, pytest.raises(errors.ContractViolated) as caught:
        _call(Transport(address, "t"))
    error = caught.value
    assert (error.reason, error.resource, error.request_id) == ("CONTRACT_VIOLATED", "finance.ledger", "r-9")
    assert [(it.path, it.message) for it in error.violations] == [("a", "m1"), ("b", "m2")]


def test_a_reason_of_a_later_server_is_kept() -> None:
    detail = ErrorDetail(reason=999, message="new")  # type: ignore[arg-type]
    server = ScriptedServer(lambda c: fail(c, grpc.StatusCode.FAILED_PRECONDITION, detail))
    with serving(server.register) as address, pytest.raises(errors.MeshError, match="new") as caught:
        _call(Transport(address, "t"))
    assert caught.value.reason == "UNKNOWN_999"


def test_a_server_that_does_not_answer_is_named() -> None:
    with pytest.raises(errors.ServerUnreachable, match=r"http://127\.0\.0\.1:9 does not answer"):
        Mesh.connect("http://127.0.0.1:9", "t", timeout_seconds=5).status()


def test_retries_end_with_the_last_failure_and_never_outlast_the_deadline() -> None:
    server = ScriptedServer(_failing(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"))
    with serving(server.register) as address, pytest.raises(errors.StorageUnavailable):
        _call(Transport(address, "t"), timeout_seconds=1)
    assert 2 <= len(server.calls) <= 5


def test_a_call_that_takes_too_long_is_given_up() -> None:
    def slow(context: Context) -> GetServerInfoResponse:
        time.sleep(0.5)
        return GetServerInfoResponse()

    with serving(ScriptedServer(slow).register) as address, pytest.raises(errors.DeadlineExceeded):
        _call(Transport(address, "t"), timeout_seconds=0.1)


def test_ctrl_c_cancels_the_call() -> None:
    has_begun, was_cancelled = threading.Event(), threading.Event()

    def hanging(context: Context) -> GetServerInfoResponse:
        context.add_callback(was_cancelled.set)
        has_begun.set()
        was_cancelled.wait(40)
        return GetServerInfoResponse()

    def interrupt() -> None:
        has_begun.wait(40)
        time.sleep(0.5)  # the caller has to be waiting by then: before that there is no call to be cancelled
        os.kill(os.getpid(), signal.SIGINT)

    with serving(ScriptedServer(hanging).register) as address:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            _call(Transport(address, "t"))
        assert was_cancelled.wait(30)


def test_a_writes_retries_share_one_request_id_and_the_callers_message_is_left_alone() -> None:
    seen: list[str] = []

    class Domains(domain_service_pb2_grpc.DomainServiceServicer):
        def CreateDomain(self, request: Any, context: Context) -> Any:
            seen.append(request.request_id)
            if len(seen) == 1:
                context.abort(grpc.StatusCode.UNAVAILABLE, "")
            return request.domain

    with serving(lambda s: domain_service_pb2_grpc.add_DomainServiceServicer_to_server(Domains(), s)) as address:
        transport = Transport(address, "t")
        request = domain_service_pb2.CreateDomainRequest(domain=domain_pb2.Domain(name="x"))
        stub = transport.control(domain_service_pb2_grpc.DomainServiceStub)
        transport.call(stub.CreateDomain, request)
        transport.call(stub.CreateDomain, request)
    assert seen[0] == seen[1] != seen[2]
    assert all(seen)
    assert request.request_id == ""


class _Journal(journal_service_pb2_grpc.JournalServiceServicer):
    """Streams for ever, or fails at a given entry."""

    def __init__(self, fail_first_calls: int = 0, fail_at: int = 0) -> None:
        self.fail_first_calls = fail_first_calls
        self.fail_at = fail_at
        self.calls = 0
        self.was_cancelled = threading.Event()

    def WatchChanges(self, request: Any, context: Context) -> Any:
        self.calls += 1
        context.add_callback(self.was_cancelled.set)
        if self.calls <= self.fail_first_calls:
            context.abort(grpc.StatusCode.UNAVAILABLE, "")
        for revision in range(1, 1_000_000):
            if revision == self.fail_at:
                fail(context, grpc.StatusCode.UNAVAILABLE, ErrorDetail(reason=ErrorReason.ERROR_REASON_STORAGE_UNAVAILABLE))
            if not context.is_active():
                return
            yield journal_pb2.Change(revision=revision)
            time.sleep(0.001)

    def register(self, server: grpc.Server) -> None:
        journal_service_pb2_grpc.add_JournalServiceServicer_to_server(self, server)


def test_closing_a_stream_cancels_the_call() -> None:
    journal = _Journal()
    with serving(journal.register) as address:
        changes = Mesh.connect(address, "t").audit.watch()
        assert [next(changes).revision for _ in range(3)] == [1, 2, 3]
        changes.close()  # type: ignore[attr-defined] # a generator
        assert journal.was_cancelled.wait(30)


def test_a_stream_is_retried_only_while_nothing_has_come() -> None:
    journal = _Journal(fail_first_calls=2, fail_at=3)
    with serving(journal.register) as address:
        changes = Mesh.connect(address, "t").audit.watch()
        assert [next(changes).revision for _ in range(2)] == [1, 2]
        with pytest.raises(errors.StorageUnavailable):
            next(changes)
    assert journal.calls == 3


class _Publications(publication_service_pb2_grpc.PublicationServiceServicer):
    def __init__(self) -> None:
        self.seconds = 0.0

    def RepairPublications(self, request: Any, context: Context) -> publication_service_pb2.RepairPublicationsResponse:
        self.seconds = context.time_remaining()
        return publication_service_pb2.RepairPublicationsResponse(committed=["p"])

    def register(self, server: grpc.Server) -> None:
        publication_service_pb2_grpc.add_PublicationServiceServicer_to_server(self, server)


def test_a_repair_may_take_as_long_as_the_commits_that_it_repeats() -> None:
    publications = _Publications()
    with serving(publications.register) as address, Mesh.connect(address, "t", timeout_seconds=5) as mesh:
        assert mesh.admin.repair() == (["p"], [])
    assert publications.seconds > 1500


def test_the_gateway_is_asked_for_once_and_only_when_needed() -> None:
    server = ScriptedServer(gateway="127.0.0.1:9")
    with serving(server.register) as address:
        transport = Transport(address, "t")
        assert server.calls == []
        for _ in range(2):
            transport.gateway(ServerServiceStub)
    assert len(server.calls) == 1


def test_a_server_without_gateway_says_so() -> None:
    with serving(ScriptedServer().register) as address, pytest.raises(errors.WrongState, match="no gateway"):
        Transport(address, "t").gateway(ServerServiceStub)


@pytest.mark.parametrize(
    "read",
    [
        lambda mesh: mesh.read("shop.orders.orders"),
        lambda mesh: mesh.retrieve("shop.orders.manuals", "how?"),
        lambda mesh: list(mesh._source("shop.orders.orders")(None, None, None, None)),
    ],
    ids=["read", "retrieve", "scan"],
)
def test_a_gateway_that_is_gone_is_said_to_be_unreachable_and_looked_for_again(read: Callable[[Mesh], object]) -> None:
    server = ScriptedServer(gateway="127.0.0.1:9")
    raised: list[type[errors.MeshError]] = []

    def read_twice() -> None:
        for _ in range(2):
            try:
                read(mesh)
            except errors.MeshError as error:
                raised.append(type(error))

    with serving(server.register) as address, Mesh.connect(address, "t", timeout_seconds=0.5) as mesh:
        reader = threading.Thread(target=read_twice, daemon=True)
        reader.start()
        reader.join(30)
    assert raised == [errors.ServerUnreachable, errors.ServerUnreachable]
    assert len(server.calls) == 2


def test_a_closed_mesh_connects_anew() -> None:
    with serving(ScriptedServer().register) as address:
        with Mesh.connect(address, "t") as mesh:
            assert mesh.status().version == "fake"
        assert mesh.status().version == "fake"
        mesh.close()


def test_a_large_answer_that_is_refused_here_is_not_asked_for_again() -> None:
    server = ScriptedServer(lambda c: GetServerInfoResponse(version="x" * (65 << 20)))
    with serving(server.register) as address, pytest.raises(errors.TooLarge):
        _call(Transport(address, "t"))
    assert len(server.calls) == 1


def test_a_call_takes_no_thread_but_that_of_its_caller() -> None:
    before: set[threading.Thread] = set()
    further: set[threading.Thread] = set()

    def looking(context: Context) -> GetServerInfoResponse:
        of_server = {it for it in threading.enumerate() if it.name.startswith("fake-server")}
        further.update(set(threading.enumerate()) - before - of_server)
        return GetServerInfoResponse()

    with serving(ScriptedServer(_ok, looking).register) as address:
        transport = Transport(address, "t")
        _call(transport)
        before.update(threading.enumerate())
        _call(transport)
    assert further == set()


def test_closing_ends_a_call_that_another_thread_waits_for() -> None:
    has_begun, may_end = threading.Event(), threading.Event()
    ended: list[BaseException] = []

    def hanging(context: Context) -> GetServerInfoResponse:
        context.add_callback(may_end.set)
        has_begun.set()
        may_end.wait(40)
        return GetServerInfoResponse()

    def wait() -> None:
        try:
            _call(transport, timeout_seconds=40)
        except errors.MeshError as error:
            ended.append(error)

    with serving(ScriptedServer(hanging).register) as address:
        transport = Transport(address, "t")
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert has_begun.wait(40)
        transport.close()
        waiting.join(20)
        assert not waiting.is_alive()
    assert [type(error) for error in ended] == [errors.DeadlineExceeded]


def test_a_gateway_that_is_looked_for_again_goes_on_with_what_it_was_asked() -> None:
    has_begun, may_end = threading.Event(), threading.Event()
    answers: list[str] = []

    def slow(context: Context) -> GetServerInfoResponse:
        has_begun.set()
        may_end.wait(40)
        return GetServerInfoResponse(version="slow")

    def ask() -> GetServerInfoResponse:
        return transport.call(transport.gateway(ServerServiceStub).GetServerInfo, GetServerInfoRequest(), is_retried=False)

    gateway = ScriptedServer(slow, _failing(grpc.StatusCode.UNAVAILABLE))
    with serving(gateway.register) as there, serving(ScriptedServer(gateway=there).register) as address:
        transport = Transport(address, "t")
        asking = threading.Thread(target=lambda: answers.append(ask().version))
        asking.start()
        assert has_begun.wait(40)
        with pytest.raises(errors.ServerUnreachable):
            ask()
        gc.collect()
        may_end.set()
        asking.join(20)
    assert answers == ["slow"]
