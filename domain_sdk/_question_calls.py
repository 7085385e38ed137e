"""Question calls, from the wire to values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain_sdk import questions as values
from domain_sdk._enums import enum_member
from domain_sdk._times import from_timestamp
from domain_sdk._transport import Transport
from domainmesh.v1 import change_set_pb2, impact_pb2, question_pb2
from domainmesh.v1 import question_service_pb2 as pb
from domainmesh.v1.question_service_pb2_grpc import QuestionServiceStub

__all__ = ["explain_many", "prove", "readers", "simulate", "to_impact", "visible"]

_PAGE_SIZE = 500
_LONGEST_SECONDS = 120.0


def visible(transport: Transport, request: pb.ListVisibleRequest) -> values.Visible:
    """What the principal sees, all pages."""
    pages = list(_pages(transport, transport.control(QuestionServiceStub).ListVisible, request))
    sights = tuple(_sight(it) for page in pages for it in page.sights)
    return values.Visible(sights, pages[-1].is_restricted, pages[-1].revision)


def readers(transport: Transport, request: pb.ListReadersRequest) -> values.Readers:
    """Who sees the resource, all pages."""
    pages = list(_pages(transport, transport.control(QuestionServiceStub).ListReaders, request))
    sights = tuple(_sight(it) for page in pages for it in page.sights)
    return values.Readers(sights, pages[-1].principal_count, pages[-1].revision)


def _pages(transport: Transport, method: Any, request: Any) -> Iterable[Any]:  # noqa: ANN401  # two kinds of pages
    request.page_size = _PAGE_SIZE
    while True:
        page = transport.call(method, request, timeout_seconds=_LONGEST_SECONDS)
        yield page
        request.page_token = page.next_page_token
        if not request.page_token:
            return


def explain_many(
    transport: Transport,
    questions: Iterable[values.Question],
    *,
    changes: Iterable[change_set_pb2.DesiredResource],
    as_of: int,
) -> list[values.Sight]:
    """What each of them sees."""
    asked = [pb.ExplainManyRequest.Question(principal=it.principal, port=it.port, purpose=it.purpose) for it in questions]
    request = pb.ExplainManyRequest(questions=asked, changes=changes, as_of=as_of)
    response = transport.call(transport.control(QuestionServiceStub).ExplainMany, request)
    return [_sight(it) for it in response.sights]


def simulate(transport: Transport, request: pb.SimulateRequest) -> values.Impact:
    """What the changes would do."""
    method = transport.control(QuestionServiceStub).Simulate
    return to_impact(transport.call(method, request, timeout_seconds=_LONGEST_SECONDS))


def prove(transport: Transport, request: pb.ProveRequest) -> values.Proof:
    """Whether the claim holds."""
    response = transport.call(transport.control(QuestionServiceStub).Prove, request, timeout_seconds=_LONGEST_SECONDS)
    return values.Proof(
        holds=response.holds, claim=response.claim, counterexamples=tuple(map(_counterexample, response.counterexamples)),
        counterexample_count=response.counterexample_count, principal_count=response.principal_count,
        purpose_count=response.purpose_count, column_count=response.column_count, moment_count=response.moment_count,
        decision_count=response.decision_count, is_restricted=response.is_restricted, revision=response.revision,
    )  # fmt: skip


def to_impact(message: impact_pb2.Impact) -> values.Impact:
    """The impact as a value."""
    return values.Impact(
        access=tuple(map(_access, message.access)), actions=tuple(map(_action, message.actions)),
        reads=tuple(map(_read, message.reads)), principal_count=message.principal_count, port_count=message.port_count,
        compared_port_count=message.compared_port_count, gained_count=message.gained_count, lost_count=message.lost_count,
        is_cut=message.is_cut, cut_reason=message.cut_reason, is_restricted=message.is_restricted,
        recorded_days=message.recorded_days, recorded_read_count=message.recorded_read_count,
        affected_read_count=message.affected_read_count, revision=message.revision,
    )  # fmt: skip


def _sight(message: question_pb2.Sight) -> values.Sight:
    return values.Sight(
        principal=message.principal, port=message.port, purposes=tuple(message.purposes),
        columns=tuple(values.SeenColumn(it.name, enum_member(values.Shown, it.shown), it.mask) for it in message.columns),
        hidden_column_count=message.hidden_column_count, row_filter=message.row_filter,
        paths=tuple(map(_path, message.paths)), reasons=tuple(message.reasons),
    )  # fmt: skip


def _path(message: question_pb2.AccessPath) -> values.AccessPath:
    return values.AccessPath(message.rule, tuple(message.via), message.purpose, message.resource)


def _counterexample(message: question_pb2.Counterexample) -> values.Counterexample:
    return values.Counterexample(
        principal=message.principal, purposes=tuple(message.purposes), column=message.column,
        shown=enum_member(values.Shown, message.shown), mask=message.mask, from_time=from_timestamp(message, "from_time"),
        paths=tuple(map(_path, message.paths)), exemptions=tuple(map(_path, message.exemptions)),
    )  # fmt: skip


def _access(message: impact_pb2.AccessImpact) -> values.AccessChange:
    columns = tuple(
        values.ColumnChange(
            it.column, enum_member(values.Shown, it.before), it.before_mask, enum_member(values.Shown, it.after), it.after_mask
        )
        for it in message.columns
    )
    return values.AccessChange(
        port=message.port, principals=tuple(message.principals), principal_count=message.principal_count,
        purposes=tuple(message.purposes), could_read=message.could_read, can_read=message.can_read, columns=columns,
        rows=enum_member(values.RowChange, message.rows), gains=message.gains, loses=message.loses,
    )  # fmt: skip


def _action(message: impact_pb2.ActionImpact) -> values.ActionChange:
    return values.ActionChange(
        message.action, message.resource, tuple(message.principals), message.principal_count, message.purpose, message.is_allowed
    )


def _read(message: impact_pb2.ReadImpact) -> values.ReadChange:
    return values.ReadChange(
        principal=message.principal, port=message.port, purpose=message.purpose, read_count=message.read_count,
        is_denied=message.is_denied, hidden_columns=tuple(message.hidden_columns), masked_columns=tuple(message.masked_columns),
        rows=enum_member(values.RowChange, message.rows),
    )  # fmt: skip
