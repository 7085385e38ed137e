"""The exemption `domain:*` (ADR 0009): a guardrail that does not bind a domain's own people on its own data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from governance_server.policy.casbin_engine import CasbinEngine
from governance_server.policy.engine import Request
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.policy.projection import NO_PURPOSE
from governance_server.rules import kinds, policy_facts
from governance_server.rules.policy_rows import Link, Rule
from governance_server.rules.read_plans import ReadPlan
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

PORTS = ("sales.crm.people", "finance.ledger.payers")
PEOPLE = ("user:sam", "user:mel", "user:fay", "user:ana", "user:ivy", "user:gus")
HIDE = guardrail("own", "tag:pii.*", mask="replace-with-null", exempt=["domain:*", "purpose:invoicing", "group:auditors"])


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[PolicyJournal]:
    """Two domains with a tagged column each; everybody may read everything but for guardrails."""
    with policy_journal(tmp_path) as opened:
        opened.write(
            *(principal(name) for name in PEOPLE if name not in ("user:ivy", "user:gus")),
            principal("user:ivy", purposes=["invoicing"]),
            principal("user:gus", groups=["group:auditors"]),
            purpose("invoicing"),
            domain("sales", owners=["user:sam"], members=["user:mel"]),
            domain("finance", owners=["user:fay"]),
            product("sales.crm", {"people": {"id": (), "mail": ("pii.email",)}}),
            product("finance.ledger", {"payers": {"id": (), "mail": ("pii.email",)}}),
            *(grant(f"g-{name}", "*", name) for name in ("sales", "finance")),
        )
        yield opened


def clear(journal: PolicyJournal, stated: str = "") -> dict[str, list[str]]:
    """Who sees the tagged column clear, by domain; for the purpose if the person holds it."""
    found: dict[str, list[str]] = {}
    for port in PORTS:
        for name in PEOPLE:
            caller = journal.policy.caller_of(name)
            assert caller is not None
            plan = journal.policy.explain(caller, port, stated if stated in caller.purposes else "")
            assert isinstance(plan, ReadPlan)
            if next(column for column in plan.columns if column.name == "mail").is_clear:
                found.setdefault(port.partition(".")[0], []).append(name)
    return found


def test_each_domain_sees_its_own_data_and_whoever_is_exempt_everywhere_sees_all(journal: PolicyJournal) -> None:
    journal.write(HIDE)
    assert clear(journal) == {"sales": ["user:sam", "user:mel", "user:gus"], "finance": ["user:fay", "user:gus"]}
    assert clear(journal, "invoicing") == {
        "sales": ["user:sam", "user:mel", "user:ivy", "user:gus"], "finance": ["user:fay", "user:ivy", "user:gus"],
    }  # fmt: skip


def test_domains_people_and_the_guardrail_come_and_go(journal: PolicyJournal) -> None:
    journal.write(HIDE)
    journal.write(domain("sales", owners=["user:ana"]))
    assert clear(journal) == {"sales": ["user:ana", "user:gus"], "finance": ["user:fay", "user:gus"]}
    journal.write(domain("hr", owners=["user:sam"]), product("hr.staff", {"people": {"mail": ("pii.email",)}}))
    plans = {}
    journal.write(grant("g-hr", "*", "hr"))
    for name in ("user:sam", "user:fay"):
        plan = journal.policy.explain(journal.policy.caller_of(name), "hr.staff.people", "")  # type: ignore[arg-type]
        assert isinstance(plan, ReadPlan)
        plans[name] = plan.columns[0].is_clear
    assert plans == {"user:sam": True, "user:fay": False}
    journal.write(removal(kinds.GUARDRAIL, "own"))
    assert all(len(names) == len(PEOPLE) for names in clear(journal).values())


def test_on_a_resource_it_exempts_the_people_of_its_domain_only(journal: PolicyJournal) -> None:
    journal.write(guardrail("own", "sales.crm", mask="replace-with-null", exempt=["domain:*"]))
    assert clear(journal) == {"sales": ["user:sam", "user:mel"], "finance": list(PEOPLE)}


def test_both_engines_decide_it_alike(journal: PolicyJournal) -> None:
    journal.write(HIDE, guardrail("deny", "finance", deny_read=True, exempt=["domain:*"]))
    rows = [*policy_facts.BASE_ROWS, *chain.from_iterable(journal.policy.facts().rows.values())]
    rules, links = [row for row in rows if isinstance(row, Rule)], [row for row in rows if isinstance(row, Link)]
    engines = (CasbinEngine(), IndexedEngine())
    for engine in engines:
        engine.load(rules, links, revision=1)
    for name in PEOPLE:
        for port in PORTS:
            for stated in (NO_PURPOSE, "invoicing"):
                for obj in (f"{port}#mail", f"{port}#id"):
                    request = Request(name, port.partition(".")[0], obj, "read", stated, "2026-11-23T00:00:00Z")
                    stock, ours = (
                        (engine.decide(request).allowed, engine.matching("p2", request), engine.matching("p3", request))
                        for engine in engines
                    )
                    assert stock == ours
