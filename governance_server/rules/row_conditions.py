"""Row conditions as sets: conjunctions and disjunctions that can be compared, absorbed and written back as expressions.

A condition is a disjunction of conjunctions of opaque filters, told apart by their canonical text. Only `and` and `or` join them,
never `not`, so a null counts as false throughout. Knows nothing of grants, columns or masks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from mesh_core.expressions.binding import conjoin, disjoin, is_true
from mesh_core.expressions.tree import (
    FALSE,
    And,
    Column,
    Compare,
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

__all__ = [
    "ALWAYS",
    "Atom",
    "Conjunction",
    "Disjunction",
    "absorb",
    "all_of",
    "canonical",
    "covers",
    "write",
    "write_all",
]


@dataclass(frozen=True, slots=True, order=True)
class Atom:
    """One filter; equal to another if their canonical texts are equal (so `1` and `true` differ, as Python's values do not)."""

    key: str
    expression: Expression = field(compare=False)


Conjunction = frozenset[Atom]
"""Holds where all atoms hold; empty: always."""

Disjunction = frozenset[Conjunction]
"""Holds where one conjunction holds; empty: never."""

_NEVER: Conjunction = frozenset({Atom("false", FALSE)})

ALWAYS: Disjunction = frozenset({frozenset()})


def all_of(filters: Iterable[Expression]) -> Conjunction:
    """The conjunction of the filters, simplified, `true` left out; `false` alone if one of them can never be true."""
    whole = conjoin(filters)
    parts = whole.operands if isinstance(whole, And) else (whole,)
    atoms = {Atom(canonical(part), part) for part in parts if not is_true(part)}
    if any(isinstance(atom.expression, Literal) for atom in atoms):
        return _NEVER
    return frozenset(atoms)


def absorb(conjunctions: Iterable[Conjunction]) -> Disjunction:
    """The disjunction without the conjunctions that another one already contains, or that can never hold."""
    smallest_first = sorted({one for one in conjunctions if not one >= _NEVER}, key=len)
    kept: list[Conjunction] = []
    for conjunction in smallest_first:
        if not any(other <= conjunction for other in kept):
            kept.append(conjunction)
    return frozenset(kept)


def covers(wide: Disjunction, narrow: Iterable[Conjunction]) -> bool:
    """True if wherever `narrow` holds, `wide` holds, as far as comparing atoms can tell."""
    return all(any(one <= conjunction for one in wide) for conjunction in narrow)


def write(disjunction: Disjunction) -> Expression:
    """The expression, in an order that depends on the content only."""
    return disjoin(sorted((write_all(conjunction) for conjunction in disjunction), key=canonical))


def write_all(conjunction: Conjunction, *further: Expression) -> Expression:
    """The conjunction and further expressions as one expression, in an order that depends on the content only."""
    return conjoin(sorted((*(atom.expression for atom in conjunction), *further), key=canonical))


def canonical(expression: Expression) -> str:
    """One text per expression: equal texts, equal meaning to the byte; types of literals are told apart."""
    return json.dumps(_encode(expression), ensure_ascii=True, separators=(",", ":"))


def _encode(expression: Expression) -> list[object]:
    match expression:
        case Literal(value=value):
            return ["literal", type(value).__name__, _text(value)]
        case Column(name=name):
            return ["column", name]
        case Subject(attribute=attribute):
            return ["subject", attribute]
        case Compare(operator=operator, left=left, right=right):
            return [operator, _encode(left), _encode(right)]
        case In(operand=operand, values=values):
            return ["in", _encode(operand), *map(_encode, values)]
        case Like(operand=operand, pattern=pattern):
            return ["like", _encode(operand), pattern]
        case IsNull(operand=operand):
            return ["is null", _encode(operand)]
        case Not(operand=operand):
            return ["not", _encode(operand)]
        case And(operands=operands):
            return ["and", *map(_encode, operands)]
        case Or(operands=operands):
            return ["or", *map(_encode, operands)]


def _text(value: Scalar) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
