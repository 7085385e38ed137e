"""The fragment of casbin's models that is compiled; everything else is refused with the reason."""

import casbin
import pytest

from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.policy.matcher import matcher_of
from governance_server.policy.model import MODEL_PATH, UnsupportedModel, read_model
from tests.unit.policy_samples import ask, rule

MODEL = MODEL_PATH.read_text("utf-8")
MATCHER = next(line for line in MODEL.splitlines() if line.startswith("m = "))


def with_matcher(old, new):
    assert old in MODEL
    return MODEL.replace(old, new)


def test_the_model_is_read_as_casbin_reads_it():
    ours, theirs = read_model(MODEL), casbin.Enforcer.new_model(text=MODEL)
    assert [f"r_{field}" for field in ours.request_fields] == theirs["r"]["r"].tokens
    assert ours.arities == {name: len(ast.tokens) for name, ast in theirs["g"].items()}
    shared = {t.removeprefix("p_") for t in theirs["p"]["p"].tokens} & {t.removeprefix("p2_") for t in theirs["p"]["p2"].tokens}
    assert ours.rule_fields == shared & {t.removeprefix("p3_") for t in theirs["p"]["p3"].tokens}


@pytest.mark.parametrize(
    ("conjunct", "reason"),
    [
        ("keyMatch(r.obj, p.obj)", "keyMatch"),
        ("regexMatch(r.sub, p.sub)", "regexMatch"),
        ("eval(p.unless)", "eval"),
        ("r.sub.lower() == p.sub", "neither a text nor a field"),
        ("r.sub in (p.sub, p.dom)", "outside the fragment"),
        ("r.sub + p.sub == p.dom", "neither a text nor a field"),
        ("r.nobody == p.sub", r"r\.nobody"),
        ("p.eft == r.act", r"p\.eft"),
        ("x == p.sub", "neither a text nor a field"),
        ("r.now < 9", "neither a text nor a field"),
        ("g2(p.obj, r.obj)", "start from a field of the request"),
        ("g(r.sub, p.sub)", "arguments"),
        ("r.nbf <= r.now <= p.exp", "outside the fragment"),
        ("(lambda: 1)()", "outside the fragment"),
        ("r.act == ", "not an expression"),
        ("r.obj == p.obj", "nothing else"),
        ('r.obj != "fin"', r"r\.obj may appear only"),
    ],
)
def test_a_conjunct_outside_the_fragment_is_refused_with_the_reason(conjunct, reason):
    with pytest.raises(UnsupportedModel, match=reason):
        IndexedEngine(model=with_matcher("r.act == p.act", f"r.act == p.act && {conjunct}"))


@pytest.mark.parametrize(
    ("old", "reason"),
    [
        ("r.act == p.act && ", "p.act"),
        ('(p.dom == r.dom || p.dom == "*") && ', "p.dom"),
        (" && g2(r.obj, p.obj)", "p.obj"),
        (' && (p.sub == "*" || g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))', "p.sub"),
    ],
)
def test_a_matcher_that_leaves_a_field_open_cannot_be_indexed(old, reason):
    with pytest.raises(UnsupportedModel, match=reason):
        IndexedEngine(model=with_matcher(old, ""))


@pytest.mark.parametrize(
    "effect",
    ["some(where (p.eft == allow))", "!some(where (p.eft == deny))", "priority(p.eft) || deny", "subjectPriority(p.eft) || deny"],
)
def test_an_effect_other_than_deny_overrides_is_refused(effect):
    line = next(line for line in MODEL.splitlines() if line.startswith("e = "))
    with pytest.raises(UnsupportedModel, match="effect"):
        IndexedEngine(model=with_matcher(line, f"e = {effect}"))


@pytest.mark.parametrize(
    "text",
    ["", "not a model", "[matchers]\nm = r.a == p.a", MODEL + "\n[matchers]\n", MODEL + "\nm2 = r.act == p.act"],
)
def test_a_model_that_cannot_be_read_is_refused(text):
    with pytest.raises(UnsupportedModel):
        IndexedEngine(model=text)


def test_operators_inside_text_literals_are_left_alone():
    engine = IndexedEngine(model=with_matcher('p.dom == "*"', 'p.dom == "a&&b||!c"'))
    engine.load([rule("user:a", "fin.pay")], [], revision=1)
    assert engine.decide(ask("user:a", "fin.pay")).allowed
    assert "a&&b||!c" in matcher_of(with_matcher('p.dom == "*"', 'p.dom == "a&&b||!c"')).source


def test_a_further_condition_within_the_fragment_takes_effect():
    condition = '!(r.sub == "user:root" && p.rid != "emergency")'
    engine = IndexedEngine(model=with_matcher("r.act == p.act", f"r.act == p.act && {condition}"))
    engine.load([rule("*", "fin.pay", rid="daily"), rule("*", "fin.ops", rid="emergency")], [], revision=1)
    assert engine.decide(ask("user:a", "fin.pay")).allowed
    assert not engine.decide(ask("user:root", "fin.pay")).allowed
    assert engine.decide(ask("user:root", "fin.ops")).allowed
