"""Whoever made a token may act as its holder: no second person's step counts before the holder has one of its own (ADR 0008)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path

import grpc
import polars as pl
import pytest

from domain_sdk import AccessDenied, Mesh, SecondPersonNeeded, Unauthenticated, WrongState
from domain_sdk.changes import ChangeSet, Resource
from domain_sdk.inbox import NoticeKind
from domainmesh.v1.principal_service_pb2 import CreateTokenRequest
from domainmesh.v1.principal_service_pb2_grpc import TokenServiceStub
from tests.integration.mesh_setup import contract, raw_mesh
from tests.integration.request_market import role
from tests.servers import RunningServer

BEA, CLEO, OLGA, LENA = "user:bea", "user:cleo", "user:olga", "user:lena"
PURPOSES = iter(f"purpose-{number}" for number in range(1000))
As = Callable[[str], Mesh]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path / "mesh")
    yield running
    running.stop()


@pytest.fixture
def connect(server: RunningServer) -> Iterator[As]:
    """Connects with a token; every connection is closed in the end."""
    made: list[Mesh] = []

    def run(token: str) -> Mesh:
        made.append(Mesh.connect(server.url, token))
        return made[-1]

    yield run
    for mesh in made:
        mesh.close()


def admin_of(server: RunningServer, connect: As) -> Mesh:
    return connect(server.admin_token)


def handed_out(admin: Mesh, name: str, *, is_administrator: bool = False) -> str:
    """A token that the administrator made for a new principal, then its seat."""
    admin.admin.create_principal(name)
    secret = admin.admin.create_token(name).secret
    if is_administrator:
        admin.admin.update_principal(name, is_administrator=True)
    return secret


def propose(mesh: Mesh) -> ChangeSet:
    found = mesh.changes.apply([Resource("purpose", {"name": next(PURPOSES)})])
    assert found.state == "proposed"
    return found


def test_an_administrator_cannot_approve_its_proposal_by_a_token_that_it_made(server: RunningServer, connect: As) -> None:
    admin = admin_of(server, connect)
    admin.admin.create_principal(BEA)
    first_token, spare_token = (admin.admin.create_token(BEA).secret for _ in range(2))
    bea = connect(first_token)
    child = connect(bea.admin.create_token().secret)
    grandchild = connect(child.admin.create_token().secret)
    admin.admin.update_principal(BEA, is_administrator=True)
    found = propose(admin)
    for puppet in (bea, child, grandchild, connect(spare_token)):
        assert puppet.status().token_makers == ("user:admin",)
        with pytest.raises(AccessDenied, match=r"made by user:admin, who proposed this.*mesh token activate"):
            puppet.changes.approve(found.id)
    backwards = propose(bea)  # as bea, whose token the administrator has, and then as itself
    with pytest.raises(AccessDenied, match="user:bea proposed this with a token that user:admin made"):
        admin.changes.approve(backwards.id)
    assert child.changes.reject(propose(admin).id).state == "rejected"  # what narrows stays possible
    with pytest.raises(WrongState, match=r"two administrators|one administrator alone"):
        admin.admin.create_token(BEA)
    own = connect(bea.admin.activate_token().secret)
    assert own.status().token_makers == ()
    for dead in (bea, child, grandchild, connect(spare_token)):
        with pytest.raises(Unauthenticated):
            dead.whoami()
    with pytest.raises(AccessDenied, match="proposed this with a token"):  # what it proposed before stays doubtful
        admin.changes.approve(backwards.id)
    assert own.changes.approve(found.id).approver == BEA
    assert connect(own.admin.create_token().secret).changes.approve(propose(admin).id).state == "applied"
    assert admin.changes.approve(propose(own).id).approver == "user:admin"


def test_a_third_who_made_the_tokens_of_both_is_not_two_persons(server: RunningServer, connect: As) -> None:
    admin = admin_of(server, connect)
    for name in (BEA, CLEO):
        admin.admin.create_principal(name)
    bea, cleo = (connect(admin.admin.create_token(name).secret) for name in (BEA, CLEO))
    admin.admin.update_principal(BEA, is_administrator=True)
    seat = admin.changes.apply([Resource("principal", {"name": CLEO, "is_administrator": True})])
    bea_own = connect(bea.admin.activate_token().secret)
    bea_own.changes.approve(seat.id)
    found = propose(cleo)
    with pytest.raises(AccessDenied, match="user:cleo proposed this with a token that user:admin made"):
        admin.changes.approve(found.id)
    assert bea_own.changes.approve(found.id).state == "applied"
    by_bea = propose(bea_own)
    assert cleo.changes.approve(by_bea.id).state == "applied"  # whoever it was, bea or the administrator, it was not bea alone


def test_two_puppets_of_one_administrator_do_not_make_two_persons(server: RunningServer, connect: As) -> None:
    admin = admin_of(server, connect)
    for name in (BEA, CLEO):
        admin.admin.create_principal(name, groups=["group:centre"])
    bea, cleo = (connect(admin.admin.create_token(name).secret) for name in (BEA, CLEO))
    admin.grant("group:centre", "mesh", actions=["administer"])  # two seats in one change
    found = propose(bea)
    with pytest.raises(AccessDenied, match="made by user:admin"):
        cleo.changes.approve(found.id)
    assert connect(cleo.admin.activate_token().secret).changes.approve(found.id).state == "applied"


def test_a_token_descends_from_everybody_whose_token_made_it(server: RunningServer, connect: As) -> None:
    admin = admin_of(server, connect)
    assert admin.admin.create_token().token.makers == ()
    admin.admin.create_principal(CLEO)
    bea = connect(handed_out(admin, BEA, is_administrator=True))
    made = bea.admin.create_token(CLEO)  # by bea's token, which the administrator has too
    assert (made.token.makers, made.token.creator) == (("user:admin", BEA), BEA)
    further = connect(made.secret).admin.create_token()
    assert (further.token.makers, further.token.creator) == (("user:admin", BEA), CLEO)
    assert [it.makers for it in connect(further.secret).admin.tokens()] == [("user:admin", BEA)] * 2


def test_an_exchange_is_refused_where_it_would_help_the_maker(server: RunningServer, connect: As) -> None:
    admin = admin_of(server, connect)
    with pytest.raises(WrongState, match="nothing to exchange"):
        admin.admin.activate_token()
    first = connect(handed_out(admin, BEA))
    second, scoped = (connect(admin.admin.create_token(BEA, scope=scope).secret) for scope in ((), ["discover:mesh"]))
    with pytest.raises(WrongState, match="has a scope"):
        scoped.admin.activate_token()
    with pytest.raises(WrongState, match="exchange that one"):
        connect(first.admin.create_token().secret).admin.activate_token()
    made = first.admin.activate_token(description="laptop")
    assert (made.token.principal, made.token.description, made.token.parent) == (BEA, "laptop", "")
    with pytest.raises(Unauthenticated, match=f"exchanged for another one, {made.token.id}.*tell an administrator"):
        second.whoami()
    third = connect(admin.admin.create_token(BEA).secret)
    with pytest.raises(WrongState, match=f"a token of its own already, {made.token.id}"):
        third.admin.activate_token()
    with pytest.raises(WrongState, match="nothing to exchange"):
        connect(made.secret).admin.activate_token()
    assert connect(made.secret).whoami().name == BEA
    admin.admin.revoke_token(made.token.id)  # lost: now it may be exchanged anew
    assert third.admin.activate_token().secret


def test_an_exchange_takes_no_principal_scope_or_end_and_its_secret_is_told_once(server: RunningServer, connect: As) -> None:
    secret = handed_out(admin_of(server, connect), BEA)
    with raw_mesh(server, secret) as raw:
        tokens = raw.control(TokenServiceStub)
        for fields in ({"principal": "user:admin"}, {"scope": {"purposes": ["x"]}}, {"expire_time": {"seconds": 2_000_000_000}}):
            with pytest.raises(grpc.RpcError) as refused:
                tokens.CreateToken(CreateTokenRequest(exchange=True, **fields), metadata=raw.metadata)
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        made = tokens.CreateToken(CreateTokenRequest(exchange=True, request_id="once"), metadata=raw.metadata)
    before = next(it for it in connect(made.secret).admin.tokens() if it.exchanged_for)
    assert before.exchanged_for == made.token.id
    assert before.expire_time == made.token.expire_time.ToDatetime(tzinfo=UTC)
    assert before.revoke_time is not None


def test_a_maker_who_exchanges_first_is_noticed_by_everybody(server: RunningServer, connect: As) -> None:
    admin = admin_of(server, connect)
    secret = handed_out(admin, BEA)
    cleo = connect(handed_out(admin, CLEO, is_administrator=True))
    stolen = connect(connect(secret).admin.activate_token().secret)
    with pytest.raises(Unauthenticated, match="If you did not do that, somebody else had your token"):
        connect(secret).whoami()
    for who in (admin, cleo, stolen):
        told = [it.text for it in who.notices() if it.kind is NoticeKind.TOKEN_ACTIVATED]
        assert any("user:bea activated its token" in text and "user:admin made" in text for text in told)


def test_a_token_for_who_has_some_or_owns_data_is_told(server: RunningServer, connect: As) -> None:
    admin = admin_of(server, connect)
    bea = connect(handed_out(admin, BEA, is_administrator=True))
    bea_own = connect(bea.admin.activate_token().secret)
    for resource in (
        Resource("principal", {"name": OLGA}),
        Resource("principal", {"name": LENA}),
        Resource("domain", {"name": "shop", "owners": [OLGA]}),
    ):
        bea_own.changes.approve(admin.changes.apply([resource]).id)

    def told(mesh: Mesh) -> list[str]:
        return [it.text for it in mesh.notices() if it.kind is NoticeKind.TOKEN_MADE]

    olga = connect(admin.admin.create_token(OLGA).secret)
    lena = connect(admin.admin.create_token(LENA).secret)
    assert len(told(olga)) == len(told(bea_own)) == 1
    assert "user:admin made token" in told(olga)[0]
    assert "owns shop" in told(olga)[0]
    assert not told(lena)
    assert not told(admin)
    admin.admin.create_token(LENA)
    assert "has tokens already" in told(lena)[0]
    assert len(told(bea_own)) == 2
    lena.admin.create_token()  # its own: nobody is told
    assert len(told(lena)) == 1


def test_no_administrator_acts_beside_somebody_who_has_a_login_of_its_own(server: RunningServer, connect: As) -> None:
    admin = admin_of(server, connect)
    olga = connect(handed_out(admin, OLGA))
    own = olga.admin.activate_token()
    assert admin.admin.create_token(OLGA).token.principal == OLGA  # whoever is the only administrator is alone anyway
    handed_out(admin, BEA, is_administrator=True)
    with pytest.raises(SecondPersonNeeded, match="user:olga has a login of its own"):
        admin.admin.create_token(OLGA)
    connect(own.secret).admin.create_token()
    admin.admin.revoke_token(own.token.id)  # lost, says olga: she and everybody else will know
    found = connect(admin.admin.create_token(OLGA).secret)
    assert any(it.kind is NoticeKind.TOKEN_MADE for it in found.notices())


@pytest.fixture
def shop(server: RunningServer, connect: As) -> dict[str, Mesh]:
    """A shop of olga's and lena's, whose tokens the administrator made; it may open ports in an emergency."""
    admin = admin_of(server, connect)
    people = {name: connect(handed_out(admin, name)) for name in (OLGA, LENA)}
    admin.admin.create_domain("shop", owners=[OLGA, LENA])
    admin.grant("*", "mesh", actions=["discover", "request"])
    admin.admin.update_principal("user:admin", roles=["role:break-glass"])
    for product, roles in (("orders", ""), ("two", "roles:\n" + role(f"user:admin, {OLGA}", LENA))):
        text = contract(f"shop.{product}", {product: ["id: integer"]}) + roles
        people[OLGA].domain("shop").product(product, contract=text).publish({product: pl.DataFrame({"id": [1]})}, progress=False)
    return {"admin": admin, **people}


def test_nobody_decides_its_own_request_by_a_token_that_it_made(shop: dict[str, Mesh], connect: As) -> None:
    asked = shop["admin"].request("shop.orders", reason="mine")
    with pytest.raises(AccessDenied, match="made by user:admin, who asked for this"):
        shop[OLGA].approve(asked.id)
    own = connect(shop[OLGA].admin.activate_token().secret)
    assert str(own.approve(asked.id).state) == "active"
    by_puppet = shop[LENA].request("shop.two", reason="as lena, by the token that the administrator made")
    with pytest.raises(AccessDenied, match="user:lena asked for this with a token that user:admin made"):
        shop["admin"].approve(by_puppet.id)


def test_nobody_approves_on_two_levels_by_a_token_that_it_made(server: RunningServer, shop: dict[str, Mesh], connect: As) -> None:
    with server.user("user:ana") as ana:
        asked = connect(ana.admin.activate_token().secret).request("shop.two", reason="mine")
    shop["admin"].approve(asked.id)
    with pytest.raises(AccessDenied, match="made by user:admin, who approved this before"):
        shop[LENA].approve(asked.id)
    own = connect(shop[LENA].admin.activate_token().secret)
    assert str(own.approve(asked.id).state) == "active"


def test_no_approval_rule_written_by_a_made_token_approves_for_its_maker(shop: dict[str, Mesh], connect: As) -> None:
    shop[OLGA].approval_rules.create("shop.orders", ["user:admin"], id="shop:routine", reason="routine")
    assert str(shop["admin"].request("shop.orders", reason="mine").state) == "requested"
    own = connect(shop[OLGA].admin.activate_token().secret)
    own.approval_rules.create("shop.orders", ["user:admin"], id="shop:own", reason="routine")
    assert str(shop["admin"].request("shop.orders", reason="mine").state) == "active"


def test_nobody_acknowledges_its_own_emergency_by_a_token_that_it_made(shop: dict[str, Mesh], connect: As) -> None:
    use = shop["admin"].policy.break_glass("shop.orders.orders", reason="incident")
    with pytest.raises(AccessDenied, match="made by user:admin, who opened this"):
        shop[OLGA].policy.acknowledge_break_glass(use.id)
    own = connect(shop[OLGA].admin.activate_token().secret)
    assert own.policy.acknowledge_break_glass(use.id).acknowledger == OLGA


def command(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "XDG_CONFIG_HOME": str(place / "config")}
    for name in ("MESH_URL", "MESH_TOKEN"):
        environ.pop(name, None)
    mesh = str(Path(sys.executable).with_name("mesh"))
    return subprocess.run([mesh, *arguments], cwd=place, env=environ, capture_output=True, text=True, check=False)


def test_login_exchanges_a_token_that_somebody_else_made(server: RunningServer, connect: As, tmp_path: Path) -> None:
    admin = admin_of(server, connect)
    for name in ("kim", "etl"):
        full = "service:etl" if name == "etl" else f"user:{name}"
        (tmp_path / f"{name}.token").write_text(handed_out(admin, full))
    login = ("login", "--url", server.url, "--json")
    kept = command(tmp_path, *login, "--token-file", "kim.token", "--keep")
    assert json.loads(kept.stdout)["is_exchanged"] is False
    assert "made by user:admin, who may act as you: mesh token activate" in " ".join(command(tmp_path, "status").stdout.split())
    done = json.loads(command(tmp_path, "token", "activate", "--json").stdout)
    assert done["is_saved"]
    assert "secret" not in done
    assert command(tmp_path, "whoami").returncode == 0
    again = command(tmp_path, *login, "--token-file", "kim.token")
    assert "exchanged for another one" in again.stderr + again.stdout
    (tmp_path / "lee.token").write_text(handed_out(admin, "user:lee"))
    exchanged = command(tmp_path, "login", "--url", server.url, "--token-file", "lee.token")
    assert "your own now" in " ".join(exchanged.stdout.split())
    assert json.loads(command(tmp_path, "whoami", "--json").stdout)["name"] == "user:lee"
    with pytest.raises(Unauthenticated):
        connect((tmp_path / "lee.token").read_text()).whoami()
    service = json.loads(command(tmp_path, *login, "--token-file", "etl.token").stdout)
    assert service["is_exchanged"] is False  # it runs elsewhere, too
    out = command(tmp_path, "--url", server.url, "--token-file", "etl.token", "token", "activate", "--output", "own.token")
    assert (out.returncode, out.stdout) == (0, "")
    assert connect((tmp_path / "own.token").read_text().strip()).whoami().name == "service:etl"
    first = command(tmp_path, *login, "--token-file", server.ready["administrator_token_file"])
    assert json.loads(first.stdout)["is_exchanged"] is False
    assert admin.whoami().name == "user:admin"
