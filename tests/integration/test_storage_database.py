from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from governance_server.storage import postgres
from governance_server.storage.engine import Database, Head, open_database
from governance_server.storage.errors import InvalidDatabaseUrl, SchemaTooNew, StorageUnavailable
from governance_server.storage.schema import PACKAGED_HEAD, SQLITE_SCRIPT, alembic_config, sqlite_script
from governance_server.storage.sqlite import SqliteDriver
from tests.integration.journal_databases import CHILD_ENVIRONMENT, PYTHON, postgres_url, running_journal, sqlite_url, writing

STARTER = """
import sys
from governance_server.storage.engine import open_database
sys.stdin.readline()
print(open_database(sys.argv[1]).head().revision, flush=True)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with ExitStack() as stack:
        yield f"sqlite:///{tmp_path}/mesh.db" if request.param == "sqlite" else stack.enter_context(postgres_url())


def test_an_empty_database_is_migrated_at_start_and_has_an_empty_journal(empty_url: str) -> None:
    database = open_database(empty_url)
    assert (database.head(), database.head_of(["grant"]), database.head_of([])) == (Head(0, bytes(32)), 0, 0)
    assert database.driver.schema_version(database.reader()) == PACKAGED_HEAD
    database.close()


def test_processes_that_start_at_once_on_an_empty_database_migrate_it_once(empty_url: str) -> None:
    command = [PYTHON, "-c", STARTER, empty_url]
    children = [
        subprocess.Popen(command, env=CHILD_ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    outputs = [child.communicate(timeout=50)[0] for child in children]
    assert outputs == ["0\n"] * 3


def test_a_sqlite_file_is_made_and_opened_without_importing_alembic(tmp_path: Path) -> None:
    script = (
        "import sys; from governance_server.storage.engine import open_database; open_database(sys.argv[1]); "
        "from governance_server.journal.journal import Journal; "
        "print(sorted({'alembic', 'sqlmodel', 'sqlalchemy', 'psycopg'} & set(sys.modules)))"
    )
    for url in (sqlite_url(tmp_path), f"sqlite:///{tmp_path}/new.db"):
        command = [PYTHON, "-c", script, url]
        assert subprocess.run(command, env=CHILD_ENVIRONMENT, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_migrations_give_exactly_the_declared_tables(empty_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine
    from sqlmodel import SQLModel

    from governance_server.storage import tables

    assert len(tables.__all__) == len(SQLModel.metadata.tables)
    open_database(empty_url).close()
    engine = create_engine(empty_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [PACKAGED_HEAD]


def test_a_new_sqlite_file_is_what_the_migrations_make_of_an_empty_one(tmp_path: Path) -> None:
    created = open_database(f"sqlite:///{tmp_path}/created.db")
    migrated = SqliteDriver(f"sqlite:///{tmp_path}/migrated.db")
    migrated.migrate()
    tables = ("head", "alembic_version", "kind_head")
    states = []
    for connection in (created.driver.connect(), migrated.connect()):
        schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchall()
        texts = [[" ".join(str(value).split()) for value in row] for row in schema]
        states.append((texts, [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]))
        connection.close()
    assert states[0] == states[1]
    assert SQLITE_SCRIPT.read_text("utf-8") == sqlite_script(), "write it anew from storage.schema.sqlite_script()"
    created.close()


def test_migrating_a_migrated_file_changes_nothing(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path))
    with running_journal(database) as journal:
        journal.submit(writing(("grant", "finance.a", b"1")))
    database.driver.upgrade()
    assert database.head().revision == 1
    database.close()


def test_a_database_of_a_newer_release_is_not_touched(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    database = open_database(url)
    connection = database.driver.connect()
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    database.close()
    with pytest.raises(SchemaTooNew, match="9999"):
        open_database(url)


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:////no/such/folder/mesh.db", "mysql://x/y", "mesh.db"]
)
def test_a_url_of_no_usable_database_is_refused_with_the_forms_that_are(url: str) -> None:
    with pytest.raises(InvalidDatabaseUrl):
        open_database(url)


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "mesh.db").write_bytes(b"this is a text file, not a database" * 50)
    with pytest.raises(StorageUnavailable, match="not a database"):
        open_database(f"sqlite:///{tmp_path}/mesh.db")


def test_a_postgresql_that_takes_connections_and_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(postgres._LIMITS, "connect_timeout", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(StorageUnavailable, match="timeout"):
        open_database(f"postgresql://mesh@127.0.0.1:{silent.getsockname()[1]}/mesh")


def test_a_postgresql_that_has_gone_is_noticed_unless_its_url_says_otherwise() -> None:
    with postgres_url() as url:
        for given, idle in ((url, "30"), (f"{url}{'&' if '?' in url else '?'}keepalives_idle=77", "77")):
            database = open_database(given)
            connection = database.driver.connect()
            told = connection.raw.info.get_parameters()  # type: ignore[attr-defined]
            assert (told["tcp_user_timeout"], told["keepalives_idle"]) == ("30000", idle)
            connection.close()
            database.close()


def test_a_malformed_postgresql_url_is_refused() -> None:
    with pytest.raises(InvalidDatabaseUrl, match="no PostgreSQL URL"):
        open_database("postgresql://mesh@127.0.0.1:port/mesh?nonsense=1")


def test_sqlite_commits_are_synchronous_and_logged_ahead(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/mesh.db")
    read = [database.reader().execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert read == ["wal", 2, 1]
    database.close()


def test_every_thread_reads_what_another_committed_just_before(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path))
    with running_journal(database) as journal, ThreadPoolExecutor(4) as pool:
        for number in range(1, 30):
            assert journal.submit(writing(("grant", "finance.a", b"1"))).revision == number
            assert {pool.submit(lambda: database.head().revision).result() for _ in range(4)} == {number}
    database.close()


def test_a_thread_that_ends_closes_its_connection(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path))
    for _ in range(20):
        thread = threading.Thread(target=database.head)
        thread.start()
        thread.join()
    assert len(database._held) <= 1
    database.close()


def test_a_closed_database_says_so(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path))
    database.head()
    database.close()
    with pytest.raises(StorageUnavailable, match="closed"):
        database.head()


def test_a_failed_write_transaction_leaves_nothing_and_the_next_one_works(empty_url: str) -> None:
    database = open_database(empty_url)

    def put(name: str) -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO lease (name, holder, expires_at_us) VALUES (?, 'h', 1)", (name,))
            if name == "bad":
                raise ValueError(name)

    with pytest.raises(ValueError, match="bad"):
        put("bad")
    put("good")
    assert [tuple(row) for row in database.reader().execute("SELECT name FROM lease").fetchall()] == [("good",)]
    database.close()


def test_a_snapshot_sees_one_state_while_others_commit(empty_url: str) -> None:
    database = open_database(empty_url)
    count = "SELECT count(*) FROM change"
    with running_journal(database) as journal:
        journal.submit(writing(("grant", "finance.a", b"1")))
        with database.snapshot() as connection:
            before = connection.execute(count).fetchone()[0]
            journal.submit(writing(("grant", "finance.a", b"2")))
            assert (before, connection.execute(count).fetchone()[0], database.head().revision) == (1, 1, 2)
    database.close()


def test_a_postgresql_connection_that_was_cut_is_replaced() -> None:
    with postgres_url() as url:
        database: Database = open_database(url)
        with running_journal(database) as journal:
            assert journal.wait_for(journal.submit(writing(("grant", "finance.a", b"1"))).revision, 5) == 1
            other = database.driver.connect()
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            other.close()
            with pytest.raises(StorageUnavailable):
                journal.submit(writing(("grant", "finance.a", b"2")))
            assert journal.submit(writing(("grant", "finance.a", b"2"))).revision == 2
            with pytest.raises(StorageUnavailable):
                database.head()
            assert database.head().revision == 2
        database.close()


def test_a_decision_log_of_an_older_release_is_found_by_the_new_index(empty_url: str) -> None:
    from alembic import command
    from sqlalchemy import create_engine

    from domainmesh.v1 import decision_log_pb2 as pb

    many = pb.DecisionRecord(principal="user:ana", kind=pb.DECISION_KIND_CHECK_MANY, end=pb.DECISION_END_DENIED)
    many.checks.questions.extend(["read sales.orders.lines#id (audit)", "write sales.orders"])
    one = pb.DecisionRecord(principal="user:bo", kind=pb.DECISION_KIND_READ, resource="sales.orders.lines")
    engine = create_engine(empty_url.replace("postgresql://", "postgresql+psycopg://"))
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for sequence, record in ((1, many), (2, one)):
            connection.exec_driver_sql(f"INSERT INTO decision VALUES ({sequence}, 'sales.orders', 5, 'user:ana', 7, 3)")
            body = record.SerializeToString().hex()
            literal = f"x'{body}'" if empty_url.startswith("sqlite") else f"'\\x{body}'"
            connection.exec_driver_sql(
                f"INSERT INTO event VALUES ('decisions', {sequence}, {5 * sequence}, {literal}, {literal})"
            )
        connection.commit()
    engine.dispose()
    database = open_database(empty_url)
    rows = database.reader().execute("SELECT sequence, resource, time_us, principal FROM decision ORDER BY sequence").fetchall()
    assert [tuple(row) for row in rows] == [(1, "", 5, "user:ana"), (2, "sales.orders.lines", 10, "user:bo")]
    topics = database.reader().execute("SELECT sequence, topics FROM decision_topics").fetchall()
    assert [tuple(row) for row in topics] == [(1, " sales.orders. sales.orders.lines.")]
    database.close()


def test_lineage_of_an_older_release_is_kept_when_its_tables_are_made_anew(empty_url: str) -> None:
    from alembic import command
    from sqlalchemy import create_engine

    rows: dict[str, tuple[object, ...]] = {
        "lineage_io": ("run 1", "input", "s3://b/ä", ""),
        "lineage_output": ("run 1", "s3://b/t", "airflow", "load", "ab", 2, 1, 9_007_199_254_740_993),
        "lineage_run_past": ("run 1", 4, "START", 5, 6, "", "v1", '[["input", "s3://b/ä", ""]]'),
    }
    engine = create_engine(empty_url.replace("postgresql://", "postgresql+psycopg://"))
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0010")
        for table, row in rows.items():
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({', '.join(map(repr, row))})")
        connection.commit()
    engine.dispose()
    database = open_database(empty_url)
    for table, row in rows.items():
        assert [tuple(it) for it in database.reader().execute(f"SELECT * FROM {table}").fetchall()] == [row]
    left = (
        database.reader().execute("SELECT tbl_name FROM sqlite_master WHERE name LIKE '%_old'")
        if database.url.startswith("sqlite")
        else None
    )
    assert left is None or left.fetchall() == []
    database.close()


def test_a_look_at_the_head_serves_who_waited_before_it_and_nobody_who_comes_later(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path))
    before = time.monotonic()
    assert database.revision_since(before) == 0
    with database.write() as connection:
        connection.execute("UPDATE head SET revision = 7 WHERE id = 1")
    assert database.revision_since(before) == 0
    assert database.revision_since(time.monotonic()) == 7
    assert database.revision_since(before) == 7
    database.close()
