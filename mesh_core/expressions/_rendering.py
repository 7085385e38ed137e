"""Writes an expression as SQL text, every name and value quoted; see `mesh_core.expressions.sql`."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal as OneOf

from mesh_core.expressions.errors import Unsupported
from mesh_core.expressions.filters import as_filter
from mesh_core.expressions.limits import check_composed
from mesh_core.expressions.tree import (
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

__all__ = ["Dialect", "render"]

Dialect = OneOf["duckdb", "datafusion"]

_INT64_MIN = -(2**63)


def render(expression: Expression, dialect: Dialect) -> str:
    """The SQL text of a checked expression.

    Raises:
        InvalidExpression: If the expression is outside the language.
        Unsupported: For datafusion, if a subject is unbound or two different columns are compared.
    """
    return _predicate(as_filter(expression) if dialect == "datafusion" else check_composed(expression), dialect)


def _predicate(node: Expression, dialect: Dialect) -> str:
    match node:
        case Compare(operator, left, right):
            _check_columns(node, dialect)
            return f"{_term(left, dialect)} {operator} {_term(right, dialect)}"
        case In(operand, values):
            return f"{_term(operand, dialect)} IN ({', '.join(_term(value, dialect) for value in values)})"
        case Like(operand, pattern):
            text = pattern.replace("\\", "\\\\") if dialect == "datafusion" else pattern  # there, \ escapes unasked
            return f"{_term(operand, dialect)} LIKE {_quoted(text)}"
        case IsNull(operand):
            return f"{_term(operand, dialect)} IS NULL"
        case Not(operand):
            return f"NOT ({_predicate(operand, dialect)})"
        case And(operands):
            return " AND ".join(_operand(operand, dialect) for operand in operands)
        case Or(operands):
            return " OR ".join(_operand(operand, dialect) for operand in operands)
        case _:
            return _term(node, dialect)


def _operand(node: Expression, dialect: Dialect) -> str:
    text = _predicate(node, dialect)
    return f"({text})" if isinstance(node, And | Or) else text


def _check_columns(node: Compare, dialect: Dialect) -> None:
    if dialect == "datafusion" and isinstance(node.left, Column) and isinstance(node.right, Column) and node.left != node.right:
        raise Unsupported(
            f"Comparing the columns {node.left.name!r} and {node.right.name!r} can raise on some values in this engine: "
            "compare a column with a literal or a subject attribute."
        )


def _term(node: Expression, dialect: Dialect) -> str:
    match node:
        case Column(name):
            return _identifier(name)
        case Subject(attribute):
            if dialect == "datafusion":
                raise Unsupported(f"subject.{attribute} is not bound to a value: call bind_subject first.")
            return f"subject.{_identifier(attribute)}"
        case Literal(value):
            return _literal(value, dialect)
    raise Unsupported(f"{type(node).__name__} is not a term.")


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _literal(value: Scalar, dialect: Dialect) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case str():
            return _quoted(value)
        case int() if value == _INT64_MIN and dialect == "datafusion":
            return f"CAST('{value}' AS BIGINT)"
        case int():
            return str(value)
        case float():
            return _double(value, dialect)
        case Decimal():
            return _decimal(value, dialect)
        case datetime():
            return _timestamp(value, dialect)
        case date():
            return f"DATE '{value.isoformat()}'"


def _double(value: float, dialect: Dialect) -> str:
    if math.isfinite(value):
        text = repr(value)
        return text if "e" in text else f"{text}e0"
    name = "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return f"CAST('{name}' AS DOUBLE)" if dialect == "datafusion" else f"DOUBLE '{name}'"


def _decimal(value: Decimal, dialect: Dialect) -> str:
    text = format(value, "f")
    if dialect == "datafusion":
        digits = sum(character.isdigit() for character in text)
        return f"CAST('{text}' AS DECIMAL({digits},{len(text.partition('.')[2])}))"
    return text if "." in text else f"{text}.0"


def _timestamp(value: datetime, dialect: Dialect) -> str:
    text = (value if value.tzinfo is None else value.astimezone(UTC)).replace(tzinfo=None).isoformat(sep=" ")
    if value.tzinfo is None or dialect == "datafusion":  # a naive time means UTC, there as here
        return f"TIMESTAMP '{text}'"
    return f"TIMESTAMPTZ '{text}+00:00'"
