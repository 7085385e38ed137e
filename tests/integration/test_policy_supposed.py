"""The policy as it would be: equal to what writing the changes makes of it, and without a trace in the live one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domainmesh.v1 import change_set_pb2, domain_pb2
from governance_server.policy.projection import PolicyProjection
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, Invalid
from governance_server.rules.supposed import suppose
from mesh_core.names import InvalidName
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

PORT = "sales.orders.orders"
PEOPLE = ("user:ana", "user:bo", "user:cy", "service:etl")
WORLD = (
    domain("sales", owners=["user:cy"], members=["user:bo"]),
    product("sales.orders", {"orders": {"id": (), "region": (), "email": ("pii.email",)}}),
    principal("user:ana", groups=["group:analysts"], purposes=["analytics"], attributes={"region": "EU"}),
    principal("user:bo"),
    principal("user:cy"),
    principal("service:etl", is_disabled=True),
    purpose("analytics"),
    purpose("forecasting", "analytics"),
    grant("g-1", "group:analysts", PORT, columns=["id", "region"]),
    guardrail("mask-email", "tag:pii.*", mask="mask-alphanum", exempt=["purpose:forecasting"]),
)
CHANGES = (
    grant("g-1", "group:analysts", PORT, row_filter="region = subject.region"),
    grant("g-2", "user:ana", PORT, masks={"email": "sha-256-global"}),
    grant("g-3", "*", "sales", deny=True),
    grant("g-4", "service:etl", "mesh", actions=["write", "read"]),
    removal(kinds.GRANT, "g-1"),
    removal(kinds.GUARDRAIL, "mask-email"),
    guardrail("own-data", "tag:pii.*", mask="show-last-4", exempt=["domain:*", "purpose:forecasting"]),
    removal(kinds.GUARDRAIL, "own-data"),
    domain("hr", members=["user:bo"]),
    guardrail("deny-region", f"{PORT}", deny_read=True, exempt=["domain:sales"]),
    principal("user:ana"),
    principal("user:bo", groups=["group:analysts"], attributes={"region": "US"}),
    principal("service:etl", groups=["group:analysts"]),
    purpose("forecasting"),
    domain("sales", owners=["user:ana"]),
    product("sales.orders", {"orders": {"id": ("pii.id",), "email": ()}}),
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[PolicyJournal]:
    """The world, journaled."""
    with policy_journal(tmp_path) as opened:
        opened.write(*WORLD)
        yield opened


def answers(policy: PolicyProjection) -> list[object]:
    """What the policy says of everybody, for every purpose and action, without the revision."""
    found: list[object] = []
    for name in PEOPLE:
        caller = policy.caller_of(name)
        assert caller is not None
        for stated in ("", "analytics", "forecasting"):
            try:
                outcome = policy.explain(caller, PORT, stated)
            except AccessDenied as error:
                found.append(error.message)
            else:
                found.append([getattr(outcome, "columns", ()), getattr(outcome, "row_filter", ""), outcome.reasons])
        for action in ("discover", "write", "grant"):
            decision = policy.check(caller, action, PORT)
            found.append((decision.allowed, decision.rules))
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=5, unique_by=lambda write: (write.kind, write.name)))
def test_what_is_supposed_is_what_writing_it_would_bring(journal: PolicyJournal, changes: list[ResourceWrite]) -> None:
    journal.write(*WORLD, *(removal(kinds.GRANT, f"g-{number}") for number in (2, 3, 4)), removal(kinds.GUARDRAIL, "deny-region"))
    before = answers(journal.policy)
    supposed = journal.policy.with_changes(changes)
    said = answers(supposed)
    assert answers(journal.policy) == before == answers(journal.fresh())
    journal.write(*changes)
    assert said == answers(journal.fresh()) == answers(journal.policy)
    assert answers(supposed) == said


def test_a_snapshot_stays_what_it_was_while_the_live_policy_moves_on(journal: PolicyJournal) -> None:
    snapshot = journal.policy.snapshot()
    before, revision = answers(snapshot), snapshot.revision
    journal.write(grant("g-9", "*", PORT, deny=True))
    assert answers(journal.policy) != before
    assert answers(snapshot) == before
    assert snapshot.revision == revision < journal.policy.revision
    assert answers(journal.policy.snapshot()) == answers(journal.policy)


def test_changes_that_cannot_be_understood_are_refused_and_nothing_is_supposed(journal: PolicyJournal) -> None:
    before = answers(journal.policy)
    with pytest.raises(Invalid, match="cannot be understood"):
        journal.policy.with_changes([grant("g-9", "a b", PORT)])
    with pytest.raises(Invalid, match="cannot be understood"):
        journal.policy.with_changes([grant("g-9", "user:ana", PORT, row_filter="lower(region) = 'eu'")])
    assert answers(journal.policy) == before


@pytest.mark.parametrize("name", ["sales.orders.orders", "sales.orders", "sales ", "mesh", "*"])
def test_a_supposed_domain_is_named_as_a_domain_can_be(name: str) -> None:
    change = change_set_pb2.DesiredResource(domain=domain_pb2.Domain(name=name, owners=["user:ana"]))
    with pytest.raises(InvalidName):
        suppose([change], lambda kind, name: None)
