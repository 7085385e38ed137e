"""Signed checkpoints as stored: numbered rows, never changed.

Owns the `checkpoint` table and what exactly a signature covers. Knows no keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from governance_server.storage.drivers import Connection, Row
from governance_server.storage.engine import Database

__all__ = ["StoredCheckpoint", "insert_checkpoint", "last_checkpoints", "last_number", "read_checkpoints", "signed_bytes"]

_LABEL = b"domainmesh.checkpoint.v1\x00"
_COLUMNS = "number, stream, sequence, hash, time_us, cause, key_id, signature"
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """That `stream` had this hash at `sequence`; `cause` is a number of the enum `CheckpointCause`."""

    number: int
    stream: str
    sequence: int
    hash: bytes
    time_us: int
    cause: int
    key_id: str = ""
    signature: bytes = b""


def signed_bytes(checkpoint: StoredCheckpoint) -> bytes:
    """What the signature covers: a label, then number, sequence, time and cause in eight bytes each, stream and hash framed."""
    numbers = (checkpoint.number, checkpoint.sequence, checkpoint.time_us, checkpoint.cause)
    fixed = b"".join(number.to_bytes(8, "big", signed=True) for number in numbers)
    framed = (checkpoint.stream.encode("utf-8", "surrogateescape"), checkpoint.hash)
    return _LABEL + fixed + b"".join(len(part).to_bytes(4, "big") + part for part in framed)


def insert_checkpoint(connection: Connection, checkpoint: StoredCheckpoint) -> None:
    """The row is written."""
    values = tuple(getattr(checkpoint, name) for name in _COLUMNS.split(", "))
    connection.execute(f"INSERT INTO checkpoint ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def last_number(connection: Connection) -> int:
    """The highest number, 0 if there is none."""
    return int(connection.execute("SELECT coalesce(max(number), 0) FROM checkpoint").fetchone()[0])


def last_checkpoints(database: Database) -> dict[str, StoredCheckpoint]:
    """The newest checkpoint of each stream."""
    sql = f"SELECT {_COLUMNS} FROM checkpoint WHERE number IN (SELECT max(number) FROM checkpoint GROUP BY stream)"
    try:
        found = [_checkpoint(row) for row in database.reader().execute(sql)]
    except database.driver.errors as error:
        raise database.unavailable(error) from error
    return {checkpoint.stream: checkpoint for checkpoint in found}


def read_checkpoints(connection: Connection, after: int = 0, limit: int = _PAGE, stream: str = "") -> list[StoredCheckpoint]:
    """The checkpoints after a number, in order; of one stream if it is given."""
    where, parameters = ("number > ? AND stream = ?", (after, stream)) if stream else ("number > ?", (after,))
    rows = connection.execute(f"SELECT {_COLUMNS} FROM checkpoint WHERE {where} ORDER BY number LIMIT ?", (*parameters, limit))
    return [_checkpoint(row) for row in rows]


def every_checkpoint(connection: Connection) -> Iterator[StoredCheckpoint]:
    """All of them in the order of their numbers, whatever these are."""
    after = -(1 << 62)
    while page := read_checkpoints(connection, after):
        yield from page
        if not isinstance(page[-1].number, int):
            return
        after = page[-1].number


def _checkpoint(row: Row) -> StoredCheckpoint:
    return StoredCheckpoint(*row)
