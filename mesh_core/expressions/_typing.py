"""Checks that an expression names known columns and compares only what compares; see `mesh_core.expressions.sql`."""

from __future__ import annotations

from collections.abc import Mapping

from mesh_core.expressions.errors import InvalidExpression, unknown_column
from mesh_core.expressions.limits import children
from mesh_core.expressions.tree import And, Column, Compare, Expression, In, Like, Literal, Not, Or
from mesh_core.expressions.types import Family, family_of_value, logical_type

__all__ = ["check_types"]


def check_types(expression: Expression, columns: Mapping[str, str]) -> None:
    """Returns if every column exists and every comparison is of one family.

    Raises:
        InvalidExpression: Naming the column and what does not fit.
    """
    _check_condition(expression, columns)
    pending = [expression]
    while pending:
        node = pending.pop()
        pending.extend(children(node))
        match node:
            case Column(name) if name not in columns:
                raise unknown_column(name, columns)
            case Compare(operator, left, right):
                _check_pair(operator, left, right, columns)
            case In(operand, values):
                for value in values:
                    _check_pair("IN", operand, value, columns)
            case Like(operand, _):
                _check_family("LIKE", operand, Family.STRING, columns)
            case Not(operand):
                _check_condition(operand, columns)
            case And(operands) | Or(operands):
                for operand in operands:
                    _check_condition(operand, columns)


def _check_condition(node: Expression, columns: Mapping[str, str]) -> None:
    if isinstance(node, Column):
        _check_family("A condition", node, Family.BOOLEAN, columns)


def _check_pair(construct: str, left: Expression, right: Expression, columns: Mapping[str, str]) -> None:
    first, second = _family(left, columns), _family(right, columns)
    for node, family in ((left, first), (right, second)):
        if family is Family.OTHER:
            raise InvalidExpression(f"{construct} cannot be applied to {_words(node, columns)}: only IS NULL can.")
    if first is not None and second is not None and first is not second:
        hint = ", like DATE '2027-01-31'" if {first, second} == {Family.TIME, Family.STRING} else ""
        sides = f"{_words(left, columns)} with {_words(right, columns)}"
        raise InvalidExpression(f"{construct} compares {sides}: use values of one type{hint}.")


def _check_family(construct: str, node: Expression, family: Family, columns: Mapping[str, str]) -> None:
    actual = _family(node, columns)
    if actual is not None and actual is not family:
        raise InvalidExpression(f"{construct} needs a {family}, but {_words(node, columns)} is given.")


def _family(node: Expression, columns: Mapping[str, str]) -> Family | None:
    match node:
        case Column(name):
            if name not in columns:
                raise unknown_column(name, columns)
            return logical_type(columns[name]).family
        case Literal(value):
            return family_of_value(value)
        case _:
            return None


def _words(node: Expression, columns: Mapping[str, str]) -> str:
    match node:
        case Column(name):
            return f"column {name!r} of type {columns[name]}"
        case Literal(value):
            return f"the {family_of_value(value)} {value!r}"
        case _:
            return "a subject attribute"
