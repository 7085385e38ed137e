"""Queries in processes of their own: whatever a query does, it does to its own process, within its bounds."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from governance_server.gateway.encode import ARROW_OFFSET
from governance_server.gateway.scan_errors import PlanOutdated, ScanFailed
from governance_server.gateway.sql_errors import EngineFailed, EngineOutOfMemory, EngineTimeout, QueryRefused
from governance_server.gateway.sql_jobs import Kind, QueryJob, TableRead
from governance_server.gateway.sql_workers import SqlWorkers
from governance_server.rules.read_plans import Branch, ColumnPlan, ReadPlan
from governance_server.warehouse.local_folder import LocalFolder
from mesh_core.expressions.tree import TRUE, Column, Compare, Literal

CANNOT_BE_INTERRUPTED = "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000)) AS n"
SPILLS = "SELECT count(*) AS n FROM (SELECT range AS r, hash(range) AS h FROM range(10000000) ORDER BY h)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> LocalFolder:
    path = tmp_path_factory.mktemp("table")
    pl.DataFrame({"k": range(1000), "secret": ["planted"] * 1000}).write_delta(path)
    return LocalFolder(path)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[SqlWorkers]:
    made = SqlWorkers(tmp_path / "sql", 128 << 20)
    yield made
    made.close()


def job(sql: str, folder: LocalFolder | None = None, *, timeout_seconds: float = 300.0, limit: int = 0) -> QueryJob:
    clear = (Branch(TRUE, None),)
    shown = Compare("<", Column("k"), Literal(100))
    plan = ReadPlan("a.b.c", "user:ria", "", 1, shown, (ColumnPlan("k", clear, None),), ("secret",), ())
    tables = {"t": TableRead(plan, ("k",), folder, 0)} if folder else {}
    return QueryJob(sql, tables, bytes(32), timeout_seconds, limit)


def answered(workers: SqlWorkers, asked: QueryJob) -> pa.Table:
    *arrow, end = workers.run(asked)
    assert end.kind is Kind.END
    stream = b"".join(frame.payload[ARROW_OFFSET:] for frame in arrow)
    table = pa.ipc.open_stream(stream).read_all()
    assert sum(frame.rows for frame in arrow) == table.num_rows == end.rows
    return table


def test_a_query_is_answered_from_what_its_plan_shows(workers: SqlWorkers, folder: LocalFolder) -> None:
    assert answered(workers, job("SELECT count(*) AS n, max(k) AS top FROM t", folder)).to_pydict() == {"n": [100], "top": [99]}
    assert answered(workers, job("SELECT * FROM t ORDER BY k", folder, limit=3)).to_pydict() == {"k": [0, 1, 2]}
    with pytest.raises(QueryRefused, match="secret"):
        answered(workers, job("SELECT secret FROM t", folder))
    schema, text = workers.plan(job("SELECT k + 1 AS next FROM t", folder))
    assert (schema.names, "k" in text) == (["next"], True)


def test_one_process_serves_many_queries_and_failures(workers: SqlWorkers, folder: LocalFolder) -> None:
    seen = set()
    for sql in ("SELECT 1 AS a", "SELECT 1 // 0 + CAST('x' AS INTEGER) AS a", "SELECT nope AS a", "SELECT k FROM t LIMIT 1"):
        with suppress(QueryRefused):
            answered(workers, job(sql, folder))
        seen |= set(_processes())
    assert len(seen) == 1


def test_a_table_that_does_not_fit_its_plan_is_told_as_such(workers: SqlWorkers, tmp_path: Path) -> None:
    with pytest.raises(ScanFailed, match=r"a\.b\.c"):
        answered(workers, job("SELECT k FROM t", LocalFolder(tmp_path / "nothing")))
    pl.DataFrame({"other": [1]}).write_delta(tmp_path / "changed")
    with pytest.raises(PlanOutdated, match="policy"):
        answered(workers, job("SELECT k FROM t", LocalFolder(tmp_path / "changed")))


@pytest.mark.parametrize("sql", ["SELECT count(*) AS n FROM range(1000000000000)", CANNOT_BE_INTERRUPTED])
def test_a_query_ends_with_its_time_whatever_it_does(workers: SqlWorkers, sql: str) -> None:
    with pytest.raises(EngineTimeout):
        answered(workers, job(sql, timeout_seconds=0.5))
    assert answered(workers, job("SELECT 1 AS one")).to_pydict() == {"one": [1]}


def test_a_plan_that_takes_for_ever_is_ended_too(workers: SqlWorkers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance_server.gateway.sql_workers._PLAN_SECONDS", 0.5)
    with pytest.raises(EngineTimeout):
        workers.plan(job(CANNOT_BE_INTERRUPTED))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT length(repeat('x', 3000000000)) AS n",
        "SELECT list_sum(range(2000000000)) AS n",
        "SELECT list(r || r) AS n FROM range(100000000) t(r)",
        "SELECT string_agg(repeat('x', 1000000), '') AS n FROM range(5000)",
    ],
)
def test_a_query_that_needs_too_much_memory_is_told_so_and_takes_no_more(workers: SqlWorkers, sql: str) -> None:
    with pytest.raises(EngineOutOfMemory):
        answered(workers, job(sql))
    assert answered(workers, job("SELECT 1 AS one")).to_pydict() == {"one": [1]}


def test_a_crash_of_the_engine_is_the_end_of_its_query_only(workers: SqlWorkers, folder: LocalFolder) -> None:
    other = workers.run(job("SELECT r FROM range(3000000) s(r)"))
    next(other)
    (first,) = _processes()
    crashing = workers.run(job("SELECT count(*) AS n FROM range(1000000000000)"))
    threading.Timer(1.0, lambda: os.kill(next(pid for pid in _processes() if pid != first), signal.SIGSEGV)).start()
    with pytest.raises(EngineFailed, match=str(-signal.SIGSEGV)):
        list(crashing)
    assert sum(frame.rows for frame in other if frame.kind is Kind.ARROW) == 3_000_000
    assert answered(workers, job("SELECT max(k) AS top FROM t", folder)).to_pydict() == {"top": [99]}


def test_a_closed_answer_ends_its_process_and_what_it_spilled(workers: SqlWorkers) -> None:
    answer = workers.run(job("SELECT r FROM range(100000000) s(r)"))
    next(answer)
    (pid,) = _processes()
    answer.close()
    assert pid not in _processes()


def test_what_ends_a_query_late_does_not_end_the_next_one(workers: SqlWorkers) -> None:
    stops = []
    list(workers.run(job("SELECT 1 AS one"), on_start=stops.append))
    answer = workers.run(job("SELECT r FROM range(1000000) s(r)"))
    next(answer)
    stops[0]()
    assert sum(frame.rows for frame in answer if frame.kind is Kind.ARROW) == 1_000_000


def test_an_answer_nobody_takes_is_given_up(workers: SqlWorkers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance_server.gateway.sql_workers._GRACE_SECONDS", 0.2)
    is_stuck = threading.Event()
    answered(workers, job("SELECT 1 AS one"))
    answer = workers.run(job("SELECT r FROM range(100000000) s(r)", timeout_seconds=5), on_stuck=is_stuck.set)
    next(answer)
    assert is_stuck.wait(50)
    with pytest.raises(EngineTimeout):
        list(answer)


def test_what_may_not_go_on_ends_while_the_engine_works(workers: SqlWorkers) -> None:
    def denied() -> None:
        raise PermissionError("revoked")

    with pytest.raises(PermissionError, match="revoked"):
        list(workers.run(job("SELECT count(*) AS n FROM range(1000000000000)"), may_go_on=denied))
    assert not _processes()


def test_what_does_not_fit_into_memory_lies_in_a_private_folder_and_is_gone_after(workers: SqlWorkers, tmp_path: Path) -> None:
    seen: set[str] = set()
    modes: set[int] = set()

    def look() -> None:
        for path in (tmp_path / "sql").rglob("*"):
            with suppress(FileNotFoundError):
                if path.is_dir():
                    modes.add(stat.S_IMODE(path.stat().st_mode) & 0o077)
                elif path.stat().st_size:
                    seen.add(path.name)

    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.01):
            look()

    watching = threading.Thread(target=watch)
    watching.start()
    assert answered(workers, job(SPILLS)).to_pydict() == {"n": [10_000_000]}
    is_over.set()
    watching.join()
    assert seen
    assert (tmp_path / "sql").stat().st_mode & 0o077 == 0
    assert not [path for path in (tmp_path / "sql").rglob("*") if path.is_file()]


def test_processes_and_files_do_not_outlive_a_gateway_that_was_killed(tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from governance_server.gateway.sql_jobs import QueryJob
from governance_server.gateway.sql_workers import SqlWorkers
workers = SqlWorkers(Path(sys.argv[1]), 256 << 20)
for frame in workers.run(QueryJob(sys.argv[2], {}, bytes(32), 60.0)):
    print("frame", flush=True)
"""
    root = tmp_path / "sql"
    endless = "SELECT r FROM (SELECT range AS r, hash(range) AS h FROM range(300000000) ORDER BY h)"
    gateway = subprocess.Popen([sys.executable, "-c", program, str(root), endless], stdout=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not [path for path in root.rglob("*") if path.is_file()]:
        assert time.monotonic() < deadline, "nothing was spilled"
        time.sleep(0.05)
    (worker,) = _processes(gateway.pid)
    gateway.kill()
    gateway.wait()
    assert gateway.stdout is not None
    gateway.stdout.close()
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < deadline, "the query's process is still there"
        time.sleep(0.05)
    (left,) = root.iterdir()
    later = SqlWorkers(root, 256 << 20)
    assert answered(later, job("SELECT 1 AS one")).to_pydict() == {"one": [1]}
    assert not left.exists()
    later.close()


def _processes(parent: int | None = None) -> list[int]:
    """The query processes of a gateway; this process by default."""
    found = []
    for task in Path(f"/proc/{parent or os.getpid()}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # threads and processes come and go
            children = [int(child) for child in (task / "children").read_text().split()]
            found += [pid for pid in children if b"sql_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found
