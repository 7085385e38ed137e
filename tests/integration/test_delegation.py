"""The subset rule (ADR 0009): a grantor gives at most what it holds, and what it gave ends with what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domainmesh.v1 import domain_pb2, grant_pb2, principal_pb2
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest, UpdateDomainRequest
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest, CreateGuardrailRequest, GetGrantRequest, RevokeGrantRequest
from domainmesh.v1.principal_service_pb2 import CreatePrincipalRequest, CreatePurposeRequest, UpdatePrincipalRequest
from governance_server.rules.errors import AccessDenied
from tests.integration.inner_mesh import ADMIN, START, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract

PORT = "shop.orders.orders"
OLGA, GIL, EVE, BEN = "user:olga", "user:gil", "user:eve", "user:ben"
COLUMNS = ["id: integer", "region: string", "email: string, tags: [pii.email]", "total: integer"]
ROWS = pl.DataFrame({"id": [1, 2, 3], "region": ["EU", "EU", "US"], "email": ["a@x", "b@x", "c@x"], "total": [10, 20, 30]})


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[InnerMesh]:
    """A shop with one table, its owner Olga, and others who hold nothing yet."""
    with inner_mesh(tmp_path / "home") as made:
        made.call(ADMIN, "CreateDomain", CreateDomainRequest(domain=domain_pb2.Domain(name="shop", owners=[OLGA])))
        for name, attributes in ((OLGA, {}), (GIL, {"region": "EU"}), (EVE, {"region": "US"}), (BEN, {})):
            principal = principal_pb2.Principal(name=name, attributes=attributes)
            made.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal=principal))
        for purpose, parent in (("analytics", ""), ("forecasting", "analytics"), ("billing", "")):
            made.call(ADMIN, "CreatePurpose", CreatePurposeRequest(purpose={"name": purpose, "parent": parent}))
        made.publish(OLGA, "shop.orders", contract("shop.orders", {"orders": COLUMNS}), {"orders": ROWS})
        yield made


def give(mesh: InnerMesh, who: str, subject: str, resource: str = PORT, *, deny: bool = False, **fields: Any) -> grant_pb2.Grant:
    effect = grant_pb2.EFFECT_DENY if deny else grant_pb2.EFFECT_ALLOW
    fields.setdefault("actions", ["read"])
    masks = [grant_pb2.ColumnMask(column=column, mask=mask) for column, mask in fields.pop("masks", {}).items()]
    grant = grant_pb2.Grant(subject=subject, resource=resource, effect=effect, masks=masks, **fields)
    return mesh.call(who, "CreateGrant", CreateGrantRequest(grant=grant))  # type: ignore[no-any-return]


def revoke(mesh: InnerMesh, who: str, grant: grant_pb2.Grant) -> grant_pb2.Grant:
    return mesh.call(who, "RevokeGrant", RevokeGrantRequest(id=grant.id))  # type: ignore[no-any-return]


def is_alive(mesh: InnerMesh, grant: grant_pb2.Grant) -> bool:
    return not mesh.call(OLGA, "GetGrant", GetGrantRequest(id=grant.id)).revoke_time.seconds


def refused(mesh: InnerMesh, who: str, subject: str, resource: str = PORT, *words: str, **fields: Any) -> None:
    with pytest.raises(AccessDenied) as caught:
        give(mesh, who, subject, resource, **fields)
    for word in words:
        assert word in caught.value.message


def test_an_administrator_lets_nobody_read_but_lets_them_find_ask_and_govern(mesh: InnerMesh) -> None:
    refused(mesh, ADMIN, EVE, "mesh", "read: not at all")
    refused(mesh, ADMIN, EVE, "shop", actions=["discover", "write"])
    assert not give(mesh, ADMIN, "*", "mesh", actions=["discover", "request"]).basis
    give(mesh, ADMIN, BEN, "shop", actions=["grant"])
    refused(mesh, BEN, EVE, PORT, "read: not at all")
    assert mesh.see(EVE, PORT) is None


def test_an_owner_gives_what_it_likes_and_it_rests_on_nothing(mesh: InnerMesh) -> None:
    assert not give(mesh, OLGA, EVE, "shop", actions=["discover", "read", "write", "grant"]).basis
    mesh.call(ADMIN, "UpdateDomain", UpdateDomainRequest(domain={"name": "shop"}, update_mask={"paths": ["owners"]}))
    assert mesh.see(EVE, PORT) is not None  # what an office gave stays when the person leaves


@pytest.mark.parametrize(
    ("held", "wanted", "words"),
    [
        ({"columns": ["id"]}, {}, ["only the columns id"]),
        ({"columns": ["id"]}, {"columns": ["id", "total"]}, ["only the columns id"]),
        ({"row_filter": "region = 'EU'"}, {}, ["only the rows"]),
        ({"row_filter": "region = 'EU'"}, {"row_filter": "region = 'EU' OR id = 3"}, ["only the rows"]),
        ({"row_filter": "region = subject.region"}, {"row_filter": "region = subject.region"}, ["only the rows"]),
        ({"masks": {"email": "show-first-4"}}, {}, ["email only under show-first-4"]),
        ({"masks": {"email": "show-first-4"}}, {"masks": {"email": "show-last-4"}}, ["email only under show-first-4"]),
        ({"masks": {"email": "sha-256-query-local"}}, {"masks": {"email": "sha-256-global"}}, ["sha-256-query-local"]),
        ({"purpose": "forecasting"}, {}, ["read: not at all"]),
        ({"purpose": "forecasting"}, {"purpose": "analytics"}, ["read: not at all"]),
        ({"columns": ["id"]}, {"columns": ["id"], "row_filter": "total > 15"}, ["total", "filter by"]),
        ({"masks": {"email": "replace-with-null"}}, {"columns": ["id"], "row_filter": "email = 'a@x'"}, ["email", "filter by"]),
    ],
)
def test_more_than_one_holds_cannot_be_given(mesh: InnerMesh, held: Any, wanted: Any, words: list[str]) -> None:
    give(mesh, OLGA, GIL, actions=["read"], **held)
    give(mesh, OLGA, GIL, actions=["grant"])
    refused(mesh, GIL, EVE, PORT, *words, **wanted)
    refused(mesh, GIL, EVE, "shop", "grant")
    assert mesh.see(EVE, PORT) is None


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ({}, {}),
        ({"columns": ["id", "total"]}, {"columns": ["id"], "row_filter": "total > 15"}),
        ({"row_filter": "region = 'EU'"}, {"row_filter": "id < 3 AND region = 'EU'"}),
        ({"row_filter": "region = subject.region"}, {"row_filter": "region = 'EU'"}),
        ({"masks": {"email": "sha-256-global"}}, {"masks": {"email": "sha-256-query-local"}}),
        ({"masks": {"email": "show-first-4"}}, {"columns": ["id"]}),
        ({"purpose": "analytics"}, {"purpose": "forecasting"}),
    ],
)
def test_less_than_one_holds_can_be_given_and_rests_on_it(mesh: InnerMesh, held: Any, wanted: Any) -> None:
    read = give(mesh, OLGA, GIL, actions=["read"], **held)
    right = give(mesh, OLGA, GIL, actions=["grant"])
    given = give(mesh, GIL, EVE, **wanted)
    assert list(given.basis) == sorted([read.id, right.id])
    revoke(mesh, OLGA, read)
    assert not is_alive(mesh, given)


def test_a_dependent_ends_no_later_than_its_basis(mesh: InnerMesh) -> None:
    end = START.replace(hour=13)
    give(mesh, OLGA, GIL, actions=["read", "grant"], expire_time=end)
    refused(mesh, GIL, EVE, PORT, "only until 2026-11-23T13:00:00Z")
    refused(mesh, GIL, EVE, PORT, "only until", expire_time=end.replace(minute=1))
    give(mesh, GIL, EVE, expire_time=end)
    assert mesh.see(EVE, PORT) is not None
    mesh.tick(hours=1)
    assert mesh.see(EVE, PORT) is None


def test_a_revocation_goes_through_any_depth_in_one_change(mesh: InnerMesh) -> None:
    first = give(mesh, OLGA, "user:p0", actions=["read", "grant"])
    chain = [first] + [give(mesh, f"user:p{i}", f"user:p{i + 1}", actions=["read", "grant"]) for i in range(20)]
    assert mesh.see("user:p20", PORT) is not None
    before = mesh.backend.database.head().revision
    revoke(mesh, OLGA, first)
    assert mesh.backend.database.head().revision == before + 1
    assert not any(is_alive(mesh, grant) for grant in chain)
    assert mesh.see("user:p20", PORT) is None


def test_a_denial_of_the_grantor_ends_what_it_gave_and_nobody_gives_what_it_is_denied(mesh: InnerMesh) -> None:
    give(mesh, OLGA, GIL, actions=["read", "grant"])
    given, other = give(mesh, GIL, EVE), give(mesh, GIL, BEN, columns=["id"])
    denial = give(mesh, OLGA, GIL, deny=True, columns=["total"])
    assert not is_alive(mesh, given)
    assert is_alive(mesh, other)
    refused(mesh, GIL, EVE, PORT, "Nobody gives what it is denied")
    with pytest.raises(AccessDenied, match="lifted by who made it"):
        revoke(mesh, GIL, denial)
    give(mesh, GIL, EVE, columns=["id"])
    revoke(mesh, OLGA, denial)
    give(mesh, GIL, EVE)


def test_a_denial_for_everybody_stops_no_grant(mesh: InnerMesh) -> None:
    denial = give(mesh, OLGA, "*", deny=True, purpose="billing")
    given = give(mesh, OLGA, EVE)
    assert is_alive(mesh, given)
    revoke(mesh, OLGA, denial)


def test_who_leaves_a_group_a_domain_or_the_mesh_takes_along_what_it_gave(mesh: InnerMesh) -> None:
    give(mesh, OLGA, "group:stewards", actions=["read", "grant"])
    update = UpdatePrincipalRequest(principal={"name": GIL, "groups": ["group:stewards"]}, update_mask={"paths": ["groups"]})
    mesh.call(ADMIN, "UpdatePrincipal", update)
    given = give(mesh, GIL, EVE)
    update.principal.ClearField("groups")
    mesh.call(ADMIN, "UpdatePrincipal", update)
    assert not is_alive(mesh, given)

    members = UpdateDomainRequest(domain={"name": "shop", "members": [BEN]}, update_mask={"paths": ["members"]})
    mesh.call(ADMIN, "UpdateDomain", members)
    give(mesh, OLGA, BEN, actions=["grant"])
    given = give(mesh, BEN, EVE)
    assert "domain:shop" in given.basis
    members.domain.ClearField("members")
    mesh.call(ADMIN, "UpdateDomain", members)
    assert not is_alive(mesh, given)

    give(mesh, OLGA, GIL, actions=["read", "grant"])
    given = give(mesh, GIL, EVE)
    disable = UpdatePrincipalRequest(principal={"name": GIL, "is_disabled": True}, update_mask={"paths": ["is_disabled"]})
    mesh.call(ADMIN, "UpdatePrincipal", disable)
    assert not is_alive(mesh, given)


def test_who_may_only_administer_puts_nobody_into_a_role(mesh: InnerMesh) -> None:
    give(mesh, OLGA, "role:reader", actions=["read"])
    give(mesh, OLGA, GIL, "shop", actions=["administer"])
    update = UpdateDomainRequest(
        domain={"name": "shop", "roles": [{"name": "role:reader", "members": [GIL]}]}, update_mask={"paths": ["roles"]}
    )
    with pytest.raises(AccessDenied, match="Whoever joins a role"):
        mesh.call(GIL, "UpdateDomain", update)
    mesh.call(OLGA, "UpdateDomain", update)
    assert mesh.see(GIL, PORT) is not None


def test_nobody_probes_by_a_filter_what_a_guardrail_hides_from_it(mesh: InnerMesh) -> None:
    guardrail = grant_pb2.Guardrail(id="mail", resource="tag:pii.*", mask="replace-with-null")
    mesh.call(ADMIN, "CreateGuardrail", CreateGuardrailRequest(guardrail=guardrail))
    give(mesh, OLGA, GIL, actions=["read", "grant"])
    refused(mesh, GIL, EVE, PORT, "email", "filter by", row_filter="email LIKE 'a%'")
    give(mesh, GIL, EVE, row_filter="total > 10")
