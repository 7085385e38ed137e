"""Scopes made concrete: attribute names become stored fields, and excluded tags a list of allowed tag sets.

Fails closed: a name the collection does not declare, or a subject left unbound, is an error and never an open filter.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from mesh_core.expressions.errors import ExpressionError
from mesh_core.expressions.fitting import fit
from mesh_core.expressions.tree import And, Column, Compare, Expression, In, IsNull, Like, Literal, Not, Or, Subject
from mesh_core.expressions.types import ColumnType, Family, logical_type
from mesh_core.vectors.identifiers import attribute_field
from mesh_core.vectors.store import CollectionMismatch

__all__ = ["VersionMemory", "allowed_tag_sets", "check_declaration", "missing_attributes", "over_fields"]

_FITTED: Mapping[type, ColumnType] = MappingProxyType(
    {
        str: logical_type("string"),
        int: logical_type("integer"),
        float: ColumnType(Family.NUMBER, is_double=True),
        bool: logical_type("boolean"),
    }
)
_REMEMBERED = 64
_Fact = TypeVar("_Fact")


def over_fields(
    expression: Expression, *, collection: str, attributes: Mapping[str, type], text: Callable[[str], str] = str
) -> Expression:
    """An expression over stored fields, true on the same passages; every string constant and pattern has passed through `text`.

    Raises:
        CollectionMismatch: an attribute is undeclared, a subject is unbound, or the expression is outside the language.
    """
    try:
        fitted = fit(expression, {name: _FITTED[kind] for name, kind in attributes.items()})
    except ExpressionError as error:
        raise CollectionMismatch(f"the filter on {collection} cannot be used: {error}") from error
    return _renamed(fitted, text)


def _renamed(expression: Expression, text: Callable[[str], str]) -> Expression:
    def again(inner: Expression) -> Expression:
        return _renamed(inner, text)

    match expression:
        case Literal(str() as value):
            return Literal(text(value))
        case Literal():
            return expression
        case Column(name):
            return Column(attribute_field(name))
        case Subject():
            return expression
        case Compare(operator, left, right):
            return Compare(operator, again(left), again(right))
        case In(operand, values):
            return In(again(operand), tuple(again(value) for value in values))
        case Like(operand, pattern):
            return Like(again(operand), text(pattern))
        case IsNull(operand):
            return IsNull(again(operand))
        case Not(operand):
            return Not(again(operand))
        case And(operands):
            return And(tuple(again(operand) for operand in operands))
        case Or(operands):
            return Or(tuple(again(operand) for operand in operands))


def allowed_tag_sets(known: Mapping[str, Iterable[str]], excluded: frozenset[str]) -> list[str]:
    """The known tag sets, in order, that hold none of the excluded tags: an allow-list, so what is unknown stays hidden."""
    return sorted(identity for identity, tags in known.items() if excluded.isdisjoint(tags))


class VersionMemory(Generic[_Fact]):
    """Remembers what was read of a collection at a version: which tag sets, or which values of a field, occur.

    A version is complete before it can be read and never changes after, so this may be kept; a number is never reused.
    What is not remembered stays hidden, never open.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int, str], _Fact] = OrderedDict()

    def known(self, collection: str, version: int, subject: str, read: Callable[[], _Fact]) -> _Fact:
        """The fact, read once per collection, version and subject."""
        key = (collection, version, subject)
        fact = self._known.get(key)
        if fact is not None:
            return fact
        fact = self._known[key] = read()
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return fact

    def forget(self, collection: str) -> None:
        """Nothing of the collection is remembered."""
        for key in [key for key in self._known if key[0] == collection]:
            self._known.pop(key, None)

    def clear(self) -> None:
        """Nothing is remembered."""
        self._known.clear()


def check_declaration(collection: str, *, dimensions: int, attributes: Mapping[str, type]) -> None:
    """Returns if a collection may be declared so. Raises: CollectionMismatch."""
    if dimensions < 1:
        raise CollectionMismatch(f"{collection} is declared with {dimensions} dimensions: a vector has at least 1.")
    wrong = {name: kind for name, kind in attributes.items() if kind not in _FITTED}
    if wrong:
        raise CollectionMismatch(
            f"{collection} declares attributes of types a filter cannot use: {wrong}. Use str, int, float or bool."
        )


def missing_attributes(
    collection: str, *, wanted: tuple[int, Mapping[str, type]], stored: tuple[int, Mapping[str, type]]
) -> dict[str, type]:
    """The wanted attributes that the stored collection lacks; a side is (dimensions, attributes). Raises: CollectionMismatch."""
    (dimensions, attributes), (stored_dimensions, stored_attributes) = wanted, stored
    if dimensions != stored_dimensions:
        raise CollectionMismatch(
            f"{collection} has vectors of {stored_dimensions} dimensions, not {dimensions}: "
            "publish under another port to change the model."
        )
    for name, kind in attributes.items():
        if stored_attributes.get(name, kind) is not kind:
            raise CollectionMismatch(
                f"{collection}: attribute {name!r} is stored as {stored_attributes[name].__name__}, "
                f"not {kind.__name__}: use another name."
            )
    return {name: kind for name, kind in attributes.items() if name not in stored_attributes}
