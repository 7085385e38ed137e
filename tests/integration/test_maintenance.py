"""Periodic work: one server at a time, whatever fails, and another goes on when it dies."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from governance_server.maintenance import LEASE, Maintenance, Task
from governance_server.storage.engine import Database, open_database
from governance_server.storage.leases import Leases
from tests.servers import RunningServer


class Clock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.time = datetime(2027, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def pass_seconds(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path}/mesh.db")
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def server(database: Database, clock: Clock, name: str, *tasks: Task) -> Maintenance:
    made = Maintenance(Leases(database, clock=clock.now), holder=name, interval_seconds=60, clock=lambda: clock.now().timestamp())
    made.register(tasks)
    return made


def test_only_the_holder_of_the_lease_works_until_its_lease_is_over(database: Database, clock: Clock) -> None:
    ran: list[str] = []
    first, second = (server(database, clock, name, Task("t", lambda name=name: ran.append(name))) for name in "ab")  # type: ignore[misc]
    assert (first.run_round(), second.run_round(), first.run_round()) == (True, False, True)
    clock.pass_seconds(first.lease_seconds - 0.001)
    assert not second.run_round()
    clock.pass_seconds(0.001)
    assert second.run_round()
    assert not first.run_round()
    assert ran == ["a", "a", "b"]


def test_a_failing_task_is_logged_and_stops_no_other(database: Database, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []

    def fail() -> None:
        raise ValueError("broken")

    assert server(database, clock, "a", Task("fails", fail), Task("works", lambda: ran.append("x"))).run_round()
    assert ran == ["x"]
    assert [record.getMessage() for record in caplog.records] == ["maintenance task failed task=fails"]


def test_a_task_runs_no_more_often_than_it_says(database: Database, clock: Clock) -> None:
    ran: list[datetime] = []
    maintenance = server(database, clock, "a", Task("daily", lambda: ran.append(clock.now()), every_seconds=86_400))
    for _ in range(49):
        maintenance.run_round()
        clock.pass_seconds(3600)
    assert [later - earlier for earlier, later in pairwise(ran)] == [timedelta(days=1)] * 2


def test_a_round_ends_after_the_task_during_which_the_server_is_stopped(database: Database, clock: Clock) -> None:
    ran: list[str] = []
    maintenance = server(database, clock, "a")
    maintenance.register([Task("stops", maintenance.stop), Task("late", lambda: ran.append("late"))])
    assert not maintenance.run_round()
    assert ran == []


def test_stopping_waits_for_no_round_and_frees_the_lease(database: Database) -> None:
    leases = Leases(database, clock=lambda: datetime.now(UTC))
    began = threading.Event()
    maintenance = Maintenance(leases, holder="a", interval_seconds=60)
    maintenance.register([Task("t", began.set)])
    maintenance.start()
    assert began.wait(30)
    assert leases.holder(LEASE) == "a"
    maintenance.stop()  # gives up waiting long before the next round would be due
    assert leases.holder(LEASE) is None


def test_an_interval_of_zero_means_no_work_by_this_server(database: Database) -> None:
    leases = Leases(database, clock=lambda: datetime.now(UTC))
    maintenance = Maintenance(leases, holder="a", interval_seconds=0)
    maintenance.register([Task("t", lambda: pytest.fail("it ran"))])
    maintenance.start()
    maintenance.stop()
    assert leases.holder(LEASE) is None


def wait_until(is_true: Callable[[], bool], seconds: float) -> float:
    started = time.monotonic()
    while not is_true():
        assert time.monotonic() - started < seconds, "it never came to be"
        time.sleep(0.02)
    return time.monotonic() - started


def test_of_two_processes_one_works_and_the_other_goes_on_once_it_is_killed(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/mesh.db", tmp_path / "runs"
    file.touch()
    open_database(url).close()
    command = [sys.executable, "-m", "tests.integration.maintenance_server", url, str(file)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        wait_until(lambda: len(file.read_text().splitlines()) > 20, 20)
        workers = {int(line.split()[0]) for line in file.read_text().splitlines()}
        assert len(workers) == 1
        holder = next(process for process in processes if process.pid in workers)
        holder.kill()
        holder.wait()
        lines = len(file.read_text().splitlines())
        taken_after = wait_until(lambda: len(file.read_text().splitlines()) > lines + 4, 20)
        assert taken_after < 3 + 1 + 2  # the lease, a look three times as often, and a busy machine
        after = [line.split() for line in file.read_text().splitlines()[lines:]]
        assert {int(pid) for pid, _ in after} == {process.pid for process in processes if process is not holder}
    finally:
        for process in processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                assert stream is not None
                stream.close()


def test_a_server_holds_the_lease_while_it_serves_and_frees_it_when_it_ends(
    new_server: Callable[..., RunningServer], tmp_path: Path
) -> None:
    running = new_server(MESH_MAINTENANCE_SECONDS="1")
    database = open_database(f"sqlite:///{tmp_path}/mesh/mesh.db")
    leases = Leases(database, clock=lambda: datetime.now(UTC))
    wait_until(lambda: leases.holder(LEASE) is not None, 10)
    running.stop()
    assert leases.holder(LEASE) is None
    database.close()


def test_a_server_reminds_of_what_ends_soon_by_itself(new_server: Callable[..., RunningServer]) -> None:
    running = new_server(MESH_MAINTENANCE_SECONDS="1")
    with running.admin() as admin:
        admin.admin.create_domain("shop", owners=["user:olga"])
    with running.user("user:olga") as olga, running.user("user:ana") as ana:
        given = olga.grant("user:ana", "shop", until=datetime.now(UTC) + timedelta(days=3))
        running.kill()  # a new start reminds at once; a running server every ten minutes
        running.start()
    with running.user("user:ana") as ana:
        wait_until(lambda: bool(ana.notices()), 20)
        assert [(notice.about, str(notice.kind)) for notice in ana.notices()] == [(given.id, "grant ends")]
        assert ana.inbox().mark_read() == 1
        assert ana.notices() == []
        assert len(ana.notices(include_read=True)) == 1
