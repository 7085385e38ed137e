"""The seam to a SQL database: what a driver offers and what a connection can do.

Owns the two Protocols that SQLite and PostgreSQL implement. SQL is written once, portably, with `?` for parameters; only what the
two truly do differently (connecting, locking, snapshots) is in the drivers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

__all__ = ["Connection", "Cursor", "Driver", "Row"]

Row = tuple[Any, ...]


class Cursor(Protocol):
    """The rows of one executed statement."""

    @property
    def rowcount(self) -> int:
        """How many rows the statement wrote."""

    def fetchone(self) -> Any:  # noqa: ANN401 (DB-API: a tuple or None)
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """All remaining rows."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A raw connection in autocommit mode; transactions are begun and ended explicitly."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Runs one statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        """Runs one statement for each row of parameters."""

    def close(self) -> None:
        """Closes the connection and gives up an open transaction."""


class Driver(Protocol):
    """One kind of database."""

    url: str
    errors: tuple[type[Exception], ...]
    """Every error the driver raises."""
    statement_errors: tuple[type[Exception], ...]
    """Those that blame one statement's values and leave the transaction usable after a rollback to a savepoint."""

    def connect(self) -> Connection:
        """A new connection, configured for durable writes."""

    def is_usable(self, connection: Connection) -> bool:
        """False once the database has dropped the connection."""

    def forget(self) -> None:
        """What was overwritten or deleted is no longer in the database's own logs, as far as the driver can see to that."""

    def begin_write(self, connection: Connection) -> None:
        """Begins a transaction that may write; on SQLite it already holds the only write lock."""

    def begin_relaxed_write(self, connection: Connection) -> None:
        """As `begin_write`, but all see it once it is committed while a failure of the machine may undo it until a later write.

        A process that dies undoes nothing.
        """

    def lock_head(self, connection: Connection) -> Row:
        """(revision, hash, time_us) of the head row, locked against every other writer until the transaction ends."""

    def begin_snapshot(self, connection: Connection) -> None:
        """Begins a transaction in which every read sees one state."""

    def read_damaged_text(self, connection: Connection) -> None:
        """Makes `connection` return text that is not valid UTF-8 with its bytes escaped, instead of raising."""

    def schema_version(self, connection: Connection) -> str | None:
        """The migration this database is at; None for an empty one."""

    def upgrade(self) -> None:
        """Migrates the database to the packaged schema; two processes at once are safe."""
