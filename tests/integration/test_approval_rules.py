"""Approval rules: what fits is approved when it is filed, in its author's name; anything else waits for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain_sdk import AccessDenied, Conflict, InvalidExpression, InvalidRequest, MeshError, Resource
from tests.integration.request_market import Market, open_market, role
from tests.servers import RunningServer


@pytest.fixture(scope="module")
def market(server: RunningServer) -> Iterator[Market]:
    with open_market(server) as market:
        market.publish("orders")
        market.publish("led", role("user:olga, user:kim", "user:otto"))
        market.publish("pair", ports=("left", "right"))
        yield market


@pytest.fixture(autouse=True)
def no_rules(market: Market) -> Iterator[None]:
    yield
    for rule in market["olga"].approval_rules.list():
        market["olga"].approval_rules.delete(rule.id)


def days(number: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=number)


FITTING: dict[str, Any] = {"purpose": "forecasting", "columns": ["id", "region"]}


def rule(market: Market, **changed: Any) -> str:
    """A rule of olga's for analysts, for at most ten days, on three columns, one masked, of one region."""
    given: dict[str, Any] = {
        "purpose": "analytics", "longest_days": 10, "columns": ["id", "region", "mail"], "rows": "region = 'EU'",
        "masks": {"region": "mask-alphanum"}, "reason": "routine", "id": "shop:routine",
    }  # fmt: skip
    given |= changed
    subjects = given.pop("subjects", ["group:analysts"])
    resource = given.pop("resource", "shop.orders.orders")
    return market["olga"].approval_rules.create(resource, subjects, **given).id


def test_what_fits_is_approved_in_the_change_that_files_it(market: Market) -> None:
    made = rule(market)
    head = market.admin.revision
    request = market["ann"].request("shop.orders.orders", until=days(9), reason="please", **FITTING)
    assert (str(request.state), request.decider, request.decision_reason) == ("active", "user:olga", "routine")
    assert [(event.principal, str(event.step), event.approval_rule) for event in request.history] == [
        ("user:ann", "filed", ""), ("user:olga", "approved", made)
    ]  # fmt: skip
    changes = [change for change in market.admin.audit.changes(after=head) if change.subject == request.id]
    assert [change.kind for change in changes] == ["access_request.approved"]  # one change, not two
    grant = next(it for it in market["olga"].grants(subject="user:ann") if it.access_request == request.id)
    assert (grant.approval_rule, grant.grantor, grant.row_filter) == (made, "user:olga", "region = 'EU'")
    frame = market["ann"].read("shop.orders.orders", purpose="forecasting")
    assert (frame.columns, frame["region"].unique().to_list(), frame.height) == (["id", "region"], ["xx"], 4)
    assert request.is_less_than_asked  # rows and masks of the rule come on top
    market["ann"].withdraw(request.id)


@pytest.mark.parametrize(
    ("who", "asked"),
    [
        pytest.param("ana", {}, id="not of the group"),
        pytest.param("ann", {"purpose": ""}, id="no purpose"),
        pytest.param("ann", {"until": 11}, id="for longer"),
        pytest.param("ann", {"until": None}, id="without end"),
        pytest.param("ann", {"columns": []}, id="all columns"),
        pytest.param("ann", {"columns": ["id", "amount"]}, id="a column more"),
    ],
)
def test_what_does_not_fit_whole_waits_for_people(market: Market, who: str, asked: dict[str, Any]) -> None:
    rule(market)
    given = {**FITTING, "until": 9, **asked}
    given["until"] = days(given["until"]) if given["until"] else None
    request = market[who].request("shop.orders.orders", **given)
    assert str(request.state) == "requested"
    assert request.approvals == ()
    market[who].withdraw(request.id)


def test_a_rule_for_a_wider_purpose_fits_a_narrower_one_and_not_the_other_way(market: Market) -> None:
    rule(market, purpose="forecasting")
    request = market["ann"].request("shop.orders.orders", until=days(1), purpose="analytics", columns=["id"])
    assert str(request.state) == "requested"
    market["ann"].withdraw(request.id)


def test_a_disabled_or_deleted_rule_approves_nothing_and_ends_nothing(market: Market) -> None:
    made = rule(market)
    kept = market["ann"].request("shop.orders.orders", until=days(1), **FITTING)
    market["otto"].approval_rules.update(made, is_disabled=True)
    shown = market["olga"].approval_rules.list()[0]
    assert (shown.is_disabled, shown.author) == (True, "user:olga")  # who only disables it does not answer for it
    assert str(market["ann"].request("shop.orders.orders", until=days(1), **FITTING).state) == "requested"
    assert str(kept.refresh().state) == "active"
    market["otto"].approval_rules.update(made, is_disabled=False)
    assert market["olga"].approval_rules.list()[0].author == "user:otto"
    again = market["ann"].request("shop.orders.orders", until=days(1), **FITTING)
    assert (str(again.state), again.decider) == ("active", "user:otto")
    market["olga"].approval_rules.delete(made)
    assert str(market["ann"].request("shop.orders.orders", until=days(1), **FITTING).state) == "requested"
    assert str(kept.refresh().state) == "active"


def test_a_rule_dies_with_its_authors_right_to_grant_and_lives_again_with_it(market: Market) -> None:
    made = rule(market)
    market.admin.admin.update_domain("shop", owners=["user:otto"])
    assert market["otto"].approval_rules.list()[0].is_dead
    assert str(market["ann"].request("shop.orders.orders", until=days(1), **FITTING).state) == "requested"
    market.admin.admin.update_domain("shop", owners=["user:olga", "user:otto"])
    assert not market["otto"].approval_rules.list()[0].is_dead
    market.admin.admin.update_principal("user:olga", is_disabled=True)
    assert str(market["ann"].request("shop.orders.orders", until=days(1), **FITTING).state) == "requested"
    market.admin.admin.update_principal("user:olga", is_disabled=False)
    request = market["ann"].request("shop.orders.orders", until=days(1), **FITTING)
    assert (str(request.state), request.history[-1].approval_rule) == ("active", made)


def test_an_author_gives_by_rule_no_more_than_it_holds(market: Market) -> None:
    market["olga"].grant("user:max", "shop.orders", actions=["grant"])
    market["olga"].grant("user:max", "shop.orders.orders", actions=["discover"])
    held = market["olga"].grant("user:max", "shop.orders.orders", actions=["read"], columns=["id"], rows="region = 'EU'")
    rules = market["max"].approval_rules
    for wider in ({"columns": ["id", "mail"]}, {}, {"columns": ["id"]}, {"columns": ["id"], "rows": "region = 'US'"}):
        with pytest.raises(AccessDenied):
            rules.create("shop.orders.orders", ["*"], **wider)  # type: ignore[arg-type]
    made = rules.create("shop.orders.orders", ["user:lee"], columns=["id"], rows="region = 'EU'")
    request = market["lee"].request("shop.orders.orders", columns=["id"])
    assert (str(request.state), request.decider) == ("active", "user:max")
    market["olga"].revoke(held.id)
    assert str(request.refresh().state) == "revoked"  # what it rests on has ended
    assert str(market["lee"].request("shop.orders.orders", columns=["id"]).state) == "requested"
    assert made.id in [it.id for it in market["olga"].approval_rules.list()]


def test_a_rule_is_an_approval_on_a_level_where_its_author_could_give_one(market: Market) -> None:
    market["olga"].approval_rules.create("shop.led", ["*"], id="shop:first")
    request = market["ana"].request("shop.led")
    assert (str(request.state), [level.is_filled for level in request.levels]) == ("requested", [True, False])
    assert str(market["otto"].approve(request.id).state) == "active"
    market["otto"].approval_rules.create("shop.led", ["*"], id="shop:a-second")  # before `first` by name, after it by level
    done = market["lee"].request("shop.led")
    assert [(it.level, it.approver, it.approval_rule) for it in done.approvals] == [
        (1, "user:olga", "shop:first"), (2, "user:otto", "shop:a-second")
    ]  # fmt: skip
    assert str(done.state) == "active"


def test_nobody_approves_its_own_request_by_rule(market: Market) -> None:
    market["olga"].approval_rules.create("shop.orders", ["*"])
    assert str(market["olga"].request("shop.orders").state) == "requested"
    other = market["otto"].request("shop.orders")
    assert (str(other.state), other.decider) == ("active", "user:olga")


def test_a_rule_for_a_group_fits_a_request_for_the_group(market: Market) -> None:
    market["olga"].approval_rules.create("shop.orders", ["group:analysts"])
    request = market["ann"].request("shop.orders", subject="group:analysts")
    assert str(request.state) == "active"
    assert market["olga"].grants(subject="group:analysts")[-1].approval_rule.startswith("shop:")
    market["ann"].withdraw(request.id)


def test_a_renewal_may_fit_a_rule(market: Market) -> None:
    market["olga"].approval_rules.create("shop.orders", ["*"], longest_days=30)
    first = market["ana"].request("shop.orders", until=days(5))
    assert str(market["ana"].renew(first.id, until=days(20)).state) == "approved"
    second = market["lee"].request("shop.orders", until=days(5))
    assert str(market["lee"].renew(second.id, until=days(40)).state) == "requested"


@pytest.mark.parametrize(
    ("resource", "subjects", "given", "error"),
    [
        ("shop.orders", [], {}, InvalidRequest),
        ("shop.orders", ["ana"], {}, InvalidRequest),
        ("shop.orders", ["*"], {"id": "other:x"}, InvalidRequest),
        ("shop.orders", ["*"], {"id": "shop:X y"}, InvalidRequest),
        ("shop.pair", ["*"], {"columns": ["id"]}, InvalidRequest),
        ("shop.orders", ["*"], {"columns": ["id"]}, InvalidRequest),
        ("shop.orders.orders", ["*"], {"columns": ["nowhere"]}, InvalidRequest),
        ("shop.orders.orders", ["*"], {"masks": {"id": "sha-9"}}, InvalidRequest),
        ("shop.orders.orders", ["*"], {"rows": "nowhere = 1"}, InvalidExpression),
        ("shop.orders", ["*"], {"purpose": "made-up"}, InvalidRequest),
        ("shop.orders", ["*"], {"longest_days": 10**6}, InvalidRequest),
        ("mesh", ["*"], {}, MeshError),
    ],
)
def test_a_rule_that_cannot_be_understood_is_refused(
    market: Market, resource: str, subjects: list[str], given: dict[str, Any], error: type[MeshError]
) -> None:
    with pytest.raises(error):
        market["olga"].approval_rules.create(resource, subjects, **given)
    assert market["olga"].approval_rules.list() == []


def test_rules_are_seen_and_changed_by_who_may_grant_only(market: Market) -> None:
    made = rule(market)
    for name in ("ana", "kim"):
        rules = market[name].approval_rules
        assert rules.list() == []
        for call in (
            lambda: rules.create("shop.orders", ["*"]),  # noqa: B023
            lambda: rules.update(made, longest_days=99),  # noqa: B023
            lambda: rules.delete(made),  # noqa: B023
        ):
            with pytest.raises(AccessDenied):
                call()
    before = market["olga"].approval_rules.list()[0]
    changed = market["otto"].approval_rules.update(made, longest_days=20, etag=before.etag)
    assert (changed.longest_days, changed.author, changed.columns) == (20, "user:otto", before.columns)
    with pytest.raises(Conflict):
        market["olga"].approval_rules.update(made, longest_days=30, etag=before.etag)


@pytest.mark.parametrize("is_disabled", [False, True])
def test_a_rule_in_a_change_set_is_applied_once_and_drifts_visibly(market: Market, is_disabled: bool) -> None:
    olga = market["olga"]
    fields: dict[str, Any] = {
        "id": "shop:from-git", "subjects": ["group:analysts"], "resource": "shop.orders.orders", "columns": ["region", "id"],
        "longest_days": 30, "is_disabled": is_disabled,
    }  # fmt: skip
    wanted = [Resource("approval_rule", fields)]
    olga.changes.apply(wanted, reason="from git")
    assert olga.changes.plan(wanted).is_empty
    made = olga.approval_rules.list()[0]
    assert (made.resource, made.is_disabled, made.author) == ("shop.orders.orders", is_disabled, "user:olga")
    market["otto"].approval_rules.update(made.id, longest_days=60)
    plan = olga.changes.plan(wanted)
    assert [[it.field for it in change.differences] for change in plan.changes] == [["longest_days"]]
    olga.changes.apply([Resource("approval_rule", {"id": made.id}, is_absent=True)])
    assert olga.approval_rules.list() == []
