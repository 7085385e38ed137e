"""The audit's periodic work: checkpoints as the logs grow, pruning of decisions and answers, the last checkpoints at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from domainmesh.v1.checkpoint_pb2 import CHECKPOINT_CAUSE_REGULAR, CHECKPOINT_CAUSE_SHUTDOWN
from governance_server.audit.checkpoints import CheckpointMaker, CheckpointRhythm
from governance_server.config import Settings
from governance_server.keyring import UnusableKeys
from governance_server.maintenance import Task
from governance_server.storage.answers import delete_answers
from governance_server.storage.engine import Database
from governance_server.storage.errors import StorageError
from governance_server.storage.times import to_microseconds
from governance_server.storage.turns import delete_turns

__all__ = ["answer_tasks", "audit_tasks", "sign_last_checkpoints"]

_LOG = logging.getLogger(__name__)
_PRUNE_SECONDS = 3600.0


def answer_tasks(database: Database, settings: Settings, now: Callable[[], datetime]) -> list[Task]:
    """What the maintenance loop does for answers that were given."""
    if not settings.answer_days:
        return []
    age = timedelta(days=settings.answer_days)

    def prune() -> int:
        before_us = to_microseconds(now() - age)
        return delete_answers(database, before_us) + delete_turns(database, before_us)

    return [Task("answer pruning", prune, _PRUNE_SECONDS)]


def audit_tasks(checkpoints: CheckpointMaker, settings: Settings, now: Callable[[], datetime]) -> list[Task]:
    """What the maintenance loop does for the audit."""
    rhythm = CheckpointRhythm(settings.checkpoint_entries, settings.checkpoint_seconds)
    tasks = [Task("checkpoints", lambda: checkpoints.make(CHECKPOINT_CAUSE_REGULAR, rhythm))]
    if settings.decision_log_days:
        age = timedelta(days=settings.decision_log_days)
        tasks.append(Task("decision log pruning", lambda: checkpoints.prune_decisions(now() - age), _PRUNE_SECONDS))
    return tasks


def sign_last_checkpoints(checkpoints: CheckpointMaker) -> None:
    """What has grown has a checkpoint; a server that cannot make one ends all the same, and says so in its log."""
    try:
        checkpoints.make(CHECKPOINT_CAUSE_SHUTDOWN)
    except (StorageError, UnusableKeys, OSError):
        _LOG.exception("the last checkpoints could not be made")
