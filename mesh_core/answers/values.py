"""Values of a query's result as they are written in sentences, the same on every machine."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

__all__ = ["written"]


def written(value: object) -> str:
    """The value in words of a sentence: exact, without exponents; times in ISO 8601. An absent one is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _plain(Decimal(repr(value))) if value == value and abs(value) != float("inf") else ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return " ".join(str(value).split())


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
