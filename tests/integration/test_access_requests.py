"""The life of an access request: every transition, levels of approval, what is given, renewals, and who may do what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from domain_sdk import (
    AccessDenied,
    AccessRequest,
    AccessRequestStep,
    DeadlineExceeded,
    InternalError,
    InvalidExpression,
    InvalidRequest,
    Mesh,
    MeshError,
    WrongState,
)
from domainmesh.v1.access_request_service_pb2 import ApproveAccessRequestRequest, DenyAccessRequestRequest
from domainmesh.v1.access_request_service_pb2_grpc import AccessRequestServiceStub
from tests.integration.mesh_setup import raw_mesh, token_of
from tests.integration.request_market import Market, open_market, role
from tests.servers import RunningServer

FAR = "2099-01-01"


@pytest.fixture(scope="module")
def market(server: RunningServer) -> Iterator[Market]:
    with open_market(server) as market:
        market.publish("orders")
        market.publish("two", role("user:kim, user:lee", "group:stewards"))
        market.publish("every", role("user:kim, group:stewards", "user:max", firstLevelApproval="all"))
        market.publish("prose", role("Reporting Manager", "na"))
        yield market


def steps(request: AccessRequest) -> list[tuple[str, str]]:
    return [(event.principal, str(event.step)) for event in request.history]


# -- transitions ---------------------------------------------------------------------------------------------------------------


def in_state(market: Market, state: str) -> AccessRequest:
    """A request of ana's in the state."""
    ana, olga = market["ana"], market["olga"]
    until = datetime.now(UTC) + timedelta(seconds=4) if state == "expired" else FAR
    request = ana.request("shop.orders", reason="please", until=until)
    if state == "denied":
        olga.deny(request.id)
    elif state == "withdrawn":
        ana.withdraw(request.id)
    elif state != "requested":
        approved = olga.approve(request.id)
        if state == "revoked":
            olga.revoke(approved.grants[0])
        if state == "expired":
            time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds() + 0.01))  # type: ignore[operator]
        if state == "approved":  # a renewal whose time has not come
            request = ana.renew(approved.id, until="2099-06-01")
            olga.approve(request.id)
    found = request.refresh()
    assert str(found.state) == state
    return found


ACTIONS: dict[str, Callable[[Market, AccessRequest], AccessRequest]] = {
    "approve": lambda market, request: market["otto"].approve(request.id),
    "deny": lambda market, request: market["otto"].deny(request.id),
    "withdraw": lambda market, request: market["ana"].withdraw(request.id),
    "revoke": lambda market, request: (market["otto"].revoke((request.grants or ("g-none",))[0]), request.refresh())[1],
    "renew": lambda market, request: market["ana"].renew(request.id, until="2099-12-01"),
}
ALLOWED = {
    ("requested", "approve"): "active",
    ("requested", "deny"): "denied",
    ("requested", "withdraw"): "withdrawn",
    ("active", "withdraw"): "withdrawn",
    ("active", "revoke"): "revoked",
    ("active", "renew"): "requested",
    ("approved", "withdraw"): "withdrawn",
    ("approved", "revoke"): "revoked",
    ("approved", "renew"): "requested",
    ("expired", "revoke"): "revoked",  # an ended grant may still be struck off
    ("revoked", "revoke"): "revoked",  # again is as once
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("state", ["requested", "approved", "active", "expired", "denied", "withdrawn", "revoked"])
def test_every_transition_is_allowed_or_refused_as_described(market: Market, state: str, action: str) -> None:
    request = in_state(market, state)
    wanted = ALLOWED.get((state, action))
    if wanted is None:
        with pytest.raises((WrongState, AccessDenied)):
            ACTIONS[action](market, request)
        assert str(request.refresh().state) == state
    else:
        assert str(ACTIONS[action](market, request).state) == wanted


def test_the_history_says_who_did_what(market: Market) -> None:
    request = in_state(market, "active")
    market["olga"].revoke(request.grants[0], reason="done")
    found = request.refresh()
    assert steps(found) == [("user:ana", "filed"), ("user:olga", "approved"), ("user:olga", "revoked")]
    assert [event.reason for event in found.history] == ["please", "", "done"]
    times = [event.time for event in found.history]
    assert times == sorted(times)  # type: ignore[type-var]


def test_access_ends_to_the_second_and_so_does_the_state(market: Market) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=6)).replace(microsecond=400_000)
    ana = market["eve"]
    request = ana.request("shop.orders", until=until, columns=["id"])
    market["olga"].approve(request.id)
    end = until.replace(microsecond=0)  # policy's time is whole seconds, cut
    seen: list[tuple[bool, bool, datetime, datetime]] = []
    while (began := datetime.now(UTC)) < end + timedelta(seconds=1):
        state = str(request.refresh().state)
        between = datetime.now(UTC)
        may_read = bool(ana.check("read", "shop.orders.orders"))
        seen.append((state == "active", may_read, began, between))
        time.sleep(0.02)
    for is_active, _, began, between in seen:
        if between < end:
            assert is_active
        if began >= end:
            assert not is_active
    assert {is_active for is_active, *_ in seen} == {True, False}
    after = [may_read for _, may_read, _, between in seen if between >= end]
    assert not any(after)
    assert str(request.refresh().state) == "expired"


def test_withdrawing_what_was_approved_ends_the_access(market: Market) -> None:
    lee = market["lee"]
    request = lee.request("shop.orders")
    approved = market["olga"].approve(request.id)
    assert lee.read("shop.orders.orders").height == 8
    assert str(lee.withdraw(request.id).state) == "withdrawn"
    with pytest.raises(AccessDenied):
        lee.read("shop.orders.orders")
    assert next(grant for grant in lee.grants() if grant.id == approved.grants[0]).revoker == "user:lee"


# -- what is asked and what is given --------------------------------------------------------------------------------------------


def test_less_than_was_asked_is_shown_beside_what_was_asked(market: Market) -> None:
    request = market["eli"].request("shop.orders", columns=["id", "region", "mail"], rows="amount > 10", until=FAR)
    market["olga"].approve(
        request.id, columns=["id", "region"], rows="region = 'EU'", masks={"region": "replace-with-null"}, until="2098-01-01"
    )
    found = request.refresh()
    assert found.is_less_than_asked
    assert (found.asked.columns, found.asked.row_filter) == (("id", "region", "mail"), "amount > 10")
    assert found.given is not None
    assert (found.given.columns, dict(found.given.masks)) == (("id", "region"), {"region": "replace-with-null"})
    assert found.given.until == datetime(2098, 1, 1, tzinfo=UTC)
    assert found.given.row_filter == "restricted"  # the approver's rows may name what is hidden from eli
    for_olga = next(it for it in market["olga"].requests() if it.id == request.id)
    assert for_olga.given is not None
    assert for_olga.given.row_filter == "(amount > 10) AND (region = 'EU')"
    assert market["eli"].read("shop.orders.orders", columns=["id"])["id"].to_list() == [2, 4, 6]
    market["eli"].withdraw(request.id)


def test_what_is_given_as_asked_is_not_called_less(market: Market) -> None:
    request = market["ana"].request("shop.orders", columns=["id"], rows="region = 'US'", until=FAR)
    found = market["olga"].approve(request.id)
    assert not found.is_less_than_asked
    seen = request.refresh()
    assert seen.given is not None
    assert seen.given.row_filter == "region = 'US'"
    market["ana"].withdraw(request.id)


@pytest.mark.parametrize("rows", ["nowhere = 1", "amount = 'x'", "1 = 1; drop table x", "id IN (SELECT 1)", "id = 1) OR (id = 2"])
def test_rows_that_cannot_be_understood_are_refused_when_asked_and_when_approved(market: Market, rows: str) -> None:
    with pytest.raises(InvalidExpression):
        market["ana"].request("shop.orders", rows=rows)
    request = market["ana"].request("shop.orders")
    with pytest.raises(InvalidExpression):
        market["olga"].approve(request.id, rows=rows)
    assert str(request.refresh().state) == "requested"


def test_an_approval_of_more_than_was_asked_is_refused(market: Market) -> None:
    request = market["ana"].request("shop.orders", columns=["id"], until="2098-01-01")
    for wider in ({"columns": ["id", "mail"]}, {"until": FAR}):
        with pytest.raises(InvalidRequest):
            market["olga"].approve(request.id, **wider)  # type: ignore[arg-type]


def test_who_may_ask_and_not_see_learns_no_columns(market: Market) -> None:
    market["olga"].grant("user:max", "shop.orders", actions=["discover"], deny=True)
    for columns, rows in ((["id"], None), (["nowhere"], None), ([], "id = 1"), ([], "nowhere = 1")):
        with pytest.raises(AccessDenied):
            market["max"].request("shop.orders", columns=columns, rows=rows)


def test_asking_ends_with_the_right_to_ask(market: Market) -> None:
    given = market["olga"].grant("user:nia", "shop.orders", actions=["request"], deny=False)
    nia = market.person("nia")
    request = nia.request("shop.orders")
    denial = market["olga"].grant("user:nia", "shop.orders", actions=["request"], deny=True)
    with pytest.raises(AccessDenied):
        nia.request("shop.orders")
    assert str(request.refresh().state) == "requested"  # asked while it might: it can be decided, and taken back
    assert str(nia.withdraw(request.id).state) == "withdrawn"
    market["olga"].revoke(denial.id)
    market["olga"].revoke(given.id)


# -- levels ---------------------------------------------------------------------------------------------------------------------


def test_two_levels_are_filled_in_order_and_only_the_last_makes_the_grant(market: Market) -> None:
    request = market["ana"].request("shop.two", until=FAR)
    assert [(level.approvers, level.needs_all) for level in request.levels] == [
        (("user:kim", "user:lee"), False), (("group:stewards",), False)
    ]  # fmt: skip
    for name in ("stu", "olga", "max"):
        with pytest.raises(AccessDenied):
            market[name].approve(request.id)
    first = market["lee"].approve(request.id, rows="region = 'EU'")
    assert (str(first.state), first.grants) == ("requested", ())
    assert [level.is_filled for level in first.levels] == [True, False]
    with pytest.raises(AccessDenied):
        market["ana"].read("shop.two.two")
    for name in ("kim", "lee"):
        with pytest.raises(AccessDenied):
            market[name].approve(request.id)
    done = market["stu"].approve(request.id, columns=["id", "region"], until="2098-01-01")
    assert (str(done.state), len(done.grants)) == ("active", 1)
    assert steps(done) == [
        ("user:ana", "filed"), ("user:lee", "level approved"), ("user:stu", "approved")
    ]  # fmt: skip
    frame = market["ana"].read("shop.two.two")
    assert (frame.columns, frame["region"].unique().to_list()) == (["id", "region"], ["EU"])
    market["ana"].withdraw(request.id)


def test_the_strictest_of_what_the_levels_give_is_given(market: Market) -> None:
    request = market["ana"].request("shop.two", rows="amount >= 0")
    market["kim"].approve(
        request.id, columns=["id", "mail", "region"], masks={"mail": "sha-256-global"}, rows="id > 1", until="2097-01-01"
    )
    done = market["stu"].approve(
        request.id, columns=["mail", "id", "amount"], masks={"mail": "show-first-4"}, rows="id < 6", until="2098-01-01"
    )
    assert done.given is not None
    assert done.given.columns == ("id", "mail")
    assert dict(done.given.masks) == {"mail": "replace-with-null"}  # two masks without an order
    assert done.given.row_filter == "(amount >= 0) AND (id > 1) AND (id < 6)"
    assert done.given.until == datetime(2097, 1, 1, tzinfo=UTC)
    assert market["ana"].read("shop.two.two")["id"].to_list() == [2, 3, 4, 5]
    market["ana"].withdraw(request.id)


def test_approvals_with_no_column_in_common_are_refused(market: Market) -> None:
    request = market["ana"].request("shop.two")
    market["kim"].approve(request.id, columns=["id"])
    with pytest.raises(InvalidRequest, match="no column in common"):
        market["stu"].approve(request.id, columns=["mail"])
    assert str(request.refresh().state) == "requested"


def test_all_of_a_level_means_one_person_for_each_name(market: Market) -> None:
    request = market["ana"].request("shop.every")
    market["stu"].approve(request.id)
    with pytest.raises(AccessDenied, match="Your part of level 1 is filled"):
        market["sue"].approve(request.id)  # the group has spoken
    with pytest.raises(AccessDenied):
        market["max"].approve(request.id)
    assert [level.is_filled for level in market["kim"].approve(request.id).levels] == [True, False]
    assert str(market["max"].approve(request.id).state) == "active"
    market["ana"].withdraw(request.id)


def test_who_approved_may_change_it_until_the_level_is_filled(market: Market) -> None:
    request = market["ana"].request("shop.every")
    market["kim"].approve(request.id, columns=["id", "mail"])
    changed = market["kim"].approve(request.id, columns=["id"])
    assert [(it.approver, it.terms.columns) for it in changed.approvals] == [("user:kim", ("id",))]
    market["ana"].withdraw(request.id)


@pytest.mark.parametrize("who", ["kim", "sue", "olga"])
@pytest.mark.parametrize("level", [1, 2])
def test_a_denial_on_any_level_by_any_approver_ends_it(market: Market, who: str, level: int) -> None:
    request = market["ana"].request("shop.two")
    if level == 2:
        market["lee"].approve(request.id)
    assert str(market[who].deny(request.id, reason="no").state) == "denied"
    for name in ("lee", "stu", "sue"):
        with pytest.raises(WrongState):
            market[name].approve(request.id)
    with pytest.raises(AccessDenied):
        market["ana"].read("shop.two.two")


def test_a_request_is_nobodys_who_has_no_part_in_it(market: Market) -> None:
    request = market["ana"].request("shop.two")
    for call in (market["max"].get_request, market["max"].approve, market["max"].deny, market["max"].withdraw):
        with pytest.raises(AccessDenied) as caught:
            call(request.id)
        assert "shop.two" not in str(caught.value)
    assert request.id not in [it.id for it in market["max"].requests()]
    for name in ("kim", "stu", "olga", "ana"):
        assert request.id in [it.id for it in market[name].requests(resource="shop.two")]
    assert request.id in [it.id for it in market["kim"].requests(awaits_me=True)]
    for name in ("stu", "olga", "ana"):
        assert request.id not in [it.id for it in market[name].requests(awaits_me=True)]


def test_words_that_name_nobody_leave_it_to_who_may_grant(market: Market) -> None:
    request = market["ana"].request("shop.prose")
    assert [level.approvers for level in request.levels] == [("grant",)]
    with pytest.raises(AccessDenied):
        market["kim"].approve(request.id)
    assert str(market["otto"].approve(request.id).state) == "active"


def test_an_administrator_may_deny_and_cannot_give_what_it_does_not_hold(market: Market) -> None:
    request = market["ana"].request("shop.orders")
    with pytest.raises(AccessDenied):
        market.admin.approve(request.id)
    assert str(market.admin.deny(request.id).state) == "denied"


def test_the_contract_of_the_moment_decides(market: Market) -> None:
    name = market.publish("moving", role("user:kim", "user:lee"))
    request = market["ana"].request(name)
    market["kim"].approve(request.id)
    market.publish("moving", role("user:max", "user:lee"), version="1.0.1")
    assert [level.approved_by for level in request.refresh().levels] == [(), ()]  # kim has no say any more
    with pytest.raises(AccessDenied):
        market["lee"].approve(request.id)
    market["max"].approve(request.id)
    market.publish("moving", role("user:max"), version="1.0.2")  # less is needed now: who approved confirms
    assert request.id in [it.id for it in market["max"].requests(awaits_me=True)]
    assert str(market["max"].approve(request.id).state) == "active"


def test_an_approver_who_left_or_was_disabled_does_not_count(market: Market) -> None:
    request = market["ana"].request("shop.every")
    market["stu"].approve(request.id)
    market.admin.admin.update_principal("user:stu", groups=[])
    assert [level.approved_by for level in request.refresh().levels] == [(), ()]
    market.admin.admin.update_principal("user:stu", groups=["group:stewards"])
    assert request.refresh().levels[0].approved_by == ("user:stu",)
    market.admin.admin.update_principal("user:stu", is_disabled=True)
    assert request.refresh().levels[0].approved_by == ()
    market.admin.admin.update_principal("user:stu", is_disabled=False)


def test_ports_with_approvers_of_their_own_are_asked_for_one_by_one(market: Market) -> None:
    name = market.publish("pair", role("user:kim", ports="[left]"), role("user:lee"), ports=("left", "right"))
    with pytest.raises(InvalidRequest, match=r"shop\.pair\.left, shop\.pair\.right"):
        market["ana"].request(name)
    assert [level.approvers for level in market["ana"].request(f"{name}.left").levels] == [("user:kim",)]
    assert [level.approvers for level in market["ana"].request(f"{name}.right").levels] == [("user:lee",)]


# -- parties --------------------------------------------------------------------------------------------------------------------


def test_nobody_decides_its_own_request_whatever_token_it_uses(market: Market, server: RunningServer) -> None:
    request = market["kim"].request("shop.two")
    other = Mesh.connect(server.url, token_of(server, "user:kim"))
    for mesh in (market["kim"], other):
        for call in (mesh.approve, mesh.deny):
            with pytest.raises(AccessDenied, match="its own"):
                call(request.id)
    own = market["olga"].request("shop.orders")
    with pytest.raises(AccessDenied, match="its own"):
        market["olga"].approve(own.id)
    assert str(market["otto"].approve(own.id).state) == "active"


def test_a_request_for_a_group_gives_to_its_members_and_none_of_them_decides(market: Market) -> None:
    ann, bob = market["ann"], market.person("bob", groups=["group:analysts"])
    with pytest.raises(InvalidRequest):
        ann.request("shop.orders", subject="group:stewards")
    with pytest.raises(InvalidRequest):
        ann.request("shop.orders", subject="user:bob")
    market.admin.admin.update_principal("user:otto", groups=["group:analysts"])
    request = ann.request("shop.orders", subject="group:analysts", until=FAR)
    with pytest.raises(AccessDenied, match="a group of its own"):
        market["otto"].approve(request.id)
    market.admin.admin.update_principal("user:otto", groups=[])
    market["olga"].approve(request.id)
    assert bob.read("shop.orders.orders").height == 8
    market["olga"].revoke(request.refresh().grants[0])


def test_a_group_that_asks_by_a_token_of_its_own_is_not_decided_by_its_members(market: Market, server: RunningServer) -> None:
    group = Mesh.connect(server.url, token_of(server, "group:stewards"))
    request = group.request("shop.two")
    market["kim"].approve(request.id)
    for name in ("stu", "sue"):
        with pytest.raises(AccessDenied):
            market[name].approve(request.id)
    assert str(group.withdraw(request.id).state) == "withdrawn"


def test_a_token_whose_scope_leaves_granting_out_decides_nothing_whoever_the_contract_names(
    market: Market, server: RunningServer
) -> None:
    request = market["ana"].request("shop.two")
    narrow = market["kim"].admin.create_token(scope=["request,discover:shop.two"]).secret
    with Mesh.connect(server.url, narrow) as kim:
        for call in (kim.approve, kim.deny):
            with pytest.raises(AccessDenied):
                call(request.id)
        assert kim.inbox().to_decide_count == 0
    wide = market["kim"].admin.create_token(scope=["grant:shop.two"]).secret
    with Mesh.connect(server.url, wide) as kim:
        assert [it.id for it in kim.inbox().to_decide][-1] == request.id
        assert kim.approve(request.id).levels[0].approved_by == ("user:kim",)
    market["ana"].withdraw(request.id)


def test_a_role_of_the_domain_approves_as_its_members_do(market: Market) -> None:
    name = market.publish("clerks", role("role:clerk"))
    request = market["ana"].request(name)
    with pytest.raises(AccessDenied):
        market["lee"].approve(request.id)
    market["olga"].admin.update_domain("shop", roles={"role:clerk": ["user:lee"]})
    assert request.id in [it.id for it in market["lee"].inbox().to_decide]
    assert str(market["lee"].approve(request.id).state) == "active"


ODD = ["\x00", "\u202eevil", "a\nb", "'; DROP TABLE x --", "𝕬" * 300, "*", "user:ana", "../..", "r-", "🙂"]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_odd_texts_are_refused_or_kept_as_they_are(market: Market, text: str) -> None:
    ana = market["ana"]
    for call in (
        lambda: ana.request(text), lambda: ana.request("shop.orders", purpose=text),
        lambda: ana.request("shop.orders", rows=text),
        lambda: ana.request("shop.orders", subject=text if text != "user:ana" else "user:kim"),
        lambda: ana.request("shop.orders", columns=[text]), lambda: ana.renew(text, until=FAR),
        lambda: market["olga"].approve(text), lambda: market["olga"].deny(text), lambda: ana.withdraw(text),
        lambda: ana.get_request(text), lambda: market["olga"].approval_rules.create("shop.orders", [text + " "]),
        lambda: market["olga"].approval_rules.delete(text),
    ):  # fmt: skip
        with pytest.raises(MeshError) as caught:
            call()
        assert type(caught.value) is not InternalError
    if text == "\x00":
        return  # no database stores it
    request = ana.request("shop.orders", reason=text)
    assert market["olga"].deny(request.id, reason=text).decision_reason == text
    assert request.refresh().reason == text


def test_a_filter_ten_thousand_nodes_deep_is_refused(market: Market) -> None:
    for rows in ("(" * 10_000 + "id = 1" + ")" * 10_000, " AND ".join(["id = 1"] * 10_000), "NOT " * 9_000 + "id = 1"):
        with pytest.raises(MeshError) as caught:
            market["ana"].request("shop.orders", rows=rows)
        assert not isinstance(caught.value, DeadlineExceeded | InternalError)


# -- renewal --------------------------------------------------------------------------------------------------------------------


def test_a_renewal_goes_on_where_the_grant_ends_and_gives_no_more(market: Market) -> None:
    ana, olga = market["eva"], market["olga"]
    until = datetime.now(UTC) + timedelta(seconds=10)
    request = ana.request("shop.orders", columns=["id", "region"], until=until)
    first = olga.approve(request.id, rows="region = 'EU'", masks={"region": "mask-alphanum"})
    renewal = ana.renew(request.id, until=FAR)
    assert (renewal.renews, renewal.columns, dict(renewal.masks)) == (
        first.grants[0],
        ("id", "region"),
        {"region": "mask-alphanum"},
    )
    assert renewal.row_filter == "restricted"
    done = olga.approve(renewal.id)
    assert (str(done.state), done.given and done.given.since) == ("approved", first.given and first.given.until)
    assert request.refresh().renewed_by == renewal.id
    with pytest.raises(WrongState, match="renewed already"):
        ana.renew(first.id, until=FAR)
    while datetime.now(UTC) < until + timedelta(seconds=1):
        frame = ana.read("shop.orders.orders")
        assert (frame.height, frame["region"].unique().to_list()) == (4, ["xx"])
        time.sleep(0.05)
    assert (str(request.refresh().state), str(renewal.refresh().state)) == ("expired", "active")
    olga.revoke(done.grants[0])


def test_revoking_a_grant_revokes_what_goes_on_after_it(market: Market) -> None:
    ana, olga = market["ana"], market["olga"]
    first = olga.approve(ana.request("shop.orders", until="2098-01-01").id)
    renewal = olga.approve(ana.renew(first.grants[0], until=FAR).id)
    olga.revoke(first.grants[0])
    assert [str(it.refresh().state) for it in (first, renewal)] == ["revoked", "revoked"]


def test_what_was_revoked_meanwhile_is_not_renewed(market: Market) -> None:
    ana, olga = market["ana"], market["olga"]
    first = olga.approve(ana.request("shop.orders", until="2098-01-01").id)
    renewal = ana.renew(first.id, until=FAR)
    olga.revoke(first.grants[0])
    with pytest.raises(WrongState, match="was revoked"):
        olga.approve(renewal.id)
    with pytest.raises(WrongState):
        ana.renew(first.id, until=FAR)


def test_only_ones_own_grant_with_an_end_is_renewed(market: Market) -> None:
    ana, olga = market["ana"], market["olga"]
    first = olga.approve(ana.request("shop.orders", until="2098-01-01").id)
    for name in ("kim", "olga"):
        with pytest.raises(AccessDenied):
            market[name].renew(first.grants[0], until=FAR)
    with pytest.raises(InvalidRequest, match="later end"):
        ana.renew(first.id, until="2097-01-01")
    forever = olga.grant("user:ana", "shop.orders")
    with pytest.raises(WrongState, match="no end"):
        ana.renew(forever.id, until=FAR)
    writing = olga.grant("user:ana", "shop.orders", actions=["write"], until="2098-01-01")
    with pytest.raises(WrongState, match="more than reading"):
        ana.renew(writing.id, until=FAR)
    for grant in (forever.id, writing.id, first.grants[0]):
        olga.revoke(grant)


# -- races ----------------------------------------------------------------------------------------------------------------------


def at_once(*calls: Callable[[], AccessRequest]) -> list[AccessRequest | MeshError]:
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], AccessRequest]) -> AccessRequest | MeshError:
        barrier.wait()
        try:
            return call()
        except MeshError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.parametrize("rivals", [("approve", "approve"), ("approve", "deny"), ("approve", "withdraw"), ("deny", "withdraw")])
def test_of_two_at_once_exactly_one_decides(market: Market, rivals: tuple[str, str]) -> None:
    people = {"approve": ("olga", "otto"), "deny": ("otto", "olga"), "withdraw": ("ana", "ana")}
    for _ in range(8):
        request = market["ana"].request("shop.orders")
        calls = [
            lambda name=name, side=side: getattr(market[people[name][side]], name)(request.id)  # type: ignore[misc]  # noqa: B023
            for side, name in enumerate(rivals)
        ]
        outcomes = at_once(*calls)
        won = [outcome for outcome in outcomes if isinstance(outcome, AccessRequest)]
        final = request.refresh()
        if set(rivals) == {"approve", "withdraw"} and len(won) == 2:  # approved, and given back at once
            assert str(final.state) == "withdrawn"
        else:
            assert len(won) == 1
            assert final.state == won[0].state
        grants = [g for g in market["olga"].grants(subject="user:ana") if g.access_request == request.id and not g.is_revoked]
        assert len(grants) == (1 if str(final.state) == "active" else 0)
        if grants:
            market["olga"].revoke(grants[0].id)


def test_two_approvers_of_one_level_at_once_make_one_grant(market: Market) -> None:
    for _ in range(6):
        request = market["ana"].request("shop.two")
        first = at_once(lambda: market["kim"].approve(request.id), lambda: market["lee"].approve(request.id))  # noqa: B023
        assert [isinstance(outcome, AccessDenied) for outcome in first].count(True) == 1
        last = at_once(lambda: market["stu"].approve(request.id), lambda: market["sue"].approve(request.id))  # noqa: B023
        assert [isinstance(outcome, WrongState) for outcome in last].count(True) == 1
        final = request.refresh()
        assert (str(final.state), len(final.grants)) == ("active", 1)
        assert [event.step for event in final.history].count(AccessRequestStep.APPROVED) == 1
        market["ana"].withdraw(request.id)


def test_a_repeated_decision_is_one_decision(market: Market, server: RunningServer) -> None:
    request = market["ana"].request("shop.orders")
    with raw_mesh(server, token_of(server, "user:olga")) as raw:
        stub = raw.control(AccessRequestServiceStub)
        sent = ApproveAccessRequestRequest(id=request.id, request_id="once", reason="yes")
        replies = [stub.ApproveAccessRequest(sent, metadata=raw.metadata) for _ in range(3)]
        assert len({tuple(reply.grants) for reply in replies}) == 1
        assert len(request.refresh().grants) == 1
        other = market["ana"].request("shop.orders")
        denial = DenyAccessRequestRequest(id=other.id, request_id="no", reason="no")
        assert [stub.DenyAccessRequest(denial, metadata=raw.metadata).decision_reason for _ in range(2)] == ["no", "no"]
        assert [event.step for event in other.refresh().history].count(AccessRequestStep.DENIED) == 1
