"""The change feed: what became different of a port between two versions, as a lazy frame that is governed like a read.

Never asks for fewer columns than the caller may see: with fewer, an update of the others would be no change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast

import polars as pl

from domain_sdk._arrow_stream import decode_frames
from domain_sdk._transport import Transport
from domain_sdk.errors import InvalidRequest
from domain_sdk.read import GovernedScan
from domainmesh.v1.read_service_pb2 import PlanReadRequest, ReadChangesRequest, ReadChangesResponse
from domainmesh.v1.read_service_pb2_grpc import ReadServiceStub

__all__ = ["CHANGE_TYPE", "VERSION", "ChangeScan"]

CHANGE_TYPE, VERSION = "_change_type", "_version"


class ChangeScan(GovernedScan):
    """The changes of a port since a version: what polars calls to get frames. Pinned to a newest version on first use."""

    def __init__(
        self, transport: Transport, request: PlanReadRequest, *, since: int, timeout_seconds: float | None = None
    ) -> None:
        super().__init__(transport, request, via="stream", timeout_seconds=timeout_seconds)
        self._since = since

    def schema(self) -> pl.Schema:
        """The visible columns with the types they are shown in, then `_change_type` and `_version`. Raises: MeshError."""
        shown = self.planned().schema
        taken = [name for name in (CHANGE_TYPE, VERSION) if name in shown]
        if taken:
            raise InvalidRequest(
                f"{self.port} has a column {taken[0]!r}, which the change feed needs for itself: rename it in the contract.",
                resource=self.port,
            )
        return pl.Schema({**shown, CHANGE_TYPE: pl.String(), VERSION: pl.Int64()})

    def __call__(
        self, with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        """The frames polars asked for: exactly these columns, only rows the predicate keeps, at most `n_rows`."""
        self._reads += 1
        columns = with_columns if with_columns is not None else list(self.schema())
        left = n_rows
        with closing(cast("Any", self._frames())) as frames:
            for frame in frames:
                kept = (frame if predicate is None else frame.filter(predicate)).select(columns)
                taken = kept if left is None else kept.head(left)
                yield taken
                if left is not None:
                    left -= taken.height
                    if left <= 0:
                        return

    def _frames(self) -> Iterator[pl.DataFrame]:
        """Every frame, in order of versions, at least one; the gateway tells of so many releases at a time."""
        known, newest = self._since, self.planned().version
        while True:
            request = ReadChangesRequest(port=self.port, purpose=self._request.purpose, since=known, version=newest)
            method = self._transport.gateway(ReadServiceStub).ReadChanges
            responses = self._transport.stream(method, request, timeout_seconds=self._timeout_seconds)
            with closing(responses):
                known = next(responses).header.version
                yield from decode_frames(_arrow_parts(responses))
            if known >= newest:
                return


def _arrow_parts(responses: Iterator[ReadChangesResponse]) -> Iterator[bytes]:
    return (response.arrow for response in responses if response.WhichOneof("part") == "arrow")
