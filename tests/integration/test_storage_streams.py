from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from governance_server.storage.engine import Database, open_database
from governance_server.storage.events import Event, EventLog
from governance_server.storage.leases import Leases
from tests.integration.journal_databases import now, postgres_url, running_journal, sqlite_url, writing

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with ExitStack() as stack:
        url = sqlite_url(tmp_path) if request.param == "sqlite" else stack.enter_context(postgres_url())
        database = open_database(url)
        yield database
        database.close()


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


def test_a_lease_has_one_holder_until_it_expires_or_is_released(database: Database) -> None:
    clock = Clock()
    leases = Leases(database, clock=clock)
    assert leases.acquire("finance.ledger", "server-1", 10)
    assert not leases.acquire("finance.ledger", "server-2", 10)
    assert leases.acquire("finance.other", "server-2", 10)
    assert leases.holder("finance.ledger") == "server-1"
    clock.time = NOON + timedelta(seconds=9.9)
    assert not leases.acquire("finance.ledger", "server-2", 10)
    assert leases.renew("finance.ledger", "server-1", 10)
    clock.time = NOON + timedelta(seconds=19.9)
    assert leases.holder("finance.ledger") is None
    assert not leases.renew("finance.ledger", "server-1", 10)
    assert leases.acquire("finance.ledger", "server-2", 10)
    assert not leases.release("finance.ledger", "server-1")
    assert leases.release("finance.ledger", "server-2")
    assert leases.acquire("finance.ledger", "server-1", 10)


def test_of_many_who_reach_for_a_lease_one_gets_it(database: Database) -> None:
    leases = Leases(database, clock=now)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda number: leases.acquire("finance", f"h{number}", 60), range(24))) == 1


def test_events_are_read_back_in_order_and_their_chain_verifies(database: Database) -> None:
    log = EventLog(database, "openlineage", clock=lambda: NOON)
    other = EventLog(database, "decisions", clock=lambda: NOON)
    assert (log.head(), log.append_events([]), log.verify().ok) == (0, 0, True)
    assert log.append_events([b"a", b"b"]) == 1
    assert other.append_events([b"x"]) == 1
    assert log.append_events([b"c"]) == 3
    assert log.read_events(1, 10) == [Event(2, NOON, b"b"), Event(3, NOON, b"c")]
    assert (log.head(), log.verify().checked, other.verify().checked) == (3, 3, 1)


def test_threads_append_batches_without_gaps_beside_the_journal(database: Database) -> None:
    log = EventLog(database, "openlineage", clock=now)
    with running_journal(database) as journal, ThreadPoolExecutor(9) as pool:
        changes = pool.submit(lambda: [journal.submit(writing(("grant", "finance.a", b""))) for _ in range(20)])
        firsts = list(pool.map(lambda number: (log.append_events([b"%d" % number] * 3), number), range(40)))
        changes.result(30)
        assert journal.verify(deep=True).ok
    assert sorted(first for first, _ in firsts) == list(range(1, 121, 3))
    events = log.read_events(0, 1000)
    assert all(events[first - 1 + offset].body == b"%d" % number for first, number in firsts for offset in range(3))
    assert log.verify().ok


def test_a_pruned_stream_still_verifies_and_goes_on(database: Database) -> None:
    log = EventLog(database, "openlineage", clock=now)
    log.append_events([b"a", b"b", b"c"])
    assert (log.prune(2), log.prune(2), log.prune(9)) == (2, 0, 0)
    assert log.append_events([b"d"]) == 4
    assert ([event.sequence for event in log.read_events(0, 9)], log.verify().checked, log.verify().ok) == ([3, 4], 2, True)
    assert (log.prune(4), log.append_events([b"e"]), log.verify().ok) == (2, 5, True)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "UPDATE event SET body = (SELECT body FROM event WHERE sequence = 1) WHERE sequence = 2",
            "event 2 .* not what was received",
        ),
        ("UPDATE event SET received_at_us = 5 WHERE sequence = 2", "event 2 .* not what was received"),
        ("DELETE FROM event WHERE sequence = 2", "event 2 .* missing"),
        ("DELETE FROM event WHERE sequence = 1", "event 1 .* missing"),
        ("DELETE FROM event WHERE sequence = 3", "ends at event 2"),
        ("UPDATE stream_head SET sequence = 9", "ends at event 3"),
    ],
)
def test_a_changed_or_missing_event_is_found(database: Database, statement: str, problem: str) -> None:
    log = EventLog(database, "openlineage", clock=now)
    log.append_events([b"a", b"b", b"c"])
    with database.write() as connection:
        connection.execute(statement)
    assert re.search(problem, log.verify().problem or "")
