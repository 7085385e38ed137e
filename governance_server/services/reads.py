"""ReadService: governed reads of tables. Runs in the gateway."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import grpc

from domainmesh.v1 import decision_log_pb2 as log_pb2
from domainmesh.v1 import product_pb2, read_service_pb2_grpc
from domainmesh.v1 import read_service_pb2 as pb
from governance_server.backend import Backend
from governance_server.caller import Caller, current_caller
from governance_server.gateway.tickets import Tickets
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.errors import AccessDenied, Invalid, InvalidFilter, NotFound, Precondition, Unavailable
from governance_server.rules.read_plans import ReadPlan
from governance_server.services.past_tags import past_tags
from governance_server.services.plans import plan_to_wire
from governance_server.warehouse.layout import Warehouse
from mesh_core.expressions.errors import InvalidExpression
from mesh_core.expressions.tree import TRUE, Expression
from mesh_core.names import parse_port

__all__ = ["ReadService"]

_RECHECK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Target:
    """What a read is about: the plan, cut to the columns the pinned version has, and where that version lies."""

    plan: ReadPlan
    port: product_pb2.Port
    version: int
    table_root: Path
    delta_version: int
    digest: str
    """Of the whole plan, before it was cut: while the caller's plan has this digest, what is served is still its due."""
    past: Mapping[str, Collection[str]]
    """Tags by column that the version was released with, if it is not the newest."""


class ReadService(read_service_pb2_grpc.ReadServiceServicer):
    """Serves governed reads."""

    def __init__(self, backend: Backend, *, warehouse: Warehouse, tickets: Tickets) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._tickets = tickets

    def PlanRead(self, request: pb.PlanReadRequest, context: grpc.ServicerContext) -> pb.PlanReadResponse:
        """Returns what a read would give, without data."""
        from governance_server.gateway.scan import PolarsScanner

        with self._backend.answering(log_pb2.DECISION_KIND_PLAN, resource=request.port, purpose=request.purpose) as recording:
            target = self._target(current_caller(), request.port, request.purpose, request.version)
            recording.decided(target.plan, version=target.version)
        with _understood(target.plan.port):
            batches = PolarsScanner().scan(
                target.plan,
                table_root=target.table_root,
                delta_version=target.delta_version,
                columns=None,
                predicate=None,
                limit=0,
            )
            schema = next(iter(batches)).schema
        may_grant = self._backend.policy.check(current_caller(), "grant", request.port).allowed
        return pb.PlanReadResponse(
            plan=plan_to_wire(target.plan, shows_filter=may_grant), arrow_schema=schema.serialize().to_pybytes(),
            version=target.version,
            row_count_hint=target.port.row_count if target.plan.row_filter == TRUE else 0,
        )  # fmt: skip

    def Read(self, request: pb.ReadRequest, context: grpc.ServicerContext) -> Iterator[pb.ReadResponse]:
        """Streams the rows as Arrow IPC messages; stops as soon as what the caller may see changes."""
        from governance_server.gateway.encode import encode
        from governance_server.gateway.scan import PolarsScanner
        from mesh_core.expressions.wire import from_wire

        caller = current_caller()
        with self._backend.recording(log_pb2.DECISION_KIND_READ, resource=request.port, purpose=request.purpose) as recording:
            target = self._target(caller, request.port, request.purpose, request.version)
            yield pb.ReadResponse(header=pb.ReadHeader(revision=target.plan.revision, version=target.version))
            with _understood(request.port):
                predicate = from_wire(request.predicate) if request.HasField("predicate") else None
                recording.decided(target.plan, version=target.version, columns=_used(request, predicate))
                batches = PolarsScanner().scan(
                    target.plan, table_root=target.table_root, delta_version=target.delta_version,
                    columns=list(request.columns) or None, predicate=predicate, limit=request.limit or None,
                )  # fmt: skip
                messages = encode(recording.counted(batches))
                for message in recording.deliver(messages, is_current=self._watch(caller, request, target)):
                    yield pb.ReadResponse(arrow=message)

    def PrepareFiles(self, request: pb.PrepareFilesRequest, context: grpc.ServicerContext) -> pb.PrepareFilesResponse:
        """Returns URLs of Parquet files that hold exactly what the plan gives."""
        from governance_server.gateway.governed_files import GovernedFiles

        caller = current_caller()
        with self._backend.recording(log_pb2.DECISION_KIND_FILES, resource=request.port, purpose=request.purpose) as recording:
            target = self._target(caller, request.port, request.purpose, request.version)
            recording.decided(target.plan, version=target.version)
            with _understood(request.port):
                files = GovernedFiles(self._backend.settings.home / "files").prepare(
                    target.plan, table_root=target.table_root, delta_version=target.delta_version
                )
            recording.served(sum(file.rows for file in files.files), sum(file.size for file in files.files))
        authorization = str(dict(context.invocation_metadata()).get("authorization", ""))
        is_current = self._still_allowed(request, target)
        urls = self._tickets.issue(authorization, files, is_current, recording.record)
        response = pb.PrepareFilesResponse(revision=target.plan.revision, version=target.version)
        for file, url in zip(files.files, urls, strict=True):
            response.files.add(url=url, size_bytes=file.size, row_count=file.rows)
        return response

    def _target(self, caller: Caller, port: str, purpose: str, version: int) -> _Target:
        """Raises: AccessDenied, PurposeNotHeld, NotFound, Precondition."""
        name = parse_port(port)
        policy = self._backend.policy
        with policy.pinned():  # rights and version belong together
            plan = policy.plan(caller, port, purpose)
            product, found = policy.product_of(port), policy.find_port(port)
        if product is None or found is None:
            raise denied("read", port)
        if found.kind != product_pb2.PORT_KIND_TABLE:
            raise Invalid(f'{port} is a collection: ask it with `mesh retrieve {port} "…"`.', resource=port)
        table_root = self._warehouse.port_location(str(name))
        if version in (0, product.version):
            return _Target(plan, found, product.version, table_root, found.delta_version, plan.digest(), {})
        delta_version = self._delta_version(product.name, port, version)
        past = past_tags(self._backend, port, version).columns
        plan = policy.plan(caller, port, purpose, past=past)
        cut = _cut(plan, port, table_root, delta_version)
        return _Target(cut, found, version, table_root, delta_version, plan.digest(), past)

    def _delta_version(self, product: str, port: str, version: int) -> int:
        body = self._backend.catalog.get(kinds.RELEASE, kinds.versioned_name(product, version))
        ports = product_pb2.Release.FromString(body).ports if body is not None else ()
        for released in ports:
            if released.port == port:
                return released.delta_version
        raise NotFound(f"{port} has no version {version}: list versions with `mesh show {product}`.", resource=port)

    def _watch(self, caller: Caller, request: pb.ReadRequest, target: _Target) -> Callable[[], None]:
        """A check that costs microseconds while nothing has changed. It raises AccessDenied once the plan is another one.

        Grants also end by the clock, without any change: so the plan is made anew every second, too.
        """
        policy, revision, checked = self._backend.policy, target.plan.revision, time.monotonic()

        def check() -> None:
            nonlocal revision, checked
            newest = policy.revision
            if newest == revision and time.monotonic() - checked < _RECHECK_SECONDS:
                return
            if policy.plan(caller, request.port, request.purpose, past=target.past).digest() != target.digest:
                raise AccessDenied(
                    f"Your access to {request.port} changed while it was read: read it again.", resource=request.port
                )
            revision, checked = newest, time.monotonic()

        return check

    def _still_allowed(self, request: pb.PrepareFilesRequest, target: _Target) -> Callable[[Caller], bool]:
        """Tells of a caller whether the plan its files were made for is still its plan."""
        policy = self._backend.policy

        def is_current(caller: Caller) -> bool:
            return policy.plan(caller, request.port, request.purpose, past=target.past).digest() == target.digest

        return is_current


def _used(request: pb.ReadRequest, predicate: Expression | None) -> list[str] | None:
    """The columns the caller asks for or learns of by its predicate; None for all."""
    from governance_server.gateway.predicates import columns_of

    if not request.columns:
        return None
    return [*request.columns, *sorted(columns_of(predicate) if predicate is not None else ())]


def _cut(plan: ReadPlan, port: str, table_root: Path, delta_version: int) -> ReadPlan:
    """The plan for an older version: columns the table did not have then are left out, columns gone since then stay hidden."""
    from governance_server.gateway.table_source import open_table

    with _understood(port):
        schema = open_table(port, table_root, delta_version).schema
    columns = tuple(column for column in plan.columns if column.name in schema)
    visible = {column.name for column in columns}
    return replace(plan, columns=columns, hidden_columns=tuple(name for name in schema if name not in visible))


class _understood:  # reads as a word in `with _understood(port):`
    """Turns what a scan raises into the server's errors."""

    def __init__(self, port: str) -> None:
        self._port = port

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        from governance_server.gateway.scan_errors import HiddenColumn, PlanOutdated, ScanFailed

        if isinstance(error, HiddenColumn):
            raise AccessDenied(str(error), resource=self._port) from error
        if isinstance(error, InvalidExpression):
            raise InvalidFilter(f"The predicate cannot be used on {self._port}: {error}", resource=self._port) from error
        if isinstance(error, PlanOutdated):
            raise Precondition(str(error), resource=self._port) from error
        if isinstance(error, ScanFailed):
            raise Unavailable(str(error), resource=self._port) from error
