"""The matcher compiled for the index: which rule fields select candidates, and what remains to be tested on each.

Derived from the model's own syntax tree, so that the index cannot drift from model.conf. A conjunct that says "this rule field is
one of these values" (equalities and closures joined by ||) selects; the others become one Python function. Knows no rules.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from governance_server.policy.engine import Request
from governance_server.policy.model import Model, UnsupportedModel, read_model
from governance_server.rules.policy_rows import Rule

__all__ = ["Closures", "Matcher", "Selected", "compile_matcher", "matcher_of"]

_SELECTING = ("dom", "act", "sub", "obj")


class Closures(Protocol):
    """Answers everything reachable from a name, itself included: memberships in a domain, containers, wider purposes."""

    def g(self, name: str, domain: str) -> Collection[str]:
        """The roles and groups of a principal in a domain."""
        ...

    def g2(self, name: str) -> Collection[str]:
        """The containers and tags of an object."""
        ...

    def g3(self, name: str) -> Collection[str]:
        """The purposes that include a purpose."""
        ...


Selected = tuple[Set[str], Set[str], Set[str]]
"""For one request: the domains, actions and subjects a rule must have."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """A rule matches if its dom, act and sub are among the selected, its obj is in `g2(r.obj)`, and the test holds.

    They are two functions, as most questions select no rule at all and then need no test.
    """

    select: Callable[[Request, Closures], Selected]
    test: Callable[[Request, Closures], Callable[[Rule], bool]]
    source: str
    """Both functions, as Python."""
    moments: tuple[str, ...] | None
    """The rule fields that the time is compared with; None if an answer changes by more than these or rests on other domains."""


@lru_cache(maxsize=16)
def matcher_of(text: str) -> Matcher:
    """The compiled matcher of a model.conf text; kept, as `ast.parse` is slow and not safe for threads in CPython 3.11.

    Raises: UnsupportedModel.
    """
    return compile_matcher(read_model(text))


def compile_matcher(model: Model) -> Matcher:
    """The model's matcher, compiled. Raises: UnsupportedModel."""
    selecting: dict[str, list[ast.expr]] = {}
    rest: list[ast.expr] = []
    for conjunct in _operands(model.matcher, ast.And):
        field = _selected_field(conjunct)
        if field in _SELECTING and field not in selecting:
            selecting[field] = _operands(conjunct, ast.Or)
        else:
            rest.append(conjunct)
    _check_selection(selecting, rest)
    selector, tester = _Compiler(), _Compiler()
    sets = [selector.value_set(selecting[field]) for field in ("dom", "act", "sub")]
    remaining = tester.visit(ast.BoolOp(ast.And(), [ast.Constant(True), *rest]))
    trees = selector.function(ast.Tuple(sets, ast.Load())), tester.function(_function(["p"], remaining))
    select, test = (
        eval(compile(tree, "<matcher of model.conf>", "eval"), {"__builtins__": {}})  # names of the model's own fragment only
        for tree in trees
    )
    moments = _moments(model.matcher) if _is_local(model.matcher, selecting["dom"]) else None
    return Matcher(select, test, "\n".join(map(ast.unparse, trees)), moments)


def _moments(matcher: ast.expr) -> tuple[str, ...] | None:
    uses = sum(ast.unparse(node) == "r.now" for node in ast.walk(matcher))
    compared = [node for node in ast.walk(matcher) if isinstance(node, ast.Compare) and "r.now" in _sides(node)]
    fields = [field for node in compared if (field := _rule_field(node.left) or _rule_field(node.comparators[0]))]
    return tuple(dict.fromkeys(fields)) if len(fields) == uses else None


def _is_local(matcher: ast.expr, domains: list[ast.expr]) -> bool:
    """True if the matcher looks at the rules and roles of the request's own domain and of the whole mesh only."""
    calls = [node for node in ast.walk(matcher) if isinstance(node, ast.Call)]
    named = {ast.unparse(call.args[2]) for call in calls if len(call.args) > 2}
    named |= {side for node in domains if isinstance(node, ast.Compare) for side in _sides(node) if side != "p.dom"}
    return named <= {"r.dom", "'*'"} and not any(isinstance(node, ast.Call) for node in domains)


def _sides(node: ast.Compare) -> tuple[str, str]:
    return ast.unparse(node.left), ast.unparse(node.comparators[0])


def _operands(node: ast.expr, operator: type[ast.boolop]) -> list[ast.expr]:
    return node.values if isinstance(node, ast.BoolOp) and isinstance(node.op, operator) else [node]


def _selected_field(conjunct: ast.expr) -> str | None:
    """The one rule field that the conjunct confines to values known from the request, if that is all it does."""
    fields = {_confined_field(alternative) for alternative in _operands(conjunct, ast.Or)}
    return fields.pop() if len(fields) == 1 else None


def _confined_field(node: ast.expr) -> str | None:
    match node:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            fields = [_rule_field(left), _rule_field(right)]
            known = [field for field in fields if field is not None]
            return known[0] if len(known) == 1 else None
        case ast.Call(args=[_, target, *_]):
            return _rule_field(target)
    return None


def _rule_field(node: ast.expr) -> str | None:
    match node:
        case ast.Attribute(value=ast.Name(id="p"), attr=field):
            return field
    return None


def _check_selection(selecting: dict[str, list[ast.expr]], rest: list[ast.expr]) -> None:
    missing = [field for field in _SELECTING if field not in selecting]
    if missing:
        raise UnsupportedModel(f"the matcher must confine each of p.{', p.'.join(missing)} by a conjunct of its own.")
    if [ast.unparse(node) for node in selecting["obj"]] != ["g2(r.obj, p.obj)"]:
        raise UnsupportedModel("p.obj must be confined by g2(r.obj, p.obj) and nothing else to be indexed.")
    used = {ast.unparse(node) for conjunct in [*rest, *selecting["sub"], *selecting["dom"]] for node in ast.walk(conjunct)}
    if "r.obj" in used:
        raise UnsupportedModel("r.obj may appear only in g2(r.obj, p.obj), so that one object's rules can serve its parts.")


class _Compiler(ast.NodeTransformer):
    """Turns closure calls into set membership; each distinct closure is asked for once per request."""

    def __init__(self) -> None:
        self.closures: dict[str, str] = {}

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """`gN(r.x, y, d)` becomes `y in cK`."""
        return ast.Compare(node.args[1], [ast.In()], [self._closure(node)])

    def value_set(self, alternatives: list[ast.expr]) -> ast.expr:
        """The set of values that the alternatives give one rule field."""
        values: list[ast.expr] = []
        for node in alternatives:
            if isinstance(node, ast.Call):
                values.append(ast.Starred(self._closure(node), ast.Load()))
            elif isinstance(node, ast.Compare):
                values.append(node.comparators[0] if _rule_field(node.left) else node.left)
        return ast.Set(values)

    def function(self, body: ast.expr) -> ast.Expression:
        """The function of a request and its closures that gives the body; each closure is asked for once."""
        calls = [ast.parse(call, mode="eval").body for call in self.closures]
        inner = ast.Call(_function(list(self.closures.values()), body), calls, [])
        return ast.fix_missing_locations(ast.Expression(_function(["r", "closures"], inner)))

    def _closure(self, node: ast.Call) -> ast.Name:
        call = f"closures.{ast.unparse(node.func)}({', '.join(ast.unparse(arg) for i, arg in enumerate(node.args) if i != 1)})"
        return ast.Name(self.closures.setdefault(call, f"c{len(self.closures)}"), ast.Load())


def _function(names: list[str], body: ast.expr) -> ast.Lambda:
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg(name) for name in names], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.Lambda(arguments, body)
