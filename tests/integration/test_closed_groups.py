"""A group that is disabled gives its members nothing from the next question on, and what they gave by it ends."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domainmesh.v1 import change_set_pb2, domain_pb2, grant_pb2, principal_pb2
from domainmesh.v1.change_set_service_pb2 import ApplyChangesRequest, ApproveChangesRequest
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest, ListGrantsRequest
from domainmesh.v1.principal_service_pb2 import CreatePrincipalRequest, CreateTokenRequest, UpdatePrincipalRequest
from governance_server.editing.central import administrators
from governance_server.policy.projection import PolicyProjection
from governance_server.rules.errors import SecondPersonNeeded
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract

OLGA, ANA, BO, CY = "user:olga", "user:ana", "user:bo", "user:cy"
STAFF, TEAM = "group:staff", "group:team"
PORT = "shop.orders.orders"


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[InnerMesh]:
    """Ana is in the team, which is in the staff; Bo is in the staff; the staff may read and give on."""
    with inner_mesh(tmp_path / "home") as made:
        people = {STAFF: [], TEAM: [STAFF], OLGA: [], ANA: [TEAM], BO: [STAFF], CY: []}
        for name, groups in people.items():
            made.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal={"name": name, "groups": groups}))
        made.call(ADMIN, "CreateDomain", CreateDomainRequest(domain=domain_pb2.Domain(name="shop", owners=[OLGA])))
        frame = pl.DataFrame({"id": [1, 2]})
        made.publish(OLGA, "shop.orders", contract("shop.orders", {"orders": ["id: integer"]}), {"orders": frame})
        give(made, OLGA, STAFF, "discover", "read", "grant")
        yield made


def give(mesh: InnerMesh, who: str, subject: str, *actions: str, resource: str = PORT) -> grant_pb2.Grant:
    grant = grant_pb2.Grant(subject=subject, resource=resource, actions=actions, effect=grant_pb2.EFFECT_ALLOW)
    return mesh.call(who, "CreateGrant", CreateGrantRequest(grant=grant))  # type: ignore[no-any-return]


def change(mesh: InnerMesh, name: str, **fields: object) -> None:
    principal = principal_pb2.Principal(name=name, **fields)  # type: ignore[arg-type]
    mesh.call(ADMIN, "UpdatePrincipal", UpdatePrincipalRequest(principal=principal, update_mask={"paths": list(fields)}))


def readers(mesh: InnerMesh) -> set[str]:
    fresh = PolicyProjection(mesh.backend.database, now=mesh.backend.now)
    live = {name for name in (OLGA, ANA, BO, CY) if mesh.see(name, PORT) is not None}
    assert live == {name for name in live | {ANA, BO, CY} if fresh.check(mesh.caller(name), "read", f"{PORT}#id").allowed}
    return live - {OLGA}


def test_members_hold_nothing_through_it_at_the_next_read_and_again_when_it_is_enabled(mesh: InnerMesh) -> None:
    assert readers(mesh) == {ANA, BO}
    change(mesh, STAFF, is_disabled=True)
    assert readers(mesh) == set()
    change(mesh, STAFF, is_disabled=False)
    assert readers(mesh) == {ANA, BO}
    change(mesh, TEAM, is_disabled=True)
    assert readers(mesh) == {BO}


def test_who_joins_while_it_is_disabled_holds_nothing_until_it_is_enabled(mesh: InnerMesh) -> None:
    change(mesh, STAFF, is_disabled=True)
    change(mesh, CY, groups=[STAFF])
    change(mesh, BO, groups=[])
    assert readers(mesh) == set()
    change(mesh, STAFF, is_disabled=False)
    assert readers(mesh) == {ANA, CY}


def test_what_a_member_holds_otherwise_stays(mesh: InnerMesh) -> None:
    give(mesh, OLGA, BO, "read")
    change(mesh, STAFF, is_disabled=True)
    assert readers(mesh) == {BO}


def test_what_members_gave_by_it_ends_in_the_same_change(mesh: InnerMesh) -> None:
    given = give(mesh, BO, CY, "read")
    assert readers(mesh) == {ANA, BO, CY}
    change(mesh, STAFF, is_disabled=True)
    assert readers(mesh) == set()
    found = {it.id: it for it in mesh.call(OLGA, "ListGrants", ListGrantsRequest()).grants}
    assert found[given.id].revoke_time.seconds
    change(mesh, STAFF, is_disabled=False)
    assert readers(mesh) == {ANA, BO}


def test_a_disabled_group_of_administrators_administers_nothing(mesh: InnerMesh) -> None:
    mesh.call(ADMIN, "CreateToken", CreateTokenRequest(principal=BO))
    change(mesh, STAFF, is_administrator=True)
    assert administrators(mesh.backend.policy) == [ADMIN, ANA, BO]
    with pytest.raises(SecondPersonNeeded):
        change(mesh, STAFF, is_disabled=True)
    wanted = change_set_pb2.DesiredResource(principal={"name": STAFF, "is_administrator": True, "is_disabled": True})
    proposed = mesh.call(ADMIN, "ApplyChanges", ApplyChangesRequest(resources=[wanted], reason="x"))
    mesh.call(BO, "ApproveChanges", ApproveChangesRequest(id=proposed.id))  # a seat may agree to its own end
    assert administrators(mesh.backend.policy) == [ADMIN]
    assert not mesh.backend.policy.check(mesh.caller(BO), "administer", "mesh").allowed


def test_groups_within_each_other_and_in_circles_open_and_close_as_a_walk_says(mesh: InnerMesh) -> None:
    chance = random.Random(4711)
    groups, people = [f"group:g{number}" for number in range(5)], [f"user:u{number}" for number in range(4)]
    for name in (*groups, *people):
        mesh.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal={"name": name}))
    for group in groups:
        give(mesh, OLGA, group, "discover", resource=f"shop.{group[-2:]}")
    above: dict[str, set[str]] = {name: set() for name in (*groups, *people)}
    closed: set[str] = set()
    for step in range(60):
        name = chance.choice([*groups, *people])
        if name in groups and chance.random() < 0.5:
            closed ^= {name}
            change(mesh, name, is_disabled=name in closed)
        else:
            above[name] = set(chance.sample(groups, chance.randrange(3))) - {name}
            change(mesh, name, groups=sorted(above[name]))
        fresh = PolicyProjection(mesh.backend.database, now=mesh.backend.now)
        for policy in (mesh.backend.policy, fresh) if step % 6 == 0 else (mesh.backend.policy,):
            for person in people:
                seen = {it for it in groups if policy.check(mesh.caller(person), "discover", f"shop.{it[-2:]}").allowed}
                assert seen == walked(person, above, closed), (step, person)


def walked(person: str, above: dict[str, set[str]], closed: set[str]) -> set[str]:
    """The open groups that the person is in, by way of open groups."""
    found: set[str] = set()
    todo = [person]
    while todo:
        fresh = above[todo.pop()] - closed - found
        found |= fresh
        todo.extend(fresh)
    return found
