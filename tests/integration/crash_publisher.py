"""A publisher in a process of its own that can be told where to die: `python -m tests.integration.crash_publisher`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
import pyarrow as pa

from domain_sdk import Mesh
from domain_sdk._calling_thread import streaming
from domain_sdk.publish import Publishing
from tests.integration.crash_shop import publish, rows

__all__ = ["STEPS"]


def die(*arguments: object, **more: object) -> NoReturn:
    """The process is dead, as by a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)
    raise AssertionError("unreachable")


def broken_stream(port: str, after_batches: int, end: Callable[[], object]) -> pa.RecordBatchReader:
    """The port's rows as a stream that ends badly after some batches."""
    table = rows(port, "two").to_arrow(compat_level=pl.CompatLevel.oldest())

    def batches() -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(table.to_batches(max_chunksize=500)):
            if number == after_batches:
                end()
            yield batch

    return pa.RecordBatchReader.from_batches(table.schema, batches())


def half_a_file(frame: pl.DataFrame, path: Path, **options: Any) -> None:  # as write_parquet
    """Half of the bytes are in the file, then the process is dead."""
    whole = BytesIO()
    _WRITE(frame, whole, **options)
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    die()


_WRITE = pl.DataFrame.write_parquet


def commit_and_die(delay_seconds: float) -> Callable[..., NoReturn]:
    """Sends the commit and dies before its answer can arrive, or about then."""
    whole_commit = Publishing._commit

    def commit(publishing: Publishing, *arguments: Any) -> NoReturn:  # passed on
        call = publishing._transport.call

        def sent(method: Any, request: Any, **options: Any) -> NoReturn:  # as Transport.call
            _begun = streaming(method)(request, timeout=30, metadata=publishing._transport._metadata())
            time.sleep(delay_seconds)
            die()

        publishing._transport.call = sent  # type: ignore[assignment,method-assign]
        whole_commit(publishing, *arguments)
        raise AssertionError(f"not dead after {call}")

    return commit


def interrupted_forever() -> None:
    """Says that rows are being read, and waits for Ctrl-C."""
    print("reading", flush=True)
    time.sleep(60)


STEPS: dict[str, Callable[[], dict[str, Any]]] = {
    "begun": lambda: {"items": broken_stream("items", 0, die)},
    "some rows read": lambda: {"items": broken_stream("items", 3, die)},
    "half a file written": lambda: setattr(pl.DataFrame, "write_parquet", half_a_file) or {},  # type: ignore[func-returns-value]
    "one port written": lambda: {"prices": broken_stream("prices", 2, die)},
    "everything written": lambda: setattr(Publishing, "_commit", die) or {},  # type: ignore[func-returns-value]
    "commit sent": lambda: setattr(Publishing, "_commit", commit_and_die(0.0)) or {},  # type: ignore[func-returns-value]
    "commit under way": lambda: setattr(Publishing, "_commit", commit_and_die(0.03)) or {},  # type: ignore[func-returns-value]
    "interrupted": lambda: {"prices": broken_stream("prices", 2, interrupted_forever)},
}


def main(url: str, token: str, folder: str, attempt: str, step: str) -> None:
    """The attempt is published, or the process ends at the step."""
    with Mesh.connect(url, token) as mesh:
        print(publish(mesh, Path(folder), attempt, **(STEPS[step]() if step else {})).version)


if __name__ == "__main__":
    main(*sys.argv[1:])
