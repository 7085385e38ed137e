"""Arrow messages on the wire: what any protobuf reader understands, and what ours uses where it lies."""

from __future__ import annotations

import pyarrow as pa
import pytest

from domain_sdk._arrow_stream import arrow_or
from domainmesh.v1.read_service_pb2 import ReadHeader, ReadResponse
from domainmesh.v1.sql_service_pb2 import QueryEnd, RunQueryResponse
from governance_server.gateway.encode import arrow_response, encode


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 1 << 21, 17 << 20])
@pytest.mark.parametrize("kind", [ReadResponse, RunQueryResponse])
def test_a_response_of_bytes_is_the_message_that_generated_code_reads(kind, size: int) -> None:
    message = bytes(range(256)) * (size // 256) + bytes(size % 256)
    wire = arrow_response(pa.py_buffer(message))
    response = kind.FromString(wire)
    assert (response.WhichOneof("part"), response.arrow) == ("arrow", message)
    assert arrow_or(kind.FromString)(wire) == message


def test_other_responses_and_those_of_other_servers_are_parsed() -> None:
    assert arrow_or(ReadResponse.FromString)(ReadResponse(header=ReadHeader(revision=7)).SerializeToString()).header.revision == 7
    assert (
        arrow_or(RunQueryResponse.FromString)(RunQueryResponse(end=QueryEnd(row_count=3)).SerializeToString()).end.row_count == 3
    )
    assert arrow_or(ReadResponse.FromString)(ReadResponse(arrow=b"abc").SerializeToString()) == b"abc"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(list(range(1 << 19)), id="rows alike, 8 MiB of them"),
        pytest.param([*(["x" * 3_000_000] * 6), *(["x"] * 100_000), *(["y" * 900_000] * 9)], id="rows of all sizes"),
        pytest.param([["x" * 70_000] * number for number in range(30)], id="lists"),
    ],
)
def test_messages_are_no_larger_than_clients_of_grpc_take_by_default(values: list[object]) -> None:
    batch = pa.record_batch({"value": pa.array(values), "id": pa.array(range(len(values)))})
    messages = list(encode(iter([batch])))
    assert max(len(arrow_response(it)) for it in messages) <= 4 * 1024 * 1024  # gRPC core: GRPC_DEFAULT_MAX_RECV_MESSAGE_LENGTH
    stream = b"".join(it.to_pybytes() for it in messages) + b"\xff\xff\xff\xff\x00\x00\x00\x00"
    assert pa.ipc.open_stream(stream).read_all().equals(pa.Table.from_batches([batch]))
