"""Brings a contract's written values (bounds, allowed values) to the type a column is stored in."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction

import polars as pl

__all__ = ["NotEvaluable", "allowed", "bound", "fraction", "reciprocal"]

_FARTHEST = 2**100
_JDK = (
    ("yyyy", "%Y"),
    ("uuuu", "%Y"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("mm", "%M"),
    ("SSSSSS", "%f"),
    ("ss", "%S"),
    ("'", ""),
)


class NotEvaluable(ValueError):
    """A check that cannot be evaluated on this column; the message says why."""


def bound(written: object, dtype: pl.DataType, *, is_upper: bool) -> object:
    """The bound in the column's type, moved inside to the next value that an integer or decimal column can hold.

    Args:
        written: A number, or (text, JDK format or None) for dates, timestamps and times.
        dtype: The stored type.
        is_upper: Whether larger values are the ones refused.

    Raises:
        NotEvaluable: the text is no date or time, or the column is of another kind.
    """
    if isinstance(written, tuple):
        return _temporal(str(written[0]), written[1], dtype)
    if isinstance(written, bool) or not isinstance(written, (int, float)) or not dtype.is_numeric() or not _is_finite(written):
        raise NotEvaluable(f"the bound {written!r} does not fit a column of {dtype}")
    if dtype.is_integer():
        return max(-_FARTHEST, min(_FARTHEST, math.floor(written) if is_upper else math.ceil(written)))
    if isinstance(dtype, pl.Decimal):
        return _stepped(written, dtype, is_upper=is_upper)
    return float(written)


def _is_finite(written: float) -> bool:
    try:
        return math.isfinite(written)
    except OverflowError:  # an integer past the largest float
        return False


def _stepped(written: float, dtype: pl.Decimal, *, is_upper: bool) -> Decimal:
    """The bound moved to the next value of the column's scale inside, at most one step beyond its largest value."""
    unscaled = Fraction(str(written)) * 10**dtype.scale
    limit = 10 ** (dtype.precision or 38) - 1
    stepped = max(-limit, min(limit, math.floor(unscaled) if is_upper else math.ceil(unscaled)))
    return Decimal(stepped).scaleb(-dtype.scale, Context(prec=80))


def _temporal(text: str, pattern: str | None, dtype: pl.DataType) -> object:
    try:
        if dtype == pl.Int64:  # a time of day, in microseconds
            parsed = dt.time.fromisoformat(text)
            return ((parsed.hour * 60 + parsed.minute) * 60 + parsed.second) * 1_000_000 + parsed.microsecond
        moment = _moment(text, pattern)
    except ValueError as error:
        raise NotEvaluable(f"the bound {text!r} is neither ISO 8601 nor in the format {pattern!r}") from error
    if dtype == pl.Date:
        return moment.date()
    if isinstance(dtype, pl.Datetime):
        in_utc = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
        return in_utc if dtype.time_zone else in_utc.replace(tzinfo=None)
    raise NotEvaluable(f"the bound {text!r} does not fit a column of {dtype}")


def _moment(text: str, pattern: str | None) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        if not pattern:
            raise
    directives = pattern
    for token, directive in _JDK:
        directives = directives.replace(token, directive)
    return dt.datetime.strptime(text, directives)


def allowed(values: Iterable[object], dtype: pl.DataType) -> pl.Series:
    """The non-null values that the column's type can hold, in that type; the others can never occur in it."""
    kept = [value for value in (_value(written, dtype) for written in values) if value is not None]
    return pl.Series(kept, dtype=dtype, strict=False).drop_nulls()


def _value(written: object, dtype: pl.DataType) -> object | None:
    if written is None or isinstance(written, bool) != (dtype == pl.Boolean):
        return str(written).lower() if dtype == pl.String and isinstance(written, bool) else None
    if dtype == pl.Boolean:
        return written
    if dtype == pl.String:
        return written if isinstance(written, str) else str(written)
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        try:
            return _temporal(str(written), None, dtype)
        except NotEvaluable:
            return None
    if dtype.is_numeric():
        return _number(written, dtype)
    raise NotEvaluable(f"values of {dtype} cannot be listed")


def _number(written: object, dtype: pl.DataType) -> object | None:
    try:
        number = Decimal(str(written))
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    if dtype.is_float():
        return float(number)
    step = dtype.scale if isinstance(dtype, pl.Decimal) else 0
    unscaled = Fraction(number) * 10**step
    largest = 10 ** (dtype.precision or 38) if isinstance(dtype, pl.Decimal) else 2**63
    if unscaled.denominator != 1 or not -largest <= unscaled < largest:
        return None
    return number if isinstance(dtype, pl.Decimal) else int(number)


def fraction(written: object) -> Fraction:
    """A positive number as an exact fraction of its decimal writing: 0.01 is 1/100. Raises: NotEvaluable."""
    if isinstance(written, bool) or not isinstance(written, (int, float)) or written <= 0 or math.isinf(written):
        raise NotEvaluable(f"{written!r} is not a positive number")
    return Fraction(str(written))


def reciprocal(step: Fraction) -> float:
    """One over the step as a float. Raises: NotEvaluable when a float cannot hold it."""
    try:
        return float(1 / step)
    except OverflowError as error:
        raise NotEvaluable("multipleOf is too fine to be evaluated on floats") from error
