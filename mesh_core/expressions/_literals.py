"""Turns the text of a number or a typed literal into its value; see `mesh_core.expressions.sql`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

from mesh_core.expressions.errors import InvalidExpression
from mesh_core.expressions.limits import MAX_DIGITS
from mesh_core.expressions.tree import Literal

__all__ = ["TYPED_LITERALS", "number", "typed_literal"]


def number(text: str) -> int | float | Decimal:
    """An integer, a decimal if it has a point, a double if it has an exponent. Raises: InvalidExpression."""
    if sum(character.isdigit() for character in text) > 2 * MAX_DIGITS:
        raise InvalidExpression(f"The number {text[:20]}… has too many digits: at most {MAX_DIGITS} before and after the point.")
    try:
        value = float(text) if "e" in text.lower() else Decimal(text) if "." in text else int(text)
    except (ValueError, InvalidOperation) as error:
        raise InvalidExpression(f"{text} is not a number.") from error
    if isinstance(value, float) and math.isinf(value):
        raise InvalidExpression(f"The number {text} is out of range of a double.")
    return value


def _date(text: str) -> date:
    return date.fromisoformat(text)


def _timestamp(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value if value.tzinfo is None else value.astimezone(UTC)


def _instant(text: str) -> datetime:
    value = _timestamp(text)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


TYPED_LITERALS: Mapping[str, Callable[[str], date | float]] = MappingProxyType(
    {
        "DATE": _date,
        "TIMESTAMP": _timestamp,
        "TIMESTAMPNTZ": _timestamp,
        "TIMESTAMPTZ": _instant,
        "TIMESTAMPLTZ": _instant,
        "DOUBLE": float,
    }
)


def typed_literal(kind: str, text: str) -> Literal:
    """The literal of `DATE '…'` and the like. Raises: InvalidExpression."""
    try:
        return Literal(TYPED_LITERALS[kind](text))
    except (ValueError, OverflowError) as error:
        example = {"DATE": "DATE '2027-01-31'", "DOUBLE": "DOUBLE 'NaN'"}.get(kind, "TIMESTAMP '2027-01-31 12:00:00'")
        raise InvalidExpression(f"{kind} {text!r} is not valid: write it like {example}.") from error
