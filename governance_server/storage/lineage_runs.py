"""Runs as the fold of received events: what they are, read, wrote and tell of lineage.

Owns the `lineage_…` tables. They are written in the transaction that stores the events, under the stream's locked head, so that
no two writers fold one run at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from governance_server.storage.drivers import Connection
from governance_server.storage.many_rows import put_rows

__all__ = ["Due", "Output", "PastRun", "Pending", "RunRow", "Told", "delete_due", "is_known_dataset", "is_known_job",
           "last_sequences", "list_due", "outputs_of", "read_evidence", "read_run", "told_of"]  # fmt: skip

_RUN_COLUMNS = "key, kind, owner, namespace, job, run_id, state, first_us, last_us, parent, job_version, last_sequence, body"
_CHANGING = ("state", "job", "first_us", "last_us", "parent", "job_version", "last_sequence", "body")
_PUT_RUN = (
    f"INSERT INTO lineage_run ({_RUN_COLUMNS})",
    f"ON CONFLICT (key) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _CHANGING)}",
)
_PUT_IO = (
    "INSERT INTO lineage_io (key, side, node, version)",
    "ON CONFLICT (key, side, node) DO UPDATE SET version = excluded.version",
)
_PUT_OUTPUT = (
    "INSERT INTO lineage_output (key, target, namespace, job, digest, weight, replaces, first_ns)",
    "ON CONFLICT (key, target) DO UPDATE SET job = excluded.job, digest = excluded.digest, weight = excluded.weight, "
    "replaces = excluded.replaces, first_ns = excluded.first_ns",
)
_PUT_PAST = (
    "INSERT INTO lineage_run_past (key, sequence, state, first_us, last_us, parent, job_version, io)",
    "ON CONFLICT DO NOTHING",
)
_PUT_DUE = ("INSERT INTO lineage_due (namespace, job, target, principal)", "ON CONFLICT DO NOTHING")
_PUT_EVIDENCE = ("INSERT INTO lineage_evidence (digest, body)", "ON CONFLICT DO NOTHING")
_TOLD = (
    "SELECT weight, digest, max(first_ns), max(CASE WHEN replaces = 1 THEN first_ns END) FROM lineage_output "
    "WHERE namespace = ? AND job = ? AND target = ? GROUP BY weight, digest"
)
_DELETE_OUTPUT = "DELETE FROM lineage_output WHERE key = ? AND target = ?"
_MOST_MARKS = 500
_DELETE_DUE = "DELETE FROM lineage_due WHERE namespace = ? AND job = ? AND target = ?"


class RunRow(NamedTuple):
    """One run (or declaration); the fields are the columns. Times are microseconds since 1970 UTC."""

    key: str
    kind: str
    owner: str
    namespace: str
    job: str
    run_id: str
    state: str
    first_us: int
    last_us: int
    parent: str
    job_version: str
    last_sequence: int
    body: str


class PastRun(NamedTuple):
    """A run as it was by the event of this sequence; the fields are the columns."""

    key: str
    sequence: int
    state: str
    first_us: int
    last_us: int
    parent: str
    job_version: str
    io: str
    """JSON: `[[side, node, version], …]` in their order."""


class Output(NamedTuple):
    """Which lineage of a target a run tells. Those of the greatest `weight` count; `replaces`: it began anew."""

    key: str
    target: str
    namespace: str
    job: str
    digest: str
    weight: int
    replaces: int
    first_ns: int


class Told(NamedTuple):
    """A lineage that runs of one job tell of one target: the last of them, and the last that began the target anew, if any."""

    weight: int
    digest: str
    last_ns: int
    replaced_ns: int | None


class Due(NamedTuple):
    """A job's lineage of a target that the journal is to be given, and in whose name."""

    namespace: str
    job: str
    target: str
    principal: str


@dataclass(slots=True)
class Pending:
    """What a group of events makes of runs, collected and then written at once. Later entries of one key replace earlier ones."""

    runs: dict[str, RunRow] = field(default_factory=dict)
    past: list[PastRun] = field(default_factory=list)
    """What runs were before this group; each once."""
    io: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """(run's key, `input` or `output`, node) → the version that was read or written."""
    outputs: dict[tuple[str, str], Output | None] = field(default_factory=dict)
    """(run's key, target) → what the run tells of it; None: nothing any more."""
    evidence: dict[str, bytes] = field(default_factory=dict)
    """Digest → the lineage that has it."""
    due: dict[Due, None] = field(default_factory=dict)

    def write(self, connection: Connection) -> None:
        """All of it is written."""
        for (insert, otherwise), rows in (
            (_PUT_RUN, list(self.runs.values())),
            (_PUT_PAST, self.past),
            (_PUT_IO, [(*place, version) for place, version in self.io.items()]),
            (_PUT_OUTPUT, [output for output in self.outputs.values() if output is not None]),
            (_PUT_EVIDENCE, list(self.evidence.items())),
            (_PUT_DUE, list(self.due)),
        ):
            put_rows(connection, insert, rows, otherwise=otherwise)
        gone = [place for place, output in self.outputs.items() if output is None]
        if gone:
            connection.executemany(_DELETE_OUTPUT, gone)


def last_sequences(connection: Connection, keys: Sequence[str]) -> dict[str, int]:
    """The sequence of the last event that changed each of these runs; of runs that nobody knows nothing."""
    found: dict[str, int] = {}
    for start in range(0, len(keys), _MOST_MARKS):
        part = keys[start : start + _MOST_MARKS]
        marks = ", ".join("?" * len(part))
        found.update(connection.execute(f"SELECT key, last_sequence FROM lineage_run WHERE key IN ({marks})", part).fetchall())
    return found


def read_run(connection: Connection, key: str) -> str:
    """The body of the run, which exists."""
    return str(connection.execute("SELECT body FROM lineage_run WHERE key = ?", (key,)).fetchone()[0])


def outputs_of(connection: Connection, key: str) -> dict[str, Output]:
    """What the run tells, by target."""
    columns = ", ".join(Output._fields)
    rows = connection.execute(f"SELECT {columns} FROM lineage_output WHERE key = ?", (key,)).fetchall()
    return {row[1]: Output(*row) for row in rows}


def read_evidence(connection: Connection, digest: str) -> bytes:
    """The lineage with this digest."""
    row = connection.execute("SELECT body FROM lineage_evidence WHERE digest = ?", (digest,)).fetchone()
    return bytes(row[0])


def told_of(connection: Connection, namespace: str, job: str, target: str) -> list[Told]:
    """Each lineage that runs of the job tell of the target."""
    return [Told(*row) for row in connection.execute(_TOLD, (namespace, job, target)).fetchall()]


def delete_due(connection: Connection, due: Iterable[Due]) -> None:
    """These are not due any more."""
    gone = [it[:3] for it in due]
    if gone:
        connection.executemany(_DELETE_DUE, gone)


def list_due(connection: Connection) -> list[Due]:
    """Everything that is due."""
    rows = connection.execute("SELECT namespace, job, target, principal FROM lineage_due ORDER BY 1, 2, 3").fetchall()
    return [Due(*row) for row in rows]


def is_known_job(connection: Connection, namespace: str, job: str) -> bool:
    """True if some run or declaration of the job is known."""
    found = connection.execute("SELECT 1 FROM lineage_run WHERE namespace = ? AND job = ? LIMIT 1", (namespace, job))
    return found.fetchone() is not None


def is_known_dataset(connection: Connection, node: str) -> bool:
    """True if some run read or wrote it."""
    return connection.execute("SELECT 1 FROM lineage_io WHERE node = ? LIMIT 1", (node,)).fetchone() is not None
