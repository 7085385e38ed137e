"""Decisions that are kept: for exactly as long as they must be the same, and never more than fit."""

import pytest

from governance_server.policy import answers
from governance_server.policy.engine import Decision
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.policy.matcher import matcher_of
from governance_server.policy.model import MODEL_PATH
from governance_server.rules.policy_rows import Link, PolicyDelta
from tests.unit.policy_samples import ask, deny, rule

MODEL = MODEL_PATH.read_text("utf-8")
BEGIN, END = "2026-03-01T00:00:00Z", "2026-06-01T00:00:00Z"


@pytest.fixture
def engine():
    made = IndexedEngine()
    made.load([rule("user:a", "fin.pay", nbf=BEGIN, exp=END), rule("user:a", "hr.jobs")], [], revision=1)
    return made


def test_an_answer_changes_at_the_second_a_rule_begins_and_ends_in_whatever_order_it_is_asked(engine):
    times = ["2026-02-28T23:59:59Z", BEGIN, "2026-05-31T23:59:59Z", END, "2026-05-31T23:59:59Z", BEGIN, "2026-02-28T23:59:59Z"]
    said = [engine.decide(ask("user:a", "fin.pay", now=now)).allowed for now in times * 2]
    assert said == [False, True, True, False, True, True, False] * 2


def test_a_change_in_one_domain_leaves_the_answers_of_others_kept(engine):
    question = ask("user:a", "hr.jobs")
    engine.decide(question)
    engine.apply(PolicyDelta(add=(rule("user:b", "fin.pay"),)), revision=2)
    assert engine._answers.find(question[:5], engine._state.stamps("hr"), question.now) is not None
    assert engine.decide(question) == Decision(True, (rule("user:a", "hr.jobs"),), 2)


@pytest.mark.parametrize(
    "change",
    [
        deny("user:a", "hr.jobs", dom="hr", kind="grant"),
        deny("*", "mesh"),
        Link("g", "user:a", "role:out", "hr"),
        Link("g", "user:a", "role:out", "*"),
        Link("g2", "hr.jobs", "tag:closed"),
        Link("g3", "x", "y"),
    ],
)
def test_a_kept_answer_is_gone_with_any_change_that_touches_it(engine, change):
    engine.apply(
        PolicyDelta(add=(deny("role:out", "hr.jobs"), deny("*", "tag:closed"), deny("*", "hr.jobs", purpose="y"))), revision=2
    )
    question = ask("user:a", "hr.jobs")
    assert engine.decide(question).allowed
    engine.apply(PolicyDelta(add=(change,)), revision=3)
    assert not engine.decide(question).allowed
    engine.apply(PolicyDelta(remove=(change,)), revision=4)
    assert engine.decide(question).allowed


def test_answers_are_bounded_whatever_is_asked(engine, monkeypatch):
    monkeypatch.setattr(answers, "_MOST_KEPT", 100)
    for number in range(1_000):
        engine.decide(ask(f"user:{number}", f"d{number}.p"))
    engine.decide(ask("user:a", "fin." + "p" * 10_000))
    assert len(engine._answers) <= 100
    assert max(len(key[2]) for key in engine._answers._kept) < 1_000


def test_a_fork_keeps_its_own_answers(engine):
    fork = engine.fork()
    fork.apply(PolicyDelta(remove=(rule("user:a", "hr.jobs"),)), revision=2)
    for _ in range(2):
        assert engine.decide(ask("user:a", "hr.jobs")).allowed
        assert not fork.decide(ask("user:a", "hr.jobs")).allowed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("p.nbf <= r.now", 'p.nbf <= r.now && r.now != "2026-06-01T00:00:00Z"'),
        ("p.nbf <= r.now", "p.nbf <= r.now && r.now != r.purpose"),
        ('p.dom == "*"', 'p.dom == "fin"'),
        ("g(r.sub, p.sub, r.dom)", 'g(r.sub, p.sub, "fin")'),
    ],
)
def test_where_an_answer_rests_on_more_than_can_be_told_none_is_kept(old, new):
    text = MODEL.replace(old, new, 1)
    assert matcher_of(MODEL).moments == ("nbf", "exp")
    assert matcher_of(text).moments is None
    engine = IndexedEngine(model=text)
    engine.load([rule("user:a", "hr.jobs")], [], revision=1)
    engine.decide(ask("user:a", "hr.jobs"))
    assert len(engine._answers) == 0
