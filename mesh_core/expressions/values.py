"""How two literal values compare: the language's own definition, which every target must reproduce.

Numbers compare exactly, or as doubles if one of them is a double. NaN equals NaN and is greater than every other number; -0.0
equals 0.0 (PostgreSQL, Polars, DuckDB and Lance agree; Lance counts a NaN with its sign bit set as the smallest number). Strings
compare by code point. A naive time means UTC; a date beside a time means its midnight. Values of different families do not
compare: the result is null. Source: SQL:2016 8.2, PostgreSQL "Numeric Types" on NaN.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType

from mesh_core.expressions.tree import CompareOperator, Scalar

__all__ = ["FLIPPED", "NEGATED", "as_utc", "compare_values", "is_like", "like_pattern", "value_in"]

_OPERATORS: Mapping[str, Callable[[int, int], bool]] = MappingProxyType(
    {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
)

FLIPPED: Mapping[CompareOperator, CompareOperator] = MappingProxyType(
    {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
)
"""The operator that says the same with its sides exchanged."""

NEGATED: Mapping[CompareOperator, CompareOperator] = MappingProxyType(
    {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
)
"""The operator that is true exactly where the other is false (null stays null)."""


def compare_values(operator_: CompareOperator, left: Scalar, right: Scalar) -> bool | None:
    """True, false, or null if a side is null or the two do not compare."""
    order = _order(left, right)
    return None if order is None else _OPERATORS[operator_](order, 0)


def value_in(value: Scalar, candidates: tuple[Scalar, ...]) -> bool | None:
    """SQL `value IN (candidates)`: true if one is equal, else null if one comparison is null, else false."""
    results = [compare_values("=", value, candidate) for candidate in candidates]
    return True if True in results else (None if None in results else False)


def like_pattern(pattern: str, escape: Callable[[str], str] = re.escape) -> str:
    """The regular expression of a LIKE pattern, for a whole-string match: `%` any run, `_` one code point, newlines included."""
    return "(?s)" + "".join({"%": ".*", "_": "."}.get(character) or escape(character) for character in pattern)


def is_like(text: str, pattern: str) -> bool:
    """True if the whole text is LIKE the pattern. Never backtracks over a `%`: patterns are other people's texts."""
    first, *rest = pattern.split("%")
    if not rest:
        return len(text) == len(first) and _find(text, first, 0, len(text)) == 0
    *middle, last = rest
    position, limit = len(first), len(text) - len(last)
    if position > limit or _find(text, first, 0, position) != 0 or _find(text, last, limit, len(text)) != limit:
        return False
    for part in middle:
        found = _find(text, part, position, limit)
        if found < 0:
            return False
        position = found + len(part)
    return True


def _find(text: str, part: str, start: int, end: int) -> int:
    """Where the part, in which `_` is any one code point, first lies within text[start:end]; -1 if nowhere."""
    if "_" not in part:
        return text.find(part, start, end)
    found = re.compile("(?s)" + "".join("." if c == "_" else re.escape(c) for c in part)).search(text, start, end)
    return -1 if found is None else found.start()


def as_utc(value: date) -> datetime:
    """The instant a date or time means: UTC if naive, midnight if a date."""
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _order(left: Scalar, right: Scalar) -> int | None:
    match left, right:
        case (bool() as a, bool() as b):
            return (a > b) - (a < b)
        case (bool(), _) | (_, bool()):
            return None
        case (str() as a, str() as b):
            return (a > b) - (a < b)
        case (int() | float() | Decimal() as a, int() | float() | Decimal() as b):
            return _number_order(a, b)
        case (date() as a, date() as b):
            return (as_utc(a) > as_utc(b)) - (as_utc(a) < as_utc(b))
        case _:
            return None


def _number_order(left: int | float | Decimal, right: int | float | Decimal) -> int:
    if isinstance(left, float) or isinstance(right, float):
        a, b = float(left), float(right)
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) - math.isnan(b)
        return (a > b) - (a < b)
    return (left > right) - (left < right)
