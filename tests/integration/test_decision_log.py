"""The decision log by itself, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domainmesh.v1 import decision_log_pb2 as pb
from governance_server.audit.decision_log import DecisionLog
from governance_server.audit.recorded_reads import RecordedReads
from governance_server.audit.recording import Recording, cut_name
from governance_server.caller import Caller
from governance_server.rules.errors import Unavailable
from governance_server.storage.decisions import DecisionQuery, every_decision, find_decisions
from governance_server.storage.engine import Database, open_database
from governance_server.storage.events import EventLog
from tests.integration.journal_databases import now, postgres_url, sqlite_url

ALL = DecisionQuery()
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ENTRIES = "finance.ledger.entries"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with ExitStack() as stack:
        url = sqlite_url(tmp_path) if request.param == "sqlite" else stack.enter_context(postgres_url())
        database = open_database(url)
        yield database
        database.close()


@pytest.fixture
def new_log(database: Database) -> Iterator[Callable[..., DecisionLog]]:
    with ExitStack() as stack:

        def start(**options: object) -> DecisionLog:
            log = DecisionLog(database, **{"clock": now, **options})  # type: ignore[arg-type]
            stack.callback(log.close)
            return log

        yield start


def read(principal: str = "user:ana", resource: str = ENTRIES, *, rows: int = 1, **more: object) -> pb.DecisionRecord:
    """A complete read, unless `more` says otherwise."""
    fields = {"kind": pb.DECISION_KIND_READ, "end": pb.DECISION_END_COMPLETE, "is_allowed": True, **more}
    return pb.DecisionRecord(principal=principal, resource=resource, action="read", rows=rows, **fields)  # type: ignore[arg-type]


def bodies(database: Database, query: DecisionQuery = ALL) -> list[pb.DecisionRecord]:
    """The records that are found, oldest first."""
    return [pb.DecisionRecord.FromString(event.body) for event in reversed(list(every_decision(database, query)))]


def test_what_is_written_is_durable_once_it_is_answered(database: Database, new_log: Callable[..., DecisionLog]) -> None:
    log = new_log()
    assert [log.write(read(rows=number)) for number in (3, 4)] == [1, 2]
    assert [record.rows for record in bodies(database)] == [3, 4]
    assert EventLog(database, "decisions", clock=now).verify().checked == 2


def test_only_the_end_of_a_call_whose_beginning_is_durable_may_be_undone_by_the_machine(
    database: Database, new_log: Callable[..., DecisionLog]
) -> None:
    setting = "PRAGMA synchronous" if database.driver.url.startswith("sqlite") else "SHOW synchronous_commit"
    connection = database.connect()
    found = []
    for is_durable in (True, False, True):
        with database.write(connection, is_durable=is_durable) as used:
            found.append(used.execute(setting).fetchone()[0])
    connection.close()
    assert found in ([2, 1, 2], ["on", "off", "on"])
    log = new_log()
    assert [log.write(read(rows=1)), log.write_end(read(rows=2)), log.write(read(rows=3))] == [1, 2, 3]
    assert [record.rows for record in bodies(database)] == [1, 2, 3]


def test_a_call_that_begins_ahead_ends_only_once_that_is_written(
    database: Database, new_log: Callable[..., DecisionLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller("user:ana", call_id="c1", revision=1)
    with Recording(new_log(), caller, pb.DECISION_KIND_RETRIEVAL, resource=ENTRIES) as recording:
        recording.record.is_allowed = True
        recording.begin_ahead()
        recording.begin_ahead()
        recording.served(5, 100)
    begun, ended = bodies(database)
    assert (begun.end, begun.rows, begun.was_begun) == (pb.DECISION_END_BEGUN, 0, False)
    assert (ended.end, ended.rows, ended.was_begun) == (pb.DECISION_END_COMPLETE, 5, True)
    monkeypatch.setattr(EventLog, "append_events", lambda *_, **__: 1 / 0)
    recording = Recording(new_log(), caller, pb.DECISION_KIND_RETRIEVAL, resource=ENTRIES)
    recording.record.is_allowed = True
    with pytest.raises(Unavailable, match="not logged is not served"), recording:
        recording.begin_ahead()


def test_many_callers_in_two_processes_worth_of_logs_share_one_chain_without_gaps(
    database: Database, new_log: Callable[..., DecisionLog]
) -> None:
    logs = [new_log(), new_log()]
    with ThreadPoolExecutor(8) as pool:
        sequences = list(pool.map(lambda number: logs[number % 2].write(read(rows=number)), range(200)))
    assert sorted(sequences) == list(range(1, 201))
    found = {event.sequence: pb.DecisionRecord.FromString(event.body).rows for event in every_decision(database, DecisionQuery())}
    assert found == {sequence: number for number, sequence in enumerate(sequences)}
    assert EventLog(database, "decisions", clock=now).verify().ok


def test_what_was_only_noted_is_durable_when_the_log_is_closed(database: Database) -> None:
    log = DecisionLog(database, clock=now)
    for number in range(500):
        log.note(read(kind=pb.DECISION_KIND_CHECK, rows=number))
    log.close()
    assert [record.rows for record in bodies(database)] == list(range(500))
    with pytest.raises(Unavailable):
        log.note(read())


def test_of_allowed_answers_one_in_so_many_is_logged_and_every_refusal(database: Database) -> None:
    for share, expected in ((1, 30), (10, 3), (0, 0)):
        log = DecisionLog(database, clock=now, log_checks=share)
        for _ in range(30):
            log.note(read(f"user:u{share}", kind=pb.DECISION_KIND_CHECK))
            log.note(read(f"user:u{share}", kind=pb.DECISION_KIND_CHECK, is_allowed=False, end=pb.DECISION_END_DENIED))
        log.close()
        found = bodies(database, DecisionQuery(principal=f"user:u{share}"))
        assert (sum(record.is_allowed for record in found), sum(not record.is_allowed for record in found)) == (expected, 30)


def test_records_are_found_by_who_what_and_when(database: Database, new_log: Callable[..., DecisionLog]) -> None:
    times = iter(NOON + timedelta(hours=hour) for hour in range(99))
    log = new_log(clock=lambda: next(times))
    for name in ("finance.ledger", ENTRIES, f"{ENTRIES}#amount", "finance.ledgers.x", "finance.led", "sales.orders.orders"):
        log.write(read(resource=name))
    log.write(read("user:bo", is_allowed=False, end=pb.DECISION_END_DENIED))
    many = pb.DecisionRecord(principal="user:ana", kind=pb.DECISION_KIND_CHECK_MANY)
    many.checks.questions.extend(["read finance.ledger.entries (audit)", "write sales.orders", "read finance.ledger.entries#id"])
    log.write(many)

    def found(**query: object) -> list[int]:
        return [event.sequence for event in find_decisions(database, DecisionQuery(**query))]  # type: ignore[arg-type]

    assert found(resource="finance.ledger") == [8, 7, 3, 2, 1]
    assert found(resource="finance") == [8, 7, 5, 4, 3, 2, 1]
    assert found(resource="finance", until_us=round(NOON.timestamp() * 1e6)) == []
    assert found(resource=ENTRIES) == [8, 7, 3, 2]
    assert found(resource="finance.ledge") == found(resource="Finance") == found(resource="ledger") == []
    assert found(resource="sales.orders", principal="user:ana") == [8, 6]
    assert found(principal="user:bo") == found(outcomes=(pb.DECISION_END_DENIED,)) == [7]
    second, fourth = (round((NOON + timedelta(hours=hour)).timestamp() * 1e6) for hour in (1, 3))
    assert found(since_us=second, until_us=fourth) == [3, 2]
    assert found(since_us=fourth * 2) == []


def test_recorded_reads_say_how_often_who_read_what_and_who_was_refused(
    database: Database, new_log: Callable[..., DecisionLog]
) -> None:
    clock = [NOON - timedelta(days=9)]
    log = new_log(clock=lambda: clock[0])
    log.write(read(columns=["old"]))
    clock[0] = NOON
    for columns in (["amount", "id"], ["id", "amount"], ["id"]):
        log.write(read(rows=5, columns=columns, purpose="audit"))
    log.write(read(end=pb.DECISION_END_BEGUN, columns=["id"]))
    log.write(read(kind=pb.DECISION_KIND_PLAN, columns=["id"]))
    log.write(read("user:bo", kind=pb.DECISION_KIND_PLAN, is_allowed=False, end=pb.DECISION_END_DENIED, rows=0))
    reads = RecordedReads(database, now=lambda: NOON + timedelta(hours=1)).reads_since(7)
    assert [(it.principal, it.columns, it.purpose, it.is_allowed, it.count, it.rows) for it in reads] == [
        ("user:ana", ("amount", "id"), "audit", True, 2, 10),
        ("user:ana", ("id",), "audit", True, 1, 5),
        ("user:bo", (), "", False, 1, 0),
    ]
    assert [it.principal for it in RecordedReads(database, now=lambda: NOON).reads_since(7, principal="user:bo")] == ["user:bo"]


def test_long_names_are_cut_and_keep_a_digest_that_tells_them_apart() -> None:
    one, two = cut_name("x" * 1000 + "1"), cut_name("x" * 1000 + "2")
    assert one != two
    assert max(len(name.encode()) for name in (one, two, cut_name("é" * 999))) <= 256
    assert cut_name("a\x00b") == "a\ufffdb"
    assert cut_name("x" * 256) == "x" * 256


class Broken(Exception):
    pass


def test_while_the_log_cannot_be_written_everybody_fails_and_what_was_noted_before_is_kept(
    database: Database, new_log: Callable[..., DecisionLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = new_log()
    log.write(read(rows=1))
    append, is_broken = EventLog.append_events, [True]

    def failing(self: EventLog, *arguments: object, **options: object) -> int:
        if is_broken[0]:
            raise Broken("the disk is full")
        return append(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(EventLog, "append_events", failing)
    log.note(read(kind=pb.DECISION_KIND_CHECK, rows=2))
    with pytest.raises(Unavailable, match="not logged is not served"):
        log.write(read(rows=3))
    with pytest.raises(Unavailable, match="not logged is not served"):
        log.note(read(kind=pb.DECISION_KIND_CHECK, rows=4))
    is_broken[0] = False
    log.write(read(rows=5))
    log.note(read(rows=6))
    log.close()
    assert sorted(record.rows for record in bodies(database)) == [1, 2, 5, 6]


def test_a_full_queue_makes_callers_wait_and_drops_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance_server.audit.decision_log._QUEUE_RECORDS", 5)
    log = DecisionLog(database, clock=now)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.note(read(rows=number)), range(300)))
    log.close()
    assert sorted(record.rows for record in bodies(database)) == list(range(300))


def test_a_pruned_log_still_verifies(database: Database, new_log: Callable[..., DecisionLog]) -> None:
    log = new_log()
    for number in range(5):
        log.write(read(rows=number))
    events = EventLog(database, "decisions", clock=now)
    assert events.prune(3) == 3
    log.write(read(rows=5))
    found = events.verify()
    assert (found.ok, found.checked, found.pruned, found.last) == (True, 3, 3, 6)
