"""The closed expression language of row filters and pushed-down predicates: the tree and nothing else.

Every node is total: evaluating it can give null but can never raise (design §6), so it may run on rows the reader must not see.
Null semantics are SQL's three-valued logic; a filter keeps the rows where it is true. Knows nothing of SQL, polars, the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal as OneOf

__all__ = [
    "FALSE",
    "TRUE",
    "And",
    "Column",
    "Compare",
    "CompareOperator",
    "Expression",
    "In",
    "IsNull",
    "Like",
    "Literal",
    "Not",
    "Or",
    "Scalar",
    "Subject",
]

Scalar = bool | int | float | str | Decimal | date | datetime | None
"""A literal value; datetimes are UTC-aware or naive as the column is."""

CompareOperator = OneOf["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the port, by its exact name."""

    name: str


@dataclass(frozen=True, slots=True)
class Subject:
    """An attribute of the verified identity (`subject.region`); bound to a Literal before a plan is used; null if missing."""

    attribute: str


@dataclass(frozen=True, slots=True)
class Compare:
    """`left operator right`; null if either side is null."""

    operator: CompareOperator
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class In:
    """`operand in (values)`; values are Literals or Subjects, at least one."""

    operand: Expression
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """SQL LIKE with `%` and `_`, no escape character, case-sensitive."""

    operand: Expression
    pattern: str


@dataclass(frozen=True, slots=True)
class IsNull:
    """`operand is null`; never null itself."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Not:
    """Three-valued negation."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class And:
    """Three-valued conjunction of two or more operands."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Three-valued disjunction of two or more operands."""

    operands: tuple[Expression, ...]


Expression = Literal | Column | Subject | Compare | In | Like | IsNull | Not | And | Or

TRUE = Literal(True)
FALSE = Literal(False)
