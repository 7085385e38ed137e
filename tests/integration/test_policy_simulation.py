"""What a simulation says is what comparing everything with everything says, one question at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domainmesh.v1 import impact_pb2
from governance_server.caller import Caller
from governance_server.policy.budget import Budget
from governance_server.policy.projection import PolicyProjection
from governance_server.policy.simulation import restrict, simulate
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied
from governance_server.rules.read_plans import Denied
from tests.integration.policy_journal import (
    PolicyJournal,
    domain,
    grant,
    guardrail,
    policy_journal,
    principal,
    product,
    purpose,
    removal,
)

ORDERS, STAFF = "sales.orders.orders", "hr.staff.people"
PORTS = (ORDERS, "sales.orders.lines", STAFF)
PEOPLE = (
    "user:ana", "user:bo", "user:cy", "user:di", "user:us", "user:new", "service:etl", "group:analysts", "group:leads",
    "role:steward", "domain:sales", "*",
)  # fmt: skip
PURPOSES = ("", "analytics", "forecasting", "marketing", "secret")
WORLD = (
    domain("sales", owners=["user:cy"], members=["user:bo"]),
    domain("hr", owners=["user:bo"]),
    product(
        "sales.orders", {"orders": {"id": (), "region": (), "email": ("pii.email",)}, "lines": {"order": (), "phone": ("pii",)}}
    ),
    product("hr.staff", {"people": {"name": ("pii.name",), "team": (), "salary": ()}}),
    principal("user:ana", groups=["group:analysts"], purposes=["analytics"], attributes={"region": "EU"}),
    principal("user:di", groups=["group:analysts"], attributes={"region": "EU"}),
    principal("user:us", groups=["group:analysts"], attributes={"region": "US"}),
    principal("user:bo", roles=["role:steward"]),
    principal("user:cy", groups=["group:leads"]),
    principal("service:etl", is_disabled=True, groups=["group:analysts"]),
    principal("group:leads", groups=["group:analysts"]),
    purpose("analytics"),
    purpose("forecasting", "analytics"),
    purpose("marketing"),
    grant("g-1", "group:analysts", ORDERS, columns=["id", "region"]),
    grant("g-2", "group:analysts", STAFF, purpose="analytics", masks={"salary": "replace-with-null"}),
    grant("g-3", "user:new", "sales.orders", purpose="marketing"),
    grant("g-8", "group:leads", "sales.orders.lines", row_filter="phone = 'x'"),
    grant("g-9", "group:analysts", "sales.orders.lines", row_filter="phone = subject.region"),
    guardrail("mask-pii", "tag:pii.*", mask="mask-alphanum", exempt=["purpose:forecasting", "role:steward"]),
)
CHANGES = (
    grant("g-1", "group:analysts", ORDERS, row_filter="region = subject.region"),
    grant("g-1", "group:analysts", ORDERS, row_filter="region = 'EU' OR region = 'US'"),
    grant("g-2", "*", STAFF, purpose="marketing"),
    grant("g-4", "user:ana", ORDERS, masks={"email": "sha-256-global"}, row_filter="region = 'EU'"),
    grant("g-5", "*", "sales", deny=True),
    grant("g-6", "role:steward", "mesh", actions=["write", "read", "grant"]),
    grant("g-7", "service:etl", "hr.staff", actions=["read"]),
    grant("g-8", "group:leads", "sales.orders.lines", row_filter="phone = 'y'"),
    grant("g-9", "group:analysts", "sales.orders.lines", row_filter="phone = 'EU'"),
    removal(kinds.GRANT, "g-1"),
    removal(kinds.GRANT, "g-3"),
    removal(kinds.GUARDRAIL, "mask-pii"),
    guardrail("mask-pii", "tag:pii.*", mask="mask-alphanum", exempt=["purpose:marketing"]),
    guardrail("deny-staff", STAFF, deny_read=True, exempt=["domain:hr", "group:leads"]),
    guardrail("rows", ORDERS, row_filter="region <> 'XX'"),
    principal("user:ana"),
    principal("user:bo", groups=["group:analysts"], attributes={"region": "US"}, purposes=["secret"]),
    principal("user:new", groups=["group:leads"]),
    principal("user:cy", is_disabled=True),
    principal("service:etl", groups=["group:analysts"], purposes=["forecasting"]),
    principal("group:leads"),
    purpose("forecasting"),
    purpose("marketing", "analytics"),
    purpose("secret", "forecasting"),
    domain("sales", owners=["user:ana"], members=["group:leads"]),
    product("sales.orders", {"orders": {"id": ("pii.id",), "email": ()}}),
)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolicyJournal]:
    """The world, journaled."""
    path: Path = tmp_path_factory.mktemp("world")
    with policy_journal(path) as opened:
        opened.write(*WORLD)
        yield opened


def reading(policy: PolicyProjection, name: str, port: str, stated: str) -> tuple[object, object]:
    """Columns and rows, as the law says it to one person."""
    try:
        outcome = policy.explain(policy.caller_of(name) or Caller(name), port, stated)
    except AccessDenied:
        return None, None
    return (None, None) if isinstance(outcome, Denied) else (outcome.columns, outcome.row_filter)


def may(policy: PolicyProjection, name: str, action: str, resource: str) -> bool:
    """Whether somebody who can log in may do it."""
    known = policy.facts().principals.get(name)
    return not (known and known.is_disabled) and policy.check(Caller(name), action, resource).allowed


def simulated(before: PolicyProjection, changes: Sequence[ResourceWrite], seconds: float = 60.0) -> impact_pb2.Impact:
    return simulate(before, before.with_changes(changes), changes, budget=Budget(seconds))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=4, unique_by=lambda write: (write.kind, write.name)))
def test_whoever_reads_otherwise_is_named_and_nobody_else(journal: PolicyJournal, changes: list[ResourceWrite]) -> None:
    before = journal.policy.snapshot()
    after = before.with_changes(changes)
    expected = {
        (name, port, stated)
        for name in PEOPLE
        for port in PORTS
        for stated in PURPOSES
        if reading(before, name, port, stated) != reading(after, name, port, stated)
    }
    impact = simulated(before, changes)
    found = [(name, entry.port, stated) for entry in impact.access for name in entry.principals for stated in entry.purposes]
    assert {it for it in found if it[0] in PEOPLE} == expected
    assert len(found) == len(set(found))
    assert not impact.is_cut
    gained = {(name, entry.port) for entry in impact.access if entry.gains for name in entry.principals}
    lost = {(name, entry.port) for entry in impact.access if entry.loses for name in entry.principals}
    assert (impact.gained_count, impact.lost_count) == (len(gained), len(lost))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=4, unique_by=lambda write: (write.kind, write.name)))
def test_whoever_may_do_something_else_is_named_where_the_rule_says_it(
    journal: PolicyJournal, changes: list[ResourceWrite]
) -> None:
    before = journal.policy.snapshot()
    after = before.with_changes(changes)
    named = {
        (action.action, action.resource, name): action.is_allowed
        for action in simulated(before, changes).actions
        for name in action.principals
        if not action.purpose
    }
    for name in PEOPLE:
        for action in ("discover", "write", "grant", "administer"):
            for resource in ("mesh", "sales", "hr", "sales.orders", "hr.staff", *PORTS):
                answers = [may(policy, name, action, resource) for policy in (before, after)]
                inside = [named.get((action, around, name)) for around in ("mesh", resource.split(".")[0], resource)]
                inside.append(named.get((action, ".".join(resource.split(".")[:2]), name)))
                if answers[0] != answers[1]:
                    assert answers[1] in inside, (name, action, resource)
                if (action, resource, name) in named:
                    assert answers[0] != answers[1] == named[action, resource, name]


def test_the_words_of_a_change_are_those_of_the_columns_and_rows(journal: PolicyJournal) -> None:
    changes = [grant("g-1", "group:analysts", ORDERS, columns=["id", "email"], row_filter="region = 'EU'")]
    impact = simulated(journal.policy.snapshot(), changes)
    entry = next(it for it in impact.access if "user:ana" in it.principals and "" in it.purposes)
    assert (entry.gains, entry.loses, entry.could_read, entry.can_read) == (True, True, True, True)
    assert entry.rows == impact_pb2.ROW_CHANGE_NARROWER
    shown = {column.column: (column.before, column.after, column.after_mask) for column in entry.columns}
    assert shown == {
        "region": (impact_pb2.COLUMN_SHOWN_CLEAR, impact_pb2.COLUMN_SHOWN_HIDDEN, ""),
        "email": (impact_pb2.COLUMN_SHOWN_HIDDEN, impact_pb2.COLUMN_SHOWN_MASKED, "mask-alphanum"),
    }


@dataclass(frozen=True)
class Recorded:
    """One line of a decision log, added up."""

    principal: str
    port: str
    purpose: str
    columns: tuple[str, ...]
    count: int
    is_allowed: bool = True


def test_recorded_reads_are_judged_again(journal: PolicyJournal) -> None:
    reads = [
        Recorded("user:ana", ORDERS, "", ("id", "region"), 5),
        Recorded("user:ana", ORDERS, "", ("id",), 2),
        Recorded("user:ana", ORDERS, "", (), 4),  # rows were only counted
        Recorded("user:ana", STAFF, "analytics", ("name",), 7),
        Recorded("user:ana", ORDERS, "marketing", (), 9, is_allowed=False),
        Recorded("user:cy", ORDERS, "", ("email",), 1),
        Recorded("user:gone", ORDERS, "", ("email",), 3),
    ]
    before = journal.policy.snapshot()
    changes = [grant("g-1", "group:analysts", ORDERS, columns=["id"])]
    impact = simulate(before, before.with_changes(changes), changes, budget=Budget(60), reads=reads, days=30)
    assert [(it.principal, it.read_count, it.is_denied, list(it.hidden_columns)) for it in impact.reads] == [
        ("user:ana", 5, False, ["region"])
    ]
    assert (impact.recorded_days, impact.recorded_read_count, impact.affected_read_count) == (30, 15, 5)
    gone = [removal(kinds.GRANT, "g-1")]
    impact = simulate(before, before.with_changes(gone), gone, budget=Budget(60), reads=reads, days=30)
    assert [(it.principal, it.read_count, it.is_denied) for it in impact.reads] == [
        ("user:ana", 5, True),
        ("user:ana", 2, True),
        ("user:ana", 4, True),
    ]


def test_what_was_not_compared_in_time_is_said(journal: PolicyJournal) -> None:
    impact = simulated(journal.policy.snapshot(), [grant("g-5", "*", "sales", deny=True)], seconds=0.0)
    assert impact.is_cut
    assert "2 of 2 ports not compared" in impact.cut_reason
    assert (impact.port_count, impact.compared_port_count, len(impact.access)) == (2, 0, 0)


def test_a_restricted_answer_has_nothing_of_other_resources(journal: PolicyJournal) -> None:
    before = journal.policy.snapshot()
    changes = [removal(kinds.GUARDRAIL, "mask-pii"), grant("g-9", "user:new", "hr", actions=["discover"])]
    after = before.with_changes(changes)

    def of_sales(resource: str) -> bool:
        return resource.startswith("sales")

    asked = simulate(before, after, changes, budget=Budget(60), may_ask=of_sales)
    whole = simulate(before, after, changes, budget=Budget(60))
    cut = restrict(whole, of_sales)
    for shown in (asked, cut):
        assert shown.is_restricted
        assert b"hr" not in shown.SerializeToString().replace(b"three", b"")
        assert {entry.port for entry in shown.access} == {entry.port for entry in whole.access if of_sales(entry.port)}
    assert (cut.gained_count, cut.lost_count) == (asked.gained_count, asked.lost_count)
    assert list(cut.access) == list(asked.access)
