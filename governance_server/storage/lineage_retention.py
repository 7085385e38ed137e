"""Old runs as counts: per job, owner and end how many there were; what they told of lineage stays, once for each that differs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database

__all__ = ["RunSummary", "summaries_of", "summarise_runs"]

_OLD = (
    "SELECT r.key, r.namespace, r.job, r.owner, r.state, r.first_us, r.last_us FROM lineage_run r "
    "JOIN event e ON e.stream = 'openlineage' AND e.sequence = r.last_sequence "
    "WHERE r.kind = 'run' AND e.received_at_us < ? ORDER BY r.last_sequence LIMIT ?"
)
_ADD = (
    "INSERT INTO lineage_summary (namespace, job, owner, state, runs, first_us, last_us) VALUES (?, ?, ?, ?, 1, ?, ?) "
    "ON CONFLICT (namespace, job, owner, state) DO UPDATE SET runs = lineage_summary.runs + 1, "
    "first_us = CASE WHEN excluded.first_us < lineage_summary.first_us THEN excluded.first_us ELSE lineage_summary.first_us END, "
    "last_us = CASE WHEN excluded.last_us > lineage_summary.last_us THEN excluded.last_us ELSE lineage_summary.last_us END"
)
_TOLD = "SELECT target, namespace, job, digest, weight, replaces, first_ns FROM lineage_output WHERE key = ?"
_SUMMARIES = (
    "SELECT owner, state, runs, first_us, last_us FROM lineage_summary WHERE namespace = ? AND job = ? ORDER BY owner, state"
)
_KEEP = (
    "INSERT INTO lineage_output (key, target, namespace, job, digest, weight, replaces, first_ns) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key, target) DO UPDATE SET first_ns = "
    "CASE WHEN excluded.first_ns > lineage_output.first_ns THEN excluded.first_ns ELSE lineage_output.first_ns END"
)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Runs of a job that ended alike and were compacted. Times are microseconds since 1970 UTC."""

    owner: str
    state: str
    runs: int
    first_us: int
    last_us: int


def summarise_runs(database: Database, before_us: int, *, limit: int) -> int:
    """At most `limit` runs whose last event was received before the time are counts now; returned is how many."""
    with database.write() as connection:
        rows = connection.execute(_OLD, (before_us, limit)).fetchall()
        for key, namespace, job, owner, state, first_us, last_us in rows:
            connection.execute(_ADD, (namespace, job, owner, state, first_us, last_us))
            _keep_told(connection, key)
            for table in ("lineage_output", "lineage_io", "lineage_run_past", "lineage_run"):
                connection.execute(f"DELETE FROM {table} WHERE key = ?", (key,))
    return len(rows)


def summaries_of(connection: Connection, namespace: str, job: str) -> list[RunSummary]:
    """What is left of the job's compacted runs."""
    sql = (
        "SELECT owner, state, runs, first_us, last_us FROM lineage_summary WHERE namespace = ? AND job = ? ORDER BY owner, state"
    )
    return [RunSummary(*row) for row in connection.execute(sql, (namespace, job)).fetchall()]


def _keep_told(connection: Connection, key: str) -> None:
    """What the run told is kept under a key that all runs share that told the same."""
    for target, namespace, job, digest, weight, replaces, first_ns in connection.execute(_TOLD, (key,)).fetchall():
        parts = "\x00".join([namespace, job, digest, str(weight), str(replaces)])
        shared = f"summary:{hashlib.sha256(parts.encode()).hexdigest()[:40]}"
        connection.execute(_KEEP, (shared, target, namespace, job, digest, weight, replaces, first_ns))
