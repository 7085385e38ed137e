"""Answers that were given: what each was made from, so that it can be given again. They belong to who asked.

Owns the table `answer`. It is no part of the journal: records are pruned by age, and erased when they speak of an erased subject.
"""

from __future__ import annotations

from collections.abc import Callable

from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database

__all__ = ["delete_answers", "find_answer", "forget_answers", "insert_answer"]

_PAGE = 500


def insert_answer(connection: Connection, id: str, principal: str, *, time_us: int, body: bytes) -> None:
    """The record is durable as soon as the transaction is committed."""
    connection.execute("INSERT INTO answer (id, principal, time_us, body) VALUES (?, ?, ?, ?)", (id, principal, time_us, body))


def find_answer(database: Database, id: str, principal: str) -> bytes | None:
    """The record, if the principal asked for it; None if not, or if there is none. Raises: StorageUnavailable."""
    try:
        row = database.reader().execute("SELECT body FROM answer WHERE id = ? AND principal = ?", (id, principal)).fetchone()
    except database.driver.errors as error:
        raise database.unavailable(error) from error
    return None if row is None else row[0]


def delete_answers(database: Database, before_us: int) -> int:
    """How many records are gone: those older than that."""
    with database.write() as connection:
        return connection.execute("DELETE FROM answer WHERE time_us < ?", (before_us,)).rowcount


def forget_answers(database: Database, is_about: Callable[[bytes], bool]) -> int:
    """How many records are gone: those that are about somebody. All are looked at, a page at a time."""
    gone, after = 0, ""
    while True:
        rows = (
            database.reader().execute("SELECT id, body FROM answer WHERE id > ? ORDER BY id LIMIT ?", (after, _PAGE)).fetchall()
        )
        if not rows:
            return gone
        after = rows[-1][0]
        if found := [(id,) for id, body in rows if is_about(body)]:
            with database.write() as connection:
                connection.executemany("DELETE FROM answer WHERE id = ?", found)
            gone += len(found)
