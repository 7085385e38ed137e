"""Calls about access requests and the inbox, from the wire to values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain_sdk._enums import enum_member
from domain_sdk._paging import all_items
from domain_sdk._times import from_timestamp
from domain_sdk._transport import Transport
from domain_sdk.access_requests import (
    AccessApproval,
    AccessRequest,
    AccessRequestEvent,
    AccessRequestState,
    AccessRequestStep,
    AccessTerms,
    ApproverLevel,
)
from domain_sdk.errors import InvalidRequest
from domainmesh.v1 import access_request_pb2, access_request_service_pb2, grant_pb2
from domainmesh.v1.access_request_service_pb2_grpc import AccessRequestServiceStub

__all__ = [
    "approve_request",
    "create_request",
    "deny_request",
    "get_request",
    "list_requests",
    "renew_access",
    "to_level",
    "to_request",
    "withdraw_request",
]


def create_request(transport: Transport, access_request: access_request_pb2.AccessRequest) -> AccessRequest:
    """The request is filed."""
    request = access_request_service_pb2.CreateAccessRequestRequest(access_request=access_request)
    return to_request(transport, transport.call(transport.control(AccessRequestServiceStub).CreateAccessRequest, request))


def renew_access(transport: Transport, request: access_request_service_pb2.RenewAccessRequest) -> AccessRequest:
    """The request for a longer end is filed."""
    return to_request(transport, transport.call(transport.control(AccessRequestServiceStub).RenewAccess, request))


def get_request(transport: Transport, id: str) -> AccessRequest:
    """The request as it stands."""
    request = access_request_service_pb2.GetAccessRequestRequest(id=id)
    return to_request(transport, transport.call(transport.control(AccessRequestServiceStub).GetAccessRequest, request))


def list_requests(
    transport: Transport, *, state: str = "", resource: str = "", awaits_me: bool = False, limit: int | None = None
) -> list[AccessRequest]:
    """The caller's own requests and those it may decide, newest first."""
    request = access_request_service_pb2.ListAccessRequestsRequest(
        state=_state(state), resource=resource, awaits_caller=awaits_me
    )
    method = transport.control(AccessRequestServiceStub).ListAccessRequests
    return [to_request(transport, it) for it in all_items(transport, method, request, field="access_requests", limit=limit)]


def approve_request(transport: Transport, request: access_request_service_pb2.ApproveAccessRequestRequest) -> AccessRequest:
    """The approval is recorded; the last that is needed makes the grant."""
    return to_request(transport, transport.call(transport.control(AccessRequestServiceStub).ApproveAccessRequest, request))


def deny_request(transport: Transport, id: str, reason: str) -> AccessRequest:
    """The request is denied."""
    request = access_request_service_pb2.DenyAccessRequestRequest(id=id, reason=reason)
    return to_request(transport, transport.call(transport.control(AccessRequestServiceStub).DenyAccessRequest, request))


def withdraw_request(transport: Transport, id: str) -> AccessRequest:
    """The request is taken back."""
    request = access_request_service_pb2.WithdrawAccessRequestRequest(id=id)
    return to_request(transport, transport.call(transport.control(AccessRequestServiceStub).WithdrawAccessRequest, request))


def _state(word: str) -> access_request_pb2.AccessRequestState.ValueType:
    if not word:
        return access_request_pb2.ACCESS_REQUEST_STATE_UNSPECIFIED
    try:
        return access_request_pb2.AccessRequestState.Value(f"ACCESS_REQUEST_STATE_{word.upper()}")
    except ValueError as error:
        known = ", ".join(state.value for state in AccessRequestState if state is not AccessRequestState.UNSPECIFIED)
        raise InvalidRequest(f"{word!r} is no state of an access request: use one of {known}.") from error


def to_request(transport: Transport, message: access_request_pb2.AccessRequest) -> AccessRequest:
    """The request as a value."""
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
        masks=_masks(message.masks),
        create_time=from_timestamp(message, "create_time"),
        decide_time=from_timestamp(message, "decide_time"),
        subject=message.subject,
        given=_terms(message.given) if message.HasField("given") else None,
        is_less_than_asked=message.is_less_than_asked,
        approvals=tuple(_approval(it) for it in message.approvals),
        levels=tuple(to_level(it) for it in message.levels),
        history=tuple(_event(it) for it in message.history),
        renews=message.renews,
        renewed_by=message.renewed_by,
        fetch=lambda id: get_request(transport, id),
    )


def _masks(masks: Sequence[grant_pb2.ColumnMask]) -> Mapping[str, str]:
    return {it.column: it.mask for it in masks}


def _terms(message: access_request_pb2.AccessTerms) -> AccessTerms:
    return AccessTerms(
        columns=tuple(message.columns),
        row_filter=message.row_filter,
        masks=_masks(message.masks),
        since=from_timestamp(message, "start_time"),
        until=from_timestamp(message, "expire_time"),
    )


def _approval(message: access_request_pb2.AccessApproval) -> AccessApproval:
    return AccessApproval(
        level=message.level,
        approver=message.approver,
        approval_rule=message.approval_rule,
        terms=_terms(message.terms),
        reason=message.reason,
        time=from_timestamp(message, "approve_time"),
    )


def to_level(message: access_request_pb2.ApproverLevel) -> ApproverLevel:
    return ApproverLevel(
        level=message.level,
        approvers=tuple(message.approvers),
        needs_all=message.needs_all,
        approved_by=tuple(message.approved_by),
        is_filled=message.is_filled,
    )


def _event(message: access_request_pb2.AccessRequestEvent) -> AccessRequestEvent:
    return AccessRequestEvent(
        time=from_timestamp(message, "time"),
        principal=message.principal,
        step=enum_member(AccessRequestStep, message.step),
        level=message.level,
        reason=message.reason,
        approval_rule=message.approval_rule,
    )
