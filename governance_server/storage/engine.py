"""The database: opening it, its connections, and the look-up of its head.

Owns one read connection per thread, write transactions and snapshots. Knows the head tables and no other.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from time import monotonic

from governance_server.storage.drivers import Connection, Driver
from governance_server.storage.errors import InvalidDatabaseUrl, StorageUnavailable
from governance_server.storage.schema import ensure_schema
from governance_server.storage.write_transactions import WriteTurn, transaction

__all__ = ["Database", "Head", "open_database"]

_HEAD = "SELECT revision, hash FROM head WHERE id = 1"
_REVISION = "SELECT revision FROM head WHERE id = 1"


@dataclass(frozen=True, slots=True)
class Head:
    """The journal's last revision and its hash; 0 and 32 zero bytes while it is empty."""

    revision: int
    hash: bytes


def open_database(url: str) -> Database:
    """The database at `url`, migrated to the packaged schema.

    Args:
        url: `sqlite:////absolute/path/mesh.db` or `postgresql://user@host/name`.

    Raises:
        InvalidDatabaseUrl: The URL is of another form, or its driver is not installed.
        SchemaTooNew: A newer release has migrated the database.
        StorageUnavailable: It cannot be reached.
    """
    driver = _driver(url)
    try:
        ensure_schema(driver)
    except driver.errors as error:
        raise StorageUnavailable(f"the database {_shown(url)} cannot be opened: {error}") from error
    return Database(driver)


def _driver(url: str) -> Driver:
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        from governance_server.storage.sqlite import SqliteDriver

        return SqliteDriver(url)
    if scheme in ("postgresql", "postgres"):
        from governance_server.storage.postgres import PostgresDriver

        return PostgresDriver(url)
    raise InvalidDatabaseUrl(
        f"no database is known for {scheme!r}: use sqlite:////absolute/path/mesh.db or postgresql://user@host/name"
    )


def _shown(url: str) -> str:
    return url.rpartition("@")[2]


class _Held:
    """A connection that is closed with the thread that uses it."""

    __slots__ = ("__weakref__", "connection")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


class Database:
    """Connections to one migrated database, for any number of threads.

    Reads run on a connection of the calling thread, outside any transaction, so that each sees everything committed by then.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.url = _shown(driver.url)
        self._local = threading.local()
        self._held: weakref.WeakSet[_Held] = weakref.WeakSet()
        self._held_lock = threading.Lock()
        self._turn = WriteTurn()
        self._is_closed = False
        self._look = (-inf, 0)
        """When a look at the head that others may share began, and what was found."""

    def reader(self) -> Connection:
        """This thread's read connection. Begin no transaction on it: a later head look-up would see a past."""
        held: _Held | None = getattr(self._local, "held", None)
        if held is None or self._is_closed or not self.driver.is_usable(held.connection):
            return self._hold()
        return held.connection

    def head(self) -> Head:
        """The last committed revision and its hash, whichever process wrote it; microseconds on SQLite."""
        try:
            revision, digest = self.reader().execute(_HEAD).fetchone()
        except self.driver.errors as error:
            raise self.unavailable(error) from error
        return Head(revision, digest)

    def revision(self) -> int:
        """The last committed revision, whichever process wrote it: the quickest look there is."""
        try:
            newest: int = self.reader().execute(_REVISION).fetchone()[0]
        except self.driver.errors as error:
            raise self.unavailable(error) from error
        return newest

    def revision_since(self, moment: float) -> int:
        """The last committed revision at some time after this moment of `time.monotonic`.

        One look serves all who wait since before it: it lets go of the interpreter several times, which is what costs.
        """
        began, newest = self._look
        if began <= moment:
            began = monotonic()
            newest = self.revision()
            self._look = began, newest
        return newest

    def head_of(self, kinds: Iterable[str]) -> int:
        """The last committed revision that wrote a resource of any of `kinds`; 0 if none has."""
        wanted = tuple(kinds)
        if not wanted:
            return 0
        marks = ",".join("?" * len(wanted))
        try:
            row = self.reader().execute(f"SELECT max(revision) FROM kind_head WHERE kind IN ({marks})", wanted).fetchone()
        except self.driver.errors as error:
            raise self.unavailable(error) from error
        return row[0] or 0

    def heads(self, kinds: Collection[str]) -> tuple[int, int]:
        """The last committed revision, and the last that wrote any of `kinds` (one at least), seen at one moment."""
        marks = ",".join("?" * len(kinds))
        newest_of = f"SELECT max(revision) FROM kind_head WHERE kind IN ({marks})"
        try:
            row = self.reader().execute(f"SELECT revision, ({newest_of}) FROM head WHERE id = 1", tuple(kinds)).fetchone()
        except self.driver.errors as error:
            raise self.unavailable(error) from error
        return row[0], row[1] or 0

    def unavailable(self, error: Exception) -> StorageUnavailable:
        """The driver's error as ours."""
        return StorageUnavailable(f"the database {self.url} failed: {error}; nothing was written, try again once it works")

    def connect(self) -> Connection:
        """A connection of its own, to be closed by the caller."""
        try:
            return self.driver.connect()
        except self.driver.errors as error:
            raise self.unavailable(error) from error

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection of its own, inside a transaction whose reads all see one state."""
        connection = self.connect()
        try:
            self.driver.begin_snapshot(connection)
            yield connection
            connection.execute("ROLLBACK")
        finally:
            connection.close()

    @contextmanager
    def write(self, connection: Connection | None = None, *, is_durable: bool = True) -> Iterator[Connection]:
        """A write transaction, committed when the block ends and rolled back when it raises.

        Args:
            connection: The connection to use; a new one if absent.
            is_durable: False if a failure of the machine, but of no process, may undo it until a later one is durable.

        Raises:
            RuntimeError: The thread is already inside one: a command of the journal must not write by another way.
            StorageUnavailable: The database failed; nothing was written.
        """
        with self._turn.taken():
            try:
                used = connection or self.driver.connect()
                try:
                    with transaction(self.driver, used, is_durable=is_durable):
                        yield used
                finally:
                    if connection is None:
                        used.close()
            except self.driver.errors as error:
                raise self.unavailable(error) from error

    def close(self) -> None:
        """Every connection is closed; no thread may use the database any more."""
        self._is_closed = True
        with self._held_lock:
            for held in list(self._held):
                held.connection.close()

    def _hold(self) -> Connection:
        if self._is_closed:
            raise StorageUnavailable(f"the database {self.url} is closed: the server is shutting down, try another one")
        held = _Held(self.connect())
        self._local.held = held
        with self._held_lock:
            self._held.add(held)
        return held.connection
