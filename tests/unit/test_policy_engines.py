"""What every policy engine promises, asked of both: the model's meaning, revisions, and all-or-nothing changes."""

import pytest

from governance_server.policy.casbin_engine import CasbinEngine
from governance_server.policy.engine import Request, UnknownRow
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.rules.policy_rows import FROM_THE_START, Link, PolicyDelta, UnreadableRule
from tests.unit.policy_samples import ask, deny, rule

SEPTEMBER, OCTOBER = "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"


@pytest.fixture(params=[CasbinEngine, IndexedEngine], ids=["casbin", "indexed"])
def engine(request):
    return request.param()


# The example of the access-control reference, written for the mesh's own names; expectations were checked by hand there.
RULES = [
    rule("role:analyst", "fin.pay", purpose="risk", rid="g-1"),
    rule("role:analyst", "fin.pay", act="discover", rid="g-2"),
    rule("role:owner", "fin", act="grant", rid="g-3"),
    rule("user:bob", "fin.pay", purpose="audit", nbf=SEPTEMBER, exp=OCTOBER, rid="req-77"),
    rule("role:analyst", "fin.docs", rid="g-4"),
    deny("*", "tag:pii", unless="lawful", rid="guard-pii"),
    rule("*", "mesh", act="discover", rid="discover"),
    deny("role:suspended", "mesh", rid="guard-suspended"),
    rule("role:analyst", "fin.pay.card#iban", section="p2", value="show-last-4", rid="m-1"),
    rule("*", "tag:pii", section="p2", value="sha-256-global", kind="guard", unless="role:dpo", rid="guard-m"),
    rule("role:analyst", "fin.pay", section="p3", purpose="risk", value="eu-only", rid="f-1"),
    rule("*", "tag:gdpr", section="p3", value="not-erased", kind="guard", rid="f-9"),
]
LINKS = [
    Link("g", "user:alice", "role:analyst", "fin"),
    Link("g", "user:carol", "role:owner", "fin"),
    Link("g", "user:dan", "role:suspended", "*"),
    Link("g", "user:dan", "role:analyst", "fin"),
    Link("g", "user:eve", "role:analyst", "hr"),
    Link("g", "user:dora", "role:dpo", "*"),
    Link("g", "user:dora", "role:analyst", "fin"),
    Link("g2", "fin.pay", "tag:gdpr"),
    Link("g2", "fin.pay.card#iban", "tag:pii.account"),
    Link("g2", "fin.docs.pages#body", "tag:pii"),
    Link("g3", "risk", "lawful"),
    Link("g3", "fraud", "risk"),
]
EXPECTED = [
    ("user:alice", "fin.pay", "read", "risk", True, "a role of the domain, for its purpose"),
    ("user:alice", "fin.pay", "read", "fraud", True, "a narrower purpose"),
    ("user:alice", "fin.pay", "read", "marketing", False, "another purpose"),
    ("user:alice", "fin.pay.card#iban", "read", "risk", True, "a tagged column, for an exempt purpose"),
    ("user:alice", "fin.pay.card#iban", "read", "audit", False, "a tagged column, for a purpose nobody granted"),
    ("user:alice", "fin.docs.pages", "read", "any", True, "a part of what was granted"),
    ("user:alice", "fin.docs.pages#body", "read", "any", False, "a guardrail denies the tagged column"),
    ("user:alice", "fin.docs.pages#body", "read", "fraud", True, "the same column, for an exempt purpose"),
    ("user:bob", "fin.pay", "read", "audit", True, "a grant with an end, alive"),
    ("user:dan", "fin.pay", "read", "risk", False, "a mesh-wide deny overrides the domain's allow"),
    ("user:eve", "fin.pay", "read", "risk", False, "a role of another domain"),
    ("user:carol", "fin.pay", "grant", "any", True, "the owner of the container"),
    ("user:eve", "fin.pay", "discover", "any", True, "everybody discovers"),
    ("user:alice", "fin.pay", "administer", "any", False, "nothing matches"),
]


@pytest.mark.parametrize(("sub", "obj", "act", "purpose", "allowed", "why"), EXPECTED, ids=[case[-1] for case in EXPECTED])
def test_the_model_means_what_the_reference_says(engine, sub, obj, act, purpose, allowed, why):
    engine.load(RULES, LINKS, revision=1)
    assert engine.decide(ask(sub, obj, act, purpose)).allowed is allowed, why


@pytest.mark.parametrize(
    ("now", "allowed"),
    [("2026-08-31T23:59:59Z", False), (SEPTEMBER, True), ("2026-09-30T23:59:59Z", True), (OCTOBER, False)],
)
def test_a_grant_holds_from_its_first_second_until_before_its_end(engine, now, allowed):
    engine.load(RULES, LINKS, revision=1)
    assert engine.decide(ask("user:bob", "fin.pay", purpose="audit", now=now)).allowed is allowed


def test_masks_and_filters_are_collected_from_every_rule_that_applies(engine):
    engine.load(RULES, LINKS, revision=1)
    iban = ask("user:alice", "fin.pay.card#iban", purpose="risk")
    assert [r.rid for r in engine.matching("p2", iban)] == ["guard-m", "m-1"]
    assert [r.rid for r in engine.matching("p3", iban)] == ["f-9", "f-1"]
    exempt = ask("user:dora", "fin.pay.card#iban", purpose="risk")
    assert [r.rid for r in engine.matching("p2", exempt)] == ["m-1"]


def test_a_decision_names_the_rules_that_decided_and_its_revision(engine):
    engine.load(RULES, LINKS, revision=41)
    allowed = engine.decide(ask("user:alice", "fin.pay", purpose="risk"))
    assert ([r.rid for r in allowed.rules], allowed.revision) == (["g-1"], 41)
    denied = engine.decide(ask("user:dan", "fin.pay", purpose="risk"))
    assert [r.rid for r in denied.rules] == ["guard-suspended"]
    assert engine.decide(ask("user:zoe", "fin.pay", purpose="risk")).rules == ()


def test_what_one_principal_may_discover_is_answered_without_asking_per_object(engine):
    hidden = deny("*", "tag:secret", act="discover", rid="hide")
    links = [*LINKS, Link("g2", "hr.people", "tag:secret")]
    rules = [*(r for r in RULES if r.rid != "discover"), rule("*", "hr", act="discover", rid="hr"), hidden]
    engine.load(rules, links, revision=1)
    visible = engine.visible_objects("user:alice", "discover", "any", "2026-09-15T00:00:00Z")
    assert visible.allows("fin.pay")
    assert visible.allows("hr.jobs")
    assert not visible.allows("hr.people")
    assert not visible.allows("hr.people.staff")
    assert not visible.allows("sales.orders")


def test_a_role_held_in_one_domain_shows_nothing_of_another_through_a_mesh_wide_rule(engine):
    engine.load([rule("role:steward", "mesh", act="discover")], [Link("g", "user:ann", "role:steward", "fin")], revision=1)
    visible = engine.visible_objects("user:ann", "discover", "any", "2026-09-15T00:00:00Z")
    assert visible.allows("fin.pay")
    assert not visible.allows("hr.people")


def test_rules_on_an_object_answers_who_may_without_a_subject(engine):
    engine.load(RULES, LINKS, revision=1)
    assert {r.rid for r in engine.rules_on("fin.pay.card", "read")} == {"g-1", "req-77", "guard-suspended", "f-1", "f-9"}


def test_a_delta_takes_effect_whole_and_gives_the_revision(engine):
    engine.load(RULES, LINKS, revision=1)
    grant, membership = rule("role:new", "hr.people", rid="g-new"), Link("g", "user:zoe", "role:new", "hr")
    engine.apply(PolicyDelta(add=(grant, membership)), revision=2)
    assert engine.decide(ask("user:zoe", "hr.people")).allowed
    engine.apply(PolicyDelta(remove=(membership,)), revision=3)
    assert not engine.decide(ask("user:zoe", "hr.people")).allowed
    assert engine.revision == 3


def test_a_tag_put_on_a_column_is_felt_at_the_next_question(engine):
    engine.load(RULES, LINKS, revision=1)
    column = ask("user:alice", "fin.docs.pages#title", purpose="any")
    assert engine.decide(column).allowed
    tag = Link("g2", "fin.docs.pages#title", "tag:pii.name")
    engine.apply(PolicyDelta(add=(tag,)), revision=2)
    assert not engine.decide(column).allowed
    engine.apply(PolicyDelta(remove=(tag,)), revision=3)
    assert engine.decide(column).allowed


def test_a_row_said_twice_stays_until_it_is_removed_twice(engine):
    tag = Link("g2", "fin.pay.card#pan", "tag:pii")
    engine.load(RULES, [*LINKS, tag, tag], revision=1)
    column = ask("user:bob", "fin.pay.card#pan", purpose="audit")
    engine.apply(PolicyDelta(remove=(tag,)), revision=2)
    assert not engine.decide(column).allowed
    engine.apply(PolicyDelta(remove=(tag,)), revision=3)
    assert engine.decide(column).allowed


@pytest.mark.parametrize(
    "broken",
    [
        PolicyDelta(add=(rule("user:zoe", "hr.people"), deny(value="Deny"))),
        PolicyDelta(add=(rule("user:zoe", "hr.people"),), remove=(rule("user:nobody", "hr.people"),)),
        PolicyDelta(add=(rule("user:zoe", "hr.people"), Link("g", "user:zoe", "", "hr"))),
    ],
    ids=["unreadable effect", "removes what is not there", "empty role"],
)
def test_a_delta_that_fails_leaves_the_old_policy_serving(engine, broken):
    engine.load(RULES, LINKS, revision=1)
    with pytest.raises(UnreadableRule):
        engine.apply(broken, revision=2)
    assert engine.revision == 1
    assert not engine.decide(ask("user:zoe", "hr.people")).allowed
    assert engine.decide(ask("user:alice", "fin.pay", purpose="risk")).allowed


def test_removing_an_unknown_row_says_which_and_what_to_do(engine):
    with pytest.raises(UnknownRow, match=r"user:nobody.*reload the policy from the journal"):
        engine.apply(PolicyDelta(remove=(rule("user:nobody", "hr.people"),)), revision=1)


def test_a_load_that_fails_half_way_leaves_the_old_policy_serving(engine):
    engine.load(RULES, LINKS, revision=1)
    with pytest.raises(UnreadableRule):
        engine.load([rule("user:zoe", "hr.people"), deny(value="DENY")], [], revision=2)
    assert engine.revision == 1
    assert engine.decide(ask("user:alice", "fin.pay", purpose="risk")).allowed


@pytest.mark.parametrize("field", ["sub", "dom", "obj", "act", "purpose", "now"])
def test_a_request_with_an_empty_field_is_denied_and_matches_nothing(engine, field):
    engine.load([rule("*", "mesh", dom="*")], [], revision=1)
    whole = {"sub": "user:a", "dom": "fin", "obj": "fin.pay", "act": "read", "purpose": "x", "now": "2026-09-15T00:00:00Z"}
    assert engine.decide(Request(**whole)).allowed
    request = Request(**{**whole, field: ""})
    assert not engine.decide(request).allowed
    assert engine.matching("p", request) == ()


@pytest.mark.parametrize("now", ["2026-09-15", "2026-09-15T02:00:00+02:00", "9", "2026-09-15 00:00:00Z", "٢٠٢٦-09-15T00:00:00Z"])
def test_a_request_whose_time_is_not_utc_of_fixed_width_is_denied(engine, now):
    engine.load([rule("*", "mesh", nbf=FROM_THE_START)], [], revision=1)
    assert not engine.decide(ask("user:a", "fin.pay", now=now)).allowed


# Casbin's published examples that deny-override with closures can say, and the results its own tests publish for them
# (casbin/pycasbin tests/test_enforcer.py). `data1` of domain1 is written domain1.data1; without domains, all is in one.
BOB = {("bob", "d.data2", "write"): True, ("bob", "d.data1", "read"): False, ("bob", "d.data1", "write"): False}
PUBLISHED = {
    "rbac": (
        [
            rule("alice", "d.data1"),
            rule("bob", "d.data2", act="write"),
            rule("data2_admin", "d.data2"),
            rule("data2_admin", "d.data2", act="write"),
        ],
        [Link("g", "alice", "data2_admin", "d")],
        {
            **BOB,
            ("alice", "d.data1", "read"): True,
            ("alice", "d.data2", "read"): True,
            ("alice", "d.data2", "write"): True,
            ("bogus", "d.data2", "write"): False,
        },
    ),
    "rbac_with_deny": (
        [
            rule("alice", "d.data1"),
            rule("bob", "d.data2", act="write"),
            rule("data2_admin", "d.data2"),
            rule("data2_admin", "d.data2", act="write"),
            deny("alice", "d.data2", act="write"),
        ],
        [Link("g", "alice", "data2_admin", "d")],
        {
            **BOB,
            ("alice", "d.data1", "read"): True,
            ("alice", "d.data2", "read"): True,
            ("alice", "d.data2", "write"): False,
        },
    ),
    "rbac_with_domains": (
        [rule("admin", f"domain{i}.data{i}", act=act) for i in (1, 2) for act in ("read", "write")],
        [Link("g", "alice", "admin", "domain1"), Link("g", "bob", "admin", "domain2")],
        {
            ("alice", "domain1.data1", "read"): True,
            ("alice", "domain1.data1", "write"): True,
            ("alice", "domain1.data2", "read"): False,
            ("alice", "domain1.data2", "write"): False,
            ("bob", "domain2.data1", "read"): False,
            ("bob", "domain2.data1", "write"): False,
            ("bob", "domain2.data2", "read"): True,
            ("bob", "domain2.data2", "write"): True,
        },
    ),
    "rbac_with_resource_roles": (
        [rule("alice", "d.data1"), rule("bob", "d.data2", act="write"), rule("data_group_admin", "d.data_group", act="write")],
        [Link("g", "alice", "data_group_admin", "d"), *(Link("g2", f"d.data{i}", "d.data_group") for i in (1, 2))],
        {
            **BOB,
            ("alice", "d.data1", "read"): True,
            ("alice", "d.data1", "write"): True,
            ("alice", "d.data2", "read"): False,
            ("alice", "d.data2", "write"): True,
            ("bob", "d.data2", "read"): False,
        },
    ),
    "empty_policy": ([], [], dict.fromkeys([*BOB, ("alice", "d.data1", "read")], False)),
}


@pytest.mark.parametrize("example", PUBLISHED)
def test_casbins_published_examples_come_out_as_published(engine, example):
    rules, links, expected = PUBLISHED[example]
    engine.load(rules, links, revision=1)
    assert {asked: engine.decide(ask(*asked)).allowed for asked in expected} == expected


def test_roles_and_purposes_are_said_with_everything_above_them(engine):
    engine.load(RULES, [*LINKS, Link("g", "role:analyst", "role:reader", "fin")], revision=1)
    assert engine.roles_of("user:dora", "fin") == {"user:dora", "role:analyst", "role:reader"}
    assert engine.roles_of("user:dora", "*") == {"user:dora", "role:dpo"}
    assert engine.roles_of("user:nobody", "fin") == {"user:nobody"}
    assert engine.purposes_above("fraud") == {"fraud", "risk", "lawful"}
    assert engine.purposes_above("lawful") == {"lawful"}


def test_a_fork_and_its_origin_go_their_own_ways(engine):
    engine.load(RULES, LINKS, revision=1)
    asked = ask("user:bob", "fin.pay", purpose="audit")
    fork = engine.fork()
    fork.apply(PolicyDelta(remove=(RULES[3],)), revision=2)
    assert (engine.decide(asked).allowed, engine.revision) == (True, 1)
    assert (fork.decide(asked).allowed, fork.revision) == (False, 2)
    engine.apply(PolicyDelta(add=(deny("user:bob", "fin"),)), revision=3)
    assert not engine.decide(asked).allowed
    assert fork.decide(ask("user:alice", "fin.pay", purpose="risk")).allowed
