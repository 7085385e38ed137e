"""Break-glass (ADR 0009): access somebody opens for itself, with a reason, an alarm and an end; never past a guardrail."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import polars as pl
import pytest

from domain_sdk import Mesh
from domainmesh.v1 import break_glass_pb2, domain_pb2, grant_pb2, principal_pb2
from domainmesh.v1.break_glass_service_pb2 import (
    AcknowledgeBreakGlassRequest,
    EndBreakGlassRequest,
    ListBreakGlassRequest,
    OpenBreakGlassRequest,
)
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest, UpdateDomainRequest
from domainmesh.v1.error_reason_pb2 import ERROR_REASON_ACCESS_DENIED
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest, CreateGuardrailRequest
from domainmesh.v1.notice_pb2 import Notice
from domainmesh.v1.principal_service_pb2 import CreatePrincipalRequest, UpdatePrincipalRequest
from domainmesh.v1.read_service_pb2 import ReadRequest
from domainmesh.v1.read_service_pb2_grpc import ReadServiceStub
from governance_server.rules import kinds
from governance_server.rules.errors import AccessDenied, Invalid
from mesh_core.names import InvalidName
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract, detail_of, raw_mesh, token_of
from tests.servers import RunningServer

PORT = "shop.orders.orders"
OLGA, DOC, EVE = "user:olga", "user:doc", "user:eve"
ROWS = pl.DataFrame({"id": [1, 2], "email": ["a@x", "b@x"]})


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[InnerMesh]:
    """A shop whose mail addresses a guardrail hides, and a doctor who holds the role."""
    with inner_mesh(tmp_path / "home") as made:
        made.call(ADMIN, "CreateDomain", CreateDomainRequest(domain=domain_pb2.Domain(name="shop", owners=[OLGA])))
        for name, roles in ((OLGA, []), (DOC, ["role:break-glass"]), (EVE, [])):
            principal = principal_pb2.Principal(name=name, roles=roles)
            made.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal=principal))
        guardrail = grant_pb2.Guardrail(id="mail", resource="tag:pii.*", mask="replace-with-null")
        made.call(ADMIN, "CreateGuardrail", CreateGuardrailRequest(guardrail=guardrail))
        columns = ["id: integer", "email: string, tags: [pii.email]"]
        made.publish(OLGA, "shop.orders", contract("shop.orders", {"orders": columns}), {"orders": ROWS})
        yield made


def open_port(mesh: InnerMesh, who: str = DOC, **fields: Any) -> break_glass_pb2.BreakGlass:
    request = OpenBreakGlassRequest(**{"resource": PORT, "reason": "incident 4711", **fields})
    return mesh.call(who, "OpenBreakGlass", request)  # type: ignore[no-any-return]


def uses(mesh: InnerMesh, who: str, **fields: Any) -> list[break_glass_pb2.BreakGlass]:
    return list(mesh.call(who, "ListBreakGlass", ListBreakGlassRequest(**fields)).uses)


def give(mesh: InnerMesh, who: str, subject: str, *, deny: bool = False, actions: tuple[str, ...] = ("read",)) -> grant_pb2.Grant:
    effect = grant_pb2.EFFECT_DENY if deny else grant_pb2.EFFECT_ALLOW
    grant = grant_pb2.Grant(subject=subject, resource=PORT, actions=actions, effect=effect)
    return mesh.call(who, "CreateGrant", CreateGrantRequest(grant=grant))  # type: ignore[no-any-return]


def test_the_holder_reads_for_a_while_and_never_past_a_guardrail(mesh: InnerMesh, caplog: pytest.LogCaptureFixture) -> None:
    assert mesh.see(DOC, PORT) is None
    with caplog.at_level(logging.WARNING):
        use = open_port(mesh, minutes=10)
    assert [r.levelname for r in caplog.records if "break_glass.opened" in r.message and use.id in r.message] == ["WARNING"]
    assert "4711" not in caplog.text
    seen = mesh.see(DOC, PORT)
    assert seen is not None
    assert seen["id"].to_list() == [1, 2]
    assert seen["email"].null_count() == 2
    mesh.tick(minutes=9, seconds=59)
    assert mesh.see(DOC, PORT) is not None
    mesh.tick(seconds=1)
    assert mesh.see(DOC, PORT) is None
    assert not uses(mesh, DOC)[0].is_open


def test_a_denial_stays_above_it(mesh: InnerMesh) -> None:
    give(mesh, OLGA, DOC, deny=True)
    open_port(mesh)
    assert mesh.see(DOC, PORT) is None


def test_only_holders_of_the_role_with_a_reason_for_at_most_four_hours(mesh: InnerMesh) -> None:
    for who in (EVE, OLGA, ADMIN):
        with pytest.raises(AccessDenied, match="role:break-glass"):
            open_port(mesh, who)
    for fields in ({"reason": "  "}, {"minutes": 241}, {"reason": "x" * 5000}):
        with pytest.raises(Invalid):
            open_port(mesh, **fields)
    for resource in ("", "shop", "shop.orders", "mesh", "shop.orders.orders#id"):
        with pytest.raises((InvalidName, Invalid)):
            open_port(mesh, resource=resource)
    with pytest.raises(AccessDenied, match="or it does not exist"):
        open_port(mesh, resource="shop.orders.nothing")
    assert not uses(mesh, ADMIN)


def test_a_domain_cannot_hand_out_the_role(mesh: InnerMesh) -> None:
    role = {"name": "role:break-glass", "members": [EVE]}
    mesh.call(
        OLGA, "UpdateDomain", UpdateDomainRequest(domain={"name": "shop", "roles": [role]}, update_mask={"paths": ["roles"]})
    )
    with pytest.raises(AccessDenied):
        open_port(mesh, EVE)


def test_owners_and_administrators_are_told_and_take_note_of_it(mesh: InnerMesh) -> None:
    use = open_port(mesh)
    told = {it.recipient: it.text for it in map(Notice.FromString, dict(mesh.backend.catalog.list(kinds.NOTICE)).values())}
    assert set(told) == {"role:owner-of-shop", "role:administrator"}
    assert all(DOC in text and "incident 4711" in text for text in told.values())
    for who in (OLGA, ADMIN):
        assert [it.id for it in uses(mesh, who, only_unacknowledged=True)] == [use.id]
    assert not uses(mesh, EVE)
    for who in (EVE, DOC):
        with pytest.raises(AccessDenied):
            mesh.call(who, "AcknowledgeBreakGlass", AcknowledgeBreakGlassRequest(id=use.id))
    noted = mesh.call(OLGA, "AcknowledgeBreakGlass", AcknowledgeBreakGlassRequest(id=use.id, acknowledgement="fine"))
    assert (noted.acknowledger, noted.acknowledgement, noted.is_open) == (OLGA, "fine", True)
    again = mesh.call(ADMIN, "AcknowledgeBreakGlass", AcknowledgeBreakGlassRequest(id=use.id, acknowledgement="late"))
    assert again.acknowledger == OLGA
    assert not uses(mesh, ADMIN, only_unacknowledged=True)
    assert uses(mesh, ADMIN)[0].acknowledger == OLGA


@pytest.mark.parametrize("who", [OLGA, ADMIN, DOC])
def test_an_owner_an_administrator_or_the_holder_ends_it_at_once(mesh: InnerMesh, who: str) -> None:
    use = open_port(mesh)
    with pytest.raises(AccessDenied):
        mesh.call(EVE, "EndBreakGlass", EndBreakGlassRequest(id=use.id))
    assert not mesh.call(who, "EndBreakGlass", EndBreakGlassRequest(id=use.id)).is_open
    assert mesh.see(DOC, PORT) is None
    assert not mesh.call(who, "EndBreakGlass", EndBreakGlassRequest(id=use.id)).is_open


@pytest.mark.parametrize("change", [{"roles": []}, {"is_disabled": True}])
def test_who_loses_the_role_loses_what_is_open(mesh: InnerMesh, change: dict[str, Any]) -> None:
    open_port(mesh)
    update = UpdatePrincipalRequest(principal={"name": DOC, **change}, update_mask={"paths": list(change)})
    mesh.call(ADMIN, "UpdatePrincipal", update)
    assert not uses(mesh, ADMIN)[0].is_open


def test_nothing_is_given_on_from_it(mesh: InnerMesh) -> None:
    give(mesh, OLGA, DOC, actions=("grant",))
    open_port(mesh)
    with pytest.raises(AccessDenied, match="Nobody gives more than it holds"):
        give(mesh, DOC, EVE)


@pytest.mark.slow
def test_a_running_read_stops_when_the_use_is_ended(server: RunningServer) -> None:
    with server.admin() as admin:
        admin.admin.create_principal(OLGA)
        admin.admin.create_domain("shop", owners=[OLGA])
    rows = pl.DataFrame({"id": range(2_000_000)}).with_columns(text=pl.lit("x" * 64) + pl.col("id").cast(pl.String))
    text = contract("shop.orders", {"orders": ["id: integer", "text: string"]})
    token = token_of(server, DOC, roles=["role:break-glass"])
    with server.user(OLGA) as olga, Mesh.connect(server.url, token) as doc:
        olga.domain("shop").product("orders", text).publish(orders=rows, progress=False)
        use = doc.policy.break_glass(PORT, reason="incident", minutes=5)
        with raw_mesh(server, token) as raw:
            stream = raw.gateway(ReadServiceStub).Read(ReadRequest(port=PORT), metadata=raw.metadata)
            assert sum(len(next(stream).arrow) for _ in range(3)) > 0
            olga.policy.end_break_glass(use.id)
            with pytest.raises(grpc.RpcError) as caught:
                sum(len(part.arrow) for part in stream)
        assert detail_of(caught.value).reason == ERROR_REASON_ACCESS_DENIED
        assert [it.id for it in olga.policy.break_glass_uses()] == [use.id]
        assert olga.policy.acknowledge_break_glass(use.id, "seen").acknowledger == OLGA
