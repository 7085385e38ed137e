"""The inbox and reminders, over days and weeks of a clock that the test moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from domainmesh.v1 import access_request_pb2, change_set_pb2, domain_pb2, grant_pb2, inbox_service_pb2, notice_pb2, principal_pb2
from domainmesh.v1.access_request_service_pb2 import (
    ApproveAccessRequestRequest,
    CreateAccessRequestRequest,
    DenyAccessRequestRequest,
    GetAccessRequestRequest,
    ListAccessRequestsRequest,
    RenewAccessRequest,
)
from domainmesh.v1.break_glass_service_pb2 import AcknowledgeBreakGlassRequest, OpenBreakGlassRequest
from domainmesh.v1.change_set_service_pb2 import ApplyChangesRequest, ApproveChangesRequest
from domainmesh.v1.decision_service_pb2 import CheckRequest
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest, RevokeGrantRequest
from domainmesh.v1.principal_service_pb2 import CreatePrincipalRequest, UpdatePrincipalRequest
from governance_server.backend import stamp
from governance_server.reminders import Reminders
from governance_server.rules.errors import AccessDenied
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract
from tests.integration.request_market import role

PORT = "shop.orders.orders"
WAITS = notice_pb2.NOTICE_KIND_REQUEST_WAITS
ENDS = notice_pb2.NOTICE_KIND_GRANT_ENDS


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[InnerMesh]:
    with inner_mesh(tmp_path / "home") as made:
        for name in ("user:olga", "user:ana", "user:kim"):
            made.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal=principal_pb2.Principal(name=name)))
        for name in ("user:stu", "user:sue"):
            steward = principal_pb2.Principal(name=name, groups=["group:stewards"])
            made.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal=steward))
        made.call(ADMIN, "CreateDomain", CreateDomainRequest(domain=domain_pb2.Domain(name="shop", owners=["user:olga"])))
        frame = pl.DataFrame({"id": [1, 2]})
        text = contract("shop.orders", {"orders": ["id: integer"]})
        made.publish("user:olga", "shop.orders", text, {"orders": frame})
        text = contract("shop.led", {"led": ["id: integer"]}) + "roles:\n" + role("user:kim", "group:stewards")
        made.publish("user:olga", "shop.led", text, {"led": frame})
        everybody = grant_pb2.Grant(subject="*", resource="shop", actions=["discover", "request"], effect=grant_pb2.EFFECT_ALLOW)
        made.call("user:olga", "CreateGrant", CreateGrantRequest(grant=everybody))
        yield made


def file(
    mesh: InnerMesh, who: str = "user:ana", resource: str = "shop.orders", **until: float
) -> access_request_pb2.AccessRequest:
    wanted = access_request_pb2.AccessRequest(resource=resource, reason="please")
    if until:
        wanted.expire_time.CopyFrom(stamp(mesh.now + timedelta(**until)))
    found: access_request_pb2.AccessRequest = mesh.call(
        who, "CreateAccessRequest", CreateAccessRequestRequest(access_request=wanted)
    )
    return found


def approve(mesh: InnerMesh, who: str, request: access_request_pb2.AccessRequest) -> access_request_pb2.AccessRequest:
    found: access_request_pb2.AccessRequest = mesh.call(who, "ApproveAccessRequest", ApproveAccessRequestRequest(id=request.id))
    return found


def inbox(mesh: InnerMesh, who: str) -> inbox_service_pb2.GetInboxResponse:
    found: inbox_service_pb2.GetInboxResponse = mesh.call(who, "GetInbox", inbox_service_pb2.GetInboxRequest())
    return found


def kinds(mesh: InnerMesh, who: str) -> list[Any]:
    return [notice.kind for notice in inbox(mesh, who).notices]


def remind(mesh: InnerMesh) -> int:
    return Reminders(mesh.backend).run()


def state(mesh: InnerMesh, request: access_request_pb2.AccessRequest) -> str:
    found = mesh.call("user:ana", "GetAccessRequest", GetAccessRequestRequest(id=request.id))
    return access_request_pb2.AccessRequestState.Name(found.state).removeprefix("ACCESS_REQUEST_STATE_")


def may_read(mesh: InnerMesh) -> bool:
    return bool(mesh.call("user:ana", "Check", CheckRequest(action="read", resource=PORT)).is_allowed)


def test_access_and_state_end_at_the_same_microsecond(mesh: InnerMesh) -> None:
    request = file(mesh, days=3, seconds=0.5)
    approve(mesh, "user:olga", request)
    end: datetime = mesh.now.replace(microsecond=0) + timedelta(days=3)
    for moment, is_active in (
        (mesh.now, True),
        (end - timedelta(microseconds=1), True),
        (end, False),  # policy's time is whole seconds: the half is cut
        (end + timedelta(seconds=0.4), False),
    ):
        mesh.now = moment
        assert (state(mesh, request), may_read(mesh)) == (("ACTIVE", True) if is_active else ("EXPIRED", False))


def test_a_renewal_takes_over_at_the_second_in_which_the_grant_ends(mesh: InnerMesh) -> None:
    request = approve(mesh, "user:olga", file(mesh, days=2))
    until = stamp(mesh.now + timedelta(days=9))
    renewal = mesh.call("user:ana", "RenewAccess", RenewAccessRequest(id=request.grants[0], expire_time=until))
    mesh.tick(days=1)
    assert access_request_pb2.AccessRequestState.Name(approve(mesh, "user:olga", renewal).state).endswith("APPROVED")
    end = request.given.expire_time.ToDatetime(tzinfo=mesh.now.tzinfo)
    for moment, states in (
        (end - timedelta(microseconds=1), ("ACTIVE", "APPROVED")),
        (end, ("EXPIRED", "ACTIVE")),
        (end + timedelta(days=7), ("EXPIRED", "EXPIRED")),
    ):
        mesh.now = moment
        assert (state(mesh, request), state(mesh, renewal)) == states
        assert may_read(mesh) == ("ACTIVE" in states)


def test_a_renewal_that_is_approved_late_begins_at_once(mesh: InnerMesh) -> None:
    request = approve(mesh, "user:olga", file(mesh, days=2))
    until = stamp(mesh.now + timedelta(days=9))
    renewal = mesh.call("user:ana", "RenewAccess", RenewAccessRequest(id=request.id, expire_time=until))
    mesh.tick(days=3)
    assert not may_read(mesh)
    approve(mesh, "user:olga", renewal)
    assert (state(mesh, renewal), may_read(mesh)) == ("ACTIVE", True)


def test_a_request_that_waits_is_told_to_its_approvers_once_for_each_time(mesh: InnerMesh) -> None:
    request = file(mesh)
    assert remind(mesh) == 0
    assert [it.id for it in inbox(mesh, "user:olga").to_decide] == [request.id]
    assert not inbox(mesh, ADMIN).to_decide  # the centre may grant, but nothing that it does not hold: not this
    with pytest.raises(AccessDenied):
        approve(mesh, ADMIN, request)
    mesh.tick(days=2)
    assert [remind(mesh) for _ in range(3)] == [1, 0, 0]
    assert kinds(mesh, "user:olga") == [WAITS]
    assert kinds(mesh, "user:ana") == kinds(mesh, "user:kim") == kinds(mesh, ADMIN) == []
    mesh.tick(days=5)
    assert remind(mesh) == 1
    assert kinds(mesh, "user:olga") == [WAITS, WAITS]
    approve(mesh, "user:olga", request)
    mesh.tick(days=30)
    assert remind(mesh) == 0


def test_a_level_that_waits_is_told_to_its_own_approvers(mesh: InnerMesh) -> None:
    request = file(mesh, resource="shop.led")
    mesh.tick(days=3)
    assert remind(mesh) == 1
    assert (kinds(mesh, "user:kim"), kinds(mesh, "user:stu"), kinds(mesh, "user:olga")) == ([WAITS], [], [])
    approve(mesh, "user:kim", request)
    assert [it.id for it in inbox(mesh, "user:stu").to_decide] == [request.id]
    assert inbox(mesh, "user:kim").to_decide_count == 0
    assert remind(mesh) == 1
    assert (kinds(mesh, "user:stu"), kinds(mesh, "user:sue")) == ([WAITS], [WAITS])  # to the group: to each member
    mesh.call(
        ADMIN, "UpdatePrincipal",
        UpdatePrincipalRequest(principal=principal_pb2.Principal(name="user:sue"), update_mask=FieldMask(paths=["groups"])),
    )  # fmt: skip
    assert kinds(mesh, "user:sue") == []


def test_an_end_is_told_a_week_and_a_day_before_to_grantee_and_grantor(mesh: InnerMesh) -> None:
    approve(mesh, "user:olga", file(mesh, days=20))
    assert remind(mesh) == 0
    assert inbox(mesh, "user:ana").ending_count == 0
    mesh.tick(days=6.5)
    assert inbox(mesh, "user:ana").ending_count == 1
    for days, wanted in ((6.5, 1), (3, 0), (3, 1), (1, 0)):
        mesh.tick(days=days)
        assert remind(mesh) == wanted
    for who in ("user:ana", "user:olga"):
        assert kinds(mesh, who).count(ENDS) == 2
    assert inbox(mesh, "user:ana").ending_count == 0  # it has ended


def test_what_is_renewed_revoked_or_short_is_not_reminded_of(mesh: InnerMesh) -> None:
    renewed, revoked = (approve(mesh, "user:olga", file(mesh, days=8)) for _ in range(2))
    approve(mesh, "user:olga", file(mesh, hours=30))
    until = stamp(mesh.now + timedelta(days=90))
    renewal = mesh.call("user:ana", "RenewAccess", RenewAccessRequest(id=renewed.id, expire_time=until))
    approve(mesh, "user:olga", renewal)
    mesh.call("user:olga", "RevokeGrant", RevokeGrantRequest(id=revoked.grants[0]))
    mesh.tick(days=1, hours=1)
    assert remind(mesh) == 0
    assert inbox(mesh, "user:ana").ending_count == 1  # the short one, until it ends


def test_what_became_of_a_request_is_told_to_who_made_it(mesh: InnerMesh) -> None:
    first, second = file(mesh), file(mesh)
    mesh.call("user:olga", "DenyAccessRequest", DenyAccessRequestRequest(id=first.id, reason="not now"))
    approved = mesh.call("user:olga", "ApproveAccessRequest", ApproveAccessRequestRequest(id=second.id, columns=["id"]))
    mesh.call("user:olga", "RevokeGrant", RevokeGrantRequest(id=approved.grants[0], reason="over"))
    found = inbox(mesh, "user:ana")
    assert [it.id for it in found.own] == [second.id, first.id]
    texts = sorted(notice.text for notice in found.notices)
    assert "user:olga approved your request for shop.orders, for less than you asked" in texts[0]
    assert texts[1] == "user:olga denied your request for shop.orders: not now"
    assert texts[2] == f"user:olga revoked your access to {PORT}: over"
    mesh.tick(days=31)
    assert inbox(mesh, "user:ana").own_count == 0


def test_notices_are_read_by_each_reader_for_itself_and_by_nobody_else(mesh: InnerMesh) -> None:
    approve(mesh, "user:kim", file(mesh, resource="shop.led"))
    mesh.tick(days=3)
    remind(mesh)
    (notice,) = inbox(mesh, "user:stu").notices
    with pytest.raises(AccessDenied):
        mesh.call("user:ana", "MarkNoticesRead", inbox_service_pb2.MarkNoticesReadRequest(ids=[notice.id]))
    with pytest.raises(AccessDenied):
        mesh.call("user:stu", "MarkNoticesRead", inbox_service_pb2.MarkNoticesReadRequest(ids=["user:stu no such"]))
    marked = [mesh.call("user:stu", "MarkNoticesRead", inbox_service_pb2.MarkNoticesReadRequest()).marked_count for _ in range(2)]
    assert marked == [1, 0]
    assert (inbox(mesh, "user:stu").notice_count, inbox(mesh, "user:sue").notice_count) == (0, 1)
    every = mesh.call("user:stu", "ListNotices", inbox_service_pb2.ListNoticesRequest(include_read=True)).notices
    assert [list(it.read_by) for it in every] == [["user:stu"]]
    (other,) = mesh.call("user:sue", "ListNotices", inbox_service_pb2.ListNoticesRequest()).notices
    assert list(other.read_by) == []  # who else has read it is nobody's business


def test_what_needs_a_second_person_or_an_acknowledgement_waits_in_the_inbox(mesh: InnerMesh) -> None:
    mesh.seat("user:ada")
    wanted = change_set_pb2.DesiredResource(purpose=principal_pb2.Purpose(name="research"))
    proposal = mesh.call(ADMIN, "ApplyChanges", ApplyChangesRequest(resources=[wanted], reason="new"))
    assert [it.id for it in inbox(mesh, "user:ada").changes_to_approve] == [proposal.id]
    assert not inbox(mesh, "user:ada").changes_to_approve[0].resources
    for who in (ADMIN, "user:olga", "user:ana"):
        assert inbox(mesh, who).changes_to_approve_count == 0
    mesh.call("user:ada", "ApproveChanges", ApproveChangesRequest(id=proposal.id))
    assert inbox(mesh, "user:ada").changes_to_approve_count == 0


def test_an_emergency_access_waits_and_is_told_again_until_somebody_takes_note(mesh: InnerMesh) -> None:
    doctor = principal_pb2.Principal(name="user:doc", roles=["role:break-glass"])
    mesh.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal=doctor))
    use = mesh.call("user:doc", "OpenBreakGlass", OpenBreakGlassRequest(resource=PORT, reason="incident"))
    for who in ("user:olga", ADMIN):
        found = inbox(mesh, who)
        assert [(it.id, it.is_open) for it in found.to_acknowledge] == [(use.id, True)]
        assert [notice.kind for notice in found.notices] == [notice_pb2.NOTICE_KIND_BREAK_GLASS]
    for who in ("user:doc", "user:ana"):
        assert inbox(mesh, who).to_acknowledge_count == 0
    mesh.tick(days=1)
    assert [remind(mesh), remind(mesh)] == [1, 0]
    assert len(kinds(mesh, "user:olga")) == 2
    assert [it.is_open for it in inbox(mesh, "user:olga").to_acknowledge] == [False]
    mesh.call("user:olga", "AcknowledgeBreakGlass", AcknowledgeBreakGlassRequest(id=use.id))
    mesh.tick(days=10)
    assert remind(mesh) == 0
    assert inbox(mesh, ADMIN).to_acknowledge_count == 0


def test_old_notices_are_forgotten(mesh: InnerMesh) -> None:
    approve(mesh, "user:olga", file(mesh))
    assert inbox(mesh, "user:ana").notice_count == 1
    mesh.tick(days=91)
    remind(mesh)
    every = mesh.call("user:ana", "ListNotices", inbox_service_pb2.ListNoticesRequest(include_read=True)).notices
    assert list(every) == []


def test_ten_thousand_open_requests_are_listed_page_by_page_in_no_time(mesh: InnerMesh) -> None:
    from governance_server.journal.command import Outcome
    from governance_server.rules import kinds as resource_kinds
    from governance_server.rules.apply import ResourceWrite

    first = file(mesh, who="user:ana")
    body = access_request_pb2.AccessRequest.FromString(mesh.backend.catalog.get(resource_kinds.ACCESS_REQUEST, first.id) or b"")
    for start in range(0, 10_000, 2000):
        writes = []
        for number in range(start, start + 2000):
            body.id, body.requester = f"r-{number + 0x1000:010x}000000", f"user:u{number % 500}"
            writes.append(ResourceWrite(resource_kinds.ACCESS_REQUEST, body.id, body.SerializeToString()))
        mesh.backend.journal_as("user:olga", lambda tx, w=tuple(writes): Outcome("test", "test", w, b""))  # type: ignore[misc]
    elapsed = {}  # of the processor
    for name, who, request in (
        ("an approver's first page", "user:olga", ListAccessRequestsRequest(page_size=50)),
        ("what waits for an approver", "user:olga", ListAccessRequestsRequest(awaits_caller=True, page_size=50)),
        ("one's own among all", "user:ana", ListAccessRequestsRequest()),
    ):
        started = time.process_time()
        page = mesh.call(who, "ListAccessRequests", request)
        elapsed[name] = time.process_time() - started
        assert len(page.access_requests) == (1 if who == "user:ana" else 50)
    started = time.process_time()
    assert inbox(mesh, "user:olga").to_decide_count == 10_001
    elapsed["an inbox"] = time.process_time() - started
    assert elapsed["an approver's first page"] < 0.5, elapsed
    assert max(elapsed.values()) < 5, elapsed
    seen, token = [], ""
    while True:
        page = mesh.call("user:olga", "ListAccessRequests", ListAccessRequestsRequest(page_size=500, page_token=token))
        seen += [it.id for it in page.access_requests]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) == len(set(seen)) == 10_001
    assert seen == sorted(seen, reverse=True)
