"""SqlService: governed SQL over tables. Runs in the gateway.

Every port of a query is planned as a read of its own, at one revision; a process of the gateway's gets these plans and nothing
else, and runs the query over what they show.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from domainmesh.v1 import decision_log_pb2 as log_pb2
from domainmesh.v1 import lineage_pb2, sql_service_pb2_grpc
from domainmesh.v1 import sql_service_pb2 as pb
from governance_server.audit.recording import Recording, deliver_all
from governance_server.backend import Backend
from governance_server.caller import Caller, current_caller
from governance_server.gateway.query_processes import QueryProcesses
from governance_server.rules.errors import GovernanceError, Invalid, Overloaded, PurposeNotHeld, TimeOver, TooLarge, Unavailable
from governance_server.services.measures import measure_select
from governance_server.services.pinned_reads import PinnedRead, PinnedReads, understood
from governance_server.services.plans import plan_to_wire

if TYPE_CHECKING:
    from governance_server.gateway.sql_jobs import Frame, QueryJob
    from governance_server.gateway.sql_query import ParsedQuery

__all__ = ["QueriedRows", "RowsAsked", "SqlService", "stop_with"]

_LOG = logging.getLogger(__name__)
_DEFAULT_SECONDS, _MOST_SECONDS = 60, 3600


@dataclass(frozen=True, slots=True)
class _Query:
    """A query that may run: its text, and each port with the columns that the engine is given for it."""

    parsed: ParsedQuery
    reads: tuple[tuple[PinnedRead, tuple[str, ...]], ...]
    revision: int


@dataclass(frozen=True, slots=True)
class RowsAsked:
    """A query of which at most so many rows are wanted. `on_start` is given what stops it."""

    sql: str
    purpose: str
    most_rows: int
    timeout_seconds: float
    on_start: Callable[[Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class QueriedRows:
    """The rows of a query, its columns' names, and the ports it was made from; `is_cut` if rows were left out."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    is_cut: bool
    ports: tuple[pb.QueriedPort, ...]
    revision: int


class SqlService(sql_service_pb2_grpc.SqlServiceServicer):
    """Serves SQL."""

    def __init__(self, backend: Backend, reads: PinnedReads) -> None:
        self._backend = backend
        self._reads = reads
        self._running = threading.BoundedSemaphore(backend.settings.max_queries)
        settings = backend.settings
        self._processes = QueryProcesses(settings.home / "sql", settings.query_memory_bytes)

    def PlanQuery(self, request: pb.PlanQueryRequest, context: grpc.ServicerContext) -> pb.PlanQueryResponse:
        """Returns what a query would read and give, and how it would be run, without data."""
        sql = self._text(request, current_caller())
        query = self._understand(sql, request.purpose, current_caller())
        for read, columns in query.reads:
            with self._backend.answering(
                log_pb2.DECISION_KIND_PLAN, resource=read.plan.port, purpose=request.purpose
            ) as recording:
                recording.decided(read.plan, version=read.version, columns=query.parsed.named(columns))
        with self._turn(), _told(query):
            schema, text = self._processes.workers().plan(_job(query))
        return pb.PlanQueryResponse(
            ports=self._ports(query), arrow_schema=schema.serialize().to_pybytes(), engine_plan=_with_names(text, query),
            revision=query.revision, lineage=_lineage(query, schema.names), warnings=self._warnings(query),
            sql="" if request.sql else sql,
        )  # fmt: skip

    def RunQuery(self, request: pb.RunQueryRequest, context: grpc.ServicerContext) -> Iterator[pb.RunQueryResponse]:
        """Streams the result; stops as soon as what the caller may see of any of its ports changes."""
        caller = current_caller()
        timeout_seconds = _timeout(request)
        text = self._text(request, caller)
        query = self._understand(text, request.purpose, caller)
        end = pb.QueryEnd()
        with self._turn(), self._recorded(query, request.purpose) as recordings, _told(query):
            header = pb.QueryHeader(
                revision=query.revision, ports=self._ports(query), sql="" if request.sql else text,
                warnings=self._warnings(query),
            )  # fmt: skip
            yield pb.RunQueryResponse(header=header)
            frames = self._processes.workers().run(
                _job(query, timeout_seconds=timeout_seconds, limit=request.limit), may_go_on=self._still_due(caller, query),
                on_start=lambda stop: stop_with(context, stop), on_stuck=lambda: _give_up(context),
            )  # fmt: skip
            with closing(frames):
                messages = _counted(_traced(frames, query, end), recordings)
                yield from deliver_all(recordings, messages, is_current=self._still_due(caller, query))  # type: ignore[misc] # bytes are sent as they are
        yield pb.RunQueryResponse(end=end)

    def rows(self, asked: RowsAsked) -> QueriedRows:
        """The whole result of a small query, for the gateway's own use on behalf of the caller; recorded as any other.

        Raises: Invalid, AccessDenied, PurposeNotHeld, NotFound, Precondition, Overloaded, TimeOver, TooLarge, Unavailable.
        """
        from governance_server.gateway.sql_workers import table_of

        caller = current_caller()
        query = self._understand(asked.sql, asked.purpose, caller)
        end = pb.QueryEnd()
        with self._turn(), self._recorded(query, asked.purpose) as recordings, _told(query):
            job = _job(query, timeout_seconds=asked.timeout_seconds, limit=asked.most_rows)
            frames = self._processes.workers().run(job, on_start=asked.on_start, may_go_on=self._still_due(caller, query))
            with closing(frames):
                table = table_of(_counted(_traced(frames, query, end), recordings))
            self._still_due(caller, query)()
        rows = tuple(zip(*(column.to_pylist() for column in table.columns), strict=True))
        return QueriedRows(tuple(table.column_names), rows, end.is_cut, tuple(self._ports(query)), query.revision)

    def _text(self, request: pb.RunQueryRequest | pb.PlanQueryRequest, caller: Caller) -> str:
        """The SQL, or that of the measures. Raises: Invalid, AccessDenied, PurposeNotHeld, NotFound, Precondition."""
        if bool(request.sql) == request.HasField("measure"):
            raise Invalid("Give either sql or measure.")
        if request.sql:
            return request.sql
        wanted = request.measure
        with self._refusals_recorded(wanted.port, request.purpose):  # who may not read the port learns of no measure
            read = self._reads.pin(caller, wanted.port, request.purpose, wanted.version)
        return measure_select(self._backend.catalog, wanted, read.version)

    def close(self) -> None:
        """No process of this service is left."""
        self._processes.close()

    def _understand(self, sql: str, purpose: str, caller: Caller) -> _Query:
        """Raises: Invalid, AccessDenied, PurposeNotHeld, NotFound, Precondition."""
        from governance_server.gateway.sql_query import InvalidQuery, parse_query

        try:
            parsed = parse_query(sql, prefix=f"port_{secrets.token_hex(6)}_")
        except InvalidQuery as error:
            raise Invalid(str(error)) from None
        with self._backend.policy.pinned():  # one revision for all of them
            reads = self._pin(parsed, purpose, caller)
            revision = self._backend.policy.revision
        needed = [tuple(parsed.needed([column.name for column in read.plan.columns])) for read in reads]
        return _Query(parsed, tuple(zip(reads, needed, strict=True)), revision)

    def _pin(self, parsed: ParsedQuery, purpose: str, caller: Caller) -> list[PinnedRead]:
        """A read for each port: for the purpose where the caller holds it, else for none; it must hold it for one of them."""
        reads, refusals = [], []
        for table in parsed.tables:
            try:
                reads.append(self._reads.pin(caller, table.port, purpose, table.version))
            except PurposeNotHeld as error:
                refusals.append(error)
                reads.append(self._reads.pin(caller, table.port, "", table.version))
            except GovernanceError:
                with self._refusals_recorded(table.port, purpose):
                    raise
        if refusals and len(refusals) == len(reads):
            with self._refusals_recorded(parsed.tables[0].port, purpose):
                raise refusals[0]
        return reads

    @contextmanager
    def _refusals_recorded(self, port: str, purpose: str) -> Iterator[None]:
        """What is refused within is in the decision log."""
        try:
            yield
        except GovernanceError:
            with self._backend.recording(log_pb2.DECISION_KIND_SQL, resource=port, purpose=purpose):
                raise

    @contextmanager
    def _recorded(self, query: _Query, purpose: str) -> Iterator[list[Recording]]:
        """A record for each port; rows and bytes are those of the result, which is made of all of them."""
        with ExitStack() as stack:
            recordings = []
            for read, columns in query.reads:
                port = read.plan.port
                recording = stack.enter_context(
                    self._backend.recording(log_pb2.DECISION_KIND_SQL, resource=port, purpose=purpose)
                )
                recording.decided(read.plan, version=read.version, columns=query.parsed.named(columns))
                recordings.append(recording)
            yield recordings

    def _still_due(self, caller: Caller, query: _Query) -> Callable[[], None]:
        """A check for one thread. It raises AccessDenied once the caller may see something else of any port."""
        checks = [self._reads.watch(caller, read) for read, _ in query.reads]

        def check() -> None:
            for is_current in checks:
                is_current()

        return check

    def _ports(self, query: _Query) -> list[pb.QueriedPort]:
        caller = current_caller()
        shown = []
        for read, columns in query.reads:
            may_grant = self._backend.policy.check(caller, "grant", read.plan.port).allowed
            plan = plan_to_wire(read.plan, shows_filter=may_grant)
            shown.append(pb.QueriedPort(plan=plan, version=read.version, columns=query.parsed.named(columns)))
        return shown

    def _warnings(self, query: _Query) -> list[str]:
        """What is older than promised, by port."""
        found = []
        for table, (read, _) in zip(query.parsed.tables, query.reads, strict=True):
            found += [f"{table.port}: {text}" for text in self._reads.age_warnings(read, table.version)]
        return found

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One of the few queries that run at once. Raises: Overloaded."""
        if not self._running.acquire(blocking=False):
            raise Overloaded(f"{self._backend.settings.max_queries} queries are running already: try again later.")
        try:
            yield
        finally:
            self._running.release()


def _timeout(request: pb.RunQueryRequest) -> float:
    if request.timeout_seconds > _MOST_SECONDS:
        raise Invalid(f"timeout_seconds is {request.timeout_seconds}: use at most {_MOST_SECONDS}.")
    return float(request.timeout_seconds or _DEFAULT_SECONDS)


def stop_with(context: grpc.ServicerContext, stop: Callable[[], None]) -> None:
    """The query stops when its call does."""
    if not context.add_callback(stop):
        stop()


def _give_up(context: grpc.ServicerContext) -> None:
    """The call ends, although nobody takes what is sent."""
    context.cancel()


def _job(query: _Query, *, timeout_seconds: float = 0.0, limit: int = 0) -> QueryJob:
    from governance_server.gateway.sql_jobs import QueryJob, TableRead

    tables = {}
    for table, (read, columns) in zip(query.parsed.tables, query.reads, strict=True):
        tables[table.engine_name] = TableRead(read.plan, columns, read.table_root, read.delta_version)
    return QueryJob(query.parsed.sql, tables, secrets.token_bytes(32), timeout_seconds, limit)


def _traced(frames: Iterator[Frame], query: _Query, end: pb.QueryEnd) -> Iterator[Frame]:
    """The frames with Arrow messages; `end` says where their columns come from, how many rows there were, if any is missing."""
    from governance_server.gateway.sql_jobs import Kind
    from governance_server.gateway.sql_workers import schema_of

    for frame in frames:
        if frame.kind is Kind.END:
            end.row_count, end.is_cut = frame.rows, bool(frame.payload)
            return
        if not end.HasField("lineage"):
            end.lineage.CopyFrom(_lineage(query, schema_of(frame.payload).names))
        yield frame


def _counted(frames: Iterator[Frame], recordings: Sequence[Recording]) -> Iterator[bytes]:
    """The Arrow messages, as they are sent; their rows count as served."""
    for frame in frames:
        for recording in recordings:
            recording.served(frame.rows, 0)
        yield frame.payload


def _lineage(query: _Query, names: Sequence[str]) -> lineage_pb2.PortLineage:
    from governance_server.gateway.sql_lineage import ReadTable, result_lineage
    from governance_server.gateway.sql_query import DIALECT

    tables = {}
    for table, (read, columns) in zip(query.parsed.tables, query.reads, strict=True):
        masked = frozenset(column.name for column in plan_to_wire(read.plan, shows_filter=False).columns if column.mask)
        tables[table.engine_name] = ReadTable(table.port, read.version, columns, masked)
    return result_lineage(query.parsed.sql, tables, names, dialect=DIALECT)


def _with_names(text: str, query: _Query) -> str:
    """The engine's words with the ports' names in place of the engine's own for them."""
    for table in query.parsed.tables:
        text = text.replace(table.engine_name, table.port)
    return text


@contextmanager
def _told(query: _Query) -> Iterator[None]:
    """Turns what the engine raises into the server's errors."""
    from governance_server.gateway import sql_errors as engine
    from governance_server.gateway.scan_errors import ScanError

    try:
        yield
    except ScanError as error:
        with understood(error.port):
            raise
    except engine.QueryRefused as error:
        raise Invalid(f"The query cannot be run: {_with_names(str(error), query)}") from None
    except engine.EngineTimeout:
        raise TimeOver("The query took too long and was stopped: narrow it, or give it more time.") from None
    except engine.EngineOutOfMemory:
        raise TooLarge("The query needs more memory than one query may have: filter or aggregate earlier.") from None
    except engine.EngineFailed as error:
        _LOG.error("query failed", exc_info=error)
        raise Unavailable("The query engine failed: try again, and tell the operator if it happens again.") from None
