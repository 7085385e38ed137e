"""An export that is applied again changes nothing, and makes the same mesh elsewhere: over random meshes."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domainmesh.v1 import change_set_pb2
from domainmesh.v1 import change_set_service_pb2 as pb
from domainmesh.v1.grant_pb2 import EFFECT_ALLOW, EFFECT_DENY
from tests.integration.inner_mesh import ADMIN, START, InnerMesh, inner_mesh

Resource = dict[str, Any]
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
USERS = [f"user:u{number}" for number in range(4)]
GROUPS, ROLES = ["group:a", "group:b"], ["role:x", "role:y"]
PURPOSES = [f"p{number}" for number in range(5)]
DOMAINS = ["lab", "shop"]
TAGS = ["pii", "pii.email", "secret"]
SUBJECTS = [*USERS, *GROUPS, *ROLES, "domain:shop", "*"]
TIMES = st.integers(1, 10**9).map(lambda seconds: START + timedelta(seconds=seconds))


def some(names: list[str], *, least: int = 0) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True, min_size=least, max_size=3)


def stamp(time: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made


@st.composite
def purposes(draw: st.DrawFn) -> list[Resource]:
    wider = {name: st.sampled_from(["", *PURPOSES[:index]]) for index, name in enumerate(PURPOSES)}
    return [{"purpose": {"name": name, "parent": draw(above), "description": draw(WORDS)}} for name, above in wider.items()]


@st.composite
def principal(draw: st.DrawFn, name: str) -> Resource:
    fields = {
        "groups": some(GROUPS), "roles": some(ROLES), "purposes": some(PURPOSES), "title": WORDS, "is_disabled": st.booleans(),
        "attributes": st.dictionaries(st.sampled_from(["region", "unit"]), WORDS),
    }  # fmt: skip
    drawn = {field: draw(values) for field, values in fields.items()}
    drawn["groups"] = [group for group in drawn["groups"] if group != name]
    return {"principal": {"name": name, **drawn}}


@st.composite
def domain(draw: st.DrawFn, name: str) -> Resource:
    roles = [{"name": role, "members": draw(some(USERS))} for role in draw(some(ROLES))]
    fields = {"title": WORDS, "description": WORDS, "owners": some(USERS, least=1), "members": some([*USERS, *GROUPS])}
    return {"domain": {"name": name, "roles": roles, **{field: draw(values) for field, values in fields.items()}}}


@st.composite
def guardrail(draw: st.DrawFn, name: str) -> Resource:
    resource = draw(st.sampled_from(["mesh", *DOMAINS, *(f"tag:{tag}" for tag in TAGS)]))
    rule = draw(st.sampled_from([{"mask": "replace-with-null"}, {"row_filter": "region = 'EU'"}, {"deny_read": True}]))
    exempt = draw(some([*USERS, *GROUPS, *ROLES, "domain:shop", *(f"purpose:{purpose}" for purpose in PURPOSES)]))
    return {"guardrail": {"id": name, "resource": resource, "exempt": exempt, "description": draw(WORDS), **rule}}


@st.composite
def grant(draw: st.DrawFn, number: int) -> Resource:
    """What an administrator may give: no reading or writing; and denials."""
    resource = draw(st.sampled_from(["mesh", *DOMAINS, "shop.orders", "lab.notes.pages"]))
    is_denial = draw(st.booleans())
    actions = ["discover", "request", "read", "write"] if is_denial else ["discover", "request", "grant", "administer"]
    source = "centre" if resource == "mesh" else resource.partition(".")[0]
    given: Resource = {
        "id": draw(st.sampled_from(["", f"{source}:rule-{number}"])), "resource": resource, "reason": draw(WORDS),
        "subject": draw(st.sampled_from(SUBJECTS)), "actions": draw(some(actions, least=1)),
        "effect": EFFECT_DENY if is_denial else EFFECT_ALLOW, "purpose": draw(st.sampled_from(["", "*", *PURPOSES])),
    }  # fmt: skip
    begin = draw(TIMES)
    given |= {"start_time": stamp(begin)} if draw(st.booleans()) else {}
    given |= {"expire_time": stamp(begin + timedelta(days=draw(st.integers(1, 1000))))} if draw(st.booleans()) else {}
    return {"grant": given}


@st.composite
def meshes(draw: st.DrawFn) -> list[Resource]:
    resources = draw(purposes())
    resources += [draw(principal(name)) for name in (*USERS, "group:a")]
    resources += [draw(domain(name)) for name in DOMAINS]
    resources += [draw(guardrail(f"rail-{number}")) for number in range(draw(st.integers(0, 3)))]
    resources += [{"governed_tag": {"tag": tag, "description": draw(WORDS)}} for tag in draw(some(TAGS))]
    grants = {str(it): it for it in (draw(grant(number)) for number in range(draw(st.integers(0, 6))))}
    by_id = {it["grant"]["id"] or key: it for key, it in grants.items()}
    resources += by_id.values()
    resources += [{"tag_release": {"object": "shop.orders.orders#email", "tag": tag, "reason": "r"}} for tag in draw(some(TAGS))]
    return draw(st.permutations(resources))


def apply(mesh: InnerMesh, resources: Any) -> change_set_pb2.ChangeSet:
    return mesh.call(ADMIN, "ApplyChanges", pb.ApplyChangesRequest(resources=resources))  # type: ignore[no-any-return]


def export(mesh: InnerMesh, *, source: str = "", page_size: int = 500) -> list[change_set_pb2.DesiredResource]:
    found: list[change_set_pb2.DesiredResource] = []
    token = ""
    while True:
        request = pb.ExportMeshRequest(source=source, page_size=page_size, page_token=token)
        response = mesh.call(ADMIN, "ExportMesh", request)
        found += response.resources
        token = response.next_page_token
        if not token:
            return found


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(resources=meshes(), data=st.data())
def test_an_export_applied_again_changes_nothing_and_makes_the_same_mesh_elsewhere(
    resources: list[Resource], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("export")
    with inner_mesh(folder / "one") as one, inner_mesh(folder / "other") as other:
        apply(one, resources)
        exported = export(one)
        assert export(one, page_size=3) == exported
        before = one.backend.database.head().revision
        shuffled = data.draw(st.permutations(exported))
        assert not apply(one, shuffled).changes
        assert one.backend.database.head().revision == before
        apply(other, shuffled)
        assert export(other) == exported
        by_source = [it for source in ("centre", "domain:lab", "domain:shop") for it in export(one, source=source)]
        names = {it.WhichOneof("resource") for it in by_source}
        assert names == {it.WhichOneof("resource") for it in exported}
        for source in ("centre", "domain:lab", "domain:shop"):
            adopted = one.call(ADMIN, "ApplyChanges", pb.ApplyChangesRequest(source=source, resources=export(one, source=source)))
            assert not adopted.changes
        assert export(one) == exported
