"""Questions in the mesh's own words, from rules to plans, through a real engine."""

import pytest

from governance_server.policy.casbin_engine import CasbinEngine
from governance_server.policy.decider import Decider
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.rules.policy_rows import Link
from governance_server.rules.read_plans import Branch, Denied, ReadPlan
from mesh_core.expressions.tree import TRUE, Column, Compare, Literal, Subject
from mesh_core.masks import Mask
from tests.unit.policy_samples import NOW, deny, rule

PORT = "hr.people.staff"
COLUMNS = ["name", "salary", "email"]
FILTERS = {"g-salary": Compare("=", Column("team"), Subject("team")), "never-used": Subject("unbound")}
RULES = [
    rule("group:staff", f"{PORT}#name", rid="g-name"),
    rule("group:staff", f"{PORT}#email", rid="g-name"),
    rule("group:leads", f"{PORT}#salary", rid="g-salary", purpose="payroll"),
    rule("group:leads", PORT, section="p3", value="g-salary", rid="g-salary", purpose="payroll"),
    rule("*", "tag:pii", section="p2", value="sha-256-global", kind="guard", rid="mask-pii", unless="exempt:mask-pii"),
    deny("group:suspended", "mesh", rid="suspended"),
]
LINKS = [
    Link("g", "user:ann", "group:staff", "*"),
    Link("g", "user:ann", "group:leads", "*"),
    Link("g", "user:bob", "group:staff", "*"),
    Link("g", "user:bob", "group:suspended", "*"),
    Link("g", "user:eva", "group:staff", "*"),
    Link("g", "user:eva", "exempt:mask-pii", "*"),
    Link("g2", f"{PORT}#email", "tag:pii.email"),
]


@pytest.fixture(params=[CasbinEngine, IndexedEngine], ids=["casbin", "indexed"])
def decider(request):
    engine = request.param()
    engine.load(RULES, LINKS, revision=12)
    return Decider(engine)


def plan(decider, principal, purpose="payroll"):
    return decider.plan(
        principal, PORT, columns=COLUMNS, purpose=purpose, now=NOW, subject_attributes={"team": "blue"}, filters=FILTERS
    )


def test_a_lead_sees_names_of_all_and_salaries_of_the_own_team_only(decider):
    seen = plan(decider, "user:ann")
    assert isinstance(seen, ReadPlan)
    assert (seen.revision, seen.hidden_columns, seen.row_filter) == (12, (), TRUE)
    name, salary, email = seen.columns
    assert name.is_clear
    assert salary.branches == (Branch(Compare("=", Column("team"), Literal("blue")), None),)
    assert (email.branches, email.guard_mask) == ((Branch(TRUE, None),), Mask.SHA_256_GLOBAL)


def test_another_purpose_hides_the_salaries(decider):
    assert plan(decider, "user:ann", purpose="birthdays").hidden_columns == ("salary",)


def test_the_exempt_see_tagged_columns_clear(decider):
    assert plan(decider, "user:eva").columns[-1].is_clear


def test_a_denied_reader_gets_the_reasons(decider):
    outcome = plan(decider, "user:bob")
    assert isinstance(outcome, Denied)
    assert "suspended" in {reason.rule for reason in outcome.reasons}


def test_a_stranger_gets_nothing(decider):
    outcome = plan(decider, "user:zoe")
    assert isinstance(outcome, Denied)
    assert outcome.revision == 12


def test_a_check_derives_the_domain_from_the_objects_name(decider):
    assert decider.check("user:ann", "read", obj=f"{PORT}#name", purpose="x", now=NOW).allowed
    assert not decider.check("user:ann", "read", obj=f"{PORT}#salary", purpose="x", now=NOW).allowed
    assert not decider.check("user:ann", "read", obj="", purpose="x", now=NOW).allowed


def test_a_domain_cannot_write_rules_about_another_domains_product(decider):
    """The confused deputy: nobody may claim a domain, and a rule's domain is checked against its object."""
    assert decider.check("user:ann", "read", obj="hr.people.staff#name", purpose="x", now=NOW).allowed
    assert not decider.check("user:ann", "read", obj="fin.pay", purpose="x", now=NOW).allowed
