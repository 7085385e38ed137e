"""Once there are two administrators, none acts alone in somebody's name: a login one has made reads until another confirms it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
import pytest

from domain_sdk import AccessDenied, Mesh, NotFound, WrongState
from domain_sdk.inbox import NoticeKind
from tests.integration.mesh_setup import contract
from tests.integration.test_openlineage import dataset, post, run_event
from tests.servers import RunningServer

ANA, BEA, OLGA, ETL = "user:ana", "user:bea", "user:olga", "service:etl"
ORDERS = "shop.orders.orders"
As = Callable[[str], Mesh]


@pytest.fixture
def server(new_server: Callable[..., RunningServer]) -> RunningServer:
    """A server of this test's own."""
    return new_server()


@pytest.fixture
def connect(server: RunningServer) -> Iterator[As]:
    """Connects with a token, with the administrator's if it is empty; every connection is closed in the end."""
    made = []

    def run(token: str = "") -> Mesh:
        made.append(Mesh.connect(server.url, token or server.admin_token))
        return made[-1]

    yield run
    for mesh in made:
        mesh.close()


@pytest.fixture
def admin(connect: As) -> Mesh:
    """The administrator of a mesh in which a shop is olga's, who has never logged in, and `service:etl` may write to it."""
    mesh = connect("")
    for name in (ANA, BEA, OLGA, ETL):
        mesh.admin.create_principal(name)
    mesh.admin.create_domain("shop", owners=[OLGA])
    mesh.grant("*", "mesh", actions=["discover", "request"])
    publish(first := connect(mesh.admin.create_token(OLGA).secret))
    first.grant(ETL, "shop", actions=["discover", "read", "write"])
    mesh.admin.revoke_token(first.whoami() and mesh.admin.tokens(OLGA)[0].id)
    return mesh


@pytest.fixture
def bea(admin: Mesh, connect: As) -> Mesh:
    """The second administrator, by a token of her own."""
    handed_out = connect(admin.admin.create_token(BEA).secret)
    admin.admin.update_principal(BEA, is_administrator=True)
    return connect(handed_out.admin.activate_token().secret)


def publish(mesh: Mesh) -> None:
    text = contract("shop.orders", {"orders": ["id: integer"]})
    mesh.domain("shop").product("orders", contract=text).publish({"orders": pl.DataFrame({"id": [1]})}, progress=False)


def test_whoever_is_alone_acts_for_an_owner_and_needs_nobody(admin: Mesh, connect: As) -> None:
    olga = connect(admin.admin.create_token(OLGA).secret)
    assert olga.grant(ANA, "shop").id
    own = connect(olga.admin.activate_token().secret)
    assert own.status().token_makers == ()
    publish(own)


@pytest.mark.parametrize("is_exchanged", [False, True])
def test_one_administrator_cannot_act_as_an_owner_who_has_never_logged_in(
    admin: Mesh, bea: Mesh, connect: As, is_exchanged: bool
) -> None:
    asked = admin.request("shop.orders", reason="mine")
    made = admin.admin.create_token(OLGA)
    if is_exchanged:
        made = connect(made.secret).admin.activate_token()
    puppet = connect(made.secret)
    child = connect(puppet.admin.create_token().secret)
    for mesh in (puppet, child):
        for act in (
            lambda: mesh.grant("user:admin", "shop"),  # noqa: B023
            lambda: publish(mesh),  # noqa: B023
            lambda: mesh.approve(asked.id),  # noqa: B023
            lambda: mesh.approval_rules.create("shop.orders", ["user:admin"], id="shop:routine", reason="r"),  # noqa: B023
            lambda: mesh.admin.update_domain("shop", roles={"role:clerk": ["user:admin"]}),  # noqa: B023
        ):
            with pytest.raises(AccessDenied):
                act()
        assert mesh.read(ORDERS).height == 1  # what it is good for is told in the documentation
    with pytest.raises(AccessDenied, match=r"reads only until another administrator.*mesh token confirm"):
        puppet.grant("user:admin", "shop")
    with pytest.raises(AccessDenied, match="has not made it"):
        admin.admin.confirm_token(made.token.id)


def test_the_owner_exchanges_and_a_second_administrator_confirms(admin: Mesh, bea: Mesh, connect: As) -> None:
    handed_out = connect(admin.admin.create_token(OLGA).secret)
    own = handed_out.admin.activate_token()
    assert own.token.makers == ("user:admin",)
    told = [it.text for it in bea.notices() if it.kind is NoticeKind.TOKEN_ACTIVATED]
    assert any(f"mesh token confirm {own.token.id}" in text for text in told)
    olga = connect(own.secret)
    with pytest.raises(AccessDenied, match="your own tokens only"):
        olga.admin.confirm_token(own.token.id)
    confirmed = bea.admin.confirm_token(own.token.id)
    assert (confirmed.confirmer, confirmed.makers) == (BEA, ())
    assert olga.grant(ANA, "shop").id
    publish(connect(olga.admin.create_token().secret))
    with pytest.raises(WrongState, match="not waiting"):
        bea.admin.confirm_token(own.token.id)


def test_a_services_token_is_confirmed_as_it_was_made(admin: Mesh, bea: Mesh, connect: As) -> None:
    made = admin.admin.create_token(ETL)
    etl = connect(made.secret)
    with pytest.raises(AccessDenied):
        publish(etl)
    assert bea.admin.confirm_token(made.token.id).makers == ("user:admin",)  # who made it may still have it
    publish(etl)
    publish(connect(etl.admin.create_token().secret))


def test_lineage_over_http_needs_a_confirmed_token_from_the_moment_there_are_two(server: RunningServer, admin: Mesh) -> None:
    made = admin.admin.create_token(ETL)
    event = run_event(("mesh", "shop.load"), outputs=[dataset("mesh", ORDERS)])
    assert [post(server, made.secret, event)[0] for _ in range(3)] == [200] * 3
    assert admin.admin.create_token(BEA).secret
    admin.admin.update_principal(BEA, is_administrator=True)
    assert [post(server, made.secret, event)[0] for _ in range(3)] == [403] * 3
    assert post(server, made.secret, [event], path="/batch")[0] == 400


def test_two_puppets_of_one_administrator_confirm_nothing(admin: Mesh, connect: As) -> None:
    puppet = connect(admin.admin.create_token(BEA).secret)
    admin.admin.update_principal(BEA, is_administrator=True)
    made = admin.admin.create_token(OLGA)
    with pytest.raises(AccessDenied, match="made by user:admin"):
        puppet.admin.confirm_token(made.token.id)
    by_puppet = puppet.admin.create_token(ETL)
    with pytest.raises(AccessDenied, match="has not made it"):
        admin.admin.confirm_token(by_puppet.token.id)


def test_what_cannot_be_confirmed_is_told(admin: Mesh, bea: Mesh) -> None:
    with pytest.raises(NotFound):
        bea.admin.confirm_token("0123456789abcdef")
    gone = admin.admin.create_token(ETL)
    admin.admin.revoke_token(gone.token.id)
    with pytest.raises(NotFound):
        bea.admin.confirm_token(gone.token.id)
    child = bea.admin.create_token()
    with pytest.raises(WrongState, match="not waiting"):
        admin.admin.confirm_token(child.token.id)


def test_whoever_exchanged_first_is_not_beside_a_second_token(admin: Mesh, bea: Mesh, connect: As) -> None:
    from domain_sdk import SecondPersonNeeded

    connect(admin.admin.create_token(OLGA).secret).admin.activate_token()
    with pytest.raises(SecondPersonNeeded, match="has a login of its own"):
        admin.admin.create_token(OLGA)


def test_no_consumer_accepts_a_breaking_change_by_a_login_that_somebody_else_made(admin: Mesh, connect: As) -> None:
    olga = connect(connect(admin.admin.create_token(OLGA).secret).admin.activate_token().secret)
    olga.grant(ANA, "shop")
    ana = connect(admin.admin.create_token(ANA).secret)
    ana.read(ORDERS)
    change = olga.contracts.propose("shop.orders", contract("shop.orders", {"orders": ["number: integer"]}, version="2.0.0"))
    assert [it.id for it in ana.inbox().contract_changes] == [change.id]
    connect(admin.admin.create_token(BEA).secret)
    admin.admin.update_principal(BEA, is_administrator=True)
    with pytest.raises(AccessDenied, match="reads only until another administrator"):
        ana.contracts.accept(change.id)


def test_what_may_be_done_is_answered_as_it_is(admin: Mesh, bea: Mesh, connect: As) -> None:
    made = admin.admin.create_token(OLGA)
    olga = connect(made.secret)
    assert [olga.check(action, "shop").is_allowed for action in ("discover", "grant", "administer")] == [True, False, False]
    bea.admin.confirm_token(made.token.id)
    assert [olga.check(action, "shop").is_allowed for action in ("discover", "grant", "administer")] == [True, True, True]
