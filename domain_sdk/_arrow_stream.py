"""Arrow IPC messages to polars frames, one at a time and without copying.

Owns the framing (one encapsulated message per response part: the schema, then record batches). Knows nothing of gRPC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl
import pyarrow as pa

from domain_sdk.errors import InternalError

__all__ = ["decode_frames", "frame_schema"]


def frame_schema(message: bytes) -> pl.Schema:
    """Column → dtype, in order, of a schema message."""
    return _frame(pa.Table.from_batches([], schema=pa.ipc.read_schema(pa.py_buffer(message)))).schema


def decode_frames(messages: Iterable[bytes]) -> Iterator[pl.DataFrame]:
    """One eager frame per record batch, in order.

    Raises:
        InternalError: a message of another kind came, or a batch before the schema.
    """
    schema: pa.Schema | None = None
    for data in messages:
        message = pa.ipc.read_message(pa.py_buffer(data))
        if message.type == "schema":
            schema = pa.ipc.read_schema(message)
        elif message.type == "record batch" and schema is not None:
            yield _frame(pa.Table.from_batches([pa.ipc.read_record_batch(message, schema)]))
        else:
            raise InternalError(f"The gateway sent an Arrow message of type {message.type!r} that was not expected here.")


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table, rechunk=False)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("a table always becomes a frame")
    return frame
