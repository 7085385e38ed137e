"""The index is held to stock casbin: equal answers on generated policies, and mutants of the index are caught."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance_server.policy import indexed_engine, state
from governance_server.policy.answers import Answers
from governance_server.policy.casbin_engine import CasbinEngine
from governance_server.policy.engine import Decision, Request
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.policy.model import MODEL_PATH
from governance_server.rules.policy_rows import FOREVER, Link, PolicyDelta, Rule, domain_of
from tests.unit.policy_fuzz import compare, differences
from tests.unit.policy_samples import OBJECTS, ask, links, requests, rules

MODEL = MODEL_PATH.read_text("utf-8")
RELAXED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


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
        inside = [obj for obj in OBJECTS if domain_of(obj) == request.dom]
        assert set(engine.rules_on_any(inside, request.act)) == set(specification.rules_on_any(inside, request.act))
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


# -- mutants: each must be caught by the seeded comparison that runs a hundred thousand times in test_policy_fuzz_*.py -----


def is_caught(seed, mutant):
    return compare(seed, mutant, wanted=20_000, until_different=True).different > 0


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
    assert is_caught(3, mutant)


class AllowOverrides(IndexedEngine):
    def decide(self, request: Request) -> Decision:
        honest = super().decide(request)
        return Decision(any(r.value == "allow" for r in self.matching("p", request)), honest.rules, honest.revision)


def test_a_mutant_in_which_deny_does_not_override_is_caught():
    assert is_caught(4, AllowOverrides())


def test_a_mutant_without_containment_by_name_is_caught(monkeypatch):
    monkeypatch.setattr(state, "parents", lambda name: ())
    monkeypatch.setattr(state, "containment", lambda name: (name,))
    assert is_caught(5, IndexedEngine())


def test_a_mutant_that_walks_one_link_only_is_caught(monkeypatch):
    monkeypatch.setattr(state, "_close", lambda start, up: frozenset({start, *up.get(start, ())}))
    assert is_caught(6, IndexedEngine())


def test_a_mutant_that_takes_the_first_subject_only_is_caught(monkeypatch):
    honest = indexed_engine._candidates
    monkeypatch.setattr(indexed_engine, "_candidates", lambda *args: honest(*args)[:1])
    assert is_caught(7, IndexedEngine())


def test_a_mutant_that_keeps_answers_past_the_end_of_a_rule_is_caught(monkeypatch):
    monkeypatch.setattr(indexed_engine, "valid_until", lambda now, candidates, moments: FOREVER)
    assert is_caught(8, IndexedEngine())


def test_a_mutant_that_keeps_answers_across_a_change_is_caught(monkeypatch):
    monkeypatch.setattr(state.State, "stamps", lambda self, domain: ())
    assert is_caught(9, IndexedEngine())


@pytest.mark.parametrize("part", range(3), ids=["own domain", "mesh-wide", "links"])
def test_a_mutant_that_forgets_on_what_an_answer_rests_is_caught(monkeypatch, part):
    honest = state.State.stamps
    monkeypatch.setattr(
        state.State, "stamps", lambda self, domain: tuple(s for i, s in enumerate(honest(self, domain)) if i != part)
    )
    assert is_caught(10 + part, IndexedEngine())


def test_a_mutant_that_gives_answers_of_later_when_the_clock_goes_back_is_caught(monkeypatch):
    honest = Answers.find
    monkeypatch.setattr(Answers, "find", lambda self, asked, stamps, now: honest(self, asked, stamps, _later(self, asked, now)))
    assert is_caught(13, IndexedEngine())


def _later(answers, asked, now):
    kept = answers._kept.get(asked)
    return max(kept[1], now) if kept else now
