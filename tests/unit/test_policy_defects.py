"""The defects of stock pycasbin 2.8 that would allow (reference §2.2): shown where cheap, and absent from both our engines."""

import logging
import sys
import threading
import time
from pathlib import Path

import casbin
import pytest

from governance_server.policy import state
from governance_server.policy.casbin_engine import CasbinEngine
from governance_server.policy.engine import Request
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.policy.model import MODEL_PATH
from governance_server.rules.policy_rows import Link, PolicyDelta, UnreadableRule
from tests.unit.policy_samples import NOW, ask, deny, rule


@pytest.fixture(params=[CasbinEngine, IndexedEngine], ids=["casbin", "indexed"])
def engine(request):
    return request.param()


@pytest.fixture
def stock():
    logging.getLogger("casbin").disabled = True
    return casbin.Enforcer(casbin.Enforcer.new_model(path=str(MODEL_PATH)))


def test_without_a_single_rule_nothing_is_allowed(engine):
    engine.load([], [], revision=1)
    assert not engine.decide(ask("user:a", "fin.pay")).allowed
    assert not engine.decide(Request("", "", "", "", "", "")).allowed


def test_a_new_engine_allows_nothing_before_its_first_load(engine):
    assert not engine.decide(ask("user:a", "fin.pay")).allowed
    assert engine.revision == 0


def test_stock_casbin_loses_a_capital_deny(stock):
    stock.model["p"]["p"].policy += [
        ["user:a", "fin", "fin.pay", "read", "*", "-", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", effect, "r"]
        for effect in ("allow", "Deny")
    ]
    assert stock.enforce("user:a", "fin", "fin.pay", "read", "x", NOW)


@pytest.mark.parametrize("effect", ["Deny", "DENY", " deny", "deny ", "deny\n", "block", ""])
def test_an_effect_that_is_not_spelt_exactly_is_refused_not_ignored(engine, effect):
    with pytest.raises(UnreadableRule):
        engine.load([rule("user:a", "fin.pay"), deny("user:a", "fin.pay", value=effect)], [], revision=1)
    assert not engine.decide(ask("user:a", "fin.pay")).allowed


def chain(section, length, domain=""):
    return [Link(section, f"role:n{i}", f"role:n{i + 1}", domain) for i in range(length)]


def test_stock_casbin_stops_ten_roles_up(stock):
    stock.model["g"]["g"].policy += [[link.child, link.parent, "fin"] for link in chain("g", 12)]
    stock.build_role_links()
    managers = stock.get_named_role_manager("g")
    assert managers.has_link("role:n0", "role:n9", "fin")
    assert not managers.has_link("role:n0", "role:n12", "fin")


@pytest.mark.parametrize("depth", [9, 10, 11, 40, 250])
def test_a_deny_held_by_a_far_ancestor_role_is_never_lost(engine, depth):
    rules = [rule("role:n0", "fin.pay"), deny(f"role:n{depth}", "fin.pay")]
    engine.load(rules, chain("g", depth, "fin"), revision=1)
    assert not engine.decide(ask("role:n0", "fin.pay")).allowed
    engine.load(rules[:1], chain("g", depth, "fin"), revision=2)
    assert engine.decide(ask("role:n0", "fin.pay")).allowed


def test_a_deny_on_a_far_container_or_purpose_is_never_lost(engine):
    containers = [Link("g2", "fin.pay", "set0"), *(Link("g2", f"set{i}", f"set{i + 1}") for i in range(30))]
    engine.load([rule("*", "fin.pay"), deny("*", "set30")], containers, revision=1)
    assert not engine.decide(ask("user:a", "fin.pay")).allowed
    engine.load([rule("*", "fin.pay"), deny("*", "fin.pay", purpose="role:n30")], chain("g3", 30), revision=2)
    assert not engine.decide(ask("user:a", "fin.pay", purpose="role:n0")).allowed


def test_the_specification_refuses_chains_it_cannot_walk_rather_than_cut_them():
    engine = CasbinEngine()
    with pytest.raises(UnreadableRule, match="400 long"):
        engine.load([rule("*", "fin.pay")], chain("g", 400, "fin"), revision=1)


def test_cycles_end(engine):
    roles = [Link("g", "role:a", "role:b", "*"), Link("g", "role:b", "role:a", "*")]
    links = [*roles, Link("g2", "fin.x", "fin.y"), Link("g2", "fin.y", "fin.x")]
    engine.load([rule("role:b", "fin.y")], links, revision=1)
    assert engine.decide(ask("role:a", "fin.x")).allowed
    assert not engine.decide(ask("role:c", "fin.x")).allowed


def test_names_that_callers_invent_are_not_remembered(monkeypatch):
    monkeypatch.setattr(state, "_MOST_CACHED", 100)
    engine = IndexedEngine()
    engine.load([rule("role:r", "fin.pay")], [Link("g", "user:a", "role:r", "fin"), Link("g3", "x", "y")], revision=1)
    for i in range(1_000):
        asked = Request(f"user:{i}", f"dom{i}", f"dom{i}.p{i}", "read", f"why{i}", NOW)
        assert not engine.decide(asked).allowed
        assert not engine.collect(asked, [asked.obj]).matches[0].p
    engine.decide(ask("user:a", "fin." + "p" * 100_000))
    held = engine._state
    assert set(held.shards) == {"fin"}
    assert len(held.containers_closed) <= 100
    assert max(map(len, held.containers_closed)) < 1_000
    assert set(held.purposes_closed) <= {"x"}
    assert set(held.shards["fin"].roles_closed) <= {"user:a"}


def test_the_specification_forgets_the_names_it_was_asked_about(monkeypatch):
    monkeypatch.setattr("governance_server.policy.casbin_engine._REQUESTS_BEFORE_FORGETTING", 50)
    engine = CasbinEngine()
    engine.load([rule("role:r", "fin.pay")], [Link("g", "user:a", "role:r", "fin")], revision=1)
    for i in range(300):
        engine.decide(Request(f"user:{i}", f"dom{i}", f"dom{i}.p{i}", "read", "x", NOW))
    managers = engine._loaded._enforcer.rm_map
    assert len(managers["g"].rm_map) < 100
    assert len(managers["g2"].all_roles) < 300
    assert engine.decide(ask("user:a", "fin.pay")).allowed


@pytest.mark.parametrize(("kind", "reloads"), [(CasbinEngine, 30), (IndexedEngine, 200)], ids=["casbin", "indexed"])
def test_a_reload_never_lets_a_deny_out_of_force(kind, reloads):
    engine = kind()
    rules = [rule("user:a", "fin.pay"), deny("role:contractor", "fin.pay")]
    links = [*(Link("g", f"user:{i}", f"role:{i % 9}", "fin") for i in range(60)), Link("g", "user:a", "role:contractor", "*")]
    engine.load(rules, links, revision=1)
    wrong, stop, interval = [], threading.Event(), sys.getswitchinterval()

    def read():
        while not stop.is_set():
            decision = engine.decide(ask("user:a", "fin.pay"))
            if decision.allowed or not decision.rules:
                wrong.append(decision)

    readers = [threading.Thread(target=read) for _ in range(2)]
    sys.setswitchinterval(1e-5)
    try:
        for reader in readers:
            reader.start()
        for revision in range(2, reloads):
            engine.load(rules, links, revision=revision)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
        sys.setswitchinterval(interval)
    assert wrong == []


def test_readers_see_a_delta_whole_and_revisions_only_rise():
    engine = IndexedEngine()
    engine.load([rule("user:a", "hr.jobs")], [], revision=0)
    both = (rule("user:a", "fin.pay"), Link("g2", "fin.pay", "tag:open"))
    wrong, stop = [], threading.Event()

    def read():
        last = 0
        while not stop.is_set():
            decision = engine.decide(ask("user:a", "fin.pay"))
            if decision.allowed != (decision.revision % 2 == 1) or decision.revision < last:
                wrong.append(decision)
            last = decision.revision

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for revision in range(1, 1_000):
        change = PolicyDelta(add=both) if revision % 2 else PolicyDelta(remove=both)
        engine.apply(change, revision=revision)
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_an_expired_grant_stays_dead_whatever_the_servers_time_zone(engine, monkeypatch):
    engine.load([rule("user:a", "fin.pay", exp="2026-09-15T00:00:00Z")], [], revision=1)
    for zone in ("America/New_York", "Asia/Tokyo", "UTC"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert not engine.decide(ask("user:a", "fin.pay", now="2026-09-15T00:00:00Z")).allowed
        assert engine.decide(ask("user:a", "fin.pay", now="2026-09-14T23:59:59Z")).allowed
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("text", ["False) or (True", '" || "" == "', "__import__('os')", "a\\nb"])
def test_policy_text_is_never_code(engine, text):
    column = f"fin.pay.t#{text}"
    engine.load([rule("user:a", column)], [], revision=1)
    assert engine.decide(ask("user:a", column)).allowed
    assert not engine.decide(ask("user:a", "fin.pay.t#other")).allowed
    assert not engine.decide(ask(text, "fin.pay.t#other", purpose=text)).allowed


def test_thousands_of_roles_in_one_domain_load_and_answer_at_once():
    engine = IndexedEngine()
    links = [Link("g", f"user:{i}", f"role:{i % 500}", "fin") for i in range(20_000)]
    started = time.process_time()
    engine.load([rule("role:7", "fin.pay")], links, revision=1)
    assert engine.decide(ask("user:507", "fin.pay")).allowed
    assert time.process_time() - started < 5


def test_the_index_needs_no_casbin_at_run_time():
    package = Path(MODEL_PATH).parent
    for module in ("indexed_engine", "state", "matcher", "model", "engine"):
        assert "import casbin" not in (package / f"{module}.py").read_text("utf-8")
