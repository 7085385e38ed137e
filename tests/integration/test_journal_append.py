from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from governance_server.journal.command import Command, Outcome, Receipt, Transaction
from governance_server.journal.errors import InvalidText, JournalClosed, OutcomeRejected, Overloaded, RequestIdReused
from governance_server.rules.apply import ResourceWrite
from governance_server.storage.catalog import Catalog
from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database, open_database
from governance_server.storage.errors import StorageUnavailable
from governance_server.storage.sqlite import SqliteDriver
from tests.integration.journal_databases import postgres_url, running_journal, sqlite_url, writing


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with ExitStack() as stack:
        url = sqlite_url(tmp_path) if request.param == "sqlite" else stack.enter_context(postgres_url())
        database = open_database(url)
        yield database
        database.close()


class DomainRefusal(Exception):
    """A domain error of a command."""


class Gate:
    """Holds the writer thread inside a command until opened, so that later commands queue up behind it."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def command(self) -> Command:
        def run(transaction: Transaction) -> Outcome:
            self.entered.set()
            assert self.opened.wait(20)
            return Outcome("", "", (), b"gate")

        return Command("user:gate", "", b"", run)


def refuse(transaction: Transaction) -> Outcome:
    raise DomainRefusal("no")


def submit_behind(gate: Gate, journal: object, commands: list[Command]) -> list[Receipt | BaseException]:
    """What each command gave when all were queued, in order, while the writer was held at the gate."""
    with ThreadPoolExecutor(len(commands) + 1) as pool:
        first = pool.submit(journal.submit, gate.command())  # type: ignore[attr-defined]
        assert gate.entered.wait(20)
        futures = []
        for command in commands:
            waiting = len(journal._queue)  # type: ignore[attr-defined]
            futures.append(pool.submit(journal.submit, command))  # type: ignore[attr-defined]
            while len(journal._queue) == waiting:  # type: ignore[attr-defined]
                threading.Event().wait(0.001)
        gate.opened.set()
        first.result(20)
        return [future.exception(20) or future.result() for future in futures]


def test_a_change_is_numbered_chained_and_visible_when_submit_returns(database: Database) -> None:
    with running_journal(database) as journal:
        first = journal.submit(writing(("grant", "finance.a", b"1"), ("request", "finance.r", b"x"), reply=b"done"))
        second = journal.submit(writing(("grant", "finance.a", b"2")))
        assert (first.revision, first.reply, first.replayed, second.revision) == (1, b"done", False, 2)
        changes = journal.read_changes(0, 10)
        assert [change.revision for change in changes] == [1, 2]
        assert changes[1].previous_hash == changes[0].hash
        assert database.head().hash == changes[1].hash
        assert changes[0].writes == (ResourceWrite("grant", "finance.a", b"1"), ResourceWrite("request", "finance.r", b"x"))
        assert [change.revision for change in journal.read_changes(0, 10, ["request", "other"])] == [1]
        assert (database.head_of(["grant"]), database.head_of(["request"]), database.head_of(["other"])) == (2, 1, 0)
        assert journal.verify(deep=True).ok
    assert Catalog(database).get("grant", "finance.a") == b"2"


def test_a_command_decides_on_what_was_written_before_it(database: Database) -> None:
    def count(transaction: Transaction) -> Outcome:
        value = int(transaction.get("counter", "c") or b"0") + 1
        assert transaction.revision == value
        return Outcome("counted", "c", (ResourceWrite("counter", "c", str(value).encode()),), b"")

    with running_journal(database) as journal, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: journal.submit(Command("user:ana", "", b"", count)), range(100)))
    assert Catalog(database).get("counter", "c") == b"100"


def test_thirty_two_threads_are_all_acknowledged_durable_without_gaps(database: Database) -> None:
    def work(thread: int) -> list[tuple[int, str]]:
        names = [f"d{thread}.n{number}" for number in range(20)]
        return [(journal.submit(writing(("grant", name, name.encode()))).revision, name) for name in names]

    with running_journal(database) as journal, ThreadPoolExecutor(32) as pool:
        receipts = [receipt for batch in pool.map(work, range(32)) for receipt in batch]
        assert journal.verify(deep=True).ok
    assert sorted(revision for revision, _ in receipts) == list(range(1, 641))
    other = open_database(database.driver.url)
    assert {change.revision: change.subject for change in running_changes(other)} == dict(receipts)
    other.close()


def running_changes(database: Database) -> list:
    with running_journal(database) as journal:
        return journal.read_changes(0, 10_000)


def test_a_refused_command_fails_alone_and_writes_nothing(database: Database) -> None:
    commands = [
        writing(("grant", "finance.a", b"1")),
        Command("user:bad", "r1", b"", refuse),
        writing(("grant", "finance.twice", b"1"), ("grant", "finance.twice", b"2")),
        writing(("grant", "zero\0", b"1")),
        writing(("grant", "surrogate\ud800", b"1")),
        writing(("grant", "finance.b", "no bytes")),  # type: ignore[arg-type]
        writing(("grant", "finance.c", b"3")),
    ]
    with running_journal(database) as journal:
        answers = submit_behind(Gate(), journal, commands)
        assert [type(answer) for answer in answers] == [
            Receipt,
            DomainRefusal,
            OutcomeRejected,
            InvalidText,
            InvalidText,
            TypeError,
            Receipt,
        ]
        assert (answers[0].revision, answers[6].revision) == (1, 2)  # type: ignore[union-attr]
        assert journal.verify(deep=True).ok
    assert [name for name, _ in Catalog(database).list("grant")] == ["finance.a", "finance.c"]


def test_commands_that_wait_together_share_one_commit(tmp_path: Path) -> None:
    statements: list[str] = []

    class Counting(SqliteDriver):
        def begin_write(self, connection: Connection) -> None:
            statements.append("begin")
            super().begin_write(connection)

    database = Database(Counting(sqlite_url(tmp_path)))
    with running_journal(database) as journal:
        submit_behind(Gate(), journal, [writing(("grant", f"d.n{number}", b"")) for number in range(10)])
        assert len(statements) == 2
        assert database.head().revision == 10
    database.close()


class PolicyEndsGroups:
    """A follower that can follow no `policy`."""

    def follow(self, writes: Sequence[ResourceWrite], revision: int) -> bool:
        return all(write.kind != "policy" for write in writes)

    def end_group(self, *, is_committed: bool) -> None:
        assert is_committed


def test_what_cannot_be_followed_is_committed_before_the_next_command_decides(database: Database) -> None:
    seen: list[int] = []

    def look(transaction: Transaction) -> Outcome:
        seen.append(database.head_of(["policy"]))
        return Outcome("", "", (), b"")

    look_up = Command("user:ana", "", b"", look)
    commands = [writing(("policy", "p", b"1")), look_up, writing(("other", "o", b"1")), writing(("policy", "p", b"2")), look_up]
    # On SQLite the writer's own thread reads committed state on another connection: exactly what an authoriser does.
    with running_journal(database, follower=PolicyEndsGroups()) as journal:
        answers = submit_behind(Gate(), journal, commands)
    assert all(isinstance(answer, Receipt) for answer in answers)
    assert seen == [1, 3]


def test_a_repeated_request_gets_the_stored_reply_and_does_not_run_again(database: Database) -> None:
    with running_journal(database) as journal:
        first = journal.submit(writing(("grant", "finance.a", b"1"), request_id="r1", digest=b"d", reply=b"first"))
        again = journal.submit(Command("user:ana", "r1", b"d", refuse))
        assert again == Receipt(first.revision, first.time, b"first", replayed=True)
        with pytest.raises(RequestIdReused, match="r1"):
            journal.submit(writing(("grant", "finance.b", b"1"), request_id="r1", digest=b"other"))
        with pytest.raises(DomainRefusal):
            journal.submit(Command("user:ben", "r1", b"d", refuse))
        assert database.head().revision == 1


def test_a_refused_request_may_be_tried_again_under_its_id(database: Database) -> None:
    with running_journal(database) as journal:
        with pytest.raises(DomainRefusal):
            journal.submit(Command("user:ana", "r1", b"d", refuse))
        assert journal.submit(writing(("grant", "finance.a", b"1"), request_id="r1", digest=b"d")).revision == 1


def test_the_same_request_twice_in_one_group_is_done_once(database: Database) -> None:
    command = writing(("grant", "finance.a", b"1"), request_id="r1", digest=b"d", reply=b"x")
    with running_journal(database) as journal:
        answers = submit_behind(Gate(), journal, [command, command])
    assert [(answer.revision, answer.replayed) for answer in answers] == [(1, False), (1, True)]  # type: ignore[union-attr]


def test_an_outcome_without_writes_replies_and_journals_nothing(database: Database) -> None:
    with running_journal(database) as journal:
        journal.submit(writing(("grant", "finance.a", b"1")))
        receipt = journal.submit(writing(reply=b"nothing to do", request_id="r"))
        assert (receipt.revision, receipt.reply, database.head().revision) == (1, b"nothing to do", 1)


def test_time_never_runs_backwards_along_the_chain(database: Database) -> None:
    start = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    times = iter([start, start - timedelta(hours=1), start + timedelta(microseconds=1)])
    with running_journal(database, clock=lambda: next(times)) as journal:
        written = [journal.submit(writing(("grant", "finance.a", b""))).time for _ in range(3)]
        assert written == [start, start, start + timedelta(microseconds=1)]
        assert [change.time for change in journal.read_changes(0, 9)] == written


def test_a_full_queue_refuses_at_once(database: Database) -> None:
    gate = Gate()
    with running_journal(database, queue_limit=1) as journal, ThreadPoolExecutor(2) as pool:
        held = pool.submit(journal.submit, gate.command())
        assert gate.entered.wait(20)
        waiting = pool.submit(journal.submit, writing(("grant", "finance.a", b"")))
        while not journal._queue:
            threading.Event().wait(0.001)
        with pytest.raises(Overloaded):
            journal.submit(writing(("grant", "finance.b", b"")))
        gate.opened.set()
        assert (held.result(20).reply, waiting.result(20).revision) == (b"gate", 1)


def test_a_full_disk_fails_the_whole_group_and_the_journal_goes_on(tmp_path: Path) -> None:
    limit = [1_000_000]

    class Limited(SqliteDriver):
        def connect(self) -> Connection:
            connection = super().connect()
            connection.execute(f"PRAGMA max_page_count={limit[0]}")
            return connection

    database = Database(Limited(sqlite_url(tmp_path)))
    with running_journal(database) as journal:
        journal.submit(writing(("grant", "finance.a", b"1")))
    limit[0] = database.reader().execute("PRAGMA page_count").fetchone()[0] + 2
    with running_journal(database) as journal:
        big = writing(("grant", "finance.big", bytes(1_000_000)), request_id="big", digest=b"d")
        answers = submit_behind(
            Gate(), journal, [writing(("grant", "finance.b", b"2")), big, writing(("grant", "finance.c", b"3"))]
        )
        assert [type(answer) for answer in answers] == [StorageUnavailable] * 3
        assert "database or disk is full" in str(answers[0])
        assert (database.head().revision, journal.verify(deep=True).ok) == (1, True)
        limit[0] = 1_000_000
        receipt = journal.submit(big)
        assert (receipt.revision, receipt.replayed, journal.verify(deep=True).ok) == (2, False, True)
    database.close()


def test_a_commit_wakes_who_waits_for_it_and_a_time_out_gives_the_head(database: Database) -> None:
    with running_journal(database) as journal, ThreadPoolExecutor(1) as pool:
        assert journal.wait_for(1, 0.01) == 0
        waiting = pool.submit(journal.wait_for, 2, 20)
        journal.submit(writing(("grant", "finance.a", b"1")))
        journal.submit(writing(("grant", "finance.a", b"2")))
        assert waiting.result(20) == 2


def test_a_commit_of_another_process_is_noticed_while_waiting(database: Database) -> None:
    other = open_database(database.driver.url)
    with running_journal(database) as journal, running_journal(other) as neighbour, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(journal.wait_for, 1, 20)
        neighbour.submit(writing(("grant", "finance.a", b"1")))
        assert waiting.result(20) == 1
    other.close()


def test_closing_answers_what_was_taken_and_refuses_the_rest(database: Database) -> None:
    gate = Gate()
    with ThreadPoolExecutor(3) as pool, running_journal(database) as journal:
        held = pool.submit(journal.submit, gate.command())
        assert gate.entered.wait(20)
        taken = pool.submit(journal.submit, writing(("grant", "finance.a", b"")))
        while not journal._queue:
            threading.Event().wait(0.001)
        closing = pool.submit(journal.close)
        gate.opened.set()
        closing.result(20)
        assert (held.result(20).reply, taken.result(20).revision) == (b"gate", 1)
        with pytest.raises(JournalClosed):
            journal.submit(writing(("grant", "finance.b", b"")))


def test_a_command_that_tries_to_write_by_another_way_is_stopped(database: Database) -> None:
    def run(transaction: Transaction) -> Outcome:
        with database.write():
            raise AssertionError("two write transactions at once")

    with running_journal(database) as journal, pytest.raises(RuntimeError, match="already inside a write transaction"):
        journal.submit(Command("user:ana", "", b"", run))


def test_an_erased_payload_is_gone_everywhere_and_the_chain_still_verifies(database: Database) -> None:
    secret = b"a secret that must go"

    def erase(*revisions: int) -> Command:
        return Command("user:dpo", "", b"", lambda transaction: Outcome("payload.erased", "finance.a", (), b"", erases=revisions))

    with running_journal(database) as journal:
        journal.submit(writing(("grant", "finance.a", secret), ("grant", "finance.b", b"kept"), ("grant", "finance.c", b"x")))
        with pytest.raises(OutcomeRejected, match=r"finance\.[abc] is still valid"):
            journal.submit(erase(1))
        journal.submit(writing(("grant", "finance.a", None), ("grant", "finance.b", b"kept"), ("grant", "finance.c", b"y")))
        journal.submit(writing(("grant", "finance.c", b"z")))
        journal.submit(erase(1))
        assert journal.verify(deep=True).ok
        with pytest.raises(OutcomeRejected, match="cannot be erased"):
            journal.submit(erase(9))
        assert journal.read_changes(0, 1)[0].body is None
    stored = database.reader().execute("SELECT body FROM resource UNION ALL SELECT body FROM payload").fetchall()
    assert not [body for (body,) in stored if body and secret in body]
    catalog = Catalog(database)
    assert (catalog.get("grant", "finance.a", as_of=1), catalog.get("grant", "finance.b")) == (None, b"kept")
