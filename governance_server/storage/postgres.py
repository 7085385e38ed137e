"""The PostgreSQL driver, by psycopg, which is installed only where it is used.

Owns connecting to and locking a PostgreSQL database. Knows nothing of what the tables mean.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import Any, cast

from governance_server.storage.drivers import Connection, Cursor, Row
from governance_server.storage.errors import InvalidDatabaseUrl

__all__ = ["PostgresDriver"]

_LIMITS = {
    "connect_timeout": 10,  # seconds
    "tcp_user_timeout": 30_000,  # milliseconds in which what was sent must be acknowledged, as by a host that is there
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""Without them a connection to a host that has gone is noticed after a quarter of an hour, or two hours if nothing is sent."""
_MIGRATION_LOCK = 0x646F6D61696E  # "domain": an application-wide advisory lock key


class PostgresDriver:
    """A PostgreSQL database (`postgresql://user@host/name`)."""

    def __init__(self, url: str) -> None:
        try:
            psycopg: Any = importlib.import_module("psycopg")
        except ModuleNotFoundError as error:
            raise InvalidDatabaseUrl(f"{url.split('@')[-1]} needs the psycopg package: install 'psycopg[binary]'") from error
        self.url = url
        self._conninfo = _with_limits(psycopg, url)
        self._psycopg = psycopg
        self.errors: tuple[type[Exception], ...] = (psycopg.Error,)
        self.statement_errors: tuple[type[Exception], ...] = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError)

    def connect(self) -> Connection:
        """A new connection in autocommit mode, with synchronous commits whatever the server's default."""
        raw = self._psycopg.connect(self._conninfo, autocommit=True)
        raw.execute("SET synchronous_commit = on")
        return _PostgresConnection(raw)

    def is_usable(self, connection: Connection) -> bool:
        """False once the server has dropped the connection."""
        return not cast("_PostgresConnection", connection).raw.closed

    def forget(self) -> None:
        """Nothing is done: the server's own vacuum overwrites what was erased."""

    def begin_write(self, connection: Connection) -> None:
        """Begins a transaction in which every statement sees what is committed by then."""
        connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")

    def begin_relaxed_write(self, connection: Connection) -> None:
        """See Driver."""
        self.begin_write(connection)
        connection.execute("SET LOCAL synchronous_commit = off")

    def lock_head(self, connection: Connection) -> Row:
        """The head row (revision, hash, time_us), locked until the transaction ends."""
        return cast("Row", connection.execute("SELECT revision, hash, time_us FROM head WHERE id = 1 FOR UPDATE").fetchone())

    def begin_snapshot(self, connection: Connection) -> None:
        """Begins a transaction whose reads all see the state at its first."""
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")

    def read_damaged_text(self, connection: Connection) -> None:
        """Changes nothing: PostgreSQL stores no text that is not UTF-8."""

    def schema_version(self, connection: Connection) -> str | None:
        """The migration this database is at; None for an empty one."""
        if connection.execute("SELECT to_regclass('alembic_version')").fetchone()[0] is None:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])

    def upgrade(self) -> None:
        """Migrates the database to the packaged schema in one transaction, one process after the other."""
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        from governance_server.storage.schema import run_migrations

        engine = create_engine("postgresql+psycopg://", creator=lambda: self._psycopg.connect(self._conninfo), poolclass=NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            run_migrations(connection)
        engine.dispose()


def _with_limits(psycopg: Any, url: str) -> str:  # noqa: ANN401 (psycopg is optional, its types may be absent)
    """The URL with a limit on how long a server that does not answer is waited for, where it names none itself."""
    try:
        named = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        raise InvalidDatabaseUrl(f"{url.split('@')[-1]} is no PostgreSQL URL: use postgresql://user@host/name") from error
    limits = {name: value for name, value in _LIMITS.items() if name not in named}
    return str(psycopg.conninfo.make_conninfo(url, **limits))


class _PostgresConnection:
    """A psycopg connection that takes `?` for parameters."""

    def __init__(self, raw: Any) -> None:  # noqa: ANN401 (psycopg is optional, its types may be absent)
        self.raw = raw
        self._translated: dict[str, str] = {}

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Runs one statement."""
        return cast("Cursor", self.raw.execute(self._translate(sql), parameters or None))

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        """Runs one statement for each row of parameters, in pipeline mode."""
        with self.raw.cursor() as cursor:
            cursor.executemany(self._translate(sql), parameters)
        return None

    def close(self) -> None:
        """Closes the connection; the server rolls back what is open."""
        self.raw.close()

    def _translate(self, sql: str) -> str:
        translated = self._translated.get(sql)
        if translated is None:
            translated = self._translated[sql] = sql.replace("?", "%s")
        return translated
