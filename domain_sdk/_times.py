"""Points in time between Python and the wire; always UTC-aware on the Python side."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from domain_sdk.errors import InvalidRequest

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

__all__ = ["Until", "from_timestamp", "to_expiry", "to_instant", "to_timestamp"]

Until = date | datetime | str
"""An exclusive end: a datetime (naive means UTC), a date (00:00 UTC of that day) or either in ISO 8601."""


def to_instant(until: Until) -> datetime:
    """The instant in UTC; of a date, its first.

    Raises:
        InvalidRequest: it is neither a date nor a datetime, nor text that is one in ISO 8601.
    """
    if isinstance(until, str):
        try:
            return to_instant(datetime.fromisoformat(until))
        except ValueError as error:
            raise InvalidRequest(f"{until!r} is no point in time: write 2027-01-01 or 2027-01-01T12:00:00Z.") from error
    if not isinstance(until, date):  # a datetime is a date
        raise InvalidRequest(f"{until!r} is no point in time: give a date, a datetime or text like 2027-01-01.")
    if not isinstance(until, datetime):
        return datetime.combine(until, time.min, tzinfo=UTC)
    return until.replace(tzinfo=UTC) if until.tzinfo is None else until.astimezone(UTC)


def to_timestamp(until: Until | None) -> Timestamp | None:
    """The instant on the wire; None stays None."""
    if until is None:
        return None
    from google.protobuf.timestamp_pb2 import Timestamp

    sent = Timestamp()
    sent.FromDatetime(to_instant(until))
    return sent


def to_expiry(until: Until | None) -> Timestamp | None:
    """The exclusive end on the wire; None stays None.

    Raises:
        InvalidRequest: it is no point in time, or has passed.
    """
    if until is None:
        return None
    instant = to_instant(until)
    if instant <= datetime.now(UTC):
        raise InvalidRequest(
            f"`until` is {instant:%Y-%m-%d %H:%M} UTC, which has passed: it is the end, exclusive, so give a later day or time."
        )
    return to_timestamp(instant)


def from_timestamp(message: Message, field: str) -> datetime | None:
    """The instant in the message's field; None if it is not set."""
    if not message.HasField(field):
        return None
    received: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    return received
