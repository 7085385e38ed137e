"""A process that runs governed queries for the gateway, one after the other: `python -m governance_server.gateway.sql_worker`.

Whatever a query does to it (a crash of the engine, a function that cannot be interrupted, memory beyond all bounds), it does to
this process alone. It ends when the gateway does. Started only by `sql_workers`.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pyarrow as pa

from governance_server.gateway.encode import arrow_response, encode
from governance_server.gateway.scan_errors import ScanError
from governance_server.gateway.sql_engine import SqlEngine, Table
from governance_server.gateway.sql_errors import EngineError, EngineFailed
from governance_server.gateway.sql_jobs import FilesRead, KeysRead, Kind, QueryJob, Read, failure_frame, receive_job, send
from governance_server.gateway.sql_tables import files_table, governed_table, keys_table

__all__ = ["main"]

_LOG = logging.getLogger(__name__)
_NICENESS = 5
_OWN_BYTES = 1 << 30
"""What libraries, tables on their way to the engine and results on theirs out of it may take, beside the engine's memory."""


def main(arguments: list[str]) -> int:
    """Serves jobs until the gateway is gone. Arguments: descriptor of the socket, folder to spill to, bytes of memory."""
    descriptor, folder, memory_bytes = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_gateway, name="gateway", daemon=True).start()
    _take_second_place(int(memory_bytes))
    engine = SqlEngine(Path(folder), int(memory_bytes))
    with socket.socket(fileno=int(descriptor)) as link, suppress(BrokenPipeError, ConnectionResetError):
        while (job := receive_job(link)) is not None:
            _serve(link, engine, job)
    return 0


def _serve(link: socket.socket, engine: SqlEngine, job: QueryJob) -> None:
    try:
        tables = _tables(job)
        if job.is_plan:
            schema, text = engine.describe(job.sql, tables)
            send(link, Kind.ARROW, arrow_response(schema.serialize()))
            send(link, Kind.PLAN, text.encode())
        else:
            _answer(link, engine, job, tables)
    except (ScanError, EngineError) as error:
        send(link, Kind.FAILED, failure_frame(error))
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  # the process's edge: nothing above it would see the error
        _LOG.exception("query failed")
        send(link, Kind.FAILED, failure_frame(EngineFailed(type(error).__name__)))


def _tables(job: QueryJob) -> dict[str, Table]:
    return {name: _table(read, job.salt) for name, read in job.tables.items()}


def _table(read: Read, salt: bytes) -> Table:
    if isinstance(read, FilesRead):
        return files_table(read.files, read.schema)
    if isinstance(read, KeysRead):
        return keys_table(read)
    return governed_table(read.plan, read.columns, table=(read.folder, read.delta_version), salt=salt)


class _Cut:
    """At most so many rows of an answer (0: all); counts them."""

    def __init__(self, limit: int) -> None:
        self.rows = 0
        self.is_cut = False
        self._limit = limit

    def of(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            left = self._limit - self.rows if self._limit else batch.num_rows
            kept = batch if batch.num_rows <= left else batch.slice(0, left)
            self.rows += kept.num_rows
            if kept.num_rows or not batch.num_rows:
                yield kept
            if kept.num_rows < batch.num_rows:
                self.is_cut = True
                return


def _answer(link: socket.socket, engine: SqlEngine, job: QueryJob, tables: dict[str, Table]) -> None:
    cut, told = _Cut(job.limit), 0
    with closing(engine.run(job.sql, tables, timeout_seconds=job.timeout_seconds)) as batches:
        for message in encode(cut.of(batches)):
            send(link, Kind.ARROW, arrow_response(message), rows=cut.rows - told)
            told = cut.rows
    send(link, Kind.END, b"cut" if cut.is_cut else b"", rows=cut.rows)


def _end_with_gateway() -> None:
    """Standard input is a pipe from the gateway: it ends when that process does, however it does."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(0)


def _take_second_place(memory_bytes: int) -> None:
    """Memory is bounded by the system, too; where processor or memory is short, other work goes first; no core is dumped."""
    limit = 2 * memory_bytes + _OWN_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # nothing of the interpreter's own end, which waits for every thread, is needed
