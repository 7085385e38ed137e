"""What one caller can do to all others: nothing. Streams end with what they rest on, and nobody holds every thread."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from domain_sdk import InvalidRequest, MeshError
from domainmesh.v1 import (
    access_request_pb2,
    access_request_service_pb2,
    decision_service_pb2,
    journal_service_pb2,
    lineage_service_pb2,
    product_service_pb2,
    publication_service_pb2,
)
from domainmesh.v1.access_request_service_pb2_grpc import AccessRequestServiceStub
from domainmesh.v1.decision_service_pb2_grpc import DecisionServiceStub
from domainmesh.v1.journal_service_pb2_grpc import JournalServiceStub
from domainmesh.v1.lineage_service_pb2_grpc import LineageServiceStub
from domainmesh.v1.product_service_pb2_grpc import ProductServiceStub
from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub
from governance_server.storage.engine import open_database
from governance_server.storage.leases import Leases
from tests.servers import RunningServer

CHECK = decision_service_pb2.CheckRequest(action="administer", resource="mesh")
THREADS = 8
"""The default of MESH_CALL_THREADS."""


@contextmanager
def connected(server: RunningServer) -> Iterator[grpc.Channel]:
    """A channel that takes no part in the SDK's retries."""
    with grpc.insecure_channel(server.url.removeprefix("http://")) as channel:
        yield channel


def bearer(token: str) -> tuple[str, str]:
    """The metadata that proves who calls."""
    return ("authorization", f"Bearer {token}")


def check(server: RunningServer) -> None:
    """An ordinary question of somebody else is answered."""
    with connected(server) as channel:
        DecisionServiceStub(channel).Check(CHECK, metadata=[bearer(server.admin_token)], timeout=30)


def patient(is_over: threading.Event) -> Iterator[reflection_pb2.ServerReflectionRequest]:
    """One request, and then nothing for a long time."""
    yield reflection_pb2.ServerReflectionRequest(list_services="")
    is_over.wait(50)


def test_open_reflection_streams_hold_no_threads_of_calls(server: RunningServer) -> None:
    check(server)
    with connected(server) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        is_over = threading.Event()
        calls = [stub.ServerReflectionInfo(patient(is_over), metadata=[bearer(server.admin_token)]) for _ in range(THREADS)]
        for call in calls:
            assert next(call).list_services_response.service
        check(server)
        assert all(call.is_active() for call in calls)
        for call in calls:
            call.cancel()
        is_over.set()


def test_reflection_is_for_those_who_have_a_token(server: RunningServer) -> None:
    with connected(server) as channel:
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        with pytest.raises(grpc.RpcError) as refused:
            next(call)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_waiting_for_a_revision_to_come_does_not_hold_every_thread(server: RunningServer) -> None:
    check(server)
    metadata = [bearer(server.admin_token), ("mesh-min-revision", str(10**15))]
    with connected(server) as channel:
        calls = [DecisionServiceStub(channel).Check.future(CHECK, metadata=metadata, timeout=30) for _ in range(5 * THREADS)]
        time.sleep(0.3)
        check(server)
        were_waiting = not all(call.done() for call in calls)
        assert {call.code() for call in calls} == {grpc.StatusCode.UNAVAILABLE}
    assert were_waiting


def test_a_watcher_hears_nothing_after_its_token_was_revoked(server: RunningServer) -> None:
    with server.admin() as admin, connected(server) as channel:
        token = admin.admin.create_token(description="to be revoked")
        request = journal_service_pb2.WatchChangesRequest(after_revision=admin.revision - 1)
        watch = JournalServiceStub(channel).WatchChanges(request, metadata=[bearer(token.secret)])
        assert next(watch).kind == "token.created"
        admin.admin.revoke_token(token.token.id)
        with pytest.raises(grpc.RpcError) as ended:
            next(watch)
    assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_watcher_does_not_hear_of_what_came_after_it_lost_the_right(server: RunningServer) -> None:
    server.user("user:second").close()
    with server.admin() as admin:
        token = admin.admin.create_token("user:second")
        grant = admin.grant("user:second", "mesh", actions=["administer"])
        with connected(server) as channel:
            request = journal_service_pb2.WatchChangesRequest(after_revision=admin.revision)
            watch = JournalServiceStub(channel).WatchChanges(request, metadata=[bearer(token.secret)])
            time.sleep(0.5)
            admin.revoke(grant.id)
            with pytest.raises(grpc.RpcError) as ended:
                next(watch)
    assert ended.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("after", ["9" * 30, "9" * 5000, "²"])
def test_a_page_token_of_ones_own_making_is_bad_input(server: RunningServer, after: str) -> None:
    token = base64.urlsafe_b64encode(after.encode()).decode()
    with server.admin() as admin:
        control = admin._transport.control
        requests = (
            (control(JournalServiceStub).ListChanges, journal_service_pb2.ListChangesRequest(page_token=token)),
            (control(LineageServiceStub).ListLineageEvents, lineage_service_pb2.ListLineageEventsRequest(page_token=token)),
            (control(ProductServiceStub).Discover, product_service_pb2.DiscoverRequest(page_token=token)),
            (control(AccessRequestServiceStub).ListAccessRequests,
             access_request_service_pb2.ListAccessRequestsRequest(page_token=token)),
        )  # fmt: skip
        for method, request in requests:
            with pytest.raises(InvalidRequest):
                admin._transport.call(method, request)


def test_a_watch_or_list_from_beyond_any_revision_is_bad_input(server: RunningServer) -> None:
    with server.admin() as admin:
        stub = admin._transport.control(JournalServiceStub)
        with pytest.raises(InvalidRequest):
            admin._transport.call(stub.ListChanges, journal_service_pb2.ListChangesRequest(after_revision=2**63))
        with pytest.raises(InvalidRequest):
            next(admin._transport.stream(stub.WatchChanges, journal_service_pb2.WatchChangesRequest(after_revision=2**63)))


def test_a_reason_of_a_megabyte_is_refused(server: RunningServer) -> None:
    with server.admin() as admin:
        stub = admin._transport.control(AccessRequestServiceStub)
        wordy = access_request_pb2.AccessRequest(resource="finance.ledger", reason="x" * (1 << 20))
        with pytest.raises(InvalidRequest, match="reason"):
            admin._transport.call(
                stub.CreateAccessRequest, access_request_service_pb2.CreateAccessRequestRequest(access_request=wordy)
            )


def test_commits_that_wait_hold_no_threads_of_calls(server: RunningServer) -> None:
    text = (
        "apiVersion: v3.1.0\nkind: DataContract\nid: p\nversion: 1.0.0\nstatus: active\nschema:\n"
        "  - name: t\n    physicalType: table\n    properties:\n      - {name: n, logicalType: integer}\n"
    )
    with server.user("user:owner") as owner, server.admin() as admin, connected(server) as channel:
        admin.admin.create_domain("busy", owners=["user:owner"])
        stub = owner._transport.control(PublicationServiceStub)
        begin = publication_service_pb2.BeginPublicationRequest(product="busy.p", contract_text=text)
        publication = owner._transport.call(stub.BeginPublication, begin)
        held = open_database(f"sqlite:///{server.home}/mesh.db")
        leases = Leases(held, clock=lambda: datetime.now(UTC))
        assert leases.acquire("publish:busy.p", "somebody else", 60.0)
        commit = publication_service_pb2.CommitPublicationRequest(id=publication.id)
        send = PublicationServiceStub(channel).CommitPublication.future
        calls = [send(commit, metadata=owner._transport._metadata(), timeout=30) for _ in range(THREADS)]
        time.sleep(0.3)
        check(server)
        assert not any(call.done() for call in calls)
        leases.release("publish:busy.p", "somebody else")
        for call in calls:
            with pytest.raises((grpc.RpcError, MeshError)):
                call.result()
        held.close()
