"""Looking runs up: those of a job, and those that read or wrote a dataset; newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from governance_server.rules.errors import Invalid
from governance_server.storage.drivers import Connection

__all__ = ["FoundRun", "runs_of_dataset", "runs_of_job"]

_COLUMNS = "r.key, r.owner, r.namespace, r.job, r.run_id, r.state, r.first_us, r.last_us, r.parent, r.job_version"
_NEWEST = "ORDER BY r.last_us DESC, r.key DESC LIMIT ?"


@dataclass(frozen=True, slots=True)
class FoundRun:
    """One run, with what it read and wrote: (node, version). Times are microseconds since 1970 UTC."""

    key: str
    owner: str
    namespace: str
    job: str
    run_id: str
    state: str
    first_us: int
    last_us: int
    parent: str
    job_version: str
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]

    @property
    def position(self) -> str:
        """From where a list goes on after it."""
        return f"{self.last_us}/{self.key}"


def runs_of_job(connection: Connection, namespace: str, job: str, *, after: str, limit: int) -> list[FoundRun]:
    """The job's runs, at most `limit`. Raises: Invalid if `after` is no position."""
    condition = "r.kind = 'run' AND r.namespace = ? AND r.job = ?"
    return _runs(connection, condition, [namespace, job], after, limit)


def runs_of_dataset(connection: Connection, nodes: Sequence[str], *, after: str, limit: int) -> list[FoundRun]:
    """The runs that read or wrote any of the nodes, at most `limit`. Raises: Invalid if `after` is no position."""
    marks = ", ".join("?" * len(nodes))
    condition = f"r.kind = 'run' AND r.key IN (SELECT key FROM lineage_io WHERE node IN ({marks}))"
    return _runs(connection, condition, list(nodes), after, limit)


def _runs(connection: Connection, condition: str, parameters: list[Any], after: str, limit: int) -> list[FoundRun]:
    if after:
        last_us, slash, key = after.partition("/")
        if not slash or not last_us.removeprefix("-").isdecimal():
            raise Invalid("page_token is not one this server gave out: leave it empty to start anew.")
        condition += " AND (r.last_us < ? OR (r.last_us = ? AND r.key < ?))"
        parameters += [int(last_us), int(last_us), key]
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM lineage_run r WHERE {condition} {_NEWEST}", (*parameters, limit)
    ).fetchall()
    io = _io(connection, [row[0] for row in rows])
    return [FoundRun(*row, *(tuple(io.get((row[0], side), ())) for side in ("input", "output"))) for row in rows]


def _io(connection: Connection, keys: Sequence[str]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    if keys:
        marks = ", ".join("?" * len(keys))
        sql = f"SELECT key, side, node, version FROM lineage_io WHERE key IN ({marks}) ORDER BY node"
        for key, side, node, version in connection.execute(sql, tuple(keys)).fetchall():
            found.setdefault((key, side), []).append((node, version))
    return found
