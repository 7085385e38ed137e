"""Governed tags (ADR 0009): what was once released with one keeps it, until the centre consents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domainmesh.v1 import domain_pb2, grant_pb2
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest, CreateGuardrailRequest
from domainmesh.v1.publication_service_pb2 import BeginPublicationRequest, CommitPublicationRequest
from domainmesh.v1.tag_service_pb2 import (
    CreateGovernedTagRequest,
    CreateTagReleaseRequest,
    DeleteGovernedTagRequest,
    DeleteTagReleaseRequest,
    ListGovernedTagsRequest,
    ListTagReleasesRequest,
)
from governance_server.rules.errors import (
    AccessDenied,
    AlreadyExists,
    IncompatibleContract,
    Invalid,
    NotFound,
    SecondPersonNeeded,
)
from mesh_core.names import InvalidName
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract

OLGA = "user:olga"
FRAME = pl.DataFrame({"id": [1, 2], "email": ["a@x", "b@x"]})
TAGGED = ["id: integer", "email: string, tags: [pii.email]"]
PLAIN = ["id: integer", "email: string"]


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[InnerMesh]:
    """A shop whose `pii.*` tags the centre governs."""
    with inner_mesh(tmp_path / "home") as made:
        made.call(ADMIN, "CreateDomain", CreateDomainRequest(domain=domain_pb2.Domain(name="shop", owners=[OLGA])))
        made.call(ADMIN, "CreateGovernedTag", CreateGovernedTagRequest(governed_tag={"tag": "pii.*", "description": "personal"}))
        yield made


def following(mesh: InnerMesh) -> str:
    """A version that may follow the one served."""
    served = mesh.backend.policy.facts().products.get("shop.crm")
    return f"1.0.{served.version if served else 0}"


def publish(mesh: InnerMesh, *columns: str, port: str = "people", version: str = "", text: str = "") -> None:
    written = text or contract("shop.crm", {port: columns}, version=version or following(mesh))
    names = [column.partition(":")[0] for column in columns]
    frame = FRAME.rename({"email": next((n for n in names if n != "id"), "email")})
    mesh.publish(OLGA, "shop.crm", written, {port: frame.select(names)})


def refused(mesh: InnerMesh, *columns: str, port: str = "people", version: str = "", text: str = "") -> str:
    """What is said of each loss, by Begin and by its dry run."""
    written = text or contract("shop.crm", {port: columns}, version=version or following(mesh))
    said = []
    for dry in (True, False):
        request = BeginPublicationRequest(product="shop.crm", contract_text=written, validate_only=dry)
        with pytest.raises(IncompatibleContract, match="mesh admin release-tag") as caught:
            mesh.call(OLGA, "BeginPublication", request)
        said.append("; ".join(f"{it.path}: {it.message}" for it in caught.value.problems))
    assert said[0] == said[1]
    return said[0]


def consent(mesh: InnerMesh, obj: str, tag: str = "pii.email") -> None:
    request = CreateTagReleaseRequest(tag_release={"object": obj, "tag": tag, "reason": "no person behind it"})
    mesh.call(ADMIN, "CreateTagRelease", request)


def test_a_release_that_drops_a_governed_tag_is_refused_and_says_what_to_do(mesh: InnerMesh) -> None:
    publish(mesh, *TAGGED)
    assert refused(mesh, *PLAIN) == "shop.crm.people#email: has carried the governed tag pii.email and must keep it"
    publish(mesh, "id: integer", "email: string, tags: [pii.email.work]")  # narrower: still under every rule for pii.email
    refused(mesh, "id: integer", "email: string, tags: [pii]")  # wider: no rule for pii.email covers it
    assert "pii.email.work" in refused(mesh, *TAGGED)


def test_tags_that_nobody_governs_come_and_go(mesh: InnerMesh) -> None:
    publish(mesh, "id: integer, tags: [tidy]", "email: string")
    publish(mesh, *PLAIN)
    publish(mesh, *TAGGED)  # adding a governed tag is free


def test_the_centre_lets_one_thing_lose_one_tag(mesh: InnerMesh) -> None:
    publish(mesh, *TAGGED)
    consent(mesh, "shop.crm.people#email")
    publish(mesh, *PLAIN)
    mesh.call(ADMIN, "DeleteTagRelease", DeleteTagReleaseRequest(object="shop.crm.people#email", tag="pii.email"))
    publish(mesh, *PLAIN)  # what was let go is let go
    publish(mesh, *TAGGED)
    refused(mesh, *PLAIN)


def test_a_consent_is_for_its_own_object_and_tag_only(mesh: InnerMesh) -> None:
    publish(mesh, *TAGGED)
    for obj, tag in (("shop.crm.people#id", "pii.email"), ("shop.crm.people#email", "pii.phone"), ("shop.crm", "pii.email")):
        consent(mesh, obj, tag)
    refused(mesh, *PLAIN)


@pytest.mark.parametrize("back", ["email", "Email", "EMAIL"])
def test_a_column_that_was_dropped_comes_back_with_its_tag_whatever_its_case(mesh: InnerMesh, back: str) -> None:
    publish(mesh, *TAGGED)
    publish(mesh, "id: integer", version="2.0.0")
    assert "email" in refused(mesh, "id: integer", f"{back}: string", version="3.0.0")
    publish(mesh, "id: integer", f"{back}: string, tags: [pii.email]", version="3.0.0")


def test_a_port_that_was_dropped_comes_back_with_its_tags(mesh: InnerMesh) -> None:
    publish(mesh, *TAGGED)
    publish(mesh, "id: integer", port="other", version="2.0.0")
    refused(mesh, *PLAIN, version="3.0.0")
    refused(mesh, *PLAIN, port="People", version="3.0.0")


def test_tags_of_ports_and_products_are_kept_too(mesh: InnerMesh) -> None:
    plain = contract("shop.crm", {"people": PLAIN})
    on_port = plain.replace("physicalType: table\n", "physicalType: table\n    tags: [pii.person]\n")
    on_product = plain.replace("status: active\n", "status: active\ntags: [pii.person]\n")
    publish(mesh, *PLAIN, text=on_port)
    assert "shop.crm.people: " in refused(mesh, *PLAIN)
    publish(
        mesh, *PLAIN, text=on_product.replace("version: 1.0.0", "version: 1.0.1")
    )  # what holds for the whole product holds for the port
    assert "shop.crm: " in refused(mesh, *PLAIN, text=on_port)


def test_a_tag_that_a_guardrail_binds_is_governed_and_case_does_not_slip_by(mesh: InnerMesh) -> None:
    guardrail = grant_pb2.Guardrail(id="money", resource="tag:money.*", mask="replace-with-null")
    mesh.call(ADMIN, "CreateGuardrail", CreateGuardrailRequest(guardrail=guardrail))
    publish(mesh, "id: integer, tags: [money.pay]", "email: string")
    refused(mesh, *PLAIN)
    assert "case of its letters" in refused(mesh, "id: integer, tags: [money.pay]", "email: string, tags: [PII.Email]")


def test_a_tag_governed_after_begin_holds_at_commit(mesh: InnerMesh) -> None:
    publish(mesh, "id: integer, tags: [grade]", "email: string")
    begun = mesh.call(
        OLGA, "BeginPublication",
        BeginPublicationRequest(product="shop.crm", contract_text=contract("shop.crm", {"people": PLAIN}, version="1.0.1")),
    )  # fmt: skip
    mesh.call(ADMIN, "CreateGovernedTag", CreateGovernedTagRequest(governed_tag={"tag": "grade"}))
    with pytest.raises(IncompatibleContract, match="governance team governs"):
        mesh.call(OLGA, "CommitPublication", CommitPublicationRequest(id=begun.id, ports=[{"port": "shop.crm.people"}]))


def test_who_has_not_begun_a_publication_does_not_commit_it(mesh: InnerMesh) -> None:
    grant = grant_pb2.Grant(subject="user:wim", resource="shop.crm", actions=["write"], effect=grant_pb2.EFFECT_ALLOW)
    mesh.call(OLGA, "CreateGrant", CreateGrantRequest(grant=grant))
    request = BeginPublicationRequest(product="shop.crm", contract_text=contract("shop.crm", {"people": PLAIN}))
    begun = mesh.call(OLGA, "BeginPublication", request)
    with pytest.raises(AccessDenied):
        mesh.call("user:wim", "CommitPublication", CommitPublicationRequest(id=begun.id, ports=[{"port": "shop.crm.people"}]))


def test_only_administrators_govern_and_everybody_sees_what_is_governed(mesh: InnerMesh) -> None:
    with pytest.raises(AccessDenied):
        mesh.call(OLGA, "CreateGovernedTag", CreateGovernedTagRequest(governed_tag={"tag": "x"}))
    with pytest.raises(AccessDenied):
        mesh.call(OLGA, "DeleteGovernedTag", DeleteGovernedTagRequest(tag="pii"))
    with pytest.raises(AccessDenied):
        mesh.call(
            OLGA, "CreateTagRelease", CreateTagReleaseRequest(tag_release={"object": "shop.crm", "tag": "pii", "reason": "r"})
        )
    publish(mesh, *TAGGED)
    consent(mesh, "shop.crm.people#email")
    assert [it.tag for it in mesh.call("user:x", "ListGovernedTags", ListGovernedTagsRequest()).governed_tags] == ["pii.*"]
    assert [it.object for it in mesh.call(OLGA, "ListTagReleases", ListTagReleasesRequest()).tag_releases] == [
        "shop.crm.people#email"
    ]
    assert not mesh.call("user:x", "ListTagReleases", ListTagReleasesRequest()).tag_releases


def test_what_is_no_tag_object_or_reason_is_refused(mesh: InnerMesh) -> None:
    with pytest.raises(AlreadyExists):
        mesh.call(ADMIN, "CreateGovernedTag", CreateGovernedTagRequest(governed_tag={"tag": "pii"}))
    for tag in ("", "pii..x", "a b", "*", "pii.*.x", "tag:tag:x"):
        with pytest.raises(InvalidName):
            mesh.call(ADMIN, "CreateGovernedTag", CreateGovernedTagRequest(governed_tag={"tag": tag}))
    for obj, tag, reason in (
        ("shop", "pii", "r"), ("shop.crm.people#", "pii", "r"), ("shop.crm#id", "pii", "r"), ("", "pii", "r"),
        ("mesh", "pii", "r"),
        ("shop.crm", "pii.*", "r"), ("shop.crm", "", "r"), ("shop.crm", "pii", " "), ("shop.crm", "pii", "x" * 5000),
    ):  # fmt: skip
        request = CreateTagReleaseRequest(tag_release={"object": obj, "tag": tag, "reason": reason})
        with pytest.raises((InvalidName, Invalid)):
            mesh.call(ADMIN, "CreateTagRelease", request)
    with pytest.raises(NotFound):
        mesh.call(ADMIN, "DeleteGovernedTag", DeleteGovernedTagRequest(tag="nothing"))


def test_with_a_second_administrator_nobody_governs_or_consents_alone(mesh: InnerMesh) -> None:
    mesh.seat("user:zoe")
    for method, request in (
        ("CreateGovernedTag", CreateGovernedTagRequest(governed_tag={"tag": "money"})),
        ("DeleteGovernedTag", DeleteGovernedTagRequest(tag="pii")),
        ("CreateTagRelease", CreateTagReleaseRequest(tag_release={"object": "shop.crm", "tag": "pii", "reason": "r"})),
    ):
        with pytest.raises(SecondPersonNeeded):
            mesh.call(ADMIN, method, request)
