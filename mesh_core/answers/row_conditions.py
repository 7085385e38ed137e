"""Conditions on the rows of a port, as trees: a column has one of some values, has none of them, or lies beyond a number.

What a user wrote gets into a tree as a literal only. Knows nothing of questions and measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from mesh_core.contract.model import DATED, Port
from mesh_core.contract.semantic_check import DIALECT, columns_in
from mesh_core.sql_text import parsed_expression

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["Bound", "InvalidMeasure", "Values", "among", "beyond", "day_literal", "names_in", "own", "value_of"]

_NUMBERS = ("integer", "number")


class InvalidMeasure(ValueError):
    """A question that the contract's measures do not answer; the message says what there is."""


@dataclass(frozen=True, slots=True)
class Values:
    """A condition: a dimension or column has one of these values. Text is compared without regard to case.

    Attributes:
        is_excluded: It has none of them instead; rows without a value have none.
    """

    name: str
    values: tuple[str, ...]
    is_excluded: bool = False

    def __str__(self) -> str:
        """As it is said: `region EMEA or APAC`, `region other than EMEA`."""
        return f"{self.name} {'other than ' if self.is_excluded else ''}{' or '.join(self.values)}"


@dataclass(frozen=True, slots=True)
class Bound:
    """A condition: a numeric column is `>`, `>=`, `<` or `<=` a number."""

    name: str
    sign: str
    number: str

    def __str__(self) -> str:
        """As it is said: `amount > 500`."""
        return f"{self.name} {self.sign} {self.number}"


def value_of(port: Port, name: str) -> exp.Expr | None:
    """The expression of a dimension or column; None if the port has neither."""
    from sqlglot import exp

    wanted = name.casefold()
    made = next((it for it in port.dimensions if it.name.casefold() == wanted and it.expression), None)
    if made is not None:
        return exp.paren(own(parsed_expression(made.expression, DIALECT), port))
    column = next((it for it in port.columns if it.name.casefold() == wanted), None)
    return exp.column(exp.to_identifier(column.name, quoted=True)) if column is not None else None


def names_in(port: Port) -> set[str]:
    """What columns of a result may be called, beside grains."""
    return {it.name for it in port.columns} | {it.name for it in port.dimensions} | {it.name for it in port.measures}


def own(expression: exp.Expr, port: Port) -> exp.Expr:
    """The expression with its columns named alone, as the one table of the query has them."""
    for _ in columns_in(expression, port.name):
        pass
    return expression


def among(port: Port, only: Values) -> exp.Expr:
    """The condition as a tree. Raises: InvalidMeasure: there is no such column, or a value is none of its kind."""
    from sqlglot import exp

    value = _known(port, only.name)
    found = exp.In(this=_comparable(port, only.name, value), expressions=_literals(port, only))
    if not only.is_excluded:
        return found
    return exp.paren(exp.or_(exp.Is(this=value.copy(), expression=exp.Null()), exp.not_(found)))


def beyond(port: Port, bound: Bound) -> exp.Expr:
    """The condition as a tree. Raises: InvalidMeasure: there is no such column, or it holds no numbers."""
    from sqlglot import exp

    value = _known(port, bound.name)
    if _kind(port, bound.name) not in _NUMBERS or not _is_number(bound.number):
        raise InvalidMeasure(f"{bound.name} cannot be compared with {bound.number}: both must be numbers.")
    signs: dict[str, type[exp.Binary]] = {">": exp.GT, ">=": exp.GTE, "<": exp.LT, "<=": exp.LTE}
    return signs[bound.sign](this=value, expression=exp.Literal.number(bound.number))


def _known(port: Port, name: str) -> exp.Expr:
    value = value_of(port, name)
    if value is None:
        raise InvalidMeasure(f"{port.name} has no dimension {name!r}.")
    return value


def _comparable(port: Port, name: str, value: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    kind = _kind(port, name)
    if kind in _NUMBERS:
        return value.copy()
    return exp.cast(value.copy(), "date") if kind in DATED else exp.Lower(this=exp.cast(value.copy(), "varchar"))


def _literals(port: Port, only: Values) -> list[exp.Expr]:
    from sqlglot import exp

    kind = _kind(port, only.name)
    if kind in DATED:
        return [day_literal(it) for it in only.values]
    if kind not in _NUMBERS:
        return [exp.Lower(this=exp.Literal.string(it)) for it in only.values]
    numbers = [it.replace(",", "") for it in only.values]
    if not all(_is_number(it) for it in numbers):
        raise InvalidMeasure(f"{only.name} holds numbers: {', '.join(only.values)} is none.")
    return [exp.Literal.number(it) for it in numbers]


def day_literal(text: str) -> exp.Expr:
    """The day as a date. Raises: InvalidMeasure: it is none."""
    from sqlglot import exp

    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidMeasure(f"{text!r} is no day like 2026-03-31.") from None
    return exp.cast(exp.Literal.string(day.isoformat()), "date")


def _is_number(text: str) -> bool:
    whole, _, part = text.removeprefix("-").partition(".")
    return whole.isdecimal() and whole.isascii() and (not part or (part.isdecimal() and part.isascii()))


def _kind(port: Port, name: str) -> str:
    wanted = name.casefold()
    made = next((it.logical_type for it in port.dimensions if it.name.casefold() == wanted and it.expression), None)
    stored = next((it.logical_type or "" for it in port.columns if it.name.casefold() == wanted), "")
    return stored if made is None else made
