from __future__ import annotations

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance_server.journal.errors import JournalDamaged
from governance_server.journal.rebuild import rebuild
from governance_server.journal.verification import Checkpoint, Verification, verify
from governance_server.storage.engine import Database, open_database
from tests.integration.journal_databases import running_journal, sqlite_url, writing

CHANGES = 5
JOURNAL_COLUMNS = {
    "change": ("revision", "time_us", "principal", "request_id", "kind", "subject", "previous_hash", "hash", "body_digest"),
    "payload": ("revision", "body"),
    "head": ("revision", "hash", "time_us"),
}
FLIPS = st.sampled_from([(table, column) for table, columns in JOURNAL_COLUMNS.items() for column in columns])


def write_changes(database: Database) -> None:
    with running_journal(database) as journal:
        for number in range(CHANGES):
            writes = (("grant", f"finance.g{number % 2}", bytes([number]) * 9), ("term", "finance.t", None))
            journal.submit(writing(*writes, request_id=f"request-{number}", digest=b"d"))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = open_database(sqlite_url(tmp_path))
    write_changes(database)
    return database


@pytest.fixture(scope="module")
def written_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    database = open_database(sqlite_url(tmp_path_factory.mktemp("written")))
    write_changes(database)
    path = Path(database.driver.url.removeprefix("sqlite:///"))
    database.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    connection.close()
    return path.read_bytes()


def tamper(database: Database, *statements: str) -> Verification:
    """What verification finds after someone with the file in hand ran these statements."""
    connection = database.driver.connect()
    for statement in statements:
        connection.execute(statement)
    connection.close()
    return verify(database)


def flip(connection: sqlite3.Connection, place: tuple[str, str], draw: st.DataObject) -> None:
    """Flips one bit of one value in place, keeping its SQL type."""
    table, column = place
    rowid = 1 if table == "head" else draw.draw(st.integers(1, CHANGES), label="row")
    kind, value = connection.execute(
        f"SELECT typeof({column}), CAST({column} AS BLOB) FROM {table} WHERE rowid = {rowid}"
    ).fetchone()
    data = bytearray(int(value).to_bytes(8, "big", signed=True) if kind == "integer" else value)
    bit = draw.draw(st.integers(0, len(data) * 8 - 1), label="bit")
    data[bit // 8] ^= 1 << bit % 8
    changed = int.from_bytes(data, "big", signed=True) if kind == "integer" else bytes(data)
    connection.execute(f"UPDATE OR REPLACE {table} SET {column} = CAST(? AS {kind}) WHERE rowid = {rowid}", (changed,))
    connection.commit()


def test_what_was_written_verifies(database: Database) -> None:
    assert verify(database) == Verification(CHANGES, ())
    assert verify(database, 4) == Verification(2, ())


@settings(max_examples=150, deadline=None)
@given(place=FLIPS, data=st.data())
def test_a_flipped_bit_in_any_column_of_the_journal_is_found(
    written_bytes: bytes, place: tuple[str, str], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mesh.db"
        path.write_bytes(written_bytes)
        connection = sqlite3.connect(path)
        flip(connection, place, data)
        connection.close()
        database = open_database(f"sqlite:///{path}")
        assert not verify(database).ok
        database.close()


def test_a_value_of_another_type_with_the_same_bytes_is_found(database: Database) -> None:
    found = tamper(database, "UPDATE change SET principal = CAST(principal AS BLOB) WHERE revision = 2")
    assert [(problem.revision, problem.text) for problem in found.problems] == [(2, "a column holds a value of another type")]


@pytest.mark.parametrize(
    "statements",
    [
        ("DELETE FROM change WHERE revision = 3",),
        ("DELETE FROM change WHERE revision = 3", "DELETE FROM payload WHERE revision = 3"),
        ("DELETE FROM payload WHERE revision = 3",),
        ("UPDATE payload SET body = NULL WHERE revision = 3",),
        ("DELETE FROM change WHERE revision > 3", "DELETE FROM payload WHERE revision > 3"),
        ("INSERT INTO payload (revision, body) VALUES (99, x'00')",),
        ("DELETE FROM head",),
        ("DELETE FROM change", "DELETE FROM payload"),
        (
            "UPDATE change SET revision = -1 WHERE revision = 2",
            "UPDATE change SET revision = 2 WHERE revision = 3",
            "UPDATE change SET revision = 3 WHERE revision = -1",
        ),
        (
            "UPDATE payload SET revision = -1 WHERE revision = 2",
            "UPDATE payload SET revision = 2 WHERE revision = 3",
            "UPDATE payload SET revision = 3 WHERE revision = -1",
        ),
        ("DROP TABLE payload",),
    ],
)
def test_a_missing_moved_or_added_row_is_found(database: Database, statements: tuple[str, ...]) -> None:
    assert not tamper(database, *statements).ok


def test_a_dropped_end_with_a_rewound_head_is_found_by_a_checkpoint_kept_elsewhere(database: Database) -> None:
    head = database.head()
    checkpoint = Checkpoint(head.revision, head.hash)
    assert verify(database, checkpoint=checkpoint).ok
    rewound = tamper(
        database,
        "DELETE FROM change WHERE revision > 3",
        "DELETE FROM payload WHERE revision > 3",
        "UPDATE head SET (revision, hash, time_us) = (SELECT revision, hash, time_us FROM change WHERE revision = 3)",
    )
    assert rewound.ok
    found = verify(database, checkpoint=checkpoint)
    assert [problem.revision for problem in found.problems] == [5]


def test_writing_goes_on_after_a_checkpoint_without_breaking_it(database: Database) -> None:
    head = database.head()
    more = writing(("grant", "finance.x", b"1"))
    with running_journal(database) as journal:
        journal.submit(more)
        assert journal.verify(checkpoint=Checkpoint(head.revision, head.hash)).ok
        assert not journal.verify(checkpoint=Checkpoint(head.revision, bytes(32))).ok
        assert journal.verify(checkpoint=Checkpoint(0, bytes(32))).ok


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE resource SET body = x'ff' WHERE name = 'finance.g0' AND to_revision IS NULL",
        "UPDATE resource SET domain = 'sales' WHERE name = 'finance.g0'",
        "UPDATE resource SET to_revision = 4 WHERE name = 'finance.g0' AND from_revision = 1",
        "DELETE FROM resource WHERE to_revision IS NULL",
        "INSERT INTO resource VALUES ('grant', 'finance.mine', 1, NULL, 'finance', x'00')",
        "UPDATE kind_head SET revision = 2",
        "DELETE FROM change_kind WHERE revision = 5",
    ],
)
def test_a_table_that_is_not_the_fold_of_the_journal_is_found_and_repaired(database: Database, statement: str) -> None:
    before = database.reader().execute("SELECT * FROM resource ORDER BY 1, 2, 3").fetchall()
    assert tamper(database, statement).ok
    with running_journal(database) as journal:
        assert not journal.verify(deep=True).ok
        assert rebuild(database, swap=True).swapped
        assert journal.verify(deep=True).ok
    assert database.reader().execute("SELECT * FROM resource ORDER BY 1, 2, 3").fetchall() == before


def test_nothing_is_rebuilt_from_a_damaged_journal(database: Database) -> None:
    assert not tamper(database, "UPDATE change SET principal = 'user:eve' WHERE revision = 2").ok
    with pytest.raises(JournalDamaged, match="revision 2"):
        rebuild(database, swap=True)
