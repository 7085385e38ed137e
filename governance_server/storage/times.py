"""Times as stored: whole microseconds since 1970-01-01 UTC, exact in both directions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["from_microseconds", "to_microseconds"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(time: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware time."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(time_us: int) -> datetime:
    """The UTC-aware time that many microseconds after 1970-01-01."""
    return _EPOCH + timedelta(microseconds=time_us)
