"""The model file, read strictly: its fields, arities, effect and the matcher's syntax tree within the fragment we can index.

The fragment: conjunction, disjunction, negation, comparisons of request and rule fields and texts, and the closures g, g2, g3.
Anything else (functions, eval, patterns, other effects) is refused with the reason. Knows nothing of rules or requests.
"""

from __future__ import annotations

import ast
import re
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MODEL_PATH", "Model", "UnsupportedModel", "read_model"]

MODEL_PATH = Path(__file__).with_name("model.conf")

_DENY_OVERRIDES = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_TEXT = re.compile(r"""("[^"]*"|'[^']*')""")


class UnsupportedModel(ValueError):
    """A model outside the fragment that can be indexed; the message names the part and the reason."""


@dataclass(frozen=True, slots=True)
class Model:
    """What model.conf says: the request's fields, the fields every rule section has, arity per closure, the matcher."""

    request_fields: tuple[str, ...]
    rule_fields: frozenset[str]
    arities: dict[str, int]
    matcher: ast.expr


def read_model(text: str) -> Model:
    """The model of a model.conf text. Raises: UnsupportedModel."""
    parser = ConfigParser(delimiters=("=",), comment_prefixes=("#",), interpolation=None)
    try:
        parser.read_string(text)
        effect = parser["policy_effect"]["e"]
        matchers = dict(parser["matchers"])
        rules = {key: _fields(value) for key, value in parser["policy_definition"].items()}
        request_fields = _fields(parser["request_definition"]["r"])
        arities = {key: len(_fields(value)) for key, value in parser["role_definition"].items()}
    except ConfigError as error:
        raise UnsupportedModel(f"the model cannot be read: {error.message.strip()}.") from error
    except KeyError as error:
        raise UnsupportedModel(
            f"the model lacks {error}: an indexed model says all of requests, rules, roles and effect."
        ) from error
    if " ".join(effect.split()) != _DENY_OVERRIDES:
        raise UnsupportedModel(f"effect {effect!r} is not supported: only {_DENY_OVERRIDES!r} is.")
    if set(matchers) != {"m"} or set(rules) != {"p", "p2", "p3"}:
        raise UnsupportedModel("the model needs exactly one matcher m and the rule sections p, p2 and p3.")
    shared = frozenset.intersection(*map(frozenset, rules.values()))
    model = Model(request_fields, shared, arities, _parse(matchers["m"]))
    _check(model.matcher, model)
    return model


def _fields(text: str) -> tuple[str, ...]:
    return tuple(field.strip() for field in text.split(","))


def _parse(text: str) -> ast.expr:
    """Casbin's operators become Python's, outside text literals only."""
    parts = _TEXT.split(text)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"!(?!=)", " not ", parts[i].replace("&&", " and ").replace("||", " or "))
    try:
        return ast.parse("".join(parts).strip(), mode="eval").body
    except SyntaxError as error:
        raise UnsupportedModel(f"the matcher is not an expression: {error.msg}") from error


def _check(node: ast.expr, model: Model) -> None:
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                _check(value, model)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check(operand, model)
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if isinstance(operator, _COMPARISONS):
            _check_operand(left, model)
            _check_operand(right, model)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            _check_closure(name, args, model)
        case _:
            raise UnsupportedModel(f"{ast.unparse(node)!r} is outside the fragment: use comparisons, g, g2, g3, &&, || and !.")


def _check_closure(name: str, args: list[ast.expr], model: Model) -> None:
    if model.arities.get(name) != len(args):
        raise UnsupportedModel(f"{name}(…) with {len(args)} arguments is not a closure of this model.")
    for arg in args:
        _check_operand(arg, model)
    roots = [arg.value.id for arg in args if isinstance(arg, ast.Attribute) and isinstance(arg.value, ast.Name)]
    if roots[:1] != ["r"] or not isinstance(args[0], ast.Attribute) or "p" in roots[2:]:
        raise UnsupportedModel(f"{name}(…) must start from a field of the request and lead to a field of the rule.")


def _check_operand(node: ast.expr, model: Model) -> None:
    match node:
        case ast.Constant(value=str()):
            return
        case ast.Attribute(value=ast.Name(id="r"), attr=field) if field in model.request_fields:
            return
        case ast.Attribute(value=ast.Name(id="p"), attr=field) if field in model.rule_fields:
            return
    raise UnsupportedModel(f"{ast.unparse(node)!r} is neither a text nor a field of the request or of every rule section.")
