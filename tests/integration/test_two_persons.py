"""What binds everybody takes two administrators as soon as there are two (ADR 0008)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from domainmesh.v1 import change_set_pb2
from domainmesh.v1 import change_set_service_pb2 as pb
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest, UpdateDomainRequest
from domainmesh.v1.grant_pb2 import EFFECT_ALLOW, EFFECT_DENY
from domainmesh.v1.grant_service_pb2 import (
    CreateGrantRequest,
    CreateGuardrailRequest,
    DeleteGuardrailRequest,
    ListGrantsRequest,
    RevokeGrantRequest,
)
from domainmesh.v1.principal_service_pb2 import (
    CreatePrincipalRequest,
    CreatePurposeRequest,
    CreateTokenRequest,
    GetPrincipalRequest,
    ListPurposesRequest,
    UpdatePrincipalRequest,
)
from domainmesh.v1.tag_service_pb2 import (
    CreateGovernedTagRequest,
    CreateTagReleaseRequest,
    DeleteGovernedTagRequest,
    DeleteTagReleaseRequest,
)
from governance_server.rules.errors import AccessDenied, Conflict, GovernanceError, Precondition, SecondPersonNeeded
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh

SECOND, THIRD, OLGA, EVE, ROB = "user:bea", "user:cleo", "user:olga", "user:eve", "user:rob"
PROPOSED, APPLIED = change_set_pb2.CHANGE_SET_STATE_PROPOSED, change_set_pb2.CHANGE_SET_STATE_APPLIED
GUARDRAIL = {"id": "mask", "resource": "tag:pii", "mask": "replace-with-null"}
RELEASE = {"object": "shop.crm.people#email", "tag": "pii.email", "reason": "synthetic"}


def grant(subject: str, resource: str, *actions: str, effect: int = EFFECT_ALLOW) -> dict[str, Any]:
    return {"subject": subject, "resource": resource, "actions": actions, "effect": effect}


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[InnerMesh]:
    """A shop of Olga's, set up by one administrator who then got a colleague."""
    with inner_mesh(tmp_path / "home") as made:
        made.call(ADMIN, "CreateDomain", CreateDomainRequest(domain={"name": "shop", "owners": [OLGA]}))
        for name in (OLGA, EVE, ROB):
            made.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal={"name": name}))
        disable = UpdatePrincipalRequest(principal={"name": ROB, "is_disabled": True}, update_mask={"paths": ["is_disabled"]})
        made.call(ADMIN, "UpdatePrincipal", disable)
        made.call(ADMIN, "CreateGuardrail", CreateGuardrailRequest(guardrail=GUARDRAIL))
        made.call(ADMIN, "CreateGovernedTag", CreateGovernedTagRequest(governed_tag={"tag": "pii"}))
        made.call(ADMIN, "CreateTagRelease", CreateTagReleaseRequest(tag_release=RELEASE))
        made.call(ADMIN, "CreateGrant", CreateGrantRequest(grant=grant(ROB, "mesh", "discover", effect=EFFECT_DENY)))
        made.seat(SECOND)
        yield made


def update(name: str, **fields: Any) -> UpdatePrincipalRequest:
    return UpdatePrincipalRequest(principal={"name": name, **fields}, update_mask={"paths": list(fields)})


CENTRAL: dict[str, tuple[str, Message]] = {
    "a new domain": ("CreateDomain", CreateDomainRequest(domain={"name": "new"})),
    "owners": ("UpdateDomain", UpdateDomainRequest(domain={"name": "shop", "owners": [EVE]}, update_mask={"paths": ["owners"]})),
    "members": (
        "UpdateDomain",
        UpdateDomainRequest(domain={"name": "shop", "members": [EVE]}, update_mask={"paths": ["members"]}),
    ),
    "somebody else's domain": (
        "UpdateDomain",
        UpdateDomainRequest(
            domain={"name": "shop", "roles": [{"name": "role:x", "members": [EVE]}]}, update_mask={"paths": ["roles"]}
        ),
    ),
    "a new principal": ("CreatePrincipal", CreatePrincipalRequest(principal={"name": "user:new"})),
    "a new administrator": ("CreatePrincipal", CreatePrincipalRequest(principal={"name": "user:new", "is_administrator": True})),
    "groups": ("UpdatePrincipal", update(EVE, groups=["group:x"])),
    "roles": ("UpdatePrincipal", update(EVE, roles=["role:x"])),
    "assigned purposes": ("UpdatePrincipal", update(EVE, purposes=["p"])),
    "attributes": ("UpdatePrincipal", update(EVE, attributes={"region": "EU"})),
    "a seat": ("UpdatePrincipal", update(EVE, is_administrator=True)),
    "the end of a seat": ("UpdatePrincipal", update(SECOND, is_administrator=False)),
    "disabling an administrator": ("UpdatePrincipal", update(SECOND, is_disabled=True)),
    "enabling somebody": ("UpdatePrincipal", update(ROB, is_disabled=False)),
    "more than disabling": ("UpdatePrincipal", update(EVE, is_disabled=True, groups=["group:x"])),
    "a purpose": ("CreatePurpose", CreatePurposeRequest(purpose={"name": "new"})),
    "a guardrail": ("CreateGuardrail", CreateGuardrailRequest(guardrail={**GUARDRAIL, "id": "other"})),
    "the end of a guardrail": ("DeleteGuardrail", DeleteGuardrailRequest(id="mask")),
    "a governed tag": ("CreateGovernedTag", CreateGovernedTagRequest(governed_tag={"tag": "secret"})),
    "the end of a governed tag": ("DeleteGovernedTag", DeleteGovernedTagRequest(tag="pii")),
    "a consent": ("CreateTagRelease", CreateTagReleaseRequest(tag_release={**RELEASE, "tag": "pii.phone"})),
    "the end of a consent": ("DeleteTagRelease", DeleteTagReleaseRequest(object=RELEASE["object"], tag=RELEASE["tag"])),
    "a grant on the mesh": ("CreateGrant", CreateGrantRequest(grant=grant(EVE, "mesh", "discover"))),
    "a grant of the right to administer": ("CreateGrant", CreateGrantRequest(grant=grant(EVE, "mesh", "administer"))),
    "a grant in somebody else's domain": ("CreateGrant", CreateGrantRequest(grant=grant(EVE, "shop", "grant"))),
    "another's token": ("CreateToken", CreateTokenRequest(principal=SECOND)),
}


@pytest.mark.parametrize("case", CENTRAL)
def test_one_of_two_administrators_makes_no_central_change_alone(mesh: InnerMesh, case: str) -> None:
    before = mesh.backend.database.head().revision
    with pytest.raises(SecondPersonNeeded) as refused:
        mesh.call(ADMIN, *CENTRAL[case])
    assert "administrator" in refused.value.message
    assert mesh.backend.database.head().revision == before


@pytest.mark.parametrize("case", CENTRAL)
def test_whoever_is_no_administrator_is_refused_as_ever(mesh: InnerMesh, case: str) -> None:
    method, request = CENTRAL[case]
    who = EVE if "else's domain" in case else OLGA
    with pytest.raises(AccessDenied):
        mesh.call(who, method, request)


def test_what_narrows_rights_stays_possible_for_one(mesh: InnerMesh) -> None:
    mesh.call(ADMIN, "UpdatePrincipal", update(EVE, is_disabled=True))
    assert mesh.call(ADMIN, "GetPrincipal", GetPrincipalRequest(name=EVE)).is_disabled
    given = mesh.call(OLGA, "CreateGrant", CreateGrantRequest(grant=grant(EVE, "shop", "read")))
    assert mesh.call(ADMIN, "RevokeGrant", RevokeGrantRequest(id=given.id)).revoker == ADMIN
    denial = next(it for it in mesh.call(ADMIN, "ListGrants", ListGrantsRequest(subject=ROB)).grants)
    with pytest.raises(SecondPersonNeeded):  # a denial that ends gives
        mesh.call(ADMIN, "RevokeGrant", RevokeGrantRequest(id=denial.id))


def test_an_administrator_who_owns_a_domain_acts_in_it_as_its_owner(mesh: InnerMesh) -> None:
    found = propose(mesh, {"domain": {"name": "shop", "owners": [OLGA, ADMIN]}})
    approve(mesh, SECOND, found)
    request = UpdateDomainRequest(domain={"name": "shop", "description": "A shop"}, update_mask={"paths": ["description"]})
    assert mesh.call(ADMIN, "UpdateDomain", request).description == "A shop"
    assert mesh.call(ADMIN, "CreateGrant", CreateGrantRequest(grant=grant(EVE, "shop", "read"))).grantor == ADMIN


def test_who_holds_the_right_by_grant_or_group_counts_as_an_administrator(tmp_path: Path) -> None:
    with inner_mesh(tmp_path / "home") as mesh:
        mesh.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal={"name": EVE, "groups": ["group:centre"]}))
        mesh.call(ADMIN, "CreatePurpose", CreatePurposeRequest(purpose={"name": "still-alone"}))
        mesh.call(ADMIN, "CreateGrant", CreateGrantRequest(grant=grant("group:centre", "mesh", "administer")))
        with pytest.raises(SecondPersonNeeded, match=EVE):
            mesh.call(ADMIN, "CreatePurpose", CreatePurposeRequest(purpose={"name": "new"}))
        with pytest.raises(SecondPersonNeeded):
            mesh.call(ADMIN, "CreateToken", CreateTokenRequest(principal=EVE))


def propose(mesh: InnerMesh, *resources: dict[str, Any], who: str = ADMIN, source: str = "") -> change_set_pb2.ChangeSet:
    request = pb.ApplyChangesRequest(source=source, resources=resources, reason="for a test")  # type: ignore[arg-type]
    found: change_set_pb2.ChangeSet = mesh.call(who, "ApplyChanges", request)
    return found


def approve(mesh: InnerMesh, who: str, found: change_set_pb2.ChangeSet) -> change_set_pb2.ChangeSet:
    return mesh.call(who, "ApproveChanges", pb.ApproveChangesRequest(id=found.id))  # type: ignore[no-any-return]


PROPOSALS: dict[str, dict[str, Any]] = {
    "domain": {"domain": {"name": "new", "owners": [EVE]}},
    "owners": {"domain": {"name": "shop", "owners": [EVE]}},
    "principal": {"principal": {"name": "user:new", "is_administrator": True}},
    "enabling": {"principal": {"name": ROB}},
    "demotion": {"principal": {"name": THIRD}},
    "purpose": {"purpose": {"name": "new"}},
    "guardrail": {"guardrail": {**GUARDRAIL, "id": "other"}},
    "no guardrail": {"guardrail": {"id": "mask"}, "is_absent": True},
    "governed tag": {"governed_tag": {"tag": "secret"}},
    "consent": {"tag_release": {**RELEASE, "tag": "pii.phone"}},
    "grant": {"grant": grant(EVE, "mesh", "discover")},
}


@pytest.mark.parametrize("case", PROPOSALS)
def test_a_proposal_holds_nothing_until_another_administrator_approves_it(mesh: InnerMesh, case: str) -> None:
    third = propose(mesh, {"principal": {"name": THIRD, "is_administrator": True}})
    approve(mesh, SECOND, third)
    found = propose(mesh, PROPOSALS[case])
    assert found.state == PROPOSED
    assert [change.is_central for change in found.changes] == [True]
    plan = mesh.call(ADMIN, "PlanChanges", pb.PlanChangesRequest(resources=[PROPOSALS[case]]))  # type: ignore[list-item]
    assert plan.needs_second_person
    assert plan.approvers == [SECOND, THIRD]
    assert plan.etag == found.etag
    for who in (ADMIN, OLGA, EVE, ROB):
        with pytest.raises(GovernanceError) as refused:
            approve(mesh, who, found)
        assert isinstance(refused.value, AccessDenied) or who == ROB  # who is disabled does not get that far
    listed = mesh.call(SECOND, "ListChangeSets", pb.ListChangeSetsRequest(state=PROPOSED)).change_sets
    assert [it.id for it in listed] == [found.id]
    assert not mesh.call(OLGA, "ListChangeSets", pb.ListChangeSetsRequest()).change_sets
    with pytest.raises(AccessDenied):
        mesh.call(OLGA, "GetChanges", pb.GetChangesRequest(id=found.id))
    done = approve(mesh, SECOND, found)
    assert (done.state, done.proposer, done.approver) == (APPLIED, ADMIN, SECOND)
    assert not mesh.call(ADMIN, "PlanChanges", pb.PlanChangesRequest(resources=[PROPOSALS[case]])).needs_second_person  # type: ignore[list-item]
    with pytest.raises(Precondition):
        approve(mesh, SECOND, found)


def test_the_same_proposal_is_filed_once_and_may_be_rejected_withdrawn_and_made_again(mesh: InnerMesh) -> None:
    first, again = (propose(mesh, PROPOSALS["purpose"]) for _ in range(2))
    assert first == again
    wanted = change_set_pb2.DesiredResource(**PROPOSALS["purpose"])
    assert mesh.call(ADMIN, "ApplyChanges", pb.ApplyChangesRequest(resources=[wanted], reason="said otherwise")) == first
    with pytest.raises(AccessDenied):
        mesh.call(ADMIN, "RejectChanges", pb.RejectChangesRequest(id=first.id))
    with pytest.raises(AccessDenied):
        mesh.call(SECOND, "WithdrawChanges", pb.WithdrawChangesRequest(id=first.id))
    rejected = mesh.call(SECOND, "RejectChanges", pb.RejectChangesRequest(id=first.id, reason="no"))
    assert rejected.state == change_set_pb2.CHANGE_SET_STATE_REJECTED
    second = propose(mesh, PROPOSALS["purpose"])
    assert second.id != first.id
    taken = mesh.call(ADMIN, "WithdrawChanges", pb.WithdrawChangesRequest(id=second.id))
    assert taken.state == change_set_pb2.CHANGE_SET_STATE_WITHDRAWN
    for id in (first.id, second.id):
        with pytest.raises(Precondition):
            mesh.call(SECOND, "ApproveChanges", pb.ApproveChangesRequest(id=id))
    assert not mesh.call(ADMIN, "ListPurposes", ListPurposesRequest()).purposes


def test_approving_what_has_changed_meanwhile_is_a_conflict(mesh: InnerMesh) -> None:
    stale = propose(mesh, {"principal": {"name": EVE, "groups": ["group:x"]}}, {"purpose": {"name": "other"}})
    mesh.call(SECOND, "UpdatePrincipal", update(EVE, is_disabled=True))
    with pytest.raises(Conflict, match=EVE):
        approve(mesh, SECOND, stale)
    assert not mesh.call(ADMIN, "ListPurposes", ListPurposesRequest()).purposes
    unrelated = propose(mesh, {"purpose": {"name": "free"}})
    mesh.call(OLGA, "CreateGrant", CreateGrantRequest(grant=grant(EVE, "shop", "read")))
    assert approve(mesh, SECOND, unrelated).state == APPLIED


def test_the_authority_of_both_is_checked_when_it_is_approved(mesh: InnerMesh) -> None:
    approve(mesh, SECOND, propose(mesh, {"principal": {"name": THIRD, "is_administrator": True}}))
    by_third = propose(mesh, PROPOSALS["purpose"], who=THIRD)
    of_second = propose(mesh, PROPOSALS["guardrail"])
    approve(mesh, SECOND, propose(mesh, {"principal": {"name": THIRD}}))
    with pytest.raises(AccessDenied):  # its proposer has lost the right to it
        approve(mesh, SECOND, by_third)
    with pytest.raises(AccessDenied):
        approve(mesh, THIRD, of_second)
    assert propose(mesh, {"principal": {"name": THIRD, "is_disabled": True}}).state == APPLIED  # no administrator any more
    with pytest.raises(Precondition, match="disabled"):
        approve(mesh, SECOND, by_third)


def test_no_administrator_makes_itself_a_second_person(mesh: InnerMesh) -> None:
    """The ways to a seat, a right or a voice that is not one's own, all tried by one administrator."""
    puppet = {"name": "user:puppet", "is_administrator": True}
    tries: list[tuple[str, Message]] = [
        ("CreatePrincipal", CreatePrincipalRequest(principal=puppet)),  # type: ignore[arg-type]
        ("UpdatePrincipal", update(EVE, is_administrator=True)),
        ("UpdatePrincipal", update(EVE, groups=["group:centre"])),
        ("UpdatePrincipal", update(ROB, is_disabled=False)),
        ("UpdatePrincipal", update(SECOND, is_disabled=True)),
        ("CreateToken", CreateTokenRequest(principal=SECOND)),
        ("CreateGrant", CreateGrantRequest(grant=grant(EVE, "mesh", "administer"))),
        ("CreateGrant", CreateGrantRequest(grant=grant(EVE, "mesh", "grant"))),
        ("CreateGrant", CreateGrantRequest(grant=grant("*", "mesh", "administer"))),
    ]
    for method, request in tries:
        with pytest.raises(SecondPersonNeeded):
            mesh.call(ADMIN, method, request)
    assert propose(mesh, {"principal": puppet}).state == PROPOSED
    with pytest.raises(AccessDenied, match="own proposal"):
        approve(mesh, ADMIN, propose(mesh, {"principal": puppet}))
    with pytest.raises(AccessDenied) as refused:
        propose(mesh, {"principal": {"name": ADMIN, "is_disabled": True}})
    assert "own seat" in refused.value.problems[0].message


def test_what_a_proposal_would_do_to_access_is_stored_with_it(mesh: InnerMesh) -> None:
    wanted = {"grant": grant(EVE, "mesh", "administer")}
    planned = mesh.call(ADMIN, "PlanChanges", pb.PlanChangesRequest(resources=[wanted]))  # type: ignore[list-item]
    found = propose(mesh, wanted)
    for impact in (planned.impact, found.impact):
        gains = {(it.action, it.resource, tuple(it.principals)) for it in impact.actions if it.is_allowed}
        assert {("administer", "mesh", (EVE,)), ("administer", "shop", (EVE,))} <= gains
    assert approve(mesh, SECOND, found).impact == found.impact
