"""The shadow check: what it notices, what it leaves alone, and that it never gets in the way."""

import logging
import random
import threading

import pytest

from governance_server.policy import shadow
from governance_server.policy.casbin_engine import CasbinEngine
from governance_server.policy.casbin_slice import relevant_rows
from governance_server.policy.engine import Decision
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.policy.shadow import ShadowCheck
from governance_server.rules.policy_rows import Link, PolicyDelta, Rule
from tests.unit.policy_fuzz import random_request, random_rows
from tests.unit.policy_samples import ask, rule


@pytest.fixture
def engine():
    made = IndexedEngine()
    made.load([rule("role:r", "fin.pay")], [Link("g", "user:a", "role:r", "fin")], revision=1)
    return made


def test_an_answer_that_casbin_would_not_give_is_an_error_and_counted(engine, caplog):
    check, request = ShadowCheck(1), ask("user:a", "fin.pay")
    check.check(engine, request, engine.decide(request))
    assert (check.checked, check.different) == (1, 0)
    with caplog.at_level(logging.ERROR):
        check.check(engine, request, Decision(False, (), 1))
    assert (check.checked, check.different) == (2, 1)
    assert "policy.shadow_mismatch principal=user:a action=read resource=fin.pay" in caplog.text


def test_a_check_that_fails_counts_as_a_difference(engine, caplog, monkeypatch):
    monkeypatch.setattr(CasbinEngine, "load", lambda *args, **named: 1 / 0)
    check, request = ShadowCheck(1), ask("user:a", "fin.pay")
    check.check(engine, request, engine.decide(request))
    assert check.different == 1
    assert "ZeroDivisionError" in caplog.text


def test_one_decision_in_n_is_checked_in_the_background(engine, monkeypatch):
    checked, enough = [], threading.Event()

    def note(self, engine, request, decision):
        checked.append(request)
        if len(checked) == 5:
            enough.set()

    monkeypatch.setattr(ShadowCheck, "check", note)
    check = ShadowCheck(10)
    for number in range(50):
        request = ask(f"user:{number}", "fin.pay")
        check.saw(engine, request, engine.decide(request))
        while number % 10 == 9 and check._waiting:
            pass
    assert enough.wait(40)
    assert [request.sub for request in checked] == [f"user:{number}" for number in (9, 19, 29, 39, 49)]


def test_a_slow_check_neither_delays_a_decision_nor_piles_up(engine, monkeypatch):
    entered, release = threading.Event(), threading.Event()

    def block(self, engine, request, decision):
        entered.set()
        release.wait(45)

    monkeypatch.setattr(ShadowCheck, "check", block)
    check, request = ShadowCheck(1), ask("user:a", "fin.pay")
    check.saw(engine, request, engine.decide(request))
    assert entered.wait(40)
    for _ in range(1_000):
        check.saw(engine, request, engine.decide(request))
    assert len(check._waiting) == shadow._MOST_WAITING
    check._waiting.clear()  # the thread outlives this test
    release.set()


def test_a_parse_that_cpython_fails_at_beside_another_one_is_tried_again(engine, monkeypatch):
    honest, failures = CasbinEngine.load, [SystemError("AST constructor recursion depth mismatch")] * 2

    def load(*args, **named):
        if failures:
            raise failures.pop()
        honest(*args, **named)

    monkeypatch.setattr(CasbinEngine, "load", load)
    check, request = ShadowCheck(1), ask("user:a", "fin.pay")
    check.check(engine, request, engine.decide(request))
    assert (check.checked, check.different, failures) == (1, 0, [])


def test_what_changed_between_decision_and_check_is_not_compared(engine):
    check, request = ShadowCheck(1), ask("user:a", "fin.pay")
    decision = engine.decide(request)
    engine.apply(PolicyDelta(remove=(rule("role:r", "fin.pay"),)), revision=2)
    check.saw(engine, request, decision)
    assert not check._waiting
    assert check._thread is None


def test_the_rows_that_are_left_out_change_no_answer():
    dice = random.Random(5)
    allowed = 0
    for _ in range(60):
        rows = random_rows(dice, rules=14, links=8)
        whole = CasbinEngine()
        whole.load([r for r in rows if isinstance(r, Rule)], [r for r in rows if isinstance(r, Link)], revision=1)
        for _ in range(10):
            request = random_request(dice)
            part = CasbinEngine()
            part.load(*relevant_rows(rows, request), revision=1)
            assert part.decide(request) == whole.decide(request)
            assert part.matching("p2", request) == whole.matching("p2", request)
            allowed += whole.decide(request).allowed
    assert allowed > 20


def test_an_engine_tells_every_row_it_holds_once():
    dice = random.Random(6)
    for _ in range(50):
        rows = random_rows(dice, rules=14, links=8)
        engine = IndexedEngine()
        engine.load([r for r in rows if isinstance(r, Rule)], [r for r in rows if isinstance(r, Link)], revision=1)
        told = list(engine.rows())
        assert len(told) == len(set(told))
        assert set(told) == set(rows)
