"""Whatever people give, take and lose: nobody sees through a grant what its grantor does not see (reference §7, "E").

The oracle is a table of six rows and a second reading of what a grant gives, in plain Python; what a grantor sees is read through
the real plan and scan. Offices (owners) see everything and are left out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domainmesh.v1 import domain_pb2, grant_pb2, principal_pb2
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest, UpdateDomainRequest
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest, ListGrantsRequest, RevokeGrantRequest
from domainmesh.v1.principal_service_pb2 import CreatePrincipalRequest, CreatePurposeRequest, UpdatePrincipalRequest
from governance_server.rules.errors import GovernanceError
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract
from tests.soak_time import SOAK_SECONDS, rounds

OWNER = "user:olga"
PEOPLE = ("user:ann", "user:bob", "user:cid", "user:dot")
SUBJECTS = (*PEOPLE, "group:team", "role:desk", "*")
REGIONS = {"user:ann": "EU", "user:bob": "US", "user:cid": "EU", "user:dot": ""}
ABOVE = {"": (), "analytics": ("analytics",), "forecasting": ("forecasting", "analytics")}
COLUMNS = ("id", "region", "email", "total")
ROWS = [
    {"id": i, "region": ("EU", "US", "EU")[i % 3], "email": f"name{i}@x.org", "total": 10 * i} for i in range(6)
]  # fmt: skip
FILTERS: dict[str, Callable[[dict[str, Any], str], bool]] = {
    "region = 'EU'": lambda row, own: row["region"] == "EU",
    "region = 'US'": lambda row, own: row["region"] == "US",
    "total > 25": lambda row, own: row["total"] > 25,
    "region = subject.region": lambda row, own: row["region"] == own,
    "id < 4": lambda row, own: row["id"] < 4,
}
MASKS: dict[str, Callable[[str], str | None]] = {
    "replace-with-null": lambda text: None,
    "show-first-4": lambda text: text[:4] + "".join("n" if c.isdigit() else "x" if c.isalpha() else c for c in text[4:]),
}

shapes = st.fixed_dictionaries(
    {
        "actions": st.sampled_from([("read", "grant"), ("read", "grant"), ("read",), ("grant",)]),
        "columns": st.sampled_from([(), (), ("id", "email"), ("id",), ("email", "total")]),
        "filters": st.sets(st.sampled_from(sorted(FILTERS)), max_size=2),
        "mask": st.sampled_from(["", "", "", *MASKS]),
        "purpose": st.sampled_from(["", "", "analytics", "forecasting"]),
        "minutes": st.sampled_from([0, 0, 0, 5, 30]),
    }
)
people = st.sampled_from(PEOPLE)
passing_on = st.tuples(st.just("give"), people, st.sampled_from(SUBJECTS), shapes, st.just(True))
actions = st.one_of(
    st.tuples(st.just("give"), st.sampled_from((OWNER, *PEOPLE)), st.sampled_from(SUBJECTS), shapes, st.booleans()),
    passing_on,
    passing_on,
    passing_on,
    st.tuples(st.just("revoke"), st.sampled_from((OWNER, *PEOPLE)), st.integers(0, 20)),
    st.tuples(st.just("deny"), st.sampled_from((OWNER, OWNER, *PEOPLE)), st.sampled_from(SUBJECTS), shapes),
    st.tuples(st.just("tick"), st.sampled_from([1, 6, 31])),
    st.tuples(st.just("groups"), people, st.booleans()),
    st.tuples(st.just("role"), st.sets(people, max_size=2)),
    st.tuples(st.just("members"), st.sets(people, max_size=1)),
    st.tuples(st.just("region"), people, st.sampled_from(["EU", "US"])),
    st.tuples(st.just("disable"), people, st.booleans()),
)
beginnings = st.fixed_dictionaries(dict.fromkeys(("user:ann", "group:team", "role:desk"), shapes))


@dataclass
class World:
    """One domain, and how the test knows who belongs where."""

    mesh: InnerMesh
    name: str
    regions: dict[str, str] = field(default_factory=lambda: dict(REGIONS))
    team: set[str] = field(default_factory=set)
    desk: set[str] = field(default_factory=set)

    @property
    def port(self) -> str:
        return f"{self.name}.orders.orders"

    def persons(self, subject: str) -> set[str]:
        """Who a subject stands for."""
        return {"*": set(PEOPLE), "group:team": self.team, "role:desk": self.desk}.get(subject, {subject} & set(PEOPLE))

    def grants(self) -> list[grant_pb2.Grant]:
        """Those that hold now, denials too."""
        found = self.mesh.call(OWNER, "ListGrants", ListGrantsRequest(resource=self.name, page_size=500)).grants
        return [grant for grant in found if not grant.revoke_time.seconds and _end(grant) > self.mesh.now]


def _end(grant: grant_pb2.Grant) -> datetime:
    return grant.expire_time.ToDatetime(tzinfo=UTC) if grant.HasField("expire_time") else datetime.max.replace(tzinfo=UTC)


def shaped(world: World, who: str, subject: str, shape: dict[str, Any], is_copy: bool) -> grant_pb2.Grant:
    """A grant of this shape; as a copy it starts from the newest one its grantor holds, so that it often may be given."""
    grant = grant_pb2.Grant(resource=world.port, actions=shape["actions"])
    filters = set(shape["filters"])
    held = [it for it in world.grants() if who in world.persons(it.subject) and "read" in it.actions and it.effect == 1]
    if is_copy and held:
        base = max(held, key=lambda it: (it.create_time.seconds, it.id))
        grant.CopyFrom(base)
        for name in ("id", "grantor", "create_time", "reason", "basis"):
            grant.ClearField(name)
        filters |= set(filter(None, base.row_filter.split(" AND ")))
        if "region = subject.region" in filters and "region = subject.region" not in shape["filters"] and world.regions[who]:
            filters = filters - {"region = subject.region"} | {f"region = '{world.regions[who]}'"}
        del grant.actions[:]
        grant.actions.extend(shape["actions"])
    grant.subject, grant.effect = subject, grant_pb2.EFFECT_ALLOW
    if "read" in shape["actions"]:
        if shape["columns"] and not (is_copy and grant.columns):
            grant.columns.extend(shape["columns"])
        grant.row_filter = " AND ".join(sorted(filters))
        if shape["mask"] and not grant.masks:
            grant.masks.add(column="email", mask=shape["mask"])
    else:
        for name in ("columns", "row_filter", "masks"):
            grant.ClearField(name)
    grant.purpose = shape["purpose"] or grant.purpose
    if shape["minutes"] and not grant.HasField("expire_time"):
        grant.expire_time.FromDatetime(world.mesh.now + timedelta(minutes=shape["minutes"]))
    return grant


def act(world: World, action: tuple[Any, ...]) -> None:
    """The action, if the mesh lets it; a refusal changes nothing."""
    mesh, (kind, *details) = world.mesh, action
    try:
        if kind == "give":
            who, subject, shape, is_copy = details
            mesh.call(who, "CreateGrant", CreateGrantRequest(grant=shaped(world, who, subject, shape, is_copy)))
        elif kind == "revoke":
            who, number = details
            found = world.grants()
            if found:
                mesh.call(who, "RevokeGrant", RevokeGrantRequest(id=found[number % len(found)].id))
        elif kind == "deny":
            who, subject, shape = details
            grant = grant_pb2.Grant(
                subject=subject, resource=world.port, actions=["read"], effect=grant_pb2.EFFECT_DENY,
                columns=shape["columns"], purpose=shape["purpose"],
            )  # fmt: skip
            mesh.call(who, "CreateGrant", CreateGrantRequest(grant=grant))
        elif kind == "tick":
            mesh.tick(minutes=details[0])
        else:
            _move(world, kind, details)
    except GovernanceError:
        pass


def _move(world: World, kind: str, details: list[Any]) -> None:
    mesh = world.mesh
    if kind in ("role", "members"):
        domain = domain_pb2.Domain(name=world.name)
        if kind == "role":
            domain.roles.add(name="role:desk", members=sorted(details[0]))
        domain.members.extend(sorted(details[0]) if kind == "members" else ())
        update = UpdateDomainRequest(domain=domain, update_mask={"paths": ["roles" if kind == "role" else "members"]})
        mesh.call(OWNER if kind == "role" else ADMIN, "UpdateDomain", update)
        world.desk = set(details[0]) if kind == "role" else world.desk
        return
    principal = principal_pb2.Principal(name=details[0])
    if kind == "groups":
        principal.groups.extend(["group:team"] if details[1] else [])
    elif kind == "region":
        principal.attributes["region"] = details[1]
    else:
        principal.is_disabled = details[1]
    path = {"groups": "groups", "region": "attributes", "disable": "is_disabled"}[kind]
    mesh.call(ADMIN, "UpdatePrincipal", UpdatePrincipalRequest(principal=principal, update_mask={"paths": [path]}))
    if kind == "groups":
        world.team = world.team | {details[0]} if details[1] else world.team - {details[0]}
    elif kind == "region":
        world.regions[details[0]] = details[1]


def check(world: World) -> None:
    """No live grant shows a cell that its grantor, unless it is an office, does not see as well."""
    seen: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}

    def sees(who: str, purpose: str) -> dict[int, dict[str, Any]]:
        if (who, purpose) not in seen:
            rows = world.mesh.glimpse(who, world.port, pl.DataFrame(ROWS), purpose)
            seen[who, purpose] = {number: row or {} for number, row in enumerate(rows)}
        return seen[who, purpose]

    for grant in world.grants():
        if grant.effect != grant_pb2.EFFECT_ALLOW or "read" not in grant.actions or grant.grantor not in PEOPLE:
            continue
        for person in world.persons(grant.subject):
            for purpose, above in ABOVE.items():
                if grant.purpose and grant.purpose not in above:
                    continue
                _compare(world, grant, (person, purpose), sees(grant.grantor, purpose))


def _compare(world: World, grant: grant_pb2.Grant, reader: tuple[str, str], grantor: dict[int, dict[str, Any]]) -> None:
    person, purpose = reader
    masks = {mask.column: mask.mask for mask in grant.masks}
    denied = {
        name
        for it in world.grants()
        if it.effect == grant_pb2.EFFECT_DENY and person in world.persons(it.subject) and (it.purpose in ("", *ABOVE[purpose]))
        for name in (it.columns or COLUMNS)
    }
    for row in ROWS:
        own = world.regions[person]
        if not all(FILTERS[part](row, own) for part in filter(None, grant.row_filter.split(" AND "))):
            continue
        for name in set(grant.columns or COLUMNS) - denied:
            shown = MASKS[masks[name]](row[name]) if name in masks else row[name]
            if shown is not None:
                held = grantor.get(row["id"], {}).get(name)
                assert held in (row[name], shown), (person, purpose, row["id"], name, shown, held, grant)


@pytest.fixture(scope="module")
def mesh() -> Iterator[InnerMesh]:
    """The mesh that all examples share."""
    with peopled() as made:
        yield made


@contextmanager
def peopled() -> Iterator[InnerMesh]:
    """People and purposes; each example gets a domain of its own."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as home, inner_mesh(Path(home)) as made:
        for purpose, parent in (("analytics", ""), ("forecasting", "analytics")):
            made.call(ADMIN, "CreatePurpose", CreatePurposeRequest(purpose={"name": purpose, "parent": parent}))
        for name in (OWNER, *PEOPLE):
            principal = principal_pb2.Principal(name=name, purposes=["analytics"])
            made.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal=principal))
        yield made


def play(mesh: InnerMesh, beginning: dict[str, dict[str, Any]], steps: list[tuple[Any, ...]]) -> None:
    """A new world, in which some may give on what they got; then the steps are taken one by one, checked after each."""
    name = f"d{mesh.backend.database.head().revision}"
    mesh.call(ADMIN, "CreateDomain", CreateDomainRequest(domain=domain_pb2.Domain(name=name, owners=[OWNER])))
    columns = [f"{column}: {'integer' if column in ('id', 'total') else 'string'}" for column in COLUMNS]
    mesh.publish(OWNER, f"{name}.orders", contract(f"{name}.orders", {"orders": columns}), {"orders": pl.DataFrame(ROWS)})
    for person, region in REGIONS.items():
        principal = principal_pb2.Principal(name=person, attributes={"region": region} if region else {})
        update = UpdatePrincipalRequest(principal=principal, update_mask={"paths": ["groups", "attributes", "is_disabled"]})
        mesh.call(ADMIN, "UpdatePrincipal", update)
    world = World(mesh, name)
    _move(world, "groups", ["user:bob", True])
    _move(world, "role", [{"user:cid"}])
    for subject, shape in beginning.items():
        act(world, ("give", OWNER, subject, {**shape, "actions": ("read", "grant")}, False))
    for step in steps:
        act(world, step)
        check(world)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(beginnings, st.lists(actions, min_size=4, max_size=14))
def test_nobody_sees_through_a_grant_what_its_grantor_does_not_see(
    mesh: InnerMesh, beginning: dict[str, dict[str, Any]], steps: list[tuple[Any, ...]]
) -> None:
    play(mesh, beginning, steps)


@pytest.mark.soak
@pytest.mark.timeout(SOAK_SECONDS + 900)
def test_nobody_does_however_long_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    for number in rounds():
        with peopled() as fresh:  # domains of earlier rounds would make each step slower than the one before

            @settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(beginnings, st.lists(actions, min_size=12, max_size=30))
            def nobody_does(beginning: dict[str, dict[str, Any]], steps: list[tuple[Any, ...]]) -> None:
                play(fresh, beginning, steps)

            nobody_does()
        with capsys.disabled():
            print(f"round {number + 1}: 100 worlds, nobody saw more than a grantor")
