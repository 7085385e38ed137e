"""Scripted servers on real gRPC, for what a healthy server never does on demand: fail in a given way, count what it is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import polars as pl

from domain_sdk._arrow_stream import frame_schema
from domainmesh.v1 import read_pb2, read_service_pb2, read_service_pb2_grpc, server_service_pb2, server_service_pb2_grpc
from domainmesh.v1.error_reason_pb2 import ErrorDetail
from mesh_core.expressions.polars import to_polars
from mesh_core.expressions.wire import from_wire

Context = grpc.ServicerContext


@contextmanager
def serving(register: Callable[[grpc.Server], None]) -> Iterator[str]:
    """A server on a free loopback port; its address."""
    server = grpc.server(ThreadPoolExecutor(max_workers=8, thread_name_prefix="fake-server"))
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def fail(context: Context, code: grpc.StatusCode, detail: ErrorDetail | None = None, text: str = "") -> Any:
    """The call ends with the status and detail."""
    if detail is not None:
        context.set_trailing_metadata((("mesh-error-bin", detail.SerializeToString()),))
    context.abort(code, text or (detail.message if detail else ""))


class ScriptedServer(server_service_pb2_grpc.ServerServiceServicer):
    """Answers GetServerInfo by the given steps, one a call, the last one for ever; keeps the metadata of each call."""

    def __init__(self, *steps: Callable[[Context], server_service_pb2.GetServerInfoResponse], gateway: str = "") -> None:
        self.steps = list(steps)
        self.gateway = gateway
        self.calls: list[dict[str, Any]] = []

    def GetServerInfo(
        self, request: server_service_pb2.GetServerInfoRequest, context: Context
    ) -> server_service_pb2.GetServerInfoResponse:
        self.calls.append({item.key: item.value for item in context.invocation_metadata()})
        if not self.steps:
            return server_service_pb2.GetServerInfoResponse(version="fake", gateway=self.gateway)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return step(context)

    def register(self, server: grpc.Server) -> None:
        """The service is part of the server."""
        server_service_pb2_grpc.add_ServerServiceServicer_to_server(self, server)


class FakeGateway(read_service_pb2_grpc.ReadServiceServicer):
    """Streams a frame without governing it; honours columns, predicate and limit; keeps requests."""

    def __init__(
        self, frame: pl.DataFrame, *, batch_rows: int = 10, masked: tuple[str, ...] = (), row_count_hint: int = 0
    ) -> None:
        self.frame = frame
        self.batch_rows = batch_rows
        self.masked = masked
        self.row_count_hint = row_count_hint
        self.plans: list[read_service_pb2.PlanReadRequest] = []
        self.reads: list[read_service_pb2.ReadRequest] = []
        self.prepared: list[read_service_pb2.PrepareFilesRequest] = []
        self.sent_batches = 0
        self.has_ended = threading.Event()
        self.urls: list[str] = []

    def PlanRead(self, request: read_service_pb2.PlanReadRequest, context: Context) -> read_service_pb2.PlanReadResponse:
        self.plans.append(request)
        columns = [
            read_pb2.PlannedColumn(name=name, mask="show-first-4" if name in self.masked else "") for name in self.frame.columns
        ]
        schema = self.frame.to_arrow(compat_level=pl.CompatLevel.oldest()).schema.serialize().to_pybytes()
        assert frame_schema(schema) == self.frame.schema
        plan = read_pb2.ReadPlan(port=request.port, purpose=request.purpose, columns=columns)
        return read_service_pb2.PlanReadResponse(
            plan=plan, arrow_schema=schema, version=request.version or 7, row_count_hint=self.row_count_hint
        )

    def Read(self, request: read_service_pb2.ReadRequest, context: Context) -> Iterator[read_service_pb2.ReadResponse]:
        self.reads.append(request)
        context.add_callback(self.has_ended.set)
        kept = self.frame
        if request.HasField("predicate"):
            kept = kept.filter(to_polars(from_wire(request.predicate), kept.schema))
        frame = kept.select(list(request.columns) or self.frame.columns)
        frame = frame.head(request.limit) if request.limit else frame
        yield read_service_pb2.ReadResponse(header=read_service_pb2.ReadHeader(revision=1, version=request.version))
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        yield read_service_pb2.ReadResponse(arrow=table.schema.serialize().to_pybytes())
        for batch in table.to_batches(max_chunksize=self.batch_rows):
            self.sent_batches += 1
            yield read_service_pb2.ReadResponse(arrow=batch.serialize().to_pybytes())

    def PrepareFiles(
        self, request: read_service_pb2.PrepareFilesRequest, context: Context
    ) -> read_service_pb2.PrepareFilesResponse:
        self.prepared.append(request)
        files = [read_service_pb2.GovernedFile(url=url) for url in self.urls]
        return read_service_pb2.PrepareFilesResponse(files=files, version=request.version)

    def register(self, server: grpc.Server) -> None:
        """The service is part of the server."""
        read_service_pb2_grpc.add_ReadServiceServicer_to_server(self, server)
