"""Sets of values as intervals, and how one set lies to another: what a changed promise admits that the old one did not.

Numbers are compared as exact fractions; times only with times of the same kind. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from fractions import Fraction

__all__ = ["ANYTHING", "Fit", "Interval", "Point", "accepted", "closed", "fit_of", "fit_of_sets", "interval", "joined", "point"]

Point = Fraction | datetime | date | time
"""Where an interval ends. Points of one set are of one kind."""


class Fit(Enum):
    """What the new promise admits, seen from the old one."""

    SAME = "the same"
    TIGHTER = "less"
    LOOSER = "more"
    OTHER = "something else"

    @property
    def breaks_backward(self) -> bool:
        """True if data under the new promise may be what a reader of the old one was promised never to meet."""
        return self in (Fit.LOOSER, Fit.OTHER)

    @property
    def breaks_forward(self) -> bool:
        """True if data under the old promise may be what a reader of the new one was promised never to meet."""
        return self in (Fit.TIGHTER, Fit.OTHER)


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, None for no end; an open end is not in it."""

    low: Point | None = None
    high: Point | None = None
    is_low_open: bool = False
    is_high_open: bool = False

    @property
    def is_empty(self) -> bool:
        """True if nothing is in it."""
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.is_low_open or self.is_high_open))  # type: ignore[operator]

    def holds(self, other: Interval) -> bool:
        """True if all of the other is in it. Raises: TypeError for points of other kinds."""
        return _reaches_down(self, other) and _reaches_up(self, other)


ANYTHING = Interval()


def _reaches_down(outer: Interval, inner: Interval) -> bool:
    if outer.low is None or inner.low is None:
        return outer.low is None
    if outer.low == inner.low:
        return inner.is_low_open or not outer.is_low_open
    return bool(outer.low < inner.low)  # type: ignore[operator]


def _reaches_up(outer: Interval, inner: Interval) -> bool:
    if outer.high is None or inner.high is None:
        return outer.high is None
    if outer.high == inner.high:
        return inner.is_high_open or not outer.is_high_open
    return bool(outer.high > inner.high)  # type: ignore[operator]


def interval(low: Point | None, high: Point | None, *, is_low_open: bool = False, is_high_open: bool = False) -> Interval:
    """The interval; an end that is none is not open."""
    return Interval(low, high, is_low_open and low is not None, is_high_open and high is not None)


def joined(one: Interval, other: Interval) -> Interval:
    """What is in both. Raises: TypeError for points of different kinds."""
    low = other if _reaches_down(one, other) else one
    high = other if _reaches_up(one, other) else one
    return Interval(low.low, high.high, low.is_low_open, high.is_high_open)


def closed(found: Interval) -> Interval:
    """The interval of the whole numbers in it, ends included."""
    low, high = found.low, found.high
    if isinstance(low, Fraction):
        rounded = math.ceil(low)
        low = Fraction(rounded + 1 if found.is_low_open and rounded == low else rounded)
    if isinstance(high, Fraction):
        rounded = math.floor(high)
        high = Fraction(rounded - 1 if found.is_high_open and rounded == high else rounded)
    return Interval(low, high)


def point(value: object) -> Point | None:
    """The value as a point: a number, or an ISO 8601 date, time or timestamp; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return Fraction(str(value)) if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    for read in (date.fromisoformat, datetime.fromisoformat, time.fromisoformat):
        try:
            return read(value)
        except ValueError:
            continue
    return None


_OPERATORS: dict[str, tuple[bool, bool, bool]] = {  # is a lower end, is an upper end, is open
    "mustBe": (True, True, False),
    "mustBeGreaterThan": (True, False, True),
    "mustBeGreaterOrEqualTo": (True, False, False),
    "mustBeLessThan": (False, True, True),
    "mustBeLessOrEqualTo": (False, True, False),
}


def accepted(operator: str | None, threshold: object, *, is_whole: bool) -> tuple[Interval, ...] | None:
    """The counts that a quality rule's operator accepts, 0 or more; None if its threshold is no number. Between is inclusive."""
    found = _accepted(operator, threshold)
    if found is None:
        return None
    clipped = [joined(it, Interval(Fraction(0))) for it in found]
    return tuple(it for it in (map(closed, clipped) if is_whole else clipped) if not it.is_empty)


def _accepted(operator: str | None, threshold: object) -> Sequence[Interval] | None:
    if operator in ("mustBeBetween", "mustNotBeBetween"):
        ends = [point(item) for item in threshold] if isinstance(threshold, list) else []
        if len(ends) != 2 or not all(isinstance(end, Fraction) for end in ends):
            return None
        low, high = sorted(ends)  # type: ignore[type-var]
        inside = Interval(low, high)
        return [inside] if operator == "mustBeBetween" else _outside(inside)
    value = point(threshold)
    if not isinstance(value, Fraction):
        return None
    if operator == "mustNotBe":
        return _outside(Interval(value, value))
    if operator not in _OPERATORS:
        return None
    has_low, has_high, is_open = _OPERATORS[operator]
    return [interval(value if has_low else None, value if has_high else None, is_low_open=is_open, is_high_open=is_open)]


def _outside(inside: Interval) -> list[Interval]:
    return [Interval(high=inside.low, is_high_open=True), Interval(low=inside.high, is_low_open=True)]


def fit_of(old: Sequence[Interval], new: Sequence[Interval]) -> Fit:
    """How the new union of intervals lies to the old one; OTHER if their points cannot be compared."""
    try:
        return _fit(_within(new, old), _within(old, new))
    except TypeError:
        return Fit.SAME if tuple(old) == tuple(new) else Fit.OTHER


def _within(inner: Iterable[Interval], outer: Sequence[Interval]) -> bool:
    return all(any(whole.holds(part) for whole in outer) for part in inner)


def fit_of_sets(old: frozenset[str] | None, new: frozenset[str] | None) -> Fit:
    """How the new set of values lies to the old one; None is any value."""
    if old is None or new is None:
        return _fit(old is None, new is None)
    return _fit(new <= old, old <= new)


def _fit(is_within_old: bool, holds_old: bool) -> Fit:
    if is_within_old and holds_old:
        return Fit.SAME
    return Fit.TIGHTER if is_within_old else Fit.LOOSER if holds_old else Fit.OTHER
