"""Nobody borrows a power by a side door: by publishing, by a narrowed token, or by supposing a change under another's id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl
import pytest
from google.protobuf.message import Message

from domainmesh.v1 import (
    change_set_pb2,
    change_set_service_pb2,
    domain_pb2,
    grant_pb2,
    principal_pb2,
    publication_pb2,
    question_service_pb2,
)
from domainmesh.v1.access_request_service_pb2 import ApproveAccessRequestRequest, CreateAccessRequestRequest
from domainmesh.v1.break_glass_service_pb2 import EndBreakGlassRequest, ListBreakGlassRequest, OpenBreakGlassRequest
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest
from domainmesh.v1.principal_service_pb2 import (
    CreatePrincipalRequest,
    CreateTokenRequest,
    RevokeTokenRequest,
    UpdatePrincipalRequest,
)
from domainmesh.v1.product_service_pb2 import (
    DiscoverRequest,
    GetContractRequest,
    GetProductRequest,
    GetReleaseRequest,
    ListReleasesRequest,
)
from domainmesh.v1.publication_service_pb2 import BeginPublicationRequest, CommitPublicationRequest
from governance_server.caller import Caller
from governance_server.rules.errors import AccessDenied, Unauthenticated
from governance_server.rules.token_scopes import TokenScope
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract
from tests.integration.request_market import role

OLGA, HUGO, MEMBER, KIM, ANA = "user:olga", "user:hugo", "user:mia", "user:kim", "user:ana"
PORT, FRAMES = "shop.orders.orders", {"orders": pl.DataFrame({"id": [1, 2]})}
PLAIN = contract("shop.orders", {"orders": ["id: integer"]})
NEXT = PLAIN.replace("version: 1.0.0", "version: 1.0.1")
WITH_KIM = f"{NEXT}roles:\n{role(KIM)}"


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[InnerMesh]:
    """A shop of olga's with a member, and a domain of hugo's."""
    with inner_mesh(tmp_path / "home") as made:
        for name, roles in ((OLGA, []), (HUGO, []), (MEMBER, []), (KIM, []), (ANA, ["role:break-glass"])):
            principal = principal_pb2.Principal(name=name, roles=roles)
            made.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal=principal))
        for name, owner in (("shop", OLGA), ("hr", HUGO)):
            domain = domain_pb2.Domain(name=name, owners=[owner], members=[MEMBER] if name == "shop" else [])
            made.call(ADMIN, "CreateDomain", CreateDomainRequest(domain=domain))
        give(made, "*", "shop", "discover", "request")
        yield made


def give(mesh: InnerMesh, subject: str, resource: str, *actions: str, **fields: Any) -> grant_pb2.Grant:
    grant = grant_pb2.Grant(subject=subject, resource=resource, actions=actions, effect=grant_pb2.EFFECT_ALLOW)
    grant.MergeFrom(grant_pb2.Grant(**fields))
    owner = HUGO if resource.startswith("hr") else OLGA
    return mesh.call(owner, "CreateGrant", CreateGrantRequest(grant=grant))  # type: ignore[no-any-return]


def narrowed(mesh: InnerMesh, who: str, *permissions: tuple[str, str]) -> Any:
    """Calls as the principal with a token that is narrowed to the permissions."""
    caller = replace(mesh.caller(who), scope=TokenScope(frozenset(permissions), frozenset()))

    def call(method: str, request: Message) -> Any:
        with mock.patch.object(mesh, "caller", return_value=caller):
            return mesh.call(caller.name, method, request)

    return call


# -- who may publish does not thereby decide who reads -------------------------------------------------------------------------


@pytest.mark.parametrize("publisher", [MEMBER, "service:etl"])
def test_who_may_only_publish_names_no_approvers(mesh: InnerMesh, publisher: str) -> None:
    mesh.publish(OLGA, "shop.orders", PLAIN, FRAMES)
    if publisher != MEMBER:
        mesh.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal=principal_pb2.Principal(name=publisher)))
        give(mesh, publisher, "shop.orders", "write")
    with pytest.raises(AccessDenied, match="who approves access"):
        mesh.publish(publisher, "shop.orders", WITH_KIM, FRAMES)
    mesh.publish(publisher, "shop.orders", PLAIN, FRAMES)
    request = CreateAccessRequestRequest(access_request={"resource": PORT, "reason": "r"})
    asked = mesh.call(ANA, "CreateAccessRequest", request)
    with pytest.raises(AccessDenied):
        mesh.call(KIM, "ApproveAccessRequest", ApproveAccessRequestRequest(id=asked.id))
    assert mesh.see(ANA, PORT) is None


def test_a_member_publishes_on_under_the_approvers_that_an_owner_named(mesh: InnerMesh) -> None:
    with pytest.raises(AccessDenied, match="who approves access"):
        mesh.publish(MEMBER, "shop.orders", WITH_KIM, FRAMES)
    mesh.publish(OLGA, "shop.orders", WITH_KIM, FRAMES)
    later = NEXT.replace("version: 1.0.1", "version: 1.1.0")
    mesh.publish(MEMBER, "shop.orders", f"{later}roles:\n{role(KIM)}tags: [new]\n", FRAMES)
    last = NEXT.replace("version: 1.0.1", "version: 1.2.0")
    for other in (last, f"{last}roles:\n{role(MEMBER)}", f"{last}roles:\n{role(KIM, MEMBER)}"):
        with pytest.raises(AccessDenied, match="who approves access"):
            mesh.publish(MEMBER, "shop.orders", other, FRAMES)


def test_approvers_are_judged_again_at_commit(mesh: InnerMesh) -> None:
    mesh.publish(OLGA, "shop.orders", PLAIN, FRAMES)
    delegate = give(mesh, MEMBER, "shop.orders", "grant")
    begun = mesh.call(MEMBER, "BeginPublication", BeginPublicationRequest(product="shop.orders", contract_text=WITH_KIM))
    mesh.call(OLGA, "RevokeGrant", revoke(delegate))
    with (
        pytest.raises(AccessDenied, match="who approves access"),
        mock.patch(
            "governance_server.publishing.intents.verify_delivery",
            return_value=[publication_pb2.VerifiedPort(port=PORT, kind=1)],
        ),
    ):
        mesh.call(MEMBER, "CommitPublication", CommitPublicationRequest(id=begun.id, ports=[{"port": PORT}]))


def revoke(grant: grant_pb2.Grant) -> Message:
    from domainmesh.v1.grant_service_pb2 import RevokeGrantRequest

    return RevokeGrantRequest(id=grant.id)


# -- a narrowed token neither tells nor takes back what its holder did with another one ----------------------------------------


def test_a_narrowed_token_sees_and_takes_back_no_proposal_of_its_holder(mesh: InnerMesh) -> None:
    mesh.seat("user:bob")
    wanted = change_set_pb2.DesiredResource(purpose={"name": "merger"})
    found = mesh.call(ADMIN, "ApplyChanges", change_set_service_pb2.ApplyChangesRequest(resources=[wanted], reason="r"))
    assert found.state == change_set_pb2.CHANGE_SET_STATE_PROPOSED
    call = narrowed(mesh, ADMIN, ("read", "shop"), ("administer", "shop"))
    with pytest.raises(AccessDenied):
        call("GetChanges", change_set_service_pb2.GetChangesRequest(id=found.id))
    with pytest.raises(AccessDenied):
        call("WithdrawChanges", change_set_service_pb2.WithdrawChangesRequest(id=found.id))
    assert not call("ListChangeSets", change_set_service_pb2.ListChangeSetsRequest()).change_sets
    assert mesh.call(ADMIN, "GetChanges", change_set_service_pb2.GetChangesRequest(id=found.id)).state == found.state


def test_a_narrowed_token_sees_and_ends_no_emergency_access_of_its_holder(mesh: InnerMesh) -> None:
    mesh.publish(OLGA, "shop.orders", PLAIN, FRAMES)
    use = mesh.call(ANA, "OpenBreakGlass", OpenBreakGlassRequest(resource=PORT, reason="incident"))
    call = narrowed(mesh, ANA, ("read", "hr"), ("discover", "shop"))
    with pytest.raises(AccessDenied):
        call("EndBreakGlass", EndBreakGlassRequest(id=use.id))
    assert not call("ListBreakGlass", ListBreakGlassRequest()).uses
    assert mesh.see(ANA, PORT) is not None


# -- an id of another domain is not put aside, not even in thought -------------------------------------------------------------


def test_nobody_supposes_a_grant_in_the_place_of_one_that_it_may_not_end(mesh: InnerMesh) -> None:
    denial = give(mesh, OLGA, "hr", "discover", effect=grant_pb2.EFFECT_DENY)
    grant = grant_pb2.Grant(id=denial.id, subject=KIM, resource="shop", actions=["read"], effect=grant_pb2.EFFECT_ALLOW)
    wanted = change_set_pb2.DesiredResource(grant=grant)
    request = question_service_pb2.SimulateRequest(changes=[wanted])
    with pytest.raises(AccessDenied):
        mesh.call(OLGA, "Simulate", request)
    grant.id = ""
    mesh.call(OLGA, "Simulate", question_service_pb2.SimulateRequest(changes=[change_set_pb2.DesiredResource(grant=grant)]))


# -- a port that somebody is denied to discover is not told of by the product around it ----------------------------------------


def test_a_denied_port_is_in_neither_contract_nor_releases(mesh: InnerMesh) -> None:
    text = contract("shop.two", {"open": ["id: integer"], "merger": ["price: integer"]})
    frames = {"open": pl.DataFrame({"id": [1]}), "merger": pl.DataFrame({"price": [1]})}
    mesh.publish(OLGA, "shop.two", text, frames)
    give(mesh, KIM, "shop.two.merger", "discover", effect=grant_pb2.EFFECT_DENY)
    told = [mesh.call(KIM, "GetProduct", GetProductRequest(name="shop.two"))]
    told.append(mesh.call(KIM, "GetRelease", GetReleaseRequest(product="shop.two")))
    told.append(mesh.call(KIM, "ListReleases", ListReleasesRequest(product="shop.two")))
    for said in told:
        assert b"shop.two.open" in said.SerializeToString()
        assert b"merger" not in said.SerializeToString()
    with pytest.raises(AccessDenied):
        mesh.call(KIM, "GetContract", GetContractRequest(product="shop.two"))
    assert "merger" in mesh.call(ANA, "GetContract", GetContractRequest(product="shop.two")).text
    assert b"merger" in mesh.call(ANA, "GetRelease", GetReleaseRequest(product="shop.two")).SerializeToString()


def test_a_denied_port_is_not_found_by_its_tags(mesh: InnerMesh) -> None:
    text = contract("shop.two", {"open": ["id: integer, tags: [plain]"], "merger": ["price: integer, tags: [deal.secret]"]})
    mesh.publish(OLGA, "shop.two", text, {"open": pl.DataFrame({"id": [1]}), "merger": pl.DataFrame({"price": [1]})})
    give(mesh, KIM, "shop.two.merger", "discover", effect=grant_pb2.EFFECT_DENY)
    for request in (DiscoverRequest(query="deal"), DiscoverRequest(tag="deal"), DiscoverRequest(query="two", tag="deal.secret")):
        assert {hit.name for hit in mesh.call(ANA, "Discover", request).hits} >= {"shop.two"}
        assert not mesh.call(KIM, "Discover", request).hits
    (found,) = (hit for hit in mesh.call(KIM, "Discover", DiscoverRequest(query="two")).hits if hit.name == "shop.two")
    assert list(found.tags) == ["plain"]


# -- a call that waits for the writer while its caller is disabled or its token ends does nothing ------------------------------


@pytest.mark.parametrize("ending", ["disabled", "revoked"])
def test_a_command_whose_caller_ended_meanwhile_does_nothing(mesh: InnerMesh, ending: str) -> None:
    token = mesh.call(OLGA, "CreateToken", CreateTokenRequest()).token
    waiting = replace(mesh.caller(OLGA), token=token.id)
    grant = grant_pb2.Grant(subject=KIM, resource="shop", actions=["read"], effect=grant_pb2.EFFECT_ALLOW)
    wanted = change_set_pb2.DesiredResource(grant=grant)
    commands = {
        "CreateGrant": CreateGrantRequest(grant=grant),
        "CreateToken": CreateTokenRequest(),
        "ApplyChanges": change_set_service_pb2.ApplyChangesRequest(resources=[wanted], reason="r"),
    }
    if ending == "disabled":
        ended = principal_pb2.Principal(name=OLGA, is_disabled=True)
        mesh.call(ADMIN, "UpdatePrincipal", UpdatePrincipalRequest(principal=ended, update_mask={"paths": ["is_disabled"]}))
    else:
        mesh.call(OLGA, "RevokeToken", RevokeTokenRequest(id=token.id))
    before = mesh.backend.database.head().revision
    for method, request in commands.items():
        with mock.patch.object(mesh, "caller", return_value=waiting), pytest.raises(Unauthenticated):
            mesh.call(OLGA, method, request)
    assert mesh.backend.database.head().revision == before


def test_the_scope_of_these_tests_is_the_one_that_tokens_have(mesh: InnerMesh) -> None:
    caller = Caller(OLGA, scope=TokenScope(frozenset({("read", "shop")}), frozenset()))
    assert caller.covers("read", PORT)
    assert not caller.covers("administer", "shop")
