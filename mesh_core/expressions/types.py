"""Column types as far as the expression language needs them: the family, and the exact values a column can hold.

Built from ODCS logical types here; from a polars or Arrow schema beside those adapters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from mesh_core.expressions.tree import Scalar

__all__ = ["ColumnType", "Family", "family_of_value", "logical_type"]


class Family(StrEnum):
    """What a value can be compared with."""

    BOOLEAN = "boolean"
    STRING = "string"
    NUMBER = "number"
    TIME = "date or timestamp"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """One column's type.

    Attributes:
        family: What it compares with; OTHER only allows IS NULL.
        step: The distance of two neighbouring exact values: Decimal(1) for integers, Decimal("0.01") for scale 2, seconds for
            times (a date 86,400, microseconds Decimal("0.000001")); None for doubles, strings, booleans and unknown numbers.
        low: The smallest value, in the unit of `step`'s multiples (numbers, or seconds since 1970); None if unbounded.
        high: The largest value, like `low`.
        is_date: True for calendar days.
        is_zoned: True for instants, whose literals carry UTC.
        is_double: True for binary floating point.
        precision: Digits of a decimal, else 0.
    """

    family: Family
    step: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    is_date: bool = False
    is_zoned: bool = False
    is_double: bool = False
    precision: int = 0

    @property
    def scale(self) -> int:
        """Digits after the point of a decimal."""
        return -int(self.step.as_tuple().exponent) if self.step is not None and self.precision else 0


_LOGICAL: Mapping[str, ColumnType] = MappingProxyType(
    {
        "string": ColumnType(Family.STRING),
        "boolean": ColumnType(Family.BOOLEAN),
        "integer": ColumnType(Family.NUMBER, step=Decimal(1), low=Decimal(-(2**63)), high=Decimal(2**63 - 1)),
        "number": ColumnType(Family.NUMBER),
        "date": ColumnType(Family.TIME, step=Decimal(86_400), is_date=True),
        "timestamp": ColumnType(Family.TIME, step=Decimal("0.000001")),
    }
)


def logical_type(name: str) -> ColumnType:
    """The type of an ODCS logical type; time, object, array, vector and unknown ones only allow IS NULL. Source: ODCS 3.2."""
    return _LOGICAL.get(name, ColumnType(Family.OTHER))


def family_of_value(value: Scalar) -> Family | None:
    """The family of a literal; None for null, which fits all."""
    match value:
        case None:
            return None
        case bool():
            return Family.BOOLEAN
        case str():
            return Family.STRING
        case date():
            return Family.TIME
        case _:
            return Family.NUMBER
