"""Proofs and lists of readers are held to stock casbin, asked about everybody one by one; planted counterexamples are found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance_server.policy.audience import Audience
from governance_server.policy.casbin_engine import CasbinEngine
from governance_server.policy.engine import Request
from governance_server.policy.projection import PolicyProjection
from governance_server.policy.prover import Proof, claim_of_guardrail, claim_of_tag, prove
from governance_server.policy.simulation import everywhere
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import NotFound, TooLarge
from governance_server.rules.policy_facts import BASE_ROWS
from governance_server.rules.policy_rows import Link, Rule, domain_of
from governance_server.rules.sights import Shown
from tests.integration.policy_journal import NOW, PolicyJournal, grant, guardrail, policy_journal, principal, purpose, removal
from tests.integration.test_policy_simulation import CHANGES, ORDERS, PEOPLE, PORTS, PURPOSES, STAFF, WORLD

PII = {f"{ORDERS}#email", "sales.orders.lines#phone", f"{STAFF}#name"}
IN_A_MONTH, IN_A_YEAR = datetime(2026, 12, 23, tzinfo=UTC), datetime(2027, 11, 23, tzinfo=UTC)
TIMED = (
    grant("t-1", "user:cy", ORDERS, expire_time=IN_A_MONTH),
    grant("t-2", "role:steward", STAFF, start_time=IN_A_MONTH, expire_time=IN_A_YEAR, purpose="analytics"),
    grant("t-3", "user:ana", "sales", deny=True, actions=["read"], expire_time=IN_A_MONTH),
)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolicyJournal]:
    """The world of the simulation's tests."""
    path: Path = tmp_path_factory.mktemp("world")
    with policy_journal(path) as opened:
        opened.write(*WORLD)
        yield opened


class Specification:
    """What stock casbin says of one person, purpose, column and moment: the rules by its own matcher, merged by hand here.

    A row filter is taken to keep some row.
    """

    def __init__(self, policy: PolicyProjection) -> None:
        self._facts = policy.facts()
        rows = [*BASE_ROWS, *chain(*self._facts.rows.values())]
        self._casbin = CasbinEngine()
        self._casbin.load(
            [row for row in rows if isinstance(row, Rule)], [row for row in rows if isinstance(row, Link)], revision=1
        )
        self._columns = {port.name: port.columns for product in self._facts.products.values() for port in product.ports}

    def _match(self, section: str, name: str, obj: str, stated: str, moment: str) -> tuple[Rule, ...]:
        asked = Request(name, domain_of(obj), obj, "read", stated or "unspecified", moment)
        return self._casbin.matching(section, asked)  # type: ignore[arg-type]

    def _holds(self, name: str, port: str, stated: str, moment: str) -> bool:
        known = self._facts.principals.get(name)
        if not stated:
            return True
        wider, current = set(), stated
        while current and current not in wider:
            wider.add(current)
            current = self._facts.purposes[current].parent if current in self._facts.purposes else ""
        if known and wider & set(known.purposes):
            return True
        if stated not in self._facts.purposes or wider & self._facts.exempting:
            return False
        objects = [port, *(f"{port}#{column.name}" for column in self._columns[port])]
        rules = [rule for obj in objects for rule in self._match("p", name, obj, stated, moment)]
        return any(rule.purpose in wider and rule.value == "allow" for rule in rules)

    def shown(self, name: str, column: str, stated: str, moment: str) -> str:
        """`clear` on some row, `masked` on all that are shown, or empty for hidden."""
        port = column.partition("#")[0]
        known = self._facts.principals.get(name)
        if (known and known.is_disabled) or not self._holds(name, port, stated, moment):
            return ""
        effects = self._match("p", name, column, stated, moment)
        if not effects or any(rule.value == "deny" for rule in effects):
            return ""
        masks = self._match("p2", name, column, stated, moment)
        givers = {rule.rid for rule in effects}
        unmasked = {rid for rid in givers if not any(mask.rid == rid and mask.kind == "grant" for mask in masks)}
        return "clear" if unmasked and not any(mask.kind == "guard" for mask in masks) else "masked"


def contradictions(policy: PolicyProjection, moments: Sequence[str], *, hidden: bool, purposes: Sequence[str]) -> set[object]:
    specification = Specification(policy)
    return {
        (name, column)
        for name in PEOPLE
        for column in PII
        for stated in purposes
        for moment in moments
        if specification.shown(name, column, stated, moment) in (("clear", "masked") if hidden else ("clear",))
    }


def proven(policy: PolicyProjection, *, hidden: bool = False, purpose: str = "", subject: str = "") -> Proof:
    claim = claim_of_tag("tag:pii.*", is_hidden=hidden)
    return prove(Audience(policy), claim, purpose=purpose, subject=subject, may_ask=everywhere)


def pairs(proof: Proof) -> set[object]:
    assert proof.found == len(proof.counterexamples)
    return {(one.principal, one.column) for one in proof.counterexamples}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(CHANGES[:-1]), max_size=3, unique_by=lambda write: (write.kind, write.name)),
    st.lists(st.sampled_from(TIMED), max_size=2, unique=True),
    st.booleans(),
)
def test_the_prover_finds_exactly_what_stock_casbin_allows(
    journal: PolicyJournal, changes: list[ResourceWrite], timed: list[ResourceWrite], hidden: bool
) -> None:
    policy = journal.policy.snapshot().with_changes([*changes, *timed])
    moments = ["2026-11-23T00:00:00Z", "2026-12-23T00:00:00Z", "2027-11-23T00:00:00Z"] if timed else ["2026-11-23T00:00:00Z"]
    found = {it for it in pairs(proven(policy, hidden=hidden)) if it[0] in PEOPLE}  # type: ignore[index]
    assert found == contradictions(policy, moments, hidden=hidden, purposes=PURPOSES)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.sampled_from(CHANGES[:-1]), max_size=3, unique_by=lambda write: (write.kind, write.name)))
def test_the_readers_of_a_column_are_those_whom_stock_casbin_lets_read_it(
    journal: PolicyJournal, changes: list[ResourceWrite]
) -> None:
    policy = journal.policy.snapshot().with_changes(changes)
    audience, specification = Audience(policy), Specification(policy)
    for port in PORTS:
        listed = {
            (name, column.name, stated): column.shown
            for name in PEOPLE
            for view in audience.views(name, port, audience.purposes(name))
            for column in view.sight.columns
            for stated in view.purposes
        }
        for column in [it.name for it in (policy.find_port(port) or pytest.fail("no port")).columns]:
            for name in PEOPLE:
                for stated in PURPOSES:
                    expected = specification.shown(name, f"{port}#{column}", stated, "2026-11-23T00:00:00Z")
                    got = listed.get((name, column, stated), Shown.HIDDEN)
                    assert bool(expected) == (got is not Shown.HIDDEN), (name, port, column, stated)
                    if got in (Shown.CLEAR, Shown.MASKED):
                        assert expected == got.value, (name, port, column, stated)


def test_a_guardrail_that_exempts_a_group_names_its_members_and_the_way(journal: PolicyJournal) -> None:
    changes = [
        guardrail("mask-pii", "tag:pii.*", mask="mask-alphanum", exempt=["role:dpo"]),
        principal("user:bo", groups=["group:privacy"]),
        principal("group:privacy", roles=["role:dpo"]),
        grant("p-1", "group:privacy", STAFF, purpose="marketing", expire_time=IN_A_YEAR),
        removal(kinds.GRANT, "g-2"),
    ]
    policy = journal.policy.snapshot().with_changes([*changes, purpose("marketing")])
    claim = claim_of_guardrail(policy, "mask-pii")
    proof = prove(Audience(policy), claim, purpose="marketing", may_ask=everywhere)
    bo = next(one for one in proof.counterexamples if one.principal == "user:bo" and one.column == f"{STAFF}#name")
    assert (bo.purposes, bo.shown, bo.moment) == (("marketing",), Shown.CLEAR, None)
    assert ("p-1", ("user:bo", "group:privacy")) in {(path.rule, path.via) for path in bo.paths}
    assert [(path.rule, path.via) for path in bo.exemptions] == [("mask-pii", ("user:bo", "group:privacy", "role:dpo"))]
    assert {"user:bo", "group:privacy"} <= {one.principal for one in proof.counterexamples}


def test_a_guardrail_without_exemptions_binds_everybody(journal: PolicyJournal) -> None:
    policy = journal.policy.snapshot().with_changes([guardrail("mask-pii", "tag:pii.*", mask="mask-alphanum"), *TIMED])
    proof = prove(Audience(policy), claim_of_guardrail(policy, "mask-pii"), may_ask=everywhere)
    assert (proof.found, proof.counterexamples) == (0, ())
    assert (proof.columns, proof.moments, proof.purposes) == (3, 3, 4)
    assert proof.principals == len(Audience(policy).names) > 10
    assert proof.decisions > 100


def test_a_denial_that_will_end_is_a_counterexample_from_then_on(journal: PolicyJournal) -> None:
    changes = [
        removal(kinds.GUARDRAIL, "mask-pii"),
        grant("d-1", "user:cy", ORDERS, deny=True, actions=["read"], expire_time=IN_A_YEAR),
    ]
    policy = journal.policy.snapshot().with_changes(changes)
    proof = proven(policy, subject="user:cy")
    orders = [one for one in proof.counterexamples if one.column == f"{ORDERS}#email"]
    assert [(one.principal, one.moment) for one in orders] == [("user:cy", IN_A_YEAR)]
    assert orders[0].paths[0].rule == "domain:sales"


def test_everybody_and_nobody_in_particular_is_enumerated(journal: PolicyJournal) -> None:
    policy = journal.policy.snapshot().with_changes(
        [removal(kinds.GUARDRAIL, "mask-pii"), grant("any", "*", STAFF, columns=["name"])]
    )
    found = pairs(proven(policy))
    assert ("*", f"{STAFF}#name") in found
    assert ("group:analysts", f"{STAFF}#name") in found
    assert ("service:etl", f"{STAFF}#name") not in found  # disabled


def test_another_action_is_proven_too(journal: PolicyJournal) -> None:
    policy = journal.policy.snapshot()
    proof = prove(Audience(policy), claim_of_tag("pii", action="write"), may_ask=everywhere)
    assert {one.principal for one in proof.counterexamples if one.column == f"{ORDERS}#email"} == {
        "domain:sales", "role:owner-of-sales", "user:bo", "user:cy",
    }  # fmt: skip


def test_a_guardrail_that_is_not_there_is_not_proven(journal: PolicyJournal) -> None:
    with pytest.raises(NotFound, match="mesh guardrails"):
        claim_of_guardrail(journal.policy.snapshot(), "nothing")


def test_a_proof_that_would_take_too_long_is_refused_before_it_begins(
    journal: PolicyJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("governance_server.policy.prover._MOST_DECISIONS", 10)
    with pytest.raises(TooLarge, match="narrow it"):
        proven(journal.policy.snapshot())
    assert journal.policy.snapshot().moment == NOW
