"""The index is held to stock casbin: equal answers on generated policies, and mutants of the index are caught."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance_server.policy import indexed_engine, state
from governance_server.policy.casbin_engine import CasbinEngine
from governance_server.policy.engine import Decision, Request
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.policy.model import MODEL_PATH
from governance_server.rules.policy_rows import Link, PolicyDelta, Rule, UnreadableRule, check_rule
from tests.unit.policy_samples import ACTS, DOMAINS, MOMENTS, OBJECTS, PURPOSES, SUBJECTS, TIMES, ask, links, requests, rules

MODEL = MODEL_PATH.read_text("utf-8")
RELAXED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def differences(specification, engine, request):
    """The names of the questions that the engine answers differently."""
    found = []
    expected, got = specification.decide(request), engine.decide(request)
    if expected != got:
        found.append("decide")
    found += [s for s in ("p", "p2", "p3") if specification.matching(s, request) != engine.matching(s, request)]
    return found


@RELAXED
@given(st.lists(rules(), max_size=14), st.lists(links(), max_size=7), st.lists(requests(), min_size=15, max_size=25))
def test_the_index_answers_as_casbin_does(policy, graph, questions):
    specification, engine = CasbinEngine(), IndexedEngine()
    specification.load(policy, graph, revision=7)
    engine.load(policy, graph, revision=7)
    for request in questions:
        assert differences(specification, engine, request) == []


@RELAXED
@given(st.lists(rules(), max_size=14), st.lists(links(), max_size=7), st.lists(requests(), min_size=2, max_size=4))
def test_collected_visible_and_reverse_answers_agree_too(policy, graph, questions):
    specification, engine = CasbinEngine(), IndexedEngine()
    specification.load(policy, graph, revision=7)
    engine.load(policy, graph, revision=7)
    for request in questions:
        assert engine.collect(request, OBJECTS) == specification.collect(request, OBJECTS)
        assert engine.rules_on(request.obj, request.act) == specification.rules_on(request.obj, request.act)
        assert engine.ancestors(request.obj) == specification.ancestors(request.obj)
        visible = engine.visible_objects(request.sub, request.act, request.purpose, request.now)
        for obj in OBJECTS:
            asked = ask(request.sub, obj, request.act, request.purpose, request.now)
            assert visible.allows(obj) == specification.decide(asked).allowed


@RELAXED
@given(
    st.lists(st.one_of(rules(), links()), min_size=1, max_size=14),
    st.lists(st.tuples(st.booleans(), st.integers(0, 30)), min_size=1, max_size=12),
    st.lists(requests(), min_size=3, max_size=6),
)
def test_rows_added_and_removed_one_by_one_leave_what_a_fresh_load_would(rows, steps, questions):
    engine, live = IndexedEngine(), []
    for revision, (adding, choice) in enumerate(steps, start=1):
        if adding or not live:
            row = rows[choice % len(rows)]
            live.append(row)
            engine.apply(PolicyDelta(add=(row,)), revision=revision)
        else:
            engine.apply(PolicyDelta(remove=(live.pop(choice % len(live)),)), revision=revision)
        for request in questions:
            engine.decide(request)  # fills the closure caches that the next change must not leave stale
    specification = CasbinEngine()
    of_kind = {kind: [row for row in live if isinstance(row, kind)] for kind in (Rule, Link)}
    specification.load(of_kind[Rule], of_kind[Link], revision=len(steps))
    for request in questions:
        assert differences(specification, engine, request) == []


# -- volume and mutants: plain seeded randomness, many times faster to draw than strategies ---------------------------


def random_rule(dice):
    section = dice.choice(["p", "p", "p", "p2", "p3"])
    value = {"p": dice.choice(["allow", "allow", "deny"]), "p2": "show-last-4", "p3": "f1"}[section]
    begin, end = sorted(dice.sample(range(4), 2))
    return Rule(
        section, dice.choice(SUBJECTS), dice.choice(DOMAINS), dice.choice(OBJECTS), dice.choice(ACTS),
        dice.choice([*PURPOSES, "*", "*"]), dice.choice(["-", "-", "-", "role:r1", *PURPOSES]), TIMES[begin], TIMES[end],
        value, "grant", f"g{dice.randrange(9)}",
    )  # fmt: skip


def random_policy(dice):
    policy = []
    for _ in range(dice.randrange(1, 18)):
        candidate = random_rule(dice)
        try:
            policy.append(check_rule(candidate))
        except UnreadableRule:
            continue
    graph = []
    for _ in range(dice.randrange(0, 8)):
        link = {
            "g": lambda: Link("g", dice.choice(SUBJECTS[:4]), dice.choice(SUBJECTS[2:4]), dice.choice(DOMAINS)),
            "g2": lambda: Link("g2", dice.choice(OBJECTS), dice.choice(OBJECTS)),
            "g3": lambda: Link("g3", dice.choice(PURPOSES), dice.choice(PURPOSES)),
        }[dice.choice(["g", "g", "g2", "g3"])]()
        if link.child != link.parent:
            graph.append(link)
    return policy, graph


def compare(seed, engine, *, wanted, per_policy=25, until_different=False):
    """Requests asked, how many were allowed, how many differed."""
    dice, specification = random.Random(seed), CasbinEngine()
    asked = allowed = different = 0
    while asked < wanted and not (until_different and different):
        policy, graph = random_policy(dice)
        specification.load(policy, graph, revision=1)
        engine.load(policy, graph, revision=1)
        for _ in range(per_policy):
            request = ask(
                dice.choice(SUBJECTS[:4]), dice.choice(OBJECTS), dice.choice(ACTS), dice.choice(PURPOSES), dice.choice(MOMENTS)
            )
            asked += 1
            allowed += specification.decide(request).allowed
            different += bool(differences(specification, engine, request))
    return asked, allowed, different


def test_no_difference_in_two_thousand_seeded_requests():
    asked, allowed, different = compare(1, IndexedEngine(), wanted=2_000)
    assert different == 0
    assert allowed > asked / 50


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_difference_in_twenty_thousand_seeded_requests():
    asked, allowed, different = compare(2, IndexedEngine(), wanted=20_000)
    assert different == 0
    assert allowed > asked / 50


MODEL_MUTANTS = {
    "mesh-wide rules are forgotten": ('(p.dom == r.dom || p.dom == "*")', "(p.dom == r.dom)"),
    "rules for everybody are forgotten": ('(p.sub == "*" || g(r.sub, p.sub, r.dom)', "(g(r.sub, p.sub, r.dom)"),
    "mesh-wide roles are forgotten": (' || g(r.sub, p.sub, "*"))', ")"),
    "an expired rule holds a second too long": ("r.now < p.exp", "r.now <= p.exp"),
    "nobody is exempt": ('p.unless != "-"', 'p.unless == "-"'),
    "wider purposes do not count": ("g3(r.purpose, p.purpose)", "r.purpose == p.purpose"),
}


@pytest.mark.parametrize("mutation", MODEL_MUTANTS)
def test_a_mutant_of_the_matcher_is_caught(mutation):
    old, new = MODEL_MUTANTS[mutation]
    assert MODEL.count(old) == 1
    mutant = IndexedEngine(model=MODEL.replace(old, new))
    assert compare(3, mutant, wanted=3_000, until_different=True)[2]


class AllowOverrides(IndexedEngine):
    def decide(self, request: Request) -> Decision:
        honest = super().decide(request)
        return Decision(any(r.value == "allow" for r in self.matching("p", request)), honest.rules, honest.revision)


def test_a_mutant_in_which_deny_does_not_override_is_caught():
    assert compare(4, AllowOverrides(), wanted=3_000, until_different=True)[2]


def test_a_mutant_without_containment_by_name_is_caught(monkeypatch):
    monkeypatch.setattr(state, "parents", lambda name: ())
    assert compare(5, IndexedEngine(), wanted=3_000, until_different=True)[2]


def test_a_mutant_that_walks_one_link_only_is_caught(monkeypatch):
    monkeypatch.setattr(state, "_close", lambda start, up: frozenset({start, *up.get(start, ())}))
    assert compare(6, IndexedEngine(), wanted=6_000, until_different=True)[2]


def test_a_mutant_that_takes_the_first_subject_only_is_caught(monkeypatch):
    honest = indexed_engine._hits
    monkeypatch.setattr(indexed_engine, "_hits", lambda *args: honest(*args)[:1])
    assert compare(7, IndexedEngine(), wanted=3_000, until_different=True)[2]
