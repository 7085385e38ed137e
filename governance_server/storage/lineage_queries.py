"""Looking runs up: those of a job, and those that read or wrote a dataset; newest first, as they are or as they were."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from governance_server.rules.errors import Invalid
from governance_server.storage.drivers import Connection, Row

__all__ = ["FoundRun", "RunPage", "runs_of_dataset", "runs_of_job"]

_NOW = (
    "SELECT r.key, r.owner, r.namespace, r.job, r.run_id, r.state, r.first_us, r.last_us, r.parent, r.job_version, NULL AS io "
    "FROM lineage_run r WHERE {condition}"
)
_THEN = (
    "SELECT r.key, r.owner, r.namespace, r.job, r.run_id, p.state, p.first_us, p.last_us, p.parent, p.job_version, p.io "
    "FROM lineage_run r JOIN lineage_run_past p ON p.key = r.key WHERE {condition} AND r.last_sequence > ? "
    "AND p.sequence = (SELECT max(q.sequence) FROM lineage_run_past q WHERE q.key = r.key AND q.sequence <= ?)"
)
_MOST_AT_ONCE = 500
_Io = tuple[tuple[str, str], ...]


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
    inputs: _Io
    outputs: _Io

    @property
    def position(self) -> str:
        """From where a list goes on after it."""
        return f"{self.last_us}/{self.key}"


@dataclass(frozen=True, slots=True)
class RunPage:
    """Which of the runs are wanted."""

    after: str
    """A run's position, or empty."""
    limit: int
    through: int | None = None
    """The last event that counts, by its place in the stream; None: all do."""


def runs_of_job(connection: Connection, namespace: str, job: str, page: RunPage) -> list[FoundRun]:
    """The job's runs. Raises: Invalid if `after` is no position."""
    return _runs(connection, "r.kind = 'run' AND r.namespace = ? AND r.job = ?", [namespace, job], page)


def runs_of_dataset(
    connection: Connection, nodes: Sequence[str], page: RunPage, *, is_shown: Callable[[FoundRun], bool]
) -> list[FoundRun]:
    """The runs that read or wrote any of the nodes and are shown. Raises: Invalid if `after` is no position."""
    marks = ", ".join("?" * len(nodes))
    condition = f"r.kind = 'run' AND r.key IN (SELECT key FROM lineage_io WHERE node IN ({marks}))"
    found: list[FoundRun] = []
    after, limit = page.after, page.limit
    while True:  # a run that had not named the dataset by then is none of them
        part = _runs(connection, condition, list(nodes), RunPage(after, limit, page.through))
        found += [run for run in part if (page.through is None or _has(run, nodes)) and is_shown(run)]
        if len(part) < limit or len(found) >= page.limit:
            return found[: page.limit]
        after, limit = part[-1].position, _MOST_AT_ONCE


def _has(run: FoundRun, nodes: Collection[str]) -> bool:
    return any(node in nodes for node, _ in (*run.inputs, *run.outputs))


def _runs(connection: Connection, condition: str, parameters: list[Any], page: RunPage) -> list[FoundRun]:
    source, values = _NOW.format(condition=condition), list(parameters)
    if page.through is not None:
        source = f"{source} AND r.last_sequence <= ? UNION ALL {_THEN.format(condition=condition)}"
        values += [page.through, *parameters, page.through, page.through]
    following, more = _after(page.after)
    sql = f"SELECT * FROM ({source}) AS u {following} ORDER BY u.last_us DESC, u.key DESC LIMIT ?"
    rows = connection.execute(sql, (*values, *more, page.limit)).fetchall()
    io = _io(connection, [row[0] for row in rows if row[-1] is None])
    return [_found(row, io) for row in rows]


def _after(position: str) -> tuple[str, list[Any]]:
    if not position:
        return "", []
    last_us, slash, key = position.partition("/")
    if not slash or not last_us.removeprefix("-").isdecimal():
        raise Invalid("page_token is not one this server gave out: leave it empty to start anew.")
    return "WHERE u.last_us < ? OR (u.last_us = ? AND u.key < ?)", [int(last_us), int(last_us), key]


def _found(row: Row, io: dict[str, list[tuple[str, str, str]]]) -> FoundRun:
    import orjson

    told = io.get(row[0], []) if row[-1] is None else sorted(map(tuple, orjson.loads(row[-1])))
    sides = (tuple((node, version) for part, node, version in told if part == side) for side in ("input", "output"))
    return FoundRun(*row[:-1], *sides)


def _io(connection: Connection, keys: Sequence[str]) -> dict[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = {}
    if keys:
        marks = ", ".join("?" * len(keys))
        sql = f"SELECT key, side, node, version FROM lineage_io WHERE key IN ({marks}) ORDER BY node"
        for key, side, node, version in connection.execute(sql, tuple(keys)).fetchall():
            found.setdefault(key, []).append((side, node, version))
    return found
