"""Write transactions: this process's turn to write, and what becomes of a block that fails.

Knows a connection and its driver, and no table.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from governance_server.storage.drivers import Connection, Driver

__all__ = ["WriteTurn", "transaction"]


class WriteTurn:
    """One thread of this process writes at a time; others queue here, not in SQLite's sleeping retry."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """It is this thread's turn while the block runs.

        Raises:
            RuntimeError: It already was: a command of the journal must not write by another way.
        """
        if self._thread == threading.get_ident():
            raise RuntimeError("this thread is already inside a write transaction: return what to write from the command instead")
        with self._lock:
            self._thread = threading.get_ident()
            try:
                yield
            finally:
                self._thread = None


@contextmanager
def transaction(driver: Driver, connection: Connection, *, is_durable: bool) -> Iterator[None]:
    """A write transaction on `connection`, committed when the block ends and rolled back when it raises."""
    if is_durable:
        driver.begin_write(connection)
    else:
        driver.begin_relaxed_write(connection)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(driver, connection)
        raise


def _roll_back(driver: Driver, connection: Connection) -> None:
    """Rolls back what may have been rolled back already: a full disk ends SQLite's transaction by itself."""
    try:
        connection.execute("ROLLBACK")
    except driver.errors:
        if driver.is_usable(connection) and getattr(connection, "in_transaction", False):
            raise
