"""Runs as the fold of received events: what they are, read, wrote and tell of lineage.

Owns the `lineage_…` tables. They are written in the transaction that stores the events, under the stream's locked head, so that
no two writers fold one run at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from governance_server.storage.drivers import Connection

__all__ = ["Due", "Output", "RunRow", "Told", "delete_due", "find_run", "is_known_dataset", "is_known_job", "list_due",
           "outputs_of", "put_due", "put_evidence", "put_io", "put_outputs", "put_run", "read_evidence", "told_of"]  # fmt: skip

_RUN_COLUMNS = "key, kind, owner, namespace, job, run_id, state, first_us, last_us, parent, job_version, last_sequence, body"
_CHANGING = ("state", "job", "first_us", "last_us", "parent", "job_version", "last_sequence", "body")
_PUT_RUN = (
    f"INSERT INTO lineage_run ({_RUN_COLUMNS}) VALUES ({', '.join('?' * 13)}) "
    f"ON CONFLICT (key) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _CHANGING)}"
)
_PUT_IO = (
    "INSERT INTO lineage_io (key, side, node, version) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (key, side, node) DO UPDATE SET version = excluded.version"
)
_PUT_OUTPUT = (
    "INSERT INTO lineage_output (key, target, namespace, job, digest, weight, replaces, first_ns) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (key, target) DO UPDATE SET job = excluded.job, digest = excluded.digest, weight = excluded.weight, "
    "replaces = excluded.replaces, first_ns = excluded.first_ns"
)
_TOLD = (
    "SELECT weight, digest, max(first_ns), max(CASE WHEN replaces = 1 THEN first_ns END) FROM lineage_output "
    "WHERE namespace = ? AND job = ? AND target = ? GROUP BY weight, digest"
)
_PUT_DUE = "INSERT INTO lineage_due (namespace, job, target, principal) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_DELETE_DUE = "DELETE FROM lineage_due WHERE namespace = ? AND job = ? AND target = ?"


@dataclass(frozen=True, slots=True)
class RunRow:
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


def find_run(connection: Connection, key: str, *, known_sequence: int = -1) -> tuple[int, str | None] | None:
    """The run's last sequence and its body; the body is None if that is `known_sequence`. None if there is no such run."""
    found = connection.execute("SELECT last_sequence FROM lineage_run WHERE key = ?", (key,)).fetchone()
    if found is None:
        return None
    if found[0] == known_sequence:
        return known_sequence, None
    sequence, body = connection.execute("SELECT last_sequence, body FROM lineage_run WHERE key = ?", (key,)).fetchone()
    return sequence, body


def put_run(connection: Connection, run: RunRow) -> None:
    """The run is as given."""
    connection.execute(_PUT_RUN, tuple(getattr(run, name) for name in _RUN_COLUMNS.split(", ")))


def put_io(connection: Connection, rows: Sequence[tuple[str, str, str, str]]) -> None:
    """The runs (key) read or wrote (side) these datasets (node) at these versions."""
    if rows:
        connection.executemany(_PUT_IO, rows)


def outputs_of(connection: Connection, key: str) -> dict[str, Output]:
    """What the run tells, by target."""
    columns = ", ".join(Output._fields)
    rows = connection.execute(f"SELECT {columns} FROM lineage_output WHERE key = ?", (key,)).fetchall()
    return {row[1]: Output(*row) for row in rows}


def put_outputs(connection: Connection, outputs: Iterable[Output], gone: Iterable[tuple[str, str]] = ()) -> None:
    """The runs tell this, and of the targets (key, target) that are gone nothing any more."""
    connection.executemany(_PUT_OUTPUT, list(outputs))
    connection.executemany("DELETE FROM lineage_output WHERE key = ? AND target = ?", list(gone))


def put_evidence(connection: Connection, digest: str, body: bytes) -> None:
    """The lineage with this digest can be read."""
    connection.execute("INSERT INTO lineage_evidence (digest, body) VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, body))


def read_evidence(connection: Connection, digest: str) -> bytes:
    """The lineage with this digest."""
    row = connection.execute("SELECT body FROM lineage_evidence WHERE digest = ?", (digest,)).fetchone()
    return bytes(row[0])


def told_of(connection: Connection, namespace: str, job: str, target: str) -> list[Told]:
    """Each lineage that runs of the job tell of the target."""
    return [Told(*row) for row in connection.execute(_TOLD, (namespace, job, target)).fetchall()]


def put_due(connection: Connection, due: Iterable[Due]) -> None:
    """These are due."""
    connection.executemany(_PUT_DUE, list(due))


def delete_due(connection: Connection, due: Iterable[Due]) -> None:
    """These are not due any more."""
    connection.executemany(_DELETE_DUE, [it[:3] for it in due])


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
