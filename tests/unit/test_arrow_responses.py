"""Arrow messages on the wire: what any protobuf reader understands, and what ours uses where it lies."""

from __future__ import annotations

import pyarrow as pa
import pytest

from domain_sdk._arrow_stream import arrow_or
from domainmesh.v1.read_service_pb2 import ReadHeader, ReadResponse
from domainmesh.v1.sql_service_pb2 import QueryEnd, RunQueryResponse
from governance_server.gateway.encode import arrow_response


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
