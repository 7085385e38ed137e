"""Change sets: many resources at once or none, a plan that is kept, drift, pruning, and what is wrong said all at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domainmesh.v1 import change_set_pb2
from domainmesh.v1 import change_set_service_pb2 as pb
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest, UpdateDomainRequest
from domainmesh.v1.grant_pb2 import EFFECT_ALLOW
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest, GetGrantRequest, ListGrantsRequest, RevokeGrantRequest
from domainmesh.v1.journal_service_pb2 import ListChangesRequest
from domainmesh.v1.principal_service_pb2 import CreatePrincipalRequest, ListPrincipalsRequest, ListPurposesRequest
from governance_server.rules.errors import AccessDenied, Conflict, GovernanceError, Invalid, TooLarge
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract

OLGA, EVE = "user:olga", "user:eve"
CREATE, UPDATE = change_set_pb2.PLANNED_ACTION_CREATE, change_set_pb2.PLANNED_ACTION_UPDATE
DELETE, UNCHANGED = change_set_pb2.PLANNED_ACTION_DELETE, change_set_pb2.PLANNED_ACTION_UNCHANGED
Resource = dict[str, Any]


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[InnerMesh]:
    """A shop of Olga's, and one administrator."""
    with inner_mesh(tmp_path / "home") as made:
        made.call(ADMIN, "CreateDomain", CreateDomainRequest(domain={"name": "shop", "owners": [OLGA], "title": "Shop"}))
        made.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal={"name": OLGA}))
        yield made


def grant(id: str = "", subject: str = EVE, resource: str = "shop", *actions: str, **fields: Any) -> Resource:
    given = {"id": id, "subject": subject, "resource": resource, "actions": actions or ("read",), "effect": EFFECT_ALLOW}
    return {"grant": {**given, **fields}}


def plan(mesh: InnerMesh, who: str, *resources: Resource, source: str = "") -> pb.PlanChangesResponse:
    request = pb.PlanChangesRequest(source=source, resources=resources)  # type: ignore[arg-type]
    return mesh.call(who, "PlanChanges", request)  # type: ignore[no-any-return]


def apply(
    mesh: InnerMesh, who: str, *resources: Resource, source: str = "", etag: str = "", dry: bool = False
) -> change_set_pb2.ChangeSet:
    request = pb.ApplyChangesRequest(source=source, resources=resources, etag=etag, validate_only=dry)  # type: ignore[arg-type]
    return mesh.call(who, "ApplyChanges", request)  # type: ignore[no-any-return]


def shown(changes: Any) -> list[tuple[int, str]]:
    return [(change.action, f"{change.kind} {change.name}") for change in changes if change.action != UNCHANGED]


def head(mesh: InnerMesh) -> int:
    return mesh.backend.database.head().revision


def refused(mesh: InnerMesh, kind: type[GovernanceError], who: str, *resources: Resource, source: str = "") -> list[str]:
    """The problems that plan and apply both tell; nothing is written."""
    before, said = head(mesh), []
    for act in (plan, apply):
        with pytest.raises(kind) as caught:
            act(mesh, who, *resources, source=source)  # type: ignore[operator]
        said.append([f"{problem.path}: {problem.message}" for problem in caught.value.problems] or [caught.value.message])
    assert said[0] == said[1]
    assert head(mesh) == before
    return said[0]


def test_a_whole_mesh_is_one_change_whatever_the_order_it_is_given_in(mesh: InnerMesh) -> None:
    resources: list[Resource] = [
        grant("", EVE, "mesh", "discover", purpose="forecasting"),
        {"guardrail": {"id": "mask", "resource": "tag:pii", "mask": "replace-with-null", "exempt": ["purpose:forecasting"]}},
        {"purpose": {"name": "forecasting", "parent": "analytics"}},
        {"purpose": {"name": "analytics"}},
        {"domain": {"name": "lab", "owners": [EVE]}},
        {"principal": {"name": EVE, "purposes": ["analytics"]}},
        {"governed_tag": {"tag": "pii.*"}},
    ]
    before = head(mesh)
    planned = plan(mesh, ADMIN, *resources)
    assert [name for _, name in shown(planned.changes)][:3] == ["purpose analytics", "purpose forecasting", f"principal {EVE}"]
    assert head(mesh) == before
    done = apply(mesh, ADMIN, *resources, etag=planned.etag)
    assert head(mesh) == before + 1
    assert shown(done.changes) == shown(planned.changes)
    assert mesh.call(ADMIN, "GetChanges", pb.GetChangesRequest(id=done.id)) == done
    again = apply(mesh, ADMIN, *resources)
    assert (again.id, len(again.changes), head(mesh)) == ("", 0, before + 1)


def test_a_dry_run_checks_everything_and_writes_nothing(mesh: InnerMesh) -> None:
    before = head(mesh)
    assert shown(apply(mesh, ADMIN, {"purpose": {"name": "p"}}, dry=True).changes) == [(CREATE, "purpose p")]
    assert head(mesh) == before


def test_one_bad_resource_among_two_hundred_stops_all_and_every_problem_is_told(mesh: InnerMesh) -> None:
    good = [grant(f"shop:g{number}", f"user:u{number}") for number in range(200)]
    bad = [grant("shop:bad", "nobody", "shop", "fly"), grant("shop:worse", EVE, "shop", "read", purpose="unheard-of")]
    said = refused(mesh, Invalid, OLGA, *good[:100], *bad, *good[100:])
    assert [line.split(":bad: ")[-1][:12] for line in said[:2]] == ["subject: 'no", "actions: use"]
    assert "unheard-of" in said[2]
    assert len(said) == 3
    assert not mesh.call(OLGA, "ListGrants", ListGrantsRequest(resource="shop")).grants
    assert len(apply(mesh, OLGA, *good).changes) == 200


def test_one_forbidden_resource_stops_all_before_anything_is_said_of_the_rest(mesh: InnerMesh) -> None:
    said = refused(mesh, AccessDenied, OLGA, grant("shop:a", "nobody"), {"purpose": {"name": "p"}}, grant("lab:x", EVE, "lab"))
    assert [line.split(":")[0] for line in said] == ["purpose p", "grant lab"]


def test_what_one_may_not_see_is_refused_alike_whether_it_exists_or_not(mesh: InnerMesh) -> None:
    mesh.call(ADMIN, "CreateDomain", CreateDomainRequest(domain={"name": "lab", "owners": [EVE]}))
    apply(mesh, EVE, grant("lab:there", "user:x", "lab"))
    for there, missing in (
        (grant("lab:there", "user:x", "lab"), grant("lab:missing", "user:x", "lab")),
        ({"grant": {"id": "lab:there"}, "is_absent": True}, {"grant": {"id": "lab:missing"}, "is_absent": True}),
        ({"domain": {"name": "lab"}}, {"domain": {"name": "nix"}}),
        ({"domain": {"name": "lab"}, "is_absent": True}, {"domain": {"name": "nix"}, "is_absent": True}),
        ({"principal": {"name": OLGA}}, {"principal": {"name": "user:nobody"}}),
    ):
        texts = [refused(mesh, AccessDenied, OLGA, it)[0] for it in (there, missing)]
        assert texts[0].replace("there", "missing").replace("lab", "nix").replace(OLGA, "user:nobody") == texts[1].replace(
            "lab", "nix"
        )


def test_a_grant_of_another_domain_is_not_taken_over_by_its_id(mesh: InnerMesh) -> None:
    mesh.call(ADMIN, "CreateDomain", CreateDomainRequest(domain={"name": "lab", "owners": [EVE]}))
    theirs = mesh.call(EVE, "CreateGrant", CreateGrantRequest(grant=grant("", "user:x", "lab")["grant"]))
    refused(mesh, AccessDenied, OLGA, grant(theirs.id, "user:x", "shop"))
    refused(mesh, AccessDenied, OLGA, {"grant": {"id": theirs.id}, "is_absent": True})
    refused(mesh, Invalid, OLGA, grant("lab:mine", "user:x", "shop"))


def test_a_plan_that_has_moved_is_not_applied(mesh: InnerMesh) -> None:
    planned = plan(mesh, OLGA, {"domain": {"name": "shop", "description": "A"}}, source="domain:shop")
    request = UpdateDomainRequest(domain={"name": "shop", "description": "B"}, update_mask={"paths": ["description"]})
    mesh.call(OLGA, "UpdateDomain", request)
    with pytest.raises(Conflict):
        apply(mesh, OLGA, {"domain": {"name": "shop", "description": "A"}}, source="domain:shop", etag=planned.etag)
    planned = plan(mesh, OLGA, {"domain": {"name": "shop", "description": "A"}}, source="domain:shop")
    mesh.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal={"name": "user:unrelated"}))
    assert apply(mesh, OLGA, {"domain": {"name": "shop", "description": "A"}}, source="domain:shop", etag=planned.etag).changes


def test_a_folder_shows_drift_prunes_what_it_named_and_leaves_the_rest(mesh: InnerMesh) -> None:
    folder: list[Resource] = [{"domain": {"name": "shop", "description": "d"}}, grant("shop:a"), grant("shop:b")]
    by_hand = mesh.call(OLGA, "CreateGrant", CreateGrantRequest(grant=grant("", "user:hand")["grant"]))
    apply(mesh, OLGA, *folder, source="domain:shop")
    changed = UpdateDomainRequest(domain={"name": "shop", "description": "by hand"}, update_mask={"paths": ["description"]})
    mesh.call(OLGA, "UpdateDomain", changed)
    mesh.call(OLGA, "RevokeGrant", RevokeGrantRequest(id="shop:a"))
    planned = plan(mesh, OLGA, *folder[:2], source="domain:shop")
    assert shown(planned.changes) == [(UPDATE, "domain shop"), (CREATE, "grant shop:a"), (DELETE, "grant shop:b")]
    domain, again, pruned = planned.changes
    assert [(it.field, it.before, it.after) for it in domain.drift] == [("description", "d", "by hand")]
    assert [(it.field, it.before, it.after) for it in domain.differences] == [("description", "by hand", "d")]
    assert again.drift
    assert pruned.is_pruned
    assert list(planned.unmanaged) == [f"grant {by_hand.id}"]
    apply(mesh, OLGA, *folder[:2], source="domain:shop", etag=planned.etag)
    alive = [it.id for it in mesh.call(OLGA, "ListGrants", ListGrantsRequest(resource="shop")).grants if not it.revoker]
    assert sorted(alive) == sorted([by_hand.id, "shop:a"])
    assert not shown(plan(mesh, OLGA, *folder[:2], source="domain:shop").changes)


def test_the_centre_and_the_domain_each_say_their_part_of_it(mesh: InnerMesh) -> None:
    centre: list[Resource] = [{"domain": {"name": "shop", "title": "Shop", "owners": [OLGA]}}, {"principal": {"name": OLGA}}]
    own: Resource = {"domain": {"name": "shop", "description": "d", "roles": [{"name": "role:x", "members": [EVE]}]}}
    apply(mesh, ADMIN, *centre, source="centre")
    apply(mesh, OLGA, own, source="domain:shop")
    assert not shown(plan(mesh, ADMIN, *centre, source="centre").changes)
    assert not shown(plan(mesh, OLGA, own, source="domain:shop").changes)
    assert refused(mesh, AccessDenied, OLGA, *centre, source="centre")
    assert not shown(plan(mesh, OLGA, source="domain:shop").changes)  # only the centre ends a domain
    assert shown(plan(mesh, ADMIN, centre[1], source="centre").changes) == [(DELETE, "domain shop")]
    assert "belongs to centre" in refused(mesh, Invalid, OLGA, {"purpose": {"name": "p"}}, source="domain:shop")[0]
    assert "central team creates it" in refused(mesh, Invalid, ADMIN, {"domain": {"name": "new"}}, source="domain:new")[0]


def test_what_is_in_use_is_not_removed(mesh: InnerMesh) -> None:
    apply(mesh, ADMIN, {"purpose": {"name": "p"}}, {"purpose": {"name": "q", "parent": "p"}}, {"domain": {"name": "lab"}})
    apply(mesh, OLGA, grant("shop:a", purpose="q"))
    gone: list[Resource] = [{"purpose": {"name": "p"}, "is_absent": True}, {"domain": {"name": "shop"}, "is_absent": True}]
    said = refused(mesh, Invalid, ADMIN, *gone)
    assert "grant shop:a" in said[0]
    assert "purpose q" in said[1]
    all_gone = [*gone, {"purpose": {"name": "q"}, "is_absent": True}, {"grant": {"id": "shop:a"}, "is_absent": True}]
    ended = apply(mesh, ADMIN, *all_gone, {"domain": {"name": "lab"}, "is_absent": True})
    assert [name for _, name in shown(ended.changes)] == [
        "grant shop:a", "domain lab", "domain shop", "purpose p", "purpose q",
    ]  # fmt: skip
    assert not mesh.call(ADMIN, "ListPurposes", ListPurposesRequest()).purposes


def test_a_removed_principal_is_disabled_and_keeps_its_name(mesh: InnerMesh) -> None:
    apply(mesh, ADMIN, {"principal": {"name": EVE, "groups": ["group:x"]}}, source="centre")
    assert shown(apply(mesh, ADMIN, source="centre").changes) == [(DELETE, f"principal {EVE}")]
    known = {it.name: it for it in mesh.call(ADMIN, "ListPrincipals", ListPrincipalsRequest()).principals}
    assert known[EVE].is_disabled
    assert not shown(apply(mesh, ADMIN, {"principal": {"name": EVE}, "is_absent": True}).changes)


def test_what_rests_on_a_grant_that_a_set_ends_is_shown_and_ends_with_it(mesh: InnerMesh) -> None:
    mesh.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal={"name": EVE}))
    apply(mesh, OLGA, grant("shop:a", EVE, "shop", "read", "grant"))
    given = mesh.call(EVE, "CreateGrant", CreateGrantRequest(grant=grant("", "user:next")["grant"]))
    assert given.basis == ["shop:a"]
    absent: Resource = {"grant": {"id": "shop:a"}, "is_absent": True}
    assert shown(plan(mesh, OLGA, absent).changes) == [(DELETE, "grant shop:a"), (DELETE, f"grant {given.id}")]
    apply(mesh, OLGA, absent)
    assert mesh.call(OLGA, "GetGrant", GetGrantRequest(id=given.id)).revoke_time.seconds


def test_nobody_gives_itself_or_more_than_it_holds_by_a_set(mesh: InnerMesh) -> None:
    apply(mesh, OLGA, grant("shop:a", EVE, "shop", "grant", "discover"))
    assert "Nobody grants to itself" in refused(mesh, AccessDenied, EVE, grant("shop:b", EVE))[0]
    assert "read" in refused(mesh, AccessDenied, EVE, grant("shop:b", "user:x"))[0]
    assert "read" in refused(mesh, AccessDenied, ADMIN, grant("shop:b", "user:x"))[0]


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ([{}], "holds none of"),
        ([{"is_absent": True}], "holds none of"),
        ([{"purpose": {"name": "p"}}, {"purpose": {"name": "p"}}], "named twice"),
        ([{"governed_tag": {"tag": "pii"}}, {"governed_tag": {"tag": "pii.*"}}], "named twice"),
        ([{"purpose": {"name": "a", "parent": "b"}}, {"purpose": {"name": "b", "parent": "a"}}], "circle"),
        ([{"purpose": {"name": "a", "parent": "a"}}], "circle"),
        ([{"purpose": {"name": "a", "parent": "x"}}], "no purpose 'x'"),
        ([{"purpose": {"name": "Żółć"}}], "not a valid purpose"),
        ([{"purpose": {"name": "a\0b"}}], "not a valid purpose"),
        ([{"principal": {"name": "user:\u202eana"}}], "not a valid principal"),
        ([{"principal": {"name": "group:a", "groups": ["group:a"]}}], "cannot be in itself"),
        ([{"domain": {"name": "mesh"}}], "reserved"),
        ([{"domain": {"name": "domain"}}], "stands for something else"),
        ([grant("g-1", EVE)], "cannot be the id"),
        ([grant("shop:../x", EVE)], "cannot be the id"),
        ([grant("shop:" + "x" * 100_000, EVE)], "cannot be the id"),
        ([{"guardrail": {"id": "g", "resource": "tag:pii"}}], "needs a mask"),
        ([{"guardrail": {"id": "g", "resource": "tag:pii", "row_filter": "(" * 10_000}}], "row filter"),
        ([{"guardrail": {"id": "g", "resource": "mesh", "deny_read": True, "exempt": ["purpose:x"]}}], "no purpose 'x'"),
        ([{"tag_release": {"object": "shop", "tag": "pii", "reason": "x"}}], "shop"),
        ([{"approval_rule": {"id": "shop:r", "resource": "shop"}}], "subjects"),
    ],
)
def test_bad_input_is_refused_whole_with_a_clear_word(mesh: InnerMesh, resources: list[Resource], words: str) -> None:
    said = refused(mesh, Invalid, ADMIN, *resources, {"purpose": {"name": "fine"}})
    assert any(words in line for line in said), said
    assert all(len(line) < 400 or "x" * 1000 in line for line in said)


@pytest.mark.parametrize("source", ["sales", "domain:", "domain:SHOP", "centre ", "\0", "domain:shop/../x", "x" * 100_000])
def test_a_source_is_a_domain_or_the_centre(mesh: InnerMesh, source: str) -> None:
    assert "use `domain:`" in refused(mesh, Invalid, ADMIN, source=source)[0]


def test_a_set_of_a_hundred_thousand_resources_is_refused_at_once(mesh: InnerMesh) -> None:
    request = pb.ApplyChangesRequest(resources=[{"purpose": {"name": f"p{number}"}} for number in range(100_000)])
    started = time.process_time()
    for method, sent in (("ApplyChanges", request), ("PlanChanges", pb.PlanChangesRequest(resources=request.resources))):
        with pytest.raises(TooLarge):
            mesh.call(ADMIN, method, sent)
    assert time.process_time() - started < 2
    with pytest.raises(TooLarge):  # whoever asks
        mesh.call(EVE, "ApplyChanges", request)


@pytest.mark.slow
def test_the_largest_set_is_one_change(mesh: InnerMesh) -> None:
    resources = [{"purpose": {"name": f"p{number}", "parent": f"p{number // 10}" if number else ""}} for number in range(10_000)]
    before = head(mesh)
    assert len(apply(mesh, ADMIN, *resources).changes) == 10_000
    assert head(mesh) == before + 1


def test_a_retry_with_the_same_request_id_applies_once(mesh: InnerMesh) -> None:
    request = pb.ApplyChangesRequest(resources=[{"purpose": {"name": "p"}}], request_id="once")
    first, second = (mesh.call(ADMIN, "ApplyChanges", request) for _ in range(2))
    assert first == second
    kinds = [change.kind for change in mesh.call(ADMIN, "ListChanges", ListChangesRequest()).changes]
    assert kinds.count("change_set.applied") == 1


def test_rules_on_columns_of_a_product_with_one_port_are_the_same_ones_again(mesh: InnerMesh) -> None:
    text = contract("shop.orders", {"orders": ["id: integer", "region: string"]})
    mesh.publish(OLGA, "shop.orders", text, {"orders": pl.DataFrame({"id": [1], "region": ["EU"]})})
    mask = [{"column": "region", "mask": "replace-with-null"}]
    resources: list[Resource] = [
        {"domain": {"name": "shop"}},
        grant("shop:a", EVE, "shop.orders", "read", columns=["region", "id"], row_filter="region = 'EU'", masks=mask),
        {"approval_rule": {"id": "shop:r", "subjects": ["*"], "resource": "shop.orders", "columns": ["id"], "longest_days": 7}},
    ]
    assert len(apply(mesh, OLGA, *resources, source="domain:shop").changes) == 2
    before = head(mesh)
    assert not shown(plan(mesh, OLGA, *resources, source="domain:shop").changes)
    apply(mesh, OLGA, *resources, source="domain:shop")
    assert head(mesh) == before
    stored = mesh.call(OLGA, "ExportMesh", pb.ExportMeshRequest(source="domain:shop")).resources
    assert [it.grant.resource for it in stored if it.HasField("grant")] == ["shop.orders.orders"]
    assert not shown(plan(mesh, OLGA, *stored, source="domain:shop").changes)
