"""Casbin's own published examples: what our model can say is decided as stock casbin decides it, every other model is refused."""

import logging
from itertools import product
from pathlib import Path

import casbin
import pytest

from governance_server.policy.casbin_engine import CasbinEngine
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.policy.model import MODEL_PATH, UnsupportedModel
from governance_server.rules.policy_rows import Link
from tests.unit.policy_samples import ask, rule

EXAMPLES = Path(__file__).parents[1] / "casbin_examples"
MODELS = sorted(path.name for path in EXAMPLES.glob("*.conf"))
MODEL = MODEL_PATH.read_text("utf-8")

# Model, policy, and the policy's fields in the order of its lines.
EXPRESSIBLE = [
    ("basic_model", "basic_policy", "sub obj act"),
    ("basic_model_without_spaces", "basic_policy", "sub obj act"),
    ("basic_model", "basic_inverse_policy", "sub obj act"),
    ("basic_without_users_model", "basic_without_users_policy", "obj act"),
    ("basic_without_resources_model", "basic_without_resources_policy", "sub act"),
    ("rbac_model", "rbac_policy", "sub obj act"),
    ("rbac_model_in_multi_line", "rbac_policy", "sub obj act"),
    ("rbac_model", "rbac_with_hierarchy_policy", "sub obj act"),
    ("rbac_model", "rbac_with_cycle_policy", "sub obj act"),
    ("rbac_with_deny_model", "rbac_with_deny_policy", "sub obj act eft"),
    ("rbac_with_not_deny_model", "rbac_with_deny_policy", "sub obj act eft"),
    ("rbac_with_domains_model", "rbac_with_domains_policy", "sub dom obj act"),
    ("rbac_with_domains_model", "rbac_with_domains_policy2", "sub dom obj act"),
    ("rbac_with_domains_model", "rbac_with_hierarchy_with_domains_policy", "sub dom obj act"),
    ("rbac_with_resource_roles_model", "rbac_with_resource_roles_policy", "sub obj act"),
]


def lines(policy):
    return [[cell.strip() for cell in line.split(",")] for line in (EXAMPLES / f"{policy}.csv").read_text().splitlines() if line]


def obj_of(fields):
    """Objects of a domain are named below it, as everywhere in the mesh; an example without objects is about one thing."""
    name = fields.get("obj", "thing")
    return f"{fields['dom']}.{name}" if "dom" in fields else name


def carried_over(model, policy, names):
    """The example's lines as rows of our model."""
    rules, links = [], []
    if "not_deny" in model:  # allowed unless denied
        rules.append(rule("*", "mesh", dom="*"))
        rules.append(rule("*", "mesh", dom="*", act="write"))
    for kind, *cells in lines(policy):
        if kind == "p":
            fields = dict(zip(names.split(), cells, strict=True))
            effect, domain = fields.get("eft", "allow"), fields.get("dom", "*")
            rules.append(rule(fields.get("sub", "*"), obj_of(fields), act=fields["act"], dom=domain, value=effect))
        elif kind == "g":
            links.append(Link("g", cells[0], cells[1], cells[2] if "dom" in names else "*"))
        else:
            links.append(Link("g2", *cells))
    return rules, links


def questions(policy, names):
    """Every combination of every name in the example with every other, and names it does not have."""
    rows = [dict(zip(names.split(), cells, strict=True)) for kind, *cells in lines(policy) if kind == "p"]
    links = [cells for kind, *cells in lines(policy) if kind != "p"]
    known = {
        "sub": {row.get("sub", "anybody") for row in rows} | {name for cells in links for name in cells[:2]} | {"stranger"},
        "dom": {row.get("dom", "") for row in rows} | {"elsewhere"},
        "obj": {row.get("obj", "thing") for row in rows} | {cells[0] for cells in links} | {"nothing"},
        "act": {"read", "write"},
    }
    fields = [name for name in names.split() if name != "eft"]
    return [dict(zip(fields, values, strict=True)) for values in product(*(sorted(known[name]) for name in fields))]


@pytest.mark.parametrize("kind", [IndexedEngine, CasbinEngine], ids=["indexed", "casbin"])
@pytest.mark.parametrize(("model", "policy", "names"), EXPRESSIBLE, ids=lambda value: value if "_" in value else "")
def test_a_published_policy_is_decided_as_its_own_model_says(model, policy, names, kind):
    logging.getLogger("casbin").disabled = True
    stock = casbin.Enforcer(str(EXAMPLES / f"{model}.conf"), str(EXAMPLES / f"{policy}.csv"))
    engine = kind()
    engine.load(*carried_over(model, policy, names), revision=1)
    asked = questions(policy, names)
    expected = [stock.enforce(*question.values()) for question in asked]
    got = [engine.decide(ask(question.get("sub", "anybody"), obj_of(question), question["act"])).allowed for question in asked]
    assert got == expected
    assert True in got
    assert False in got


# Written down in pycasbin's tests/test_enforcer.py and tests/test_rbac_api.py, not computed.
WRITTEN_DOWN = [
    ("rbac_model", "rbac_policy", "sub obj act", "alice data2 write", True),
    ("rbac_model", "rbac_policy", "sub obj act", "bob data1 read", False),
    ("rbac_with_deny_model", "rbac_with_deny_policy", "sub obj act eft", "alice data2 write", False),
    ("rbac_with_not_deny_model", "rbac_with_deny_policy", "sub obj act eft", "alice data2 write", False),
    ("rbac_with_domains_model", "rbac_with_domains_policy", "sub dom obj act", "alice domain1 data1 read", True),
    ("rbac_with_domains_model", "rbac_with_domains_policy", "sub dom obj act", "alice domain1 data2 read", False),
    ("rbac_with_domains_model", "rbac_with_domains_policy", "sub dom obj act", "bob domain2 data2 write", True),
    ("rbac_with_resource_roles_model", "rbac_with_resource_roles_policy", "sub obj act", "alice data1 write", True),
    ("rbac_with_resource_roles_model", "rbac_with_resource_roles_policy", "sub obj act", "bob data1 read", False),
]


@pytest.mark.parametrize(("model", "policy", "names", "question", "allowed"), WRITTEN_DOWN)
def test_the_expectations_that_casbins_own_tests_write_down_hold(model, policy, names, question, allowed):
    engine = IndexedEngine()
    engine.load(*carried_over(model, policy, names), revision=1)
    asked = dict(zip((name for name in names.split() if name != "eft"), question.split(), strict=True))
    assert engine.decide(ask(asked["sub"], obj_of(asked), asked["act"])).allowed is allowed


@pytest.mark.parametrize("name", MODELS)
def test_a_published_model_is_refused_with_the_reason(name):
    """None has the sections that obligations need: loading one by mistake must not decide anything."""
    with pytest.raises(UnsupportedModel) as refused:
        IndexedEngine(model=(EXAMPLES / name).read_text("utf-8"))
    assert str(refused.value).endswith(".")
    assert len(str(refused.value)) > 30


# What makes a published matcher unfit for an index, and the words that say so.
MATCHERS = {
    "abac_rule_model.conf": "eval",
    "glob_model.conf": "globMatch",
    "ipmatch_model.conf": "ipMatch",
    "keymatch_model.conf": "keyMatch",
    "keymatch2_model.conf": "keyMatch2",
    "keymatch_custom_model.conf": "keyMatchCustom",
    "keyget_model.conf": "keyGet",
    "rbac_with_pattern_model.conf": "closure",
    "rbac_model_matcher_using_in_op.conf": "closure",
}


@pytest.mark.parametrize("name", MATCHERS)
def test_a_published_matcher_inside_our_model_is_refused_by_the_part_that_cannot_be_indexed(name):
    text = (EXAMPLES / name).read_text("utf-8").replace("\\\n", " ")
    matcher = next(line for line in text.splitlines() if line.startswith("m = "))
    ours = next(line for line in MODEL.splitlines() if line.startswith("m = "))
    with pytest.raises(UnsupportedModel, match=MATCHERS[name]):
        IndexedEngine(model=MODEL.replace(ours, matcher))
