"""SqlService: governed SQL over tables. Runs in the gateway.

Every port of a query is planned as a read of its own, at one revision; the engine is given the governed streams and nothing else.
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
from governance_server.rules.errors import GovernanceError, Invalid, Overloaded, PurposeNotHeld, TimeOver, TooLarge, Unavailable
from governance_server.services.measures import measure_select
from governance_server.services.pinned_reads import PinnedRead, PinnedReads, understood
from governance_server.services.plans import plan_to_wire

if TYPE_CHECKING:
    import pyarrow as pa

    from governance_server.gateway.sql_engine import ClearFiles, GovernedStream, SqlEngine
    from governance_server.gateway.sql_query import ParsedQuery

__all__ = ["QueriedRows", "RowsAsked", "SqlService", "stop_with"]

_LOG = logging.getLogger(__name__)
_DEFAULT_SECONDS, _MOST_SECONDS = 60, 3600


@dataclass(frozen=True, slots=True)
class _Query:
    """A query that may run: its text, and each port with the columns it needs."""

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

    def PlanQuery(self, request: pb.PlanQueryRequest, context: grpc.ServicerContext) -> pb.PlanQueryResponse:
        """Returns what a query would read and give, and how it would be run, without data."""
        sql = self._text(request, current_caller())
        query = self._understand(sql, request.purpose, current_caller())
        for read, columns in query.reads:
            with self._backend.answering(
                log_pb2.DECISION_KIND_PLAN, resource=read.plan.port, purpose=request.purpose
            ) as recording:
                recording.decided(read.plan, version=read.version, columns=columns)
        with self._turn(), _told():
            tables = self._tables(query, current_caller())
            schema, text = self._engine().describe(query.parsed.sql, tables)
        plan = _with_names(text, query)
        return pb.PlanQueryResponse(
            ports=self._ports(query), arrow_schema=schema.serialize().to_pybytes(), engine_plan=plan, revision=query.revision,
            lineage=_lineage(query, schema.names), sql="" if request.sql else sql,
        )  # fmt: skip

    def RunQuery(self, request: pb.RunQueryRequest, context: grpc.ServicerContext) -> Iterator[pb.RunQueryResponse]:
        """Streams the result; stops as soon as what the caller may see of any of its ports changes."""
        from governance_server.gateway.encode import arrow_response, encode

        caller = current_caller()
        timeout_seconds = _timeout(request)
        text = self._text(request, caller)
        query = self._understand(text, request.purpose, caller)
        end = pb.QueryEnd()
        with self._turn(), self._recorded(query, request.purpose) as recordings, _told(query):
            header = pb.QueryHeader(revision=query.revision, ports=self._ports(query), sql="" if request.sql else text)
            yield pb.RunQueryResponse(header=header)
            batches = self._engine().run(
                query.parsed.sql, self._tables(query, caller), timeout_seconds=timeout_seconds,
                on_start=lambda stop: stop_with(context, stop), may_go_on=self._still_due(caller, query),
            )  # fmt: skip
            with closing(batches):
                messages = encode(_counted(_traced(_limited(batches, request.limit, end), query, end), recordings))
                for message in deliver_all(recordings, messages, is_current=self._still_due(caller, query)):
                    yield arrow_response(message)  # type: ignore[misc] # bytes are sent as they are
        yield pb.RunQueryResponse(end=end)

    def rows(self, asked: RowsAsked) -> QueriedRows:
        """The whole result of a small query, for the gateway's own use on behalf of the caller; recorded as any other.

        Raises: Invalid, AccessDenied, PurposeNotHeld, NotFound, Precondition, Overloaded, TimeOver, TooLarge, Unavailable.
        """
        caller = current_caller()
        query = self._understand(asked.sql, asked.purpose, caller)
        rows: list[tuple[object, ...]] = []
        names: list[str] = []
        end = pb.QueryEnd()
        with self._turn(), self._recorded(query, asked.purpose) as recordings, _told(query):
            batches = self._engine().run(
                query.parsed.sql, self._tables(query, caller), timeout_seconds=asked.timeout_seconds,
                on_start=asked.on_start, may_go_on=self._still_due(caller, query),
            )  # fmt: skip
            with closing(batches):
                for batch in _counted(_limited(batches, asked.most_rows, end), recordings):
                    names = list(batch.schema.names)
                    rows += zip(*(column.to_pylist() for column in batch.columns), strict=True)
            self._still_due(caller, query)()
        return QueriedRows(tuple(names), tuple(rows), end.is_cut, tuple(self._ports(query)), query.revision)

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
                recording.decided(read.plan, version=read.version, columns=columns)
                recordings.append(recording)
            yield recordings

    def _tables(self, query: _Query, caller: Caller) -> dict[str, GovernedStream | ClearFiles]:
        from governance_server.gateway.sql_tables import governed_table

        salt = secrets.token_bytes(32)
        tables: dict[str, GovernedStream | ClearFiles] = {}
        for table, (read, columns) in zip(query.parsed.tables, query.reads, strict=True):
            with understood(read.plan.port):
                tables[table.engine_name] = governed_table(
                    read.plan, columns, table=(read.table_root, read.delta_version), salt=salt,
                    is_current=self._reads.watch(caller, read),
                )  # fmt: skip
        return tables

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
            shown.append(pb.QueriedPort(plan=plan, version=read.version, columns=columns))
        return shown

    def _engine(self) -> SqlEngine:
        from governance_server.gateway.sql_engine import SqlEngine

        settings = self._backend.settings
        return SqlEngine(settings.home / "sql", settings.query_memory_bytes)

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


def _limited(batches: Iterator[pa.RecordBatch], limit: int, end: pb.QueryEnd) -> Iterator[pa.RecordBatch]:
    """At most so many rows (0: all); `end` says how many came, and whether rows were left out."""
    for batch in batches:
        left = limit - end.row_count if limit else batch.num_rows
        kept = batch if batch.num_rows <= left else batch.slice(0, left)
        end.row_count += kept.num_rows
        if kept.num_rows or not batch.num_rows:
            yield kept
        if kept.num_rows < batch.num_rows:
            end.is_cut = True
            return


def _traced(batches: Iterator[pa.RecordBatch], query: _Query, end: pb.QueryEnd) -> Iterator[pa.RecordBatch]:
    """The batches; `end` says where their columns come from."""
    for batch in batches:
        if not end.HasField("lineage"):
            end.lineage.CopyFrom(_lineage(query, batch.schema.names))
        yield batch


def _lineage(query: _Query, names: Sequence[str]) -> lineage_pb2.PortLineage:
    from governance_server.gateway.sql_lineage import ReadTable, result_lineage
    from governance_server.gateway.sql_query import DIALECT

    tables = {}
    for table, (read, columns) in zip(query.parsed.tables, query.reads, strict=True):
        masked = frozenset(column.name for column in plan_to_wire(read.plan, shows_filter=False).columns if column.mask)
        tables[table.engine_name] = ReadTable(table.port, read.version, columns, masked)
    return result_lineage(query.parsed.sql, tables, names, dialect=DIALECT)


def _counted(batches: Iterator[pa.RecordBatch], recordings: Sequence[Recording]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for recording in recordings:
            recording.served(batch.num_rows, 0)
        yield batch


def _with_names(text: str, query: _Query) -> str:
    """The engine's words with the ports' names in place of the engine's own for them."""
    for table in query.parsed.tables:
        text = text.replace(table.engine_name, table.port)
    return text


@contextmanager
def _told(query: _Query | None = None) -> Iterator[None]:
    """Turns what the engine raises into the server's errors."""
    from governance_server.gateway import sql_engine as engine
    from governance_server.gateway.scan_errors import ScanFailed

    try:
        yield
    except GovernanceError:
        raise
    except engine.QueryRefused as error:
        text = _with_names(str(error), query) if query else str(error)
        raise Invalid(f"The query cannot be run: {text}") from None
    except engine.EngineTimeout:
        raise TimeOver("The query took too long and was stopped: narrow it, or give it more time.") from None
    except engine.EngineOutOfMemory:
        raise TooLarge("The query needs more memory than one query may have: filter or aggregate earlier.") from None
    except ScanFailed as error:
        raise Unavailable(str(error)) from error
    except engine.EngineFailed as error:
        _LOG.error("query failed", exc_info=error)
        raise Unavailable("The query engine failed: try again, and tell the operator if it happens again.") from None
