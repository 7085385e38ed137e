"""Whatever is changed in what an audit rests on is found, and said where."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domainmesh.v1 import decision_log_pb2 as pb
from governance_server.audit.checkpoints import CheckpointMaker, CheckpointRhythm, checkpoint_line, read_checkpoint_lines
from governance_server.audit.decision_log import DecisionLog
from governance_server.audit.proof import prove
from governance_server.audit.tasks import audit_tasks
from governance_server.audit.verification import AuditProof
from governance_server.config import load_settings
from governance_server.keyring import CHECKPOINTS, Keyring
from governance_server.storage.checkpoints import StoredCheckpoint, every_checkpoint
from governance_server.storage.decisions import DecisionQuery, find_decisions
from governance_server.storage.engine import Database, open_database
from governance_server.storage.events import EventLog
from tests.integration.journal_databases import now, postgres_url, running_journal, sqlite_url, writing

UNCOVERED = {("request", "request_digest"), ("request", "reply")}
"""Replies are kept for repetitions of a request; no hash covers them."""
TABLES = (
    "change", "payload", "head", "resource", "change_kind", "kind_head", "request", "event", "stream_head", "decision",
    "decision_topics", "checkpoint",
)  # fmt: skip
COPIED = "INSERT INTO event (stream, sequence, received_at_us, hash, body) "
UNSIGNED_END = "UPDATE stream_head SET (sequence, hash) = (SELECT sequence, hash FROM event WHERE stream = 'decisions' "
REWIND = {
    "decisions": (
        "DELETE FROM event WHERE stream = 'decisions' AND sequence > 3",
        "DELETE FROM decision WHERE sequence > 3",
        "DELETE FROM decision_topics WHERE sequence > 3",
        f"{UNSIGNED_END}AND sequence = 3) WHERE stream = 'decisions'",
    ),
    "openlineage": (
        "DELETE FROM event WHERE stream = 'openlineage' AND sequence > 2",
        "UPDATE stream_head SET (sequence, hash) = (SELECT sequence, hash FROM event WHERE stream = 'openlineage' "
        "AND sequence = 2) WHERE stream = 'openlineage'",
    ),
    "journal": (
        "DELETE FROM change WHERE revision > 3",
        "DELETE FROM payload WHERE revision > 3",
        "DELETE FROM request WHERE revision > 3",
        "UPDATE head SET (revision, hash, time_us) = (SELECT revision, hash, time_us FROM change WHERE revision = 3)",
    ),
}
"""Each log cut at its end, its head made to fit."""


def record(number: int) -> pb.DecisionRecord:
    made = pb.DecisionRecord(
        call_id=f"c{number}", kind=pb.DECISION_KIND_READ, end=pb.DECISION_END_COMPLETE, principal="user:ana",
        resource="finance.ledger.entries", is_allowed=True, columns=["amount"], rows=number,
    )  # fmt: skip
    if number == 2:
        made.kind = pb.DECISION_KIND_CHECK_MANY
        made.checks.questions.extend(["read finance.ledger.entries", "read sales.orders.orders"])
    return made


def write(database: Database, keys: Keyring, folder: Path, *, mark: str = "") -> None:
    """Three changes, decisions and lineage events, and a checkpoint of each log."""
    with running_journal(database) as journal:
        for number in range(3):
            writes = (("grant", f"finance.g{number % 2}{mark}", b"body%d" % number), ("term", "finance.t", b"t"))
            journal.submit(writing(*writes, request_id=f"r{number}{mark}", digest=b"d"))
    log = DecisionLog(database, clock=now)
    for number in range(3):
        log.write(record(number))
    log.close()
    EventLog(database, "openlineage", clock=now).append_events([b"one", b"two" + mark.encode()])
    maker(database, keys, folder).make()


def maker(database: Database, keys: Keyring, folder: Path) -> CheckpointMaker:
    return CheckpointMaker(database, keys, path=folder / "checkpoints.jsonl", clock=now)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring.open(tmp_path_factory.mktemp("keys") / "keys.json", now=now())


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, keys: Keyring) -> Path:
    """A database file with everything in it, and the checkpoints it had appended."""
    folder = tmp_path_factory.mktemp("original")
    database = open_database(sqlite_url(folder))
    for mark in ("", "x"):
        write(database, keys, folder, mark=mark)
    database.close()
    with sqlite3.connect(folder / "mesh.db") as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    connection.close()
    return folder / "mesh.db"


@pytest.fixture
def kept(original: Path) -> list[StoredCheckpoint]:
    return read_checkpoint_lines((original.parent / "checkpoints.jsonl").read_text())


@contextmanager
def changed(original: Path, folder: Path, *statements: str, parameters: tuple[object, ...] = ()) -> Iterator[Database]:
    """A copy in which somebody with the file in hand ran the statements."""
    path = folder / "copy.db"
    shutil.copy(original, path)
    with sqlite3.connect(path, isolation_level=None) as connection:
        for statement in statements:
            connection.execute(statement, parameters)
    connection.close()
    database = open_database(f"sqlite:///{path}")
    yield database
    database.close()
    for file in folder.glob("copy.db*"):
        file.unlink()


def texts(proof: AuditProof) -> str:
    return "\n".join(f"{it.stream} {it.sequence}: {it.text}" for it in proof.problems)


def test_what_was_written_verifies(original: Path, tmp_path: Path, keys: Keyring, kept: list[StoredCheckpoint]) -> None:
    with changed(original, tmp_path) as database:
        proof = prove(database, keys, kept=kept)
    assert proof.ok, texts(proof)
    assert [(log.stream, log.checked) for log in proof.logs] == [("journal", 6), ("decisions", 6), ("openlineage", 4)]
    assert proof.checkpoints == len(kept) == 6


def fields(original: Path) -> list[tuple[str, str, int]]:
    with sqlite3.connect(original) as connection:
        found = []
        for table in TABLES:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            rows = [row[0] for row in connection.execute(f"SELECT rowid FROM {table}")]
            found += [(table, column, row) for column in columns for row in rows if (table, column) not in UNCOVERED]
    connection.close()
    return found


def flip(value: object, place: int) -> object | None:
    """The value with its lowest bit flipped in this byte, of the same type; None if it has no such byte."""
    if isinstance(value, int):
        data = bytearray(value.to_bytes(8, "big", signed=True))
    else:
        data = bytearray(value.encode() if isinstance(value, str) else bytes(value))  # type: ignore[arg-type]
    if not -len(data) <= place < len(data):
        return None
    data[place] ^= 1
    if isinstance(value, int):
        return int.from_bytes(data, "big", signed=True)
    return data.decode() if isinstance(value, str) else bytes(data)


def assert_found(original: Path, folder: Path, keys: Keyring, places: Callable[[int], list[int]]) -> int:
    flips = 0
    for table, column, row in fields(original):
        with sqlite3.connect(original) as connection:
            value = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()[0]
        connection.close()
        if value is None:
            continue
        length = 8 if isinstance(value, int) else len(value)
        for place in places(length):
            other = flip(value, place)
            if other is None:
                continue
            statement = f"UPDATE OR REPLACE {table} SET {column} = ? WHERE rowid = {row}"
            with changed(original, folder, statement, parameters=(other,)) as database:
                assert not prove(database, keys).ok, f"{table}.{column} of row {row}, byte {place} of {value!r}"
            flips += 1
    return flips


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_flipped_bit_in_any_field_of_any_row_is_found(original: Path, tmp_path: Path, keys: Keyring) -> None:
    assert assert_found(original, tmp_path, keys, lambda length: [length // 2]) > 300


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_flipped_bit_in_any_byte_of_any_row_is_found(original: Path, tmp_path: Path, keys: Keyring) -> None:
    assert assert_found(original, tmp_path, keys, lambda length: list(range(length))) > 4000


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (("DELETE FROM event WHERE stream = 'decisions' AND sequence = 2",), "decisions 2: event 2 of decisions is missing"),
        (("DELETE FROM event WHERE stream = 'openlineage' AND sequence = 4",), "openlineage 3: .* the end was dropped"),
        (
            (
                "UPDATE event SET sequence = -1 WHERE stream = 'decisions' AND sequence = 2",
                "UPDATE event SET sequence = 2 WHERE stream = 'decisions' AND sequence = 3",
                "UPDATE event SET sequence = 3 WHERE stream = 'decisions' AND sequence = -1",
            ),
            "decisions 2: event 2 of decisions is not what was received",
        ),
        (
            (COPIED + "SELECT stream, sequence + 6, received_at_us, hash, body FROM event WHERE stream = 'decisions'",),
            "decisions 7: event 7 of decisions is not what was received",
        ),
        (
            (COPIED + "SELECT 'other', sequence, received_at_us, hash, body FROM event WHERE stream = 'decisions'",),
            "other",
        ),
        (("DELETE FROM decision WHERE sequence = 3",), "decisions 3: the index of decisions differs"),
        (("DELETE FROM decision_topics",), "decisions 3: the index of decisions differs"),
        (("INSERT INTO decision_topics VALUES (99, ' a.b.')",), "decisions 99: .* without a record"),
        (("INSERT INTO decision VALUES (99, '', 0, 'user:eve', 1, 2)",), "decisions 99: .* without a record"),
        (("DELETE FROM checkpoint WHERE number = 2",), "checkpoints 2: the stored checkpoint 2 is missing"),
        (("DELETE FROM change WHERE revision = 3",), "journal 3"),
        (("DROP TABLE event",), "cannot be read"),
        (("DELETE FROM head",), "journal 6: the head row"),
        (
            (
                "DELETE FROM event WHERE stream = 'decisions' AND sequence <= 2",
                "DELETE FROM decision WHERE sequence <= 2",
                "UPDATE stream_head SET pruned_sequence = 2, pruned_hash = x'00' WHERE stream = 'decisions'",
            ),
            "decisions 2: what is older is gone, and no signed checkpoint says",
        ),
    ],
)
def test_what_is_missing_moved_added_or_doubled_is_found(
    original: Path, tmp_path: Path, keys: Keyring, statements: tuple[str, ...], problem: str
) -> None:
    with changed(original, tmp_path, *statements) as database:
        proof = prove(database, keys)
    assert not proof.ok
    assert re.search(problem, texts(proof)), texts(proof)


@pytest.mark.parametrize("stream", sorted(REWIND))
def test_a_dropped_end_whose_head_was_made_to_fit_is_found_by_stored_and_by_kept_checkpoints(
    original: Path, tmp_path: Path, keys: Keyring, kept: list[StoredCheckpoint], stream: str
) -> None:
    with changed(original, tmp_path, *REWIND[stream]) as database:
        proof = prove(database, keys, includes_tables=False)
        assert "dropped" in texts(proof)
        assert {it.stream for it in proof.problems} == {stream}
    with changed(original, tmp_path, *REWIND[stream], "DELETE FROM checkpoint WHERE number > 3") as database:
        assert prove(database, keys, includes_tables=False).ok
        proof = prove(database, keys, kept=kept, includes_tables=False)
        assert {it.stream for it in proof.problems} == {stream}
        assert "dropped" in texts(proof)
        assert not prove(database, keys, file=original.parent / "checkpoints.jsonl", includes_tables=False).ok


def test_a_fork_is_found_by_two_checkpoints_that_disagree(original: Path, tmp_path: Path, keys: Keyring) -> None:
    histories = []
    for mark in ("left", "right"):
        folder = tmp_path / mark
        folder.mkdir()
        path = shutil.copy(original, folder / "mesh.db")
        database = open_database(f"sqlite:///{path}")
        write(database, keys, folder, mark=mark)
        histories.append((database, read_checkpoint_lines((folder / "checkpoints.jsonl").read_text())))
    (left, own), (right, other) = histories
    assert prove(left, keys, kept=own).ok
    assert prove(right, keys, kept=other).ok
    found = texts(prove(left, keys, kept=other))
    assert "two histories" in found
    assert "journal 9: checkpoints 7 and 7 disagree: history was forked" in found
    assert "journal 9: checkpoint 7 has another hash: history was rewritten" in found
    left.close()
    right.close()


def test_what_was_signed_again_with_another_key_is_found(
    original: Path, tmp_path: Path, keys: Keyring, kept: list[StoredCheckpoint]
) -> None:
    forger = Keyring.open(tmp_path / "forged.json", now=now())
    with changed(original, tmp_path, "DELETE FROM checkpoint") as database:
        maker(database, forger, tmp_path).make()
        assert prove(database, forger).ok
        assert "is not known: it was signed by another server" in texts(prove(database, keys))
        assert "is not known" in texts(prove(database, forger, kept=kept))
        trusted = {it.key_id: keys.public_key(CHECKPOINTS, it.key_id) for it in kept}
        assert "is not known" in texts(prove(database, forger, trusted=trusted))
        renamed = replace(next(iter(every_checkpoint(database.reader()))), key_id=kept[0].key_id)
        assert "its signature by" in texts(prove(database, None, trusted=trusted, kept=[renamed]))


def test_keys_that_were_rotated_still_verify_what_they_signed(original: Path, tmp_path: Path) -> None:
    keys = Keyring.open(tmp_path / "keys.json", now=now())
    database = open_database(sqlite_url(tmp_path))
    write(database, keys, tmp_path)
    keys.rotate(CHECKPOINTS, now=now())
    write(database, keys, tmp_path, mark="x")
    proof = prove(database, keys, file=tmp_path / "checkpoints.jsonl")
    assert proof.ok, texts(proof)
    assert len({it.key_id for it in every_checkpoint(database.reader())}) == 2
    database.close()


def test_a_checkpoint_survives_its_line(kept: list[StoredCheckpoint]) -> None:
    assert read_checkpoint_lines("\n".join(map(checkpoint_line, kept))) == kept
    with pytest.raises(ValueError, match="line 2"):
        read_checkpoint_lines(f"{checkpoint_line(kept[0])}\n{{}}\n")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_on_every_database_a_pruned_log_verifies_and_tampering_does_not(tmp_path: Path, kind: str) -> None:
    keys = Keyring.open(tmp_path / "keys.json", now=now())
    with ExitStack() as stack:
        url = sqlite_url(tmp_path) if kind == "sqlite" else stack.enter_context(postgres_url())
        database = open_database(url)
        stack.callback(database.close)
        start = datetime(2026, 1, 1, tzinfo=UTC)
        for day in range(5):
            log = DecisionLog(database, clock=lambda day=day: start + timedelta(days=day))  # type: ignore[misc]
            log.write(record(day))
            log.close()
        checkpoints = maker(database, keys, tmp_path)
        checkpoints.make()
        assert checkpoints.prune_decisions(start + timedelta(days=2)) == 2
        assert checkpoints.prune_decisions(start + timedelta(days=2)) == 0
        write(database, keys, tmp_path)
        proof = prove(database, keys, file=tmp_path / "checkpoints.jsonl")
        assert proof.ok, texts(proof)
        assert [(it.checked, it.pruned_sequence) for it in proof.logs if it.stream == "decisions"] == [(6, 2)]
        with database.write() as connection:
            connection.execute("UPDATE event SET received_at_us = received_at_us + 1 WHERE stream = 'decisions' AND sequence = 5")
            connection.execute("UPDATE request SET principal = 'user:eve' WHERE revision = 1")
        found = texts(prove(database, keys))
        assert "decisions 5: event 5 of decisions is not what was received" in found
        assert "journal 1" in found


def test_a_log_gets_a_checkpoint_once_it_has_grown_by_so_many_entries_or_its_last_is_old(tmp_path: Path) -> None:
    keys = Keyring.open(tmp_path / "keys.json", now=now())
    database = open_database(sqlite_url(tmp_path))
    clock = [datetime(2026, 1, 1, tzinfo=UTC)]
    checkpoints = CheckpointMaker(database, keys, path=tmp_path / "checkpoints.jsonl", clock=lambda: clock[0])
    events = EventLog(database, "openlineage", clock=lambda: clock[0])
    rhythm = CheckpointRhythm(entries=3, seconds=60)

    def made() -> list[int]:
        return [it.sequence for it in checkpoints.make(rhythm=rhythm)]

    assert made() == []
    events.append_events([b"1"])
    assert (made(), made()) == ([1], [])
    events.append_events([b"2", b"3"])
    assert made() == []
    events.append_events([b"4"])
    assert made() == [4]
    clock[0] += timedelta(seconds=61)
    assert made() == []
    events.append_events([b"5"])
    assert made() == [5]
    database.close()


def test_the_periodic_work_prunes_what_is_older_than_the_setting_says(tmp_path: Path) -> None:
    keys = Keyring.open(tmp_path / "keys.json", now=now())
    database = open_database(sqlite_url(tmp_path))
    for age in (9, 1):
        log = DecisionLog(database, clock=lambda age=age: now() - timedelta(days=age))  # type: ignore[misc]
        log.write(record(age))
        log.close()
    for days, left in (("0", 2), ("30", 2), ("7", 1)):
        settings = load_settings({"MESH_HOME": str(tmp_path), "MESH_DECISION_LOG_DAYS": days})
        for task in audit_tasks(maker(database, keys, tmp_path), settings, now):
            task.run()
        assert len(find_decisions(database, DecisionQuery())) == left
    assert prove(database, keys, file=tmp_path / "checkpoints.jsonl").ok
    database.close()


def test_twenty_thousand_records_are_verified(tmp_path: Path) -> None:
    keys = Keyring.open(tmp_path / "keys.json", now=now())
    database = open_database(sqlite_url(tmp_path))
    log = DecisionLog(database, clock=now)
    for number in range(20_000):
        log.note(record(number))
    log.close()
    maker(database, keys, tmp_path).make()
    proof = prove(database, keys)
    assert proof.ok, texts(proof)
    database.close()
