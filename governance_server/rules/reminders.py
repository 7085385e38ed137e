"""What people are to be reminded of at a moment.

Requests that wait for long, grants that end soon, emergency accesses that nobody has taken note of. Pure. Being told late, or
never, changes nothing that is decided.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domainmesh.v1 import access_request_pb2, break_glass_pb2, grant_pb2

__all__ = ["ENDING_DAYS", "UNACKNOWLEDGED_DAYS", "WAITING_DAYS", "due_ending", "due_unacknowledged", "due_waiting"]

WAITING_DAYS = (2, 7)
"""Approvers are told once when a request has waited for each of these."""

UNACKNOWLEDGED_DAYS = (1, 3, 7)
"""Who answers for the data is told again when nobody has taken note of an emergency access for each of these."""

ENDING_DAYS = (7, 1)
"""Grantee and grantor are told once when no more than each of these is left."""

_SHORT = timedelta(days=2)


def due_unacknowledged(use: break_glass_pb2.BreakGlass, now: datetime) -> int | None:
    """The longest of `UNACKNOWLEDGED_DAYS` for which nobody has taken note of the emergency access; None if none."""
    if use.acknowledger:
        return None
    since = now - use.create_time.ToDatetime(tzinfo=UTC)
    return max((days for days in UNACKNOWLEDGED_DAYS if since >= timedelta(days=days)), default=None)


def due_waiting(asked: access_request_pb2.AccessRequest, now: datetime) -> int | None:
    """The longest of `WAITING_DAYS` that the request has waited for; None if none, or if it waits no more."""
    if asked.state != access_request_pb2.ACCESS_REQUEST_STATE_REQUESTED:
        return None
    waited = now - asked.create_time.ToDatetime(tzinfo=UTC)
    return max((days for days in WAITING_DAYS if waited >= timedelta(days=days)), default=None)


def due_ending(grant: grant_pb2.Grant, now: datetime) -> int | None:
    """The shortest of `ENDING_DAYS` within which the grant ends; None if it goes on for longer, has ended or was renewed.

    A grant that was given for less than two days ends as everybody knows.
    """
    if (
        grant.revoke_time.seconds
        or grant.renewed_by
        or grant.effect != grant_pb2.EFFECT_ALLOW
        or not grant.HasField("expire_time")
    ):
        return None
    end, start = (getattr(grant, field).ToDatetime(tzinfo=UTC) for field in ("expire_time", "create_time"))
    if end <= now or end - start < _SHORT:
        return None
    return min((days for days in ENDING_DAYS if end - now <= timedelta(days=days)), default=None)
