"""ReadService: governed reads of tables. Runs in the gateway."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import grpc

from domainmesh.v1 import decision_log_pb2 as log_pb2
from domainmesh.v1 import read_service_pb2 as pb
from domainmesh.v1 import read_service_pb2_grpc
from governance_server.backend import Backend
from governance_server.caller import current_caller
from governance_server.gateway.tickets import Tickets
from governance_server.keyring import MASKS
from governance_server.services.pinned_changes import pin_changes, shown_columns
from governance_server.services.pinned_reads import PinnedReads, understood
from governance_server.services.plans import plan_to_wire
from mesh_core.expressions.tree import TRUE, Expression

__all__ = ["ReadService"]


class ReadService(read_service_pb2_grpc.ReadServiceServicer):
    """Serves governed reads."""

    def __init__(self, backend: Backend, reads: PinnedReads, *, tickets: Tickets) -> None:
        self._backend = backend
        self._reads = reads
        self._tickets = tickets

    def PlanRead(self, request: pb.PlanReadRequest, context: grpc.ServicerContext) -> pb.PlanReadResponse:
        """Returns what a read would give, without data."""
        from governance_server.gateway.scan import shown_schema

        with self._backend.answering(log_pb2.DECISION_KIND_PLAN, resource=request.port, purpose=request.purpose) as recording:
            target = self._reads.pin(current_caller(), request.port, request.purpose, request.version)
            recording.decided(target.plan, version=target.version)
        with understood(target.plan.port):
            schema = shown_schema(target.plan, table_root=target.table_root, delta_version=target.delta_version)
        may_grant = self._backend.policy.check(current_caller(), "grant", request.port).allowed
        return pb.PlanReadResponse(
            plan=plan_to_wire(target.plan, shows_filter=may_grant), arrow_schema=schema.serialize().to_pybytes(),
            version=target.version,
            row_count_hint=target.port.row_count if target.plan.row_filter == TRUE else 0,
            warnings=self._reads.age_warnings(target, request.version),
        )  # fmt: skip

    def Read(self, request: pb.ReadRequest, context: grpc.ServicerContext) -> Iterator[pb.ReadResponse]:
        """Streams the rows as Arrow IPC messages; stops as soon as what the caller may see changes."""
        from governance_server.gateway.encode import arrow_response, encode
        from governance_server.gateway.scan import PolarsScanner
        from mesh_core.expressions.wire import from_wire

        caller = current_caller()
        with self._backend.recording(log_pb2.DECISION_KIND_READ, resource=request.port, purpose=request.purpose) as recording:
            target = self._reads.pin(caller, request.port, request.purpose, request.version)
            yield pb.ReadResponse(header=pb.ReadHeader(revision=target.plan.revision, version=target.version))
            with understood(request.port):
                predicate = from_wire(request.predicate) if request.HasField("predicate") else None
                recording.decided(target.plan, version=target.version, columns=_used(request, predicate))
                batches = PolarsScanner().scan(
                    target.plan, table_root=target.table_root, delta_version=target.delta_version,
                    columns=list(request.columns) or None, predicate=predicate, limit=request.limit or None,
                )  # fmt: skip
                messages = encode(recording.counted(batches))
                for message in recording.deliver(messages, is_current=self._reads.watch(caller, target)):
                    yield arrow_response(message)  # type: ignore[misc] # bytes are sent as they are

    def ReadChanges(self, request: pb.ReadChangesRequest, context: grpc.ServicerContext) -> Iterator[pb.ReadChangesResponse]:
        """Streams what became different of what the caller sees; stops as soon as that is another matter."""
        from governance_server.gateway.changes import Changes
        from governance_server.gateway.encode import arrow_response, encode

        caller = current_caller()
        with self._backend.recording(log_pb2.DECISION_KIND_READ, resource=request.port, purpose=request.purpose) as recording:
            pinned = pin_changes(self._backend, self._reads, caller, request)
            read = pinned.read
            yield pb.ReadChangesResponse(header=pinned.header())
            columns = shown_columns(read.plan, request.columns)
            recording.decided(read.plan, version=read.version, columns=columns)
            changes = Changes(read.plan, read.table_root, read.delta_version, secrets.token_bytes(32))
            with understood(request.port):
                batches = changes.scan(() if request.plan_only else pinned.steps, columns)
                messages = encode(recording.counted(batches))
                for message in recording.deliver(messages, is_current=self._reads.watch(caller, read)):
                    yield arrow_response(message)  # type: ignore[misc] # bytes are sent as they are

    def PrepareFiles(self, request: pb.PrepareFilesRequest, context: grpc.ServicerContext) -> pb.PrepareFilesResponse:
        """Returns URLs of Parquet files that hold exactly what the plan gives."""
        from governance_server.gateway.governed_files import GovernedFiles

        caller = current_caller()
        with self._backend.recording(log_pb2.DECISION_KIND_FILES, resource=request.port, purpose=request.purpose) as recording:
            target = self._reads.pin(caller, request.port, request.purpose, request.version)
            recording.decided(target.plan, version=target.version)
            with understood(request.port):
                files = GovernedFiles(self._backend.settings.home / "files", salt_of=self._salt).prepare(
                    target.plan, table_root=target.table_root, delta_version=target.delta_version
                )
            recording.served(sum(file.rows for file in files.files), sum(file.size for file in files.files))
        authorization = str(dict(context.invocation_metadata()).get("authorization", ""))
        urls = self._tickets.issue(authorization, files, lambda holder: self._reads.is_due(holder, target), recording.record)
        response = pb.PrepareFilesResponse(revision=target.plan.revision, version=target.version)
        for file, url in zip(files.files, urls, strict=True):
            response.files.add(url=url, size_bytes=file.size, row_count=file.rows)
        return response

    def _salt(self, digest: str) -> bytes:
        return self._backend.keys.hmac(MASKS, digest.encode())[1]


def _used(request: pb.ReadRequest, predicate: Expression | None) -> list[str] | None:
    """The columns the caller asks for or learns of by its predicate; None for all."""
    from governance_server.gateway.predicates import columns_of

    if not request.columns:
        return None
    return [*request.columns, *sorted(columns_of(predicate) if predicate is not None else ())]
