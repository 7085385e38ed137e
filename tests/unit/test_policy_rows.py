"""What a readable rule or link is: every field that could be misread is refused at write time."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.rules.policy_rows import (
    Link,
    UnreadableRule,
    check_link,
    check_rule,
    domain_of,
)
from tests.unit.policy_samples import ask, deny, rule


@pytest.mark.parametrize(
    ("obj", "domain"),
    [
        ("finance", "finance"),
        ("finance.ledger", "finance"),
        ("finance.ledger.entries", "finance"),
        ("finance.ledger.entries#amount", "finance"),
        ("finance.ledger.entries#a.b", "finance"),
        ("mesh", "*"),
        ("tag:pii", "*"),
        ("tag:pii.email", "*"),
    ],
)
def test_an_objects_domain_is_in_its_name(obj, domain):
    assert domain_of(obj) == domain


UNREADABLE = [
    ({"section": "p4"}, "section"),
    ({"section": "pp"}, "section"),
    ({"kind": "guardrail"}, "kind"),
    ({"act": "reed"}, "act"),
    ({"act": "*"}, "act"),
    ({"act": ""}, "act"),
    ({"value": "Allow"}, "value"),
    ({"value": ""}, "value"),
    ({"section": "p2", "value": "rot13"}, "value"),
    ({"section": "p3", "value": ""}, "value"),
    ({"sub": ""}, "sub"),
    ({"sub": "-"}, "sub"),
    ({"sub": "user:*"}, "sub"),
    ({"sub": "user:a\n"}, "sub"),
    ({"sub": "user:a, p"}, "sub"),
    ({"sub": "user:a)"}, "sub"),
    ({"sub": ")user:a("}, "sub"),
    ({"sub": "user:'a'"}, "sub"),
    ({"sub": "user:a#it's"}, "sub"),
    ({"sub": 'user:"a"'}, "sub"),
    ({"sub": "user:\x00a"}, "sub"),
    ({"sub": "user:a\u2028"}, "sub"),
    ({"sub": " user:a"}, "sub"),
    ({"purpose": ""}, "purpose"),
    ({"purpose": "a,b"}, "purpose"),
    ({"unless": ""}, "unless"),
    ({"unless": "*"}, "unless"),
    ({"obj": "*"}, "obj"),
    ({"obj": "fin.*"}, "obj"),
    ({"obj": ""}, "obj"),
    ({"obj": "fin.pay.t#"}, "obj"),
    ({"obj": "fin.pay.t#a\nb"}, "obj"),
    ({"rid": ""}, "rid"),
    ({"dom": ""}, "dom"),
    ({"nbf": ""}, "nbf"),
    ({"nbf": "2026-01-01"}, "nbf"),
    ({"nbf": "2026-02-30T00:00:00Z"}, "nbf"),
    ({"nbf": "2026-01-01T00:00:00+00:00"}, "nbf"),
    ({"exp": "2026-01-01 00:00:00Z"}, "exp"),
    ({"exp": "9999"}, "exp"),
    ({"exp": "2026-01-01T24:00:00Z"}, "exp"),
    ({"exp": "٢٠٢٦-01-01T00:00:00Z"}, "exp"),
    ({"exp": "1970-01-01T00:00:00Z"}, "exp"),
]


@pytest.mark.parametrize(("changes", "field"), UNREADABLE, ids=[repr(case[0]) for case in UNREADABLE])
def test_an_unreadable_field_is_named_and_refused(changes, field):
    candidate = dataclasses.replace(rule("user:a", "fin.pay"), **changes)
    with pytest.raises(UnreadableRule, match=rf"row 'rule-1' cannot be read: {field} is|row '' cannot be read: {field} is"):
        check_rule(candidate)


def test_a_rule_of_one_domain_about_another_domains_object_is_refused_since_it_could_never_apply():
    with pytest.raises(UnreadableRule, match="domain 'hr'"):
        check_rule(rule("*", "fin.pay", dom="hr"))
    assert check_rule(rule("*", "tag:pii", dom="hr"))
    assert check_rule(rule("*", "fin.pay", dom="*"))


def test_a_column_may_have_any_printable_name():
    for name in ("amount, net", "it's", "sum(x", "größe", "#", "a.b", "*"):
        assert check_rule(rule("user:a", f"fin.pay.t#{name}"))
        assert check_link(Link("g2", f"fin.pay.t#{name}", "tag:pii"))


UNREADABLE_LINKS = [
    Link("g4", "user:a", "role:b", "*"),
    Link("g", "user:a", "role:b", ""),
    Link("g", "user:a", "", "fin"),
    Link("g", "*", "role:b", "fin"),
    Link("g", "user:a", "*", "fin"),
    Link("g", "user:a", "user:a", "fin"),
    Link("g", "user:a", "role:b\n", "fin"),
    Link("g2", "fin.pay", "tag:pii", "fin"),
    Link("g3", "x", "-"),
    Link("g3", "x", "y)"),
]


@pytest.mark.parametrize("link", UNREADABLE_LINKS, ids=repr)
def test_an_unreadable_link_is_refused(link):
    with pytest.raises(UnreadableRule):
        check_link(link)


FIELDS = ["sub", "obj", "purpose", "unless", "nbf", "exp", "value", "rid", "dom", "act"]


@settings(deadline=None)
@given(st.sampled_from(FIELDS), st.text(max_size=12))
def test_a_deny_with_any_text_in_any_field_is_refused_or_denies_or_is_about_something_else(field, text):
    ban = dataclasses.replace(deny("user:a", "fin.pay"), **{field: text})
    engine = IndexedEngine()
    try:
        engine.load([rule("user:a", "fin.pay"), ban], [], revision=1)
    except UnreadableRule:
        assert engine.revision == 0
        return
    elsewhere = {"sub", "obj", "purpose", "unless", "act"}
    allowed = engine.decide(ask("user:a", "fin.pay")).allowed
    assert not allowed or field in elsewhere or (field, text) == ("value", "allow")
