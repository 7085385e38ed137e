"""Arrow IPC messages become frames, value for value."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from domain_sdk._arrow_stream import decode_frames, frame_schema
from domain_sdk.errors import InternalError

TABLE = pa.table(
    {
        "i": pa.array([1, None, 3], pa.int64()),
        "s": pa.array(["a", None, "ü"], pa.large_string()),
        "d": pa.array([Decimal("1.50"), None, Decimal("-99999999999999.99")], pa.decimal128(18, 2)),
        "t": pa.array([datetime(2026, 1, 1, tzinfo=UTC), None, datetime(1970, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")),
        "day": pa.array([date(2026, 1, 1), None, date(1, 1, 1)], pa.date32()),
        "l": pa.array([[1.0, 2.0], None, []], pa.large_list(pa.float32())),
        "o": pa.array([{"x": 1}, None, {"x": None}], pa.struct([("x", pa.int8())])),
    }
)
ROWS = [
    (1, "a", Decimal("1.50"), datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1), [1.0, 2.0], {"x": 1}),
    (None, None, None, None, None, None, None),
    (3, "ü", Decimal("-99999999999999.99"), datetime(1970, 1, 1, tzinfo=UTC), date(1, 1, 1), [], {"x": None}),
]


def _messages(table: pa.Table) -> list[bytes]:
    return [table.schema.serialize().to_pybytes(), *(batch.serialize().to_pybytes() for batch in table.to_batches())]


@pytest.mark.parametrize("offset", range(9))
def test_every_value_arrives_also_from_unaligned_memory(offset: int) -> None:
    moved = [(b"\0" * offset + message)[offset:] for message in _messages(TABLE)]
    (frame,) = decode_frames(moved)
    assert frame.rows() == ROWS


def test_batches_stay_batches_in_order() -> None:
    table = pa.Table.from_batches([*TABLE.slice(0, 1).to_batches(), *TABLE.slice(1, 2).to_batches()])
    frames = list(decode_frames(_messages(table)))
    assert [frame.height for frame in frames] == [1, 2]
    assert pl.concat(frames).rows() == ROWS


def test_a_schema_without_batches_gives_no_frame() -> None:
    assert list(decode_frames(_messages(TABLE)[:1])) == []


def test_a_schema_message_gives_columns_and_types_in_order() -> None:
    assert frame_schema(_messages(TABLE)[0]) == pl.Schema(
        {
            "i": pl.Int64(),
            "s": pl.String(),
            "d": pl.Decimal(18, 2),
            "t": pl.Datetime("us", "UTC"),
            "day": pl.Date(),
            "l": pl.List(pl.Float32),
            "o": pl.Struct({"x": pl.Int8}),
        }
    )


def test_a_batch_before_the_schema_is_refused() -> None:
    with pytest.raises(InternalError, match="record batch"):
        list(decode_frames(_messages(TABLE)[1:]))


def test_a_dictionary_is_refused_and_not_misread() -> None:
    table = pa.table({"k": pa.array(["a", "b"]).dictionary_encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    reader = pa.ipc.MessageReader.open_stream(sink.getvalue())
    messages = [message.serialize().to_pybytes() for message in reader]
    with pytest.raises(InternalError, match="dictionary"):
        list(decode_frames(messages))
