"""Governed SQL: a query, or measures, sent to the gateway; its rows as an eager frame, and what it would read.

Knows nothing of the dialect: what can be asked is the gateway's decision.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain_sdk._arguments import checked_names, checked_number, checked_predicate, checked_text
from domain_sdk.access import ReadPlan
from domain_sdk.errors import InternalError, InvalidRequest
from mesh_core.lineage import PortLineage

if TYPE_CHECKING:
    import grpc
    import polars as pl

    from domain_sdk._transport import Transport
    from domainmesh.v1.sql_service_pb2 import QueriedPort as WirePort
    from domainmesh.v1.sql_service_pb2 import RunQueryRequest, RunQueryResponse
    from mesh_core.answers.intervals import Interval

__all__ = ["QueriedPort", "QueryPlan", "QueryResult", "measure_request", "period_of", "plan_query", "run_query", "to_request"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QueriedPort:
    """One port that a query reads."""

    plan: ReadPlan
    """What the caller may see of it."""
    version: int
    """The product's version that is read."""
    columns: tuple[str, ...]
    """The columns the query asks for; none if it only counts rows."""


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """What a query would read and give, and how the engine would run it."""

    ports: tuple[QueriedPort, ...]
    schema: pl.Schema
    """The columns of its result."""
    engine_plan: str
    """The engine's own plan, as text."""
    revision: int
    lineage: PortLineage
    """Where the columns of its result come from; the target has no name yet."""
    sql: str = ""
    """The SELECT that measures stand for; empty for a query that was SQL."""
    warnings: tuple[str, ...] = ()
    """What is older than its contract promises, in words."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The rows of a query, and what they were made from."""

    frame: pl.DataFrame
    ports: tuple[QueriedPort, ...]
    revision: int
    is_cut: bool
    """True if the limit left rows out."""
    lineage: PortLineage
    """Where its columns come from; the target has no name yet."""
    sql: str = ""
    """The SELECT that measures stand for; empty for a query that was SQL."""
    warnings: tuple[str, ...] = ()
    """What is older than its contract promises, in words."""


def to_request(query: str, purpose: str | None, limit: int | None, timeout_seconds: int | None) -> RunQueryRequest:
    """The call's arguments as a message. Raises: InvalidRequest."""
    from domainmesh.v1.sql_service_pb2 import RunQueryRequest

    example = "SELECT count(*) FROM finance.ledger.entries"
    if not checked_text(query, "query", example=example).strip():
        raise InvalidRequest(f"The query is empty: write one SELECT over ports, like {example}.")
    return RunQueryRequest(
        sql=query,
        purpose=checked_text(purpose or "", "purpose"),
        limit=checked_number(limit, "limit") or 0,
        timeout_seconds=checked_number(timeout_seconds, "timeout_seconds") or 0,
    )


def measure_request(
    names: Sequence[str],
    *,
    by: Sequence[str],
    where: str | None,
    period: Interval | None,
    purpose: str | None,
    version: int | None,
) -> RunQueryRequest:
    """The call for measures by their four-part names, which are all of one port. Raises: InvalidRequest."""
    from domainmesh.v1.sql_service_pb2 import MeasureQuery, RunQueryRequest

    example = "finance.revenue.revenue.net_revenue"
    parts = [checked_text(name, "measures", example=example).rpartition(".") for name in names]
    ports = list(dict.fromkeys(port for port, _, _ in parts))
    if len(ports) != 1 or ports[0].count(".") != 2:
        raise InvalidRequest(f"measures are {', '.join(names) or 'none'}: name measures of one port, each like {example}.")
    start, end = (day.isoformat() if day else "" for day in ((period.start, period.end) if period else (None, None)))
    wanted = MeasureQuery(
        port=ports[0], measures=[name for _, _, name in parts], by=checked_names(by, "by"),
        where=checked_predicate(where, "where"), start_day=start, end_day=end, version=checked_number(version, "version") or 0,
    )  # fmt: skip
    return RunQueryRequest(measure=wanted, purpose=checked_text(purpose or "", "purpose"))


def period_of(text: str | None) -> Interval | None:
    """The stretch of time that the words name, told from today. Raises: InvalidRequest: they name none, several, or more."""
    from datetime import date

    from mesh_core.answers.intervals import intervals_in, unread_in

    if text is None:
        return None
    found = intervals_in(checked_text(text, "period"), date.today())  # `last month` is the caller's
    example = "name one stretch of calendar time, like 2026-03, Q1 2026 or since 2026-04-01."
    if not found or len(found) > 1:
        raise InvalidRequest(f"period is {text!r}: {example}")
    if unread := unread_in(text, found):
        raise InvalidRequest(f"period is {text!r}, of which {' '.join(map(repr, unread))} is not understood: {example}")
    if found[0].interval.is_backward:
        raise InvalidRequest(f"period is {text!r}, which ends before it begins: name the earlier end first.")
    return found[0].interval


def plan_query(transport: Transport, request: RunQueryRequest) -> QueryPlan:
    """What the query would do; no row is read. Raises: MeshError."""
    from domain_sdk._arrow_stream import frame_schema
    from domainmesh.v1.sql_service_pb2 import PlanQueryRequest
    from domainmesh.v1.sql_service_pb2_grpc import SqlServiceStub
    from mesh_core.lineage_wire import lineage_from_wire

    asked = PlanQueryRequest(sql=request.sql, purpose=request.purpose)
    if request.HasField("measure"):
        asked.measure.CopyFrom(request.measure)
    answer = transport.call(transport.gateway(SqlServiceStub).PlanQuery, asked)
    return QueryPlan(
        _ports(answer.ports),
        frame_schema(answer.arrow_schema),
        answer.engine_plan,
        answer.revision,
        lineage_from_wire(answer.lineage),
        answer.sql,
        tuple(answer.warnings),
    )


def run_query(transport: Transport, request: RunQueryRequest) -> QueryResult:
    """The whole answer. Raises: MeshError."""
    import polars as pl

    from domain_sdk._arrow_stream import decode_frames

    responses = transport.stream(transport.gateway(_ArrowStub).RunQuery, request)
    parts = _Parts()
    with closing(responses):
        frames = list(decode_frames(parts.arrow(responses)))
    if parts.schema is None or not parts.is_whole:
        raise InternalError("The answer ended before it was whole: ask again.")
    rows = pl.concat(frames, rechunk=True) if frames else pl.DataFrame(schema=parts.schema)
    for warning in parts.warnings:
        _LOG.warning("stale port=%s", warning)
    return QueryResult(rows, parts.ports, parts.revision, parts.is_cut, parts.lineage, parts.sql, parts.warnings)


class _ArrowStub:
    """The stub of `RunQuery` alone, whose Arrow messages are not copied into responses."""

    def __init__(self, channel: grpc.Channel) -> None:
        from domain_sdk._arrow_stream import arrow_or
        from domainmesh.v1.sql_service_pb2 import RunQueryRequest, RunQueryResponse

        self.RunQuery: grpc.UnaryStreamMultiCallable[RunQueryRequest, RunQueryResponse | memoryview] = channel.unary_stream(
            "/domainmesh.v1.SqlService/RunQuery",
            request_serializer=RunQueryRequest.SerializeToString,
            response_deserializer=arrow_or(RunQueryResponse.FromString),
        )


class _Parts:
    """The parts of an answer that are not rows, kept while the rows pass by."""

    def __init__(self) -> None:
        self.schema: pl.Schema | None = None
        self.ports: tuple[QueriedPort, ...] = ()
        self.warnings: tuple[str, ...] = ()
        self.revision = 0
        self.is_cut = False
        self.is_whole = False
        self.sql = ""
        self.lineage = PortLineage("", (), ())

    def arrow(self, responses: Iterator[RunQueryResponse | memoryview]) -> Iterator[memoryview]:
        from domain_sdk._arrow_stream import frame_schema
        from mesh_core.lineage_wire import lineage_from_wire

        for response in responses:
            if isinstance(response, memoryview):
                if self.schema is None:
                    self.schema = frame_schema(response)
                yield response
                continue
            part = response.WhichOneof("part")
            if part == "header":
                self.ports, self.revision = _ports(response.header.ports), response.header.revision
                self.sql = response.header.sql
                self.warnings = tuple(response.header.warnings)
            elif part == "end":
                self.is_cut, self.is_whole = response.end.is_cut, True
                self.lineage = lineage_from_wire(response.end.lineage)


def _ports(ports: object) -> tuple[QueriedPort, ...]:
    from domain_sdk._access_calls import to_plan

    found: list[WirePort] = list(ports)  # type: ignore[call-overload]  # a repeated field
    return tuple(QueriedPort(to_plan(port.plan), port.version, tuple(port.columns)) for port in found)
