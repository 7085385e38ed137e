"""Arrow IPC messages to polars frames, one at a time and without copying.

Owns the framing: one encapsulated message per response part (the schema, then record batches), in the field `arrow` of a
response, which has number 2 in every response that has one. Knows nothing of gRPC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import polars as pl
import pyarrow as pa

from domain_sdk.errors import InternalError

__all__ = ["arrow_or", "decode_frames", "frame_schema"]

Response = TypeVar("Response")

_BEFORE_ARROW = b"\x12\0\x12"
"""Field 2, empty; and field 2 again, whose size of five bytes follows."""
_PREFIX_BYTES = 8


def arrow_or(parse: Callable[[bytes], Response]) -> Callable[[bytes], Response | memoryview]:
    """What makes of a response's bytes its Arrow message, if it has one, else what `parse` makes of them.

    The message is not copied if it is laid out to be used where it lies, as our gateway does: a message class would do so twice.
    """

    def parsed(data: bytes) -> Response | memoryview:
        if data.startswith(_BEFORE_ARROW):
            return memoryview(data)[_PREFIX_BYTES:]
        response: Any = parse(data)
        return memoryview(response.arrow) if response.WhichOneof("part") == "arrow" else response

    return parsed


def frame_schema(message: bytes | memoryview) -> pl.Schema:
    """Column → dtype, in order, of a schema message."""
    return _frame(pa.Table.from_batches([], schema=pa.ipc.read_schema(pa.py_buffer(message)))).schema


def decode_frames(messages: Iterable[bytes | memoryview]) -> Iterator[pl.DataFrame]:
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
