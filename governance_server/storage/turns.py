"""Turns of conversations on their way into a product: which answer, whose, and what its asker thinks of it.

Owns the table `turn`. It is no part of the journal: turns end with the answers they belong to, and are erased with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database

__all__ = ["KeptTurn", "acknowledge_turns", "delete_turns", "forget_turns", "insert_turn", "rate_turn", "waiting_turns"]

_PAGE = 500
_NEXT = "(SELECT COALESCE(MAX(position), 0) + 1 FROM turn)"


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A turn as it is kept. `position` grows when feedback comes; `feedback` is a message, empty without any."""

    answer_id: str
    principal: str
    conversation: str
    feedback: bytes
    position: int


def insert_turn(connection: Connection, turn: KeptTurn, *, product: str, time_us: int) -> None:
    """The turn waits to be collected, as soon as the transaction is committed. Its position is set here."""
    connection.execute(
        "INSERT INTO turn (answer_id, product, principal, conversation, feedback, position, is_waiting, time_us) "
        f"VALUES (?, ?, ?, ?, ?, {_NEXT}, 1, ?)",
        (turn.answer_id, product, turn.principal, turn.conversation, turn.feedback, time_us),
    )


def rate_turn(database: Database, answer_id: str, principal: str, said: Callable[[bytes], bytes]) -> bytes | None:
    """The feedback that the principal's turn has now, which waits again; None if there is no such turn.

    Args:
        database: Where it is kept.
        answer_id: The turn's answer.
        principal: Whose it has to be.
        said: Makes the new feedback of what was said before (empty for nothing).

    Raises:
        StorageUnavailable: Nothing is changed.
    """
    with database.write() as connection:
        found = connection.execute(
            "SELECT feedback FROM turn WHERE answer_id = ? AND principal = ?", (answer_id, principal)
        ).fetchone()
        if found is None:
            return None
        feedback = said(found[0])
        connection.execute(
            f"UPDATE turn SET feedback = ?, is_waiting = 1, position = {_NEXT} WHERE answer_id = ?", (feedback, answer_id)
        )
        return feedback


def waiting_turns(database: Database, product: str) -> Iterator[KeptTurn]:
    """The product's turns that wait, oldest state first, each once: what is said of one meanwhile waits for the next time.

    Raises:
        StorageUnavailable: not all of them could be read.
    """
    after, newest = -1, -1
    while True:
        try:
            reader = database.reader()
            if newest < 0:
                newest = reader.execute("SELECT COALESCE(MAX(position), 0) FROM turn").fetchone()[0]
            rows = reader.execute(
                "SELECT answer_id, principal, conversation, feedback, position FROM turn "
                "WHERE product = ? AND is_waiting = 1 AND position > ? AND position <= ? ORDER BY position LIMIT ?",
                (product, after, newest, _PAGE),
            ).fetchall()
        except database.driver.errors as error:
            raise database.unavailable(error) from error
        if not rows:
            return
        for row in rows:
            after = row[4]
            yield KeptTurn(*row)


def acknowledge_turns(database: Database, product: str, states: Sequence[tuple[str, int]]) -> int:
    """How many of the product's turns still wait, now that these (answer, position) do not. Raises: StorageUnavailable."""
    with database.write() as connection:
        connection.executemany(
            "UPDATE turn SET is_waiting = 0 WHERE product = ? AND answer_id = ? AND position = ?",
            [(product, answer_id, position) for answer_id, position in states],
        )
        row = connection.execute("SELECT COUNT(*) FROM turn WHERE product = ? AND is_waiting = 1", (product,)).fetchone()
        return int(row[0]) if row else 0


def delete_turns(database: Database, before_us: int) -> int:
    """How many turns are gone: those older than that."""
    with database.write() as connection:
        return connection.execute("DELETE FROM turn WHERE time_us < ?", (before_us,)).rowcount


def forget_turns(database: Database, is_about: Callable[[bytes], bool]) -> int:
    """How many turns are gone: those without a kept answer, and those whose feedback is about somebody. All are looked at."""
    gone, after = 0, ""
    while True:
        rows = (
            database.reader()
            .execute(
                "SELECT turn.answer_id, turn.feedback, answer.id FROM turn LEFT JOIN answer ON answer.id = turn.answer_id "
                "WHERE turn.answer_id > ? ORDER BY turn.answer_id LIMIT ?",
                (after, _PAGE),
            )
            .fetchall()
        )
        if not rows:
            return gone
        after = rows[-1][0]
        if found := [(id,) for id, feedback, answer in rows if answer is None or is_about(feedback)]:
            with database.write() as connection:
                connection.executemany("DELETE FROM turn WHERE answer_id = ?", found)
            gone += len(found)
