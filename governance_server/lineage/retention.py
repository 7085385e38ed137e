"""Retention of lineage events: what is old is compacted, and nothing that lineage rests on is lost.

Of an old event its digest stays in the stream, of an old run a count in its job's summary; the lineage that its runs told, as
evidence, and the edges in the journal stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from governance_server.config import Settings
from governance_server.maintenance import Task
from governance_server.storage.engine import Database
from governance_server.storage.events import EventLog
from governance_server.storage.lineage_retention import summarise_runs
from governance_server.storage.times import to_microseconds

__all__ = ["compact", "lineage_tasks"]

_EVERY_SECONDS = 3600.0
_EVENTS, _RUNS = 500, 200
_ROUNDS = 200
"""A run of the task does so many steps at most: the rest is done by the next."""


def lineage_tasks(settings: Settings, database: Database, events: EventLog, now: Callable[[], datetime]) -> list[Task]:
    """What the maintenance loop does for lineage."""
    if not settings.lineage_event_days:
        return []
    age = timedelta(days=settings.lineage_event_days)
    return [Task("lineage retention", lambda: compact(database, events, now() - age), _EVERY_SECONDS)]


def compact(database: Database, events: EventLog, before: datetime) -> None:
    """Runs of which nothing came since the time are in their jobs' summaries, and of older events the digests are left."""
    before_us = to_microseconds(before)
    for _ in range(_ROUNDS):  # first the runs: they are found by the time of their last event
        if not summarise_runs(database, before_us, limit=_RUNS):
            break
    last = 0
    for _ in range(_ROUNDS):
        reached = events.compact(before_us, after=last, limit=_EVENTS)
        if reached == last:
            break
        last = reached
