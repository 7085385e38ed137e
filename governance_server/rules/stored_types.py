"""Storage types as words, and which of them holds all that another holds.

The lattice is that of Delta's type widening: there a value keeps what it is, and a table's old files are read under the new
type. Source: Delta protocol, "Type Widening". Pure; the way from a contract to its storage types is `mesh_core.types`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from governance_server.rules.value_sets import Fit

__all__ = ["StoredType", "is_widening", "type_fit"]

_INTEGERS = ("int8", "int16", "int32", "int64")
_DIGITS = {"int8": 10, "int16": 10, "int32": 10, "int64": 20}
"""Digits before the point that the protocol asks of a decimal that an integer is widened to."""
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_OTHERS = frozenset(
    {("int8", "double"), ("int16", "double"), ("int32", "double"), ("float", "double"), ("date", "timestamp_ntz")}
)


@dataclass(frozen=True, slots=True)
class StoredType:
    """What a column is stored as, like `int32`, `decimal(10,2)`, `timestamp_ntz`, `array`, `object` or `vector(float)`.

    `bounds` is the smallest and largest whole number allowed, where the contract's format is narrower than the type.
    """

    word: str
    bounds: tuple[int, int] | None = None


def is_widening(old: str, new: str) -> bool:
    """True if every value of the old type is one of the new, wider type, unchanged."""
    if old in _INTEGERS and new in _INTEGERS:
        return _INTEGERS.index(old) < _INTEGERS.index(new)
    if (old, new) in _OTHERS:
        return True
    wide = _DECIMAL.fullmatch(new)
    if wide is None:
        return False
    precision, scale = int(wide[1]), int(wide[2])
    if old in _DIGITS:
        return precision - scale >= _DIGITS[old]
    narrow = _DECIMAL.fullmatch(old)
    if narrow is None or old == new:
        return False
    return scale >= int(narrow[2]) and precision - scale >= int(narrow[1]) - int(narrow[2])


def type_fit(old: str, new: str) -> Fit:
    """How the values of the new type lie to those of the old one."""
    if old == new:
        return Fit.SAME
    if is_widening(old, new):
        return Fit.LOOSER
    return Fit.TIGHTER if is_widening(new, old) else Fit.OTHER
