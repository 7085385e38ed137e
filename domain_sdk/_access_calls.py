"""Policy calls: grants, guardrails and decisions, from the wire to values."""

from __future__ import annotations

from collections.abc import Mapping

from domain_sdk._enums import enum_member
from domain_sdk._paging import all_items
from domain_sdk._request_calls import to_level
from domain_sdk._times import from_timestamp
from domain_sdk._transport import Transport
from domain_sdk.access import (
    Decision,
    ExplainedColumn,
    Explanation,
    Grant,
    Guardrail,
    ReadPlan,
    VisibleColumn,
    WayKind,
    WayOut,
)
from domain_sdk.questions import Shown
from domainmesh.v1 import (
    decision_service_pb2,
    grant_pb2,
    grant_service_pb2,
    read_pb2,
)
from domainmesh.v1.decision_service_pb2_grpc import DecisionServiceStub
from domainmesh.v1.grant_service_pb2_grpc import GrantServiceStub, GuardrailServiceStub

__all__ = [
    "check",
    "create_grant",
    "create_guardrail",
    "delete_guardrail",
    "explain",
    "list_grants",
    "list_guardrails",
    "revoke_grant",
    "to_grant",
    "to_masks",
    "to_plan",
]


def create_grant(transport: Transport, grant: grant_pb2.Grant) -> Grant:
    """The grant holds."""
    request = grant_service_pb2.CreateGrantRequest(grant=grant)
    return to_grant(transport.call(transport.control(GrantServiceStub).CreateGrant, request))


def list_grants(transport: Transport, *, resource: str = "", subject: str = "") -> list[Grant]:
    """The grants on the resource and what it contains, and to the subject, by id."""
    request = grant_service_pb2.ListGrantsRequest(resource=resource, subject=subject)
    method = transport.control(GrantServiceStub).ListGrants
    return [to_grant(it) for it in all_items(transport, method, request, field="grants")]


def revoke_grant(transport: Transport, id: str, reason: str) -> Grant:
    """The grant is revoked; the next read that needs it is denied."""
    request = grant_service_pb2.RevokeGrantRequest(id=id, reason=reason)
    return to_grant(transport.call(transport.control(GrantServiceStub).RevokeGrant, request))


def create_guardrail(transport: Transport, guardrail: grant_pb2.Guardrail) -> Guardrail:
    """The guardrail binds."""
    request = grant_service_pb2.CreateGuardrailRequest(guardrail=guardrail)
    return _guardrail(transport.call(transport.control(GuardrailServiceStub).CreateGuardrail, request))


def list_guardrails(transport: Transport) -> list[Guardrail]:
    """Every guardrail, by id."""
    method = transport.control(GuardrailServiceStub).ListGuardrails
    request = grant_service_pb2.ListGuardrailsRequest()
    return [_guardrail(it) for it in all_items(transport, method, request, field="guardrails")]


def delete_guardrail(transport: Transport, id: str) -> Guardrail:
    """The guardrail is gone."""
    request = grant_service_pb2.DeleteGuardrailRequest(id=id)
    return _guardrail(transport.call(transport.control(GuardrailServiceStub).DeleteGuardrail, request))


def check(transport: Transport, request: decision_service_pb2.CheckRequest) -> Decision:
    """Whether the action is allowed."""
    response = transport.call(transport.control(DecisionServiceStub).Check, request)
    return Decision(response.is_allowed, tuple(response.reasons), response.revision)


def explain(transport: Transport, request: decision_service_pb2.ExplainRequest) -> Explanation:
    """What the principal sees of the port, and why."""
    response = transport.call(transport.control(DecisionServiceStub).Explain, request)
    return Explanation(
        is_allowed=response.is_allowed,
        plan=to_plan(response.plan) if response.HasField("plan") else None,
        reasons=tuple(response.reasons),
        next_step=response.next_step,
        revision=response.revision,
        columns=tuple(
            ExplainedColumn(it.name, enum_member(Shown, it.shown), it.mask, tuple(it.reasons)) for it in response.columns
        ),
        ways=tuple(
            WayOut(enum_member(WayKind, it.kind), it.words, it.rule, it.purpose, tuple(it.columns), it.actor)
            for it in response.ways
        ),
        approvers=tuple(map(to_level, response.approvers)),
        request_command=response.request_command,
    )


def to_masks(masks: Mapping[str, str]) -> list[grant_pb2.ColumnMask]:
    """The masks on the wire."""
    return [grant_pb2.ColumnMask(column=column, mask=mask) for column, mask in masks.items()]


def to_plan(message: read_pb2.ReadPlan) -> ReadPlan:
    """The plan as a value."""
    return ReadPlan(
        port=message.port,
        principal=message.principal,
        purpose=message.purpose,
        revision=message.revision,
        columns=tuple(VisibleColumn(it.name, it.mask, it.is_conditional) for it in message.columns),
        hidden_column_count=message.hidden_column_count,
        row_filter=message.row_filter,
        reasons=tuple(message.reasons),
        has_obligations=message.has_obligations,
    )


def to_grant(message: grant_pb2.Grant) -> Grant:
    """The grant as a value."""
    return Grant(
        id=message.id,
        subject=message.subject,
        resource=message.resource,
        actions=tuple(message.actions),
        is_deny=message.effect == grant_pb2.EFFECT_DENY,
        purpose=message.purpose,
        columns=tuple(message.columns),
        row_filter=message.row_filter,
        masks={it.column: it.mask for it in message.masks},
        start_time=from_timestamp(message, "start_time"),
        until=from_timestamp(message, "expire_time"),
        reason=message.reason,
        grantor=message.grantor,
        access_request=message.access_request,
        create_time=from_timestamp(message, "create_time"),
        revoke_time=from_timestamp(message, "revoke_time"),
        revoke_reason=message.revoke_reason,
        revoker=message.revoker,
        approval_rule=message.approval_rule,
        renewed_by=message.renewed_by,
        basis=tuple(message.basis),
    )


def _guardrail(message: grant_pb2.Guardrail) -> Guardrail:
    return Guardrail(
        id=message.id,
        description=message.description,
        resource=message.resource,
        mask=message.mask,
        row_filter=message.row_filter,
        is_deny_read=message.deny_read,
        exempt=tuple(message.exempt),
        create_time=from_timestamp(message, "create_time"),
        creator=message.creator,
        warning=message.warning,
    )
