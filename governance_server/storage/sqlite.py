"""The SQLite driver: a file in WAL mode, fully synchronous.

Owns connecting to and locking a SQLite file. Knows nothing of what the tables mean.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import cast

from governance_server.storage.drivers import Connection, Row
from governance_server.storage.errors import InvalidDatabaseUrl
from governance_server.storage.schema import SQLITE_SCRIPT, run_migrations

__all__ = ["SqliteDriver"]

_PREFIX = "sqlite:///"
_RETRY_SECONDS = 0.02
_CHECKPOINT_PAGES = 4000
"""16 MiB of log between two checkpoints: each copies what changed into the file and waits for the disk, while writers wait."""


class SqliteDriver:
    """A database in one file. `busy_timeout_seconds` is how long a writer waits for another process's transaction."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    statement_errors: tuple[type[Exception], ...] = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.ProgrammingError)

    def __init__(self, url: str, *, busy_timeout_seconds: float = 30.0) -> None:
        path = url.removeprefix(_PREFIX)
        if not url.startswith(_PREFIX) or path in ("", ":memory:"):
            raise InvalidDatabaseUrl(f"{url!r} names no SQLite file: use sqlite:////absolute/path/mesh.db")
        if not Path(path).absolute().parent.is_dir():
            raise InvalidDatabaseUrl(f"the folder of {path} does not exist: create it, or set another database URL")
        self.url = url
        self._path = path
        self._busy_timeout_seconds = busy_timeout_seconds

    def connect(self) -> Connection:
        """A new connection in autocommit mode: WAL, synchronous=FULL, foreign keys on, usable from any one thread at a time."""
        connection = sqlite3.connect(
            self._path, timeout=self._busy_timeout_seconds, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        connection.execute("PRAGMA secure_delete=ON")  # an erased payload must not stay readable in the file
        return connection

    def is_usable(self, connection: Connection) -> bool:
        """Always true: a file drops nobody."""
        return True

    def forget(self) -> None:
        """The write-ahead log is empty, unless somebody reads from it just now."""
        connection = self.connect()
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()

    def begin_write(self, connection: Connection) -> None:
        """Begins a transaction that holds the file's only write lock."""
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")

    def begin_relaxed_write(self, connection: Connection) -> None:
        """See Driver."""
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("BEGIN IMMEDIATE")

    def lock_head(self, connection: Connection) -> Row:
        """The head row (revision, hash, time_us); `begin_write` has locked it already."""
        return cast("Row", connection.execute("SELECT revision, hash, time_us FROM head WHERE id = 1").fetchone())

    def begin_snapshot(self, connection: Connection) -> None:
        """Begins a read transaction; the first read fixes what it sees."""
        connection.execute("BEGIN")

    def read_damaged_text(self, connection: Connection) -> None:
        """Returns text that is not UTF-8 with its bytes escaped; SQLite checks no encoding."""
        cast("sqlite3.Connection", connection).text_factory = lambda data: data.decode("utf-8", "surrogateescape")

    def schema_version(self, connection: Connection) -> str | None:
        """The migration this file is at; None for an empty one."""
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])

    def upgrade(self) -> None:
        """The file has the packaged schema; all of it is written under its write lock, or none."""
        self._enter_wal()
        connection = self.connect()
        try:
            is_done = self._create(connection)
        finally:
            connection.close()
        if not is_done:
            self.migrate()

    def _create(self, connection: Connection) -> bool:
        """True if the file was empty and has the packaged schema now."""
        connection.execute("BEGIN IMMEDIATE")
        if self.schema_version(connection) is not None:
            connection.execute("ROLLBACK")
            return False
        for statement in SQLITE_SCRIPT.read_text("utf-8").split("\n\n"):
            connection.execute(statement)
        connection.execute("COMMIT")
        return True

    def migrate(self) -> None:
        """Alembic has applied every missing migration."""
        from sqlalchemy import create_engine, event
        from sqlalchemy.engine import Connection as EngineConnection
        from sqlalchemy.pool import NullPool

        engine = create_engine("sqlite://", creator=self.connect, poolclass=NullPool)

        @event.listens_for(engine, "begin")
        def _begin(connection: EngineConnection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        with engine.connect() as connection:
            run_migrations(connection)
        engine.dispose()

    def _enter_wal(self) -> None:
        """Switches the file to WAL, once; SQLite does not wait for the lock this needs, so this does."""
        connection = self.connect()
        deadline = time.monotonic() + self._busy_timeout_seconds
        try:
            while True:
                try:
                    connection.execute("PRAGMA journal_mode=WAL")
                except sqlite3.OperationalError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(_RETRY_SECONDS)
                else:
                    return
        finally:
            connection.close()
