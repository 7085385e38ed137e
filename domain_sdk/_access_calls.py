"""Policy calls: access requests, grants, guardrails and decisions, from the wire to values."""

from __future__ import annotations

from collections.abc import Mapping

from domain_sdk._enums import enum_member
from domain_sdk._paging import all_items
from domain_sdk._times import from_timestamp
from domain_sdk._transport import Transport
from domain_sdk.access import (
    AccessRequest,
    AccessRequestState,
    Decision,
    Explanation,
    Grant,
    Guardrail,
    ReadPlan,
    VisibleColumn,
)
from domain_sdk.errors import InvalidRequest
from domainmesh.v1 import (
    access_request_pb2,
    access_request_service_pb2,
    decision_service_pb2,
    grant_pb2,
    grant_service_pb2,
    read_pb2,
)
from domainmesh.v1.access_request_service_pb2_grpc import AccessRequestServiceStub
from domainmesh.v1.decision_service_pb2_grpc import DecisionServiceStub
from domainmesh.v1.grant_service_pb2_grpc import GrantServiceStub, GuardrailServiceStub

__all__ = [
    "approve_request",
    "check",
    "create_grant",
    "create_guardrail",
    "create_request",
    "delete_guardrail",
    "deny_request",
    "explain",
    "get_request",
    "list_grants",
    "list_guardrails",
    "list_requests",
    "revoke_grant",
    "to_masks",
    "to_plan",
    "withdraw_request",
]


def create_request(transport: Transport, access_request: access_request_pb2.AccessRequest) -> AccessRequest:
    """The request is filed."""
    request = access_request_service_pb2.CreateAccessRequestRequest(access_request=access_request)
    return _request(transport, transport.call(transport.control(AccessRequestServiceStub).CreateAccessRequest, request))


def get_request(transport: Transport, id: str) -> AccessRequest:
    """The request as it stands."""
    request = access_request_service_pb2.GetAccessRequestRequest(id=id)
    return _request(transport, transport.call(transport.control(AccessRequestServiceStub).GetAccessRequest, request))


def list_requests(transport: Transport, *, state: str = "", resource: str = "", limit: int | None = None) -> list[AccessRequest]:
    """The caller's own requests and those it may decide, newest first."""
    request = access_request_service_pb2.ListAccessRequestsRequest(state=_state(state), resource=resource)
    method = transport.control(AccessRequestServiceStub).ListAccessRequests
    return [_request(transport, it) for it in all_items(transport, method, request, field="access_requests", limit=limit)]


def approve_request(transport: Transport, request: access_request_service_pb2.ApproveAccessRequestRequest) -> AccessRequest:
    """The request is approved and its grant exists."""
    return _request(transport, transport.call(transport.control(AccessRequestServiceStub).ApproveAccessRequest, request))


def deny_request(transport: Transport, id: str, reason: str) -> AccessRequest:
    """The request is denied."""
    request = access_request_service_pb2.DenyAccessRequestRequest(id=id, reason=reason)
    return _request(transport, transport.call(transport.control(AccessRequestServiceStub).DenyAccessRequest, request))


def withdraw_request(transport: Transport, id: str) -> AccessRequest:
    """The caller's own request is taken back."""
    request = access_request_service_pb2.WithdrawAccessRequestRequest(id=id)
    return _request(transport, transport.call(transport.control(AccessRequestServiceStub).WithdrawAccessRequest, request))


def create_grant(transport: Transport, grant: grant_pb2.Grant) -> Grant:
    """The grant holds."""
    request = grant_service_pb2.CreateGrantRequest(grant=grant)
    return _grant(transport.call(transport.control(GrantServiceStub).CreateGrant, request))


def list_grants(transport: Transport, *, resource: str = "", subject: str = "") -> list[Grant]:
    """The grants on the resource and what it contains, and to the subject, by id."""
    request = grant_service_pb2.ListGrantsRequest(resource=resource, subject=subject)
    method = transport.control(GrantServiceStub).ListGrants
    return [_grant(it) for it in all_items(transport, method, request, field="grants")]


def revoke_grant(transport: Transport, id: str, reason: str) -> Grant:
    """The grant is revoked; the next read that needs it is denied."""
    request = grant_service_pb2.RevokeGrantRequest(id=id, reason=reason)
    return _grant(transport.call(transport.control(GrantServiceStub).RevokeGrant, request))


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


def _state(word: str) -> access_request_pb2.AccessRequestState.ValueType:
    if not word:
        return access_request_pb2.ACCESS_REQUEST_STATE_UNSPECIFIED
    try:
        return access_request_pb2.AccessRequestState.Value(f"ACCESS_REQUEST_STATE_{word.upper()}")
    except ValueError as error:
        known = ", ".join(state.value for state in AccessRequestState if state is not AccessRequestState.UNSPECIFIED)
        raise InvalidRequest(f"{word!r} is no state of an access request: use one of {known}.") from error


def _request(transport: Transport, message: access_request_pb2.AccessRequest) -> AccessRequest:
    return AccessRequest(
        id=message.id,
        requester=message.requester,
        resource=message.resource,
        purpose=message.purpose,
        columns=tuple(message.columns),
        until=from_timestamp(message, "expire_time"),
        reason=message.reason,
        state=enum_member(AccessRequestState, message.state),
        decider=message.decider,
        decision_reason=message.decision_reason,
        grants=tuple(message.grants),
        row_filter=message.row_filter,
        masks={it.column: it.mask for it in message.masks},
        create_time=from_timestamp(message, "create_time"),
        decide_time=from_timestamp(message, "decide_time"),
        fetch=lambda id: get_request(transport, id),
    )


def _grant(message: grant_pb2.Grant) -> Grant:
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
    )
