"""What the gateway and a process that runs a query for it tell each other, over a socket between the two.

A job goes out whole and pickled: both ends are this program. What comes back are frames (a kind, a number of rows, bytes), among
them Arrow messages exactly as they are sent on to the caller. Knows nothing of processes and of the engine.
"""

from __future__ import annotations

import json
import pickle
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from governance_server.gateway.scan_errors import HiddenColumn, PlanOutdated, ScanError, ScanFailed
from governance_server.gateway.sql_errors import EngineError, EngineFailed, EngineOutOfMemory, EngineTimeout, QueryRefused
from governance_server.rules.read_plans import ReadPlan
from governance_server.warehouse.folder import Folder

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "FilesRead",
    "Frame",
    "KeysRead",
    "Kind",
    "QueryJob",
    "Read",
    "TableRead",
    "WholeRead",
    "failure_frame",
    "receive",
    "receive_job",
    "send",
    "send_job",
    "to_failure",
]

_HEAD = struct.Struct("<cQQ")
_SIZE = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class TableRead:
    """A port of a query: what its reader may see, the columns that are needed, and where the pinned version lies."""

    plan: ReadPlan
    columns: tuple[str, ...]
    folder: Folder
    delta_version: int


@dataclass(frozen=True, slots=True)
class FilesRead:
    """Parquet files of a query of the mesh's own, which may use every row: each in its folder, in order, as one schema."""

    files: tuple[tuple[Folder, str], ...]
    schema: pa.Schema


@dataclass(frozen=True, slots=True)
class WholeRead:
    """Every row of a table's pinned version, for a query of the mesh's own."""

    port: str
    folder: Folder
    delta_version: int


@dataclass(frozen=True, slots=True)
class KeysRead:
    """The keys of rows, as `key_rows` has them, for a query of the mesh's own.

    Attributes:
        rows: Where the rows are.
        paths: What the key is made of.
        types: What each of these is cast to.
        beside: Columns that come along with each row's number; None: neither does.
    """

    rows: FilesRead | WholeRead
    paths: tuple[tuple[str, ...], ...]
    types: tuple[pl.DataType, ...]
    beside: tuple[str, ...] | None = None


Read: TypeAlias = TableRead | FilesRead | KeysRead


@dataclass(frozen=True, slots=True)
class QueryJob:
    """A query to run, or only to plan; its tables by the names the query has for them."""

    sql: str
    tables: Mapping[str, Read]
    salt: bytes
    """For masks that are local to the query."""
    timeout_seconds: float
    limit: int = 0
    """At most so many rows; 0: all."""
    is_plan: bool = False


class Kind(Enum):
    """What a frame holds."""

    ARROW = b"A"
    """An Arrow message as a response on the wire, and how many rows came with it."""
    PLAN = b"P"
    """The engine's plan, as text; the last frame of a plan."""
    END = b"E"
    """Nothing, or anything if the limit left rows out, and how many rows there were; the last frame of an answer."""
    FAILED = b"F"
    """Why it failed; the last frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a query's process."""

    kind: Kind
    rows: int
    payload: bytes


def send(link: socket.socket, kind: Kind, payload: bytes = b"", *, rows: int = 0) -> None:
    """The frame is on its way; waits while the other end does not read. Raises: OSError."""
    link.sendall(_HEAD.pack(kind.value, rows, len(payload)))
    link.sendall(payload)


def receive(link: socket.socket) -> Frame | None:
    """The next frame; None if the other end is gone."""
    head = _exactly(link, _HEAD.size)
    if head is None:
        return None
    kind, rows, size = _HEAD.unpack(head)
    payload = _exactly(link, size) if size else b""
    return None if payload is None else Frame(Kind(kind), rows, payload)


def send_job(link: socket.socket, job: QueryJob) -> None:
    """The job is on its way. Raises: OSError."""
    data = pickle.dumps(job)
    link.sendall(_SIZE.pack(len(data)) + data)


def receive_job(link: socket.socket) -> QueryJob | None:
    """The next job; None if the other end is gone."""
    head = _exactly(link, _SIZE.size)
    data = _exactly(link, _SIZE.unpack(head)[0]) if head is not None else None
    if data is None:
        return None
    job = pickle.loads(data)
    assert isinstance(job, QueryJob)
    return job


def failure_frame(error: ScanError | EngineError) -> bytes:
    """The payload of a FAILED frame."""
    words = [error.port, error.detail] if isinstance(error, ScanError) else [str(error)]
    return json.dumps([type(error).__name__, *words]).encode()


def to_failure(payload: bytes) -> ScanError | EngineError:
    """The error that a FAILED frame tells of."""
    name, *words = json.loads(payload)
    return _FAILURES[name](*words)


_FAILURES = {
    kind.__name__: kind
    for kind in (HiddenColumn, PlanOutdated, ScanFailed, EngineFailed, EngineOutOfMemory, EngineTimeout, QueryRefused)
}


def _exactly(link: socket.socket, size: int) -> bytes | None:
    try:
        data = link.recv(size, socket.MSG_WAITALL)
        while 0 < len(data) < size:
            more = link.recv(size - len(data), socket.MSG_WAITALL)
            if not more:
                return None
            data += more
    except ConnectionError:
        return None
    return data or None
