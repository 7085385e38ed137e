"""Checkpoints: the signed word that a log had this content, made as the logs grow and appended to a file that can be shipped.

Owns when one is made, its line in the file, and its signature. What they prove is in `verification`.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from domainmesh.v1.checkpoint_pb2 import (
    CHECKPOINT_CAUSE_PRUNED,
    CHECKPOINT_CAUSE_REGULAR,
    CheckpointCause,
)
from governance_server.keyring import CHECKPOINTS, Keyring
from governance_server.storage.checkpoints import (
    StoredCheckpoint,
    insert_checkpoint,
    last_checkpoints,
    last_number,
    signed_bytes,
)
from governance_server.storage.decisions import STREAM, delete_index, first_since
from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database
from governance_server.storage.events import EventLog
from governance_server.storage.times import from_microseconds, to_microseconds

__all__ = ["JOURNAL", "CheckpointMaker", "CheckpointRhythm", "checkpoint_line", "read_checkpoint_lines"]

JOURNAL = "journal"
_HEADS = (
    "SELECT ?, revision, hash FROM head WHERE revision > 0 "
    "UNION ALL SELECT stream, sequence, hash FROM stream_head WHERE sequence > 0"
)


@dataclass(frozen=True, slots=True)
class CheckpointRhythm:
    """A log gets one when it has grown by so many entries, or has grown at all since a last one of this age."""

    entries: int = 1
    seconds: float = 0


_ALWAYS = CheckpointRhythm()


class CheckpointMaker:
    """Makes checkpoints of every log of one database. Any thread of any process may use it.

    Args:
        database: Where the logs lie.
        keys: Signs.
        path: The file that they are appended to.
        clock: The current time, UTC-aware.
    """

    def __init__(self, database: Database, keys: Keyring, *, path: Path, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._keys = keys
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()

    def make(
        self,
        cause: CheckpointCause.ValueType = CHECKPOINT_CAUSE_REGULAR,
        rhythm: CheckpointRhythm = _ALWAYS,
    ) -> list[StoredCheckpoint]:
        """The checkpoints just made, of every log that is due by the rhythm; they are durable, in the file, too.

        Raises: StorageUnavailable, UnusableKeys, OSError if the file cannot be written.
        """
        with self._lock:
            now_us = to_microseconds(self._clock())
            due = self._due(rhythm, now_us)
            if not due:
                return []
            made = []
            with self._database.write() as connection:
                for stream, (sequence, digest) in due.items():
                    made.append(self._insert(connection, StoredCheckpoint(0, stream, sequence, digest, now_us, cause)))
            self._append(made)
        return made

    def prune_decisions(self, before: datetime) -> int:
        """The decisions of before that time are gone, their number is returned; a signed checkpoint says where the log begins.

        Raises: StorageUnavailable, UnusableKeys, OSError if the file of checkpoints cannot be written.
        """
        first_kept = first_since(self._database, to_microseconds(before))
        events = EventLog(self._database, STREAM, clock=self._clock)
        through = events.head() if first_kept is None else first_kept - 1
        made: list[StoredCheckpoint] = []

        def sign(connection: Connection, digest: bytes) -> None:
            now_us = to_microseconds(self._clock())
            delete_index(connection, through)
            made.append(self._insert(connection, StoredCheckpoint(0, STREAM, through, digest, now_us, CHECKPOINT_CAUSE_PRUNED)))

        with self._lock:
            pruned = events.prune(through, along=sign)
            self._append(made)
        return pruned

    def _due(self, rhythm: CheckpointRhythm, now_us: int) -> dict[str, tuple[int, bytes]]:
        last = last_checkpoints(self._database)
        due = {}
        try:
            heads = self._database.reader().execute(_HEADS, (JOURNAL,)).fetchall()
        except self._database.driver.errors as error:
            raise self._database.unavailable(error) from error
        for stream, sequence, digest in heads:
            known = last.get(stream)
            grown = sequence - (known.sequence if known else 0)
            is_old = known is None or now_us - known.time_us >= rhythm.seconds * 1e6
            if grown > 0 and (grown >= rhythm.entries or is_old):
                due[stream] = (sequence, digest)
        return due

    def _insert(self, connection: Connection, unsigned: StoredCheckpoint) -> StoredCheckpoint:
        numbered = replace(unsigned, number=last_number(connection) + 1)
        key_id, signature = self._keys.sign(CHECKPOINTS, signed_bytes(numbered))
        signed = replace(numbered, key_id=key_id, signature=signature)
        insert_checkpoint(connection, signed)
        return signed

    def _append(self, made: list[StoredCheckpoint]) -> None:
        if not made:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, "".join(f"{checkpoint_line(it)}\n" for it in made).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def checkpoint_line(checkpoint: StoredCheckpoint) -> str:
    """The checkpoint as one line of JSON."""
    return json.dumps(
        {
            "number": checkpoint.number,
            "stream": checkpoint.stream,
            "sequence": checkpoint.sequence,
            "hash": checkpoint.hash.hex(),
            "time": from_microseconds(checkpoint.time_us).isoformat(),
            "cause": CheckpointCause.Name(checkpoint.cause).removeprefix("CHECKPOINT_CAUSE_").lower(),  # type: ignore[arg-type]
            "key_id": checkpoint.key_id,
            "signature": checkpoint.signature.hex(),
        }
    )


def read_checkpoint_lines(text: str) -> list[StoredCheckpoint]:
    """The checkpoints of such a file. Raises: ValueError, which names the line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(_from_line(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"line {number} is no checkpoint ({error}): is it a file that the server wrote?") from error
    return found


def _from_line(fields: Mapping[str, str]) -> StoredCheckpoint:
    return StoredCheckpoint(
        number=int(fields["number"]),
        stream=str(fields["stream"]),
        sequence=int(fields["sequence"]),
        hash=bytes.fromhex(fields["hash"]),
        time_us=to_microseconds(datetime.fromisoformat(fields["time"])),
        cause=CheckpointCause.Value(f"CHECKPOINT_CAUSE_{fields['cause'].upper()}"),
        key_id=str(fields["key_id"]),
        signature=bytes.fromhex(fields["signature"]),
    )
