"""The calls of `mesh.audit` beyond the journal, and their messages as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from domain_sdk._enums import enum_member
from domain_sdk._paging import all_items
from domain_sdk._times import from_timestamp, to_instant, to_timestamp
from domain_sdk.audit_log import (
    AuditedDenial,
    AuditedGrant,
    AuditedLog,
    AuditedUse,
    AuditProblem,
    AuditProof,
    AuditReport,
    Checkpoint,
    DecisionEnd,
    DecisionKind,
    DecisionRecord,
    PolicyChange,
)
from domain_sdk.errors import InvalidRequest
from domainmesh.v1 import audit_service_pb2 as pb
from domainmesh.v1 import checkpoint_pb2, decision_log_pb2
from domainmesh.v1.audit_service_pb2_grpc import AuditServiceStub
from domainmesh.v1.error_reason_pb2 import ErrorReason

if TYPE_CHECKING:
    from domain_sdk._times import Until
    from domain_sdk._transport import Transport

__all__ = [
    "create_checkpoints", "get_report", "list_checkpoints", "list_decisions", "list_keys", "to_scope", "verify",
]  # fmt: skip


def to_scope(resource: str, principal: str, *, since: Until | None, until: Until | None) -> pb.AuditScope:
    """The scope as a message.

    Raises:
        InvalidRequest: the period ends before it begins.
    """
    if since is not None and until is not None and to_instant(until) <= to_instant(since):
        raise InvalidRequest("The period ends before it begins: `until` is its end, exclusive.")
    return pb.AuditScope(resource=resource, principal=principal, since=to_timestamp(since), until=to_timestamp(until))


def list_decisions(transport: Transport, scope: pb.AuditScope, *, only_denied: bool, limit: int | None) -> list[DecisionRecord]:
    """The decisions, newest first."""
    method = transport.control(AuditServiceStub).ListDecisions
    request = pb.ListDecisionsRequest(scope=scope, only_denied=only_denied)
    return [_decision(it) for it in all_items(transport, method, request, field="decisions", limit=limit)]


def get_report(transport: Transport, scope: pb.AuditScope, *, timeout_seconds: float) -> AuditReport:
    """The report."""
    method = transport.control(AuditServiceStub).GetAuditReport
    found = transport.call(method, pb.GetAuditReportRequest(scope=scope), timeout_seconds=timeout_seconds)
    return AuditReport(
        resource=scope.resource,
        principal=scope.principal,
        since=from_timestamp(scope, "since"),
        until=from_timestamp(scope, "until"),
        uses=tuple(map(_use, found.uses)),
        denials=tuple(map(_denial, found.denials)),
        grants=tuple(map(_grant, found.grants)),
        changes=tuple(
            PolicyChange(it.revision, from_timestamp(it, "time"), it.principal, it.kind, it.subject) for it in found.changes
        ),
        log_start_time=from_timestamp(found, "log_start_time"),
        revision=found.revision,
        is_cut=found.is_cut,
    )


def verify(
    transport: Transport,
    *,
    include_tables: bool,
    checkpoints: Sequence[Checkpoint],
    keys: Mapping[str, bytes],
    timeout_seconds: float,
) -> AuditProof:
    """The proof."""
    request = pb.VerifyAuditRequest(
        is_chain_only=not include_tables,
        checkpoints=map(_checkpoint_to_wire, checkpoints),
        keys=[checkpoint_pb2.AuditKey(id=id, public_key=key) for id, key in keys.items()],
    )
    found = transport.call(transport.control(AuditServiceStub).VerifyAudit, request, timeout_seconds=timeout_seconds)
    return AuditProof(
        is_intact=found.is_intact,
        logs=tuple(AuditedLog(it.stream, it.checked, it.sequence, it.hash.hex(), it.pruned_sequence) for it in found.logs),
        problems=tuple(AuditProblem(it.stream, it.sequence, it.text) for it in found.problems),
        checkpoints=found.checkpoints,
    )


def list_checkpoints(transport: Transport, stream: str, limit: int | None) -> list[Checkpoint]:
    """The checkpoints, oldest first."""
    method = transport.control(AuditServiceStub).ListCheckpoints
    request = pb.ListCheckpointsRequest(stream=stream)
    return [_checkpoint(it) for it in all_items(transport, method, request, field="checkpoints", limit=limit)]


def create_checkpoints(transport: Transport) -> list[Checkpoint]:
    """The checkpoints just made."""
    method = transport.control(AuditServiceStub).CreateCheckpoints
    return [_checkpoint(it) for it in transport.call(method, pb.CreateCheckpointsRequest()).checkpoints]


def list_keys(transport: Transport) -> dict[str, bytes]:
    """The public keys by id."""
    method = transport.control(AuditServiceStub).ListAuditKeys
    return {it.id: it.public_key for it in transport.call(method, pb.ListAuditKeysRequest()).keys}


def _decision(it: decision_log_pb2.DecisionRecord) -> DecisionRecord:
    return DecisionRecord(
        sequence=it.sequence,
        time=from_timestamp(it, "time"),
        call_id=it.call_id,
        kind=enum_member(DecisionKind, it.kind),
        end=enum_member(DecisionEnd, it.end),
        principal=it.principal,
        subject=it.subject,
        action=it.action,
        resource=it.resource,
        purpose=it.purpose,
        version=it.version,
        is_allowed=it.is_allowed,
        reason=_reason(it.reason),
        columns=tuple(it.columns),
        masked_columns=tuple(it.masked_columns),
        rules=tuple(it.rules),
        revision=it.revision,
        rows=it.rows,
        bytes=it.bytes,
        duration_seconds=it.duration_microseconds / 1e6,
        questions=tuple(it.checks.questions),
        answer=it.answer.id,
        cited=_cited(it.answer),
    )


def _cited(answer: decision_log_pb2.AnswerSummary) -> tuple[str, ...]:
    tables = dict.fromkeys(port for figure in answer.figures for port in figure.ports)
    return (*(f"{it.port}@{it.version}#{it.passage}" for it in answer.passages), *tables)


def _reason(number: int) -> str:
    known = ErrorReason.DESCRIPTOR.values_by_number.get(number)
    return known.name.removeprefix("ERROR_REASON_").lower() if number and known else ""


def _use(it: pb.AuditedUse) -> AuditedUse:
    return AuditedUse(
        principal=it.principal,
        port=it.port,
        kind=enum_member(DecisionKind, it.kind),
        purpose=it.purpose,
        rules=tuple(it.rules),
        columns=tuple(it.columns),
        masked_columns=tuple(it.masked_columns),
        count=it.count,
        rows=it.rows,
        bytes=it.bytes,
        unfinished=it.unfinished,
        first_time=from_timestamp(it, "first_time"),
        last_time=from_timestamp(it, "last_time"),
    )


def _denial(it: pb.AuditedDenial) -> AuditedDenial:
    kind = enum_member(DecisionKind, it.kind)
    last = from_timestamp(it, "last_time")
    return AuditedDenial(it.principal, kind, it.resource, it.action, it.purpose, it.reason, it.count, last)


def _grant(it: pb.AuditedGrant) -> AuditedGrant:
    times = (from_timestamp(it, name) for name in ("create_time", "expire_time", "revoke_time"))
    return AuditedGrant(it.id, it.subject, it.resource, it.grantor, it.access_request, it.decider, it.purpose, *times)


def _checkpoint(it: checkpoint_pb2.Checkpoint) -> Checkpoint:
    cause = checkpoint_pb2.CheckpointCause.DESCRIPTOR.values_by_number[it.cause].name
    return Checkpoint(
        number=it.number,
        stream=it.stream,
        sequence=it.sequence,
        hash=it.hash.hex(),
        time=it.time.ToDatetime(tzinfo=UTC),
        cause=cause.removeprefix("CHECKPOINT_CAUSE_").lower(),
        key_id=it.key_id,
        signature=it.signature.hex(),
    )


def _checkpoint_to_wire(it: Checkpoint) -> checkpoint_pb2.Checkpoint:
    causes = checkpoint_pb2.CheckpointCause.DESCRIPTOR.values_by_name
    name = f"CHECKPOINT_CAUSE_{it.cause.upper()}"
    if name not in causes or it.number < 0 or it.sequence < 0:
        raise InvalidRequest(f"Checkpoint {it.number} is none that a server gave out: its cause or a number is unknown.")
    message = checkpoint_pb2.Checkpoint(
        number=it.number, stream=it.stream, sequence=it.sequence, hash=bytes.fromhex(it.hash),
        cause=checkpoint_pb2.CheckpointCause.Value(name),
        key_id=it.key_id, signature=bytes.fromhex(it.signature),
    )  # fmt: skip
    message.time.FromDatetime(it.time)
    return message
