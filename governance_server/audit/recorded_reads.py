"""What was really read, or refused, of late: for questions about what a rule would change (design: `simulate`).

Owns folding the decision log into one entry for each reader, port, purpose, set of columns and outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from domainmesh.v1 import decision_log_pb2 as pb
from governance_server.storage.decisions import DecisionQuery, every_decision
from governance_server.storage.engine import Database
from governance_server.storage.times import to_microseconds

__all__ = ["RecordedRead", "RecordedReads"]

_GIVING = (pb.DECISION_KIND_READ, pb.DECISION_KIND_FILES, pb.DECISION_KIND_RETRIEVAL, pb.DECISION_KIND_SQL)
_ENDS = (pb.DECISION_END_COMPLETE, pb.DECISION_END_REVOKED, pb.DECISION_END_CANCELLED, pb.DECISION_END_DENIED)
_RUNNING = (pb.DECISION_END_BEGUN, pb.DECISION_END_FAILED)
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class RecordedRead:
    """Reads of one kind by one reader."""

    principal: str
    port: str
    purpose: str
    """Empty for none."""
    columns: tuple[str, ...]
    """Those given or used in a predicate, by name; none of a refused read."""
    is_allowed: bool
    """False if the reads were refused."""
    count: int
    """How often."""
    rows: int
    """How many rows or passages in all."""
    last_time: datetime
    """When last, UTC."""


class RecordedReads:
    """Reads the decision log. `now` gives the current time, UTC-aware."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def reads_since(
        self, days: float, *, resource: str = "", principal: str = "", includes_running: bool = False
    ) -> list[RecordedRead]:
        """The reads of the last so many days, by principal, port, purpose and columns.

        Those whose beginning alone is recorded are included if that is wanted, and counted once they end. Plans are not
        counted, except those refused: a reader asks for the plan first. At most 100,000 different ones, the latest.
        """
        query = DecisionQuery(
            principal=principal, resource=resource, since_us=to_microseconds(self._now() - timedelta(days=days)),
            kinds=(*_GIVING, pb.DECISION_KIND_PLAN), outcomes=(*_ENDS, *_RUNNING) if includes_running else _ENDS,
        )  # fmt: skip
        folded: dict[tuple[str, str, str, tuple[str, ...], bool], RecordedRead] = {}
        for event in every_decision(self._database, query):
            record = pb.DecisionRecord.FromString(event.body)
            if record.kind == pb.DECISION_KIND_PLAN and record.is_allowed:
                continue
            columns = tuple(sorted(record.columns)) if record.is_allowed else ()
            key = (record.principal, record.resource, record.purpose, columns, record.is_allowed)
            known = folded.get(key)
            if known is None and len(folded) == _MOST:
                continue
            count, rows = (known.count, known.rows) if known else (0, 0)
            last = known.last_time if known else event.received_at
            folded[key] = RecordedRead(*key, count + (record.end != pb.DECISION_END_BEGUN), rows + record.rows, last)
        return [folded[key] for key in sorted(folded)]
