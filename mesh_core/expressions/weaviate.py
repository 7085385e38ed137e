"""Compiles an expression to a Weaviate filter of positive operators only.

Weaviate's negative operators return objects that lack the property, so they are never emitted: NOT is pushed into the comparisons
by De Morgan's laws, and what then still needs one is refused. An object without the property passes IS NULL alone, which asks the
index of null states: a collection must have one, or Weaviate refuses. Text properties must be tokenised FIELD, or `equal` matches
single words; FIELD trims blanks, so text that begins or ends with one is refused. Imports weaviate; import it on first use.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from decimal import Decimal
from enum import Enum

from weaviate.collections.classes.filters import Filter, _FilterByProperty, _Filters

from mesh_core.expressions.binding import simplify
from mesh_core.expressions.errors import Unsupported
from mesh_core.expressions.limits import check_composed
from mesh_core.expressions.tree import (
    And,
    Column,
    Compare,
    CompareOperator,
    Expression,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Scalar,
    Subject,
)
from mesh_core.expressions.values import FLIPPED, NEGATED, as_utc

__all__ = ["Everything", "Nothing", "all_of", "any_of", "to_weaviate"]

_PROPERTY = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,230}\Z")


class Everything(Enum):
    """The filter that keeps every object; Weaviate writes it as no filter, which a caller must choose knowingly."""

    EVERYTHING = "everything"


class Nothing(Enum):
    """The filter that keeps no object; answer without asking Weaviate."""

    NOTHING = "nothing"


_Compiled = _Filters | Everything | Nothing


def to_weaviate(expression: Expression) -> _Compiled:
    """A filter that keeps exactly the objects where the expression is true, or EVERYTHING or NOTHING; never None.

    Fit the expression to the collection's types first (`fitting.fit`): Weaviate refuses an integer for a number property.

    Raises:
        InvalidExpression: If the expression is outside the language.
        Unsupported: Naming what only a negative or null filter could say, or a value Weaviate cannot hold.
    """
    return _compile(simplify(check_composed(expression)), negated=False)


def _compile(node: Expression, *, negated: bool) -> _Compiled:
    """The filter for "node is true" or, negated, "node is false"; null satisfies neither."""
    match node:
        case Literal(value):
            return Everything.EVERYTHING if value is not None and value is not negated else Nothing.NOTHING
        case Not(operand):
            return _compile(operand, negated=not negated)
        case And(operands) | Or(operands):
            parts = [_compile(operand, negated=negated) for operand in operands]
            return all_of(parts) if isinstance(node, And) is not negated else any_of(parts)
        case Column(name):
            return _property(name).equal(not negated)
        case Compare(operator, Column(left), Column(right)) if left == right:
            return _self_comparison(operator, left, negated=negated)
        case Compare(operator, Column(name), Literal(value)):
            return _comparison(NEGATED[operator] if negated else operator, name, value)
        case Compare(operator, Literal(value), Column(name)):
            return _comparison(FLIPPED[NEGATED[operator] if negated else operator], name, value)
        case In(Column(name), values):
            return _membership(name, [value.value for value in values if isinstance(value, Literal)], negated=negated)
        case IsNull(Column(name)):
            return _property(name).is_none(not negated)
        case Like(Column(name), pattern) if not negated:
            return _like(name, pattern)
    raise _unsupported(node)


def all_of(parts: list[_Compiled]) -> _Compiled:
    """The filter that keeps what all of them keep."""
    if Nothing.NOTHING in parts:
        return Nothing.NOTHING
    filters = [part for part in parts if not isinstance(part, Everything | Nothing)]
    if not filters:
        return Everything.EVERYTHING
    return filters[0] if len(filters) == 1 else Filter.all_of(filters)


def any_of(parts: list[_Compiled]) -> _Compiled:
    """The filter that keeps what any of them keeps."""
    if Everything.EVERYTHING in parts:
        return Everything.EVERYTHING
    filters = [part for part in parts if not isinstance(part, Everything | Nothing)]
    if not filters:
        return Nothing.NOTHING
    return filters[0] if len(filters) == 1 else Filter.any_of(filters)


def _comparison(operator: CompareOperator, name: str, value: Scalar) -> _Compiled:
    if value is None:
        return Nothing.NOTHING
    if isinstance(value, bool):
        return _boolean_comparison(operator, name, value)
    target, operand = _property(name), _value(value)
    if operator == "=":
        return target.equal(operand)
    if isinstance(value, str):
        raise Unsupported(f"{name!r} {operator} a string needs a negative or ordered filter, which shows too much: use = or IN.")
    match operator:
        case "<":
            return target.less_than(operand)
        case "<=":
            return target.less_or_equal(operand)
        case ">":
            return target.greater_than(operand)
        case ">=":
            return target.greater_or_equal(operand)
        case _:
            return Filter.any_of([target.less_than(operand), _property(name).greater_than(operand)])


def _boolean_comparison(operator: CompareOperator, name: str, value: bool) -> _Compiled:
    if operator in ("=", "!="):
        return _property(name).equal(value is (operator == "="))
    raise Unsupported(f"{name!r} {operator} a boolean has no filter in Weaviate: use = TRUE or = FALSE.")


def _membership(name: str, values: list[Scalar], *, negated: bool) -> _Compiled:
    if not negated:
        known = [value for value in values if value is not None]
        if known and all(isinstance(value, str) for value in known):
            return _property(name).contains_any([str(_value(value)) for value in known])
        return any_of([_comparison("=", name, value) for value in known])
    return all_of([_comparison("!=", name, value) for value in values])


def _self_comparison(operator: CompareOperator, name: str, *, negated: bool) -> _Compiled:
    if (operator in ("=", "<=", ">=")) is negated:
        return Nothing.NOTHING
    return _property(name).is_none(False)


def _like(name: str, pattern: str) -> _Compiled:
    if "*" in pattern or "?" in pattern:
        raise Unsupported(f"The pattern {pattern!r} holds * or ?, which are wild in Weaviate and cannot be escaped: use =.")
    if not pattern.strip("%"):
        raise Unsupported(f"{name!r} LIKE {pattern!r} needs a null filter in Weaviate: drop it.")
    return _property(name).like(pattern.replace("%", "*").replace("_", "?"))


def _property(name: str) -> _FilterByProperty:
    if not _PROPERTY.match(name):
        raise Unsupported(f"{name!r} cannot be a Weaviate property: names are letters, digits and _, not starting with a digit.")
    return Filter.by_property(name)


def _value(value: Scalar) -> int | float | str | datetime:
    match value:
        case date():
            return as_utc(value)
        case Decimal():
            return float(value)
        case str() if value != value.strip() or not value:
            raise Unsupported(f"{value!r} is blank or begins or ends with a blank, which Weaviate trims: use another value.")
        case float() if not math.isfinite(value):
            raise Unsupported(f"{value!r} cannot be a number in Weaviate: compare with a finite number.")
        case None:
            raise Unsupported("A null cannot be a value in Weaviate: leave the comparison out.")
        case _:
            return value


def _unsupported(node: Expression) -> Unsupported:
    match node:
        case IsNull():
            return Unsupported("Weaviate tells only of properties that they are null: ask IS NULL of a column.")
        case Like():
            return Unsupported("NOT LIKE needs a negative filter, which finds objects without the property: say what may pass.")
        case Compare(_, Column(left), Column(right)):
            return Unsupported(f"Weaviate cannot compare the properties {left!r} and {right!r}: compare with a literal.")
        case Compare(_, Subject(name), _) | Compare(_, _, Subject(name)) | Subject(name):
            return Unsupported(f"subject.{name} is not bound to a value: call bind_subject first.")
        case _:
            return Unsupported(f"{type(node).__name__} over an unbound subject has no filter: call bind_subject first.")
