"""Calls of the inbox, from the wire to values."""

from __future__ import annotations

from collections.abc import Sequence

from domain_sdk._access_calls import to_grant
from domain_sdk._break_glass_calls import to_use
from domain_sdk._change_calls import to_change_set
from domain_sdk._contract_change_calls import to_change
from domain_sdk._enums import enum_member
from domain_sdk._paging import all_items
from domain_sdk._request_calls import to_request
from domain_sdk._times import from_timestamp
from domain_sdk._transport import Transport
from domain_sdk.inbox import Inbox, Notice, NoticeKind
from domainmesh.v1 import inbox_service_pb2, notice_pb2
from domainmesh.v1.inbox_service_pb2_grpc import InboxServiceStub

__all__ = ["get_inbox", "list_notices"]


def get_inbox(transport: Transport) -> Inbox:
    """The caller's inbox."""
    response = transport.call(transport.control(InboxServiceStub).GetInbox, inbox_service_pb2.GetInboxRequest())
    return Inbox(
        to_decide=tuple(to_request(transport, it) for it in response.to_decide),
        to_decide_count=response.to_decide_count,
        own=tuple(to_request(transport, it) for it in response.own),
        own_count=response.own_count,
        ending=tuple(to_grant(it) for it in response.ending),
        ending_count=response.ending_count,
        notices=tuple(_notice(it) for it in response.notices),
        notice_count=response.notice_count,
        changes_to_approve=tuple(to_change_set(it) for it in response.changes_to_approve),
        changes_to_approve_count=response.changes_to_approve_count,
        to_acknowledge=tuple(to_use(it) for it in response.to_acknowledge),
        to_acknowledge_count=response.to_acknowledge_count,
        contract_changes=tuple(to_change(it) for it in response.contract_changes),
        contract_change_count=response.contract_change_count,
        mark=lambda ids: _mark_read(transport, ids),
    )


def list_notices(transport: Transport, *, include_read: bool, limit: int | None) -> list[Notice]:
    """The caller's notices, newest first."""
    request = inbox_service_pb2.ListNoticesRequest(include_read=include_read)
    method = transport.control(InboxServiceStub).ListNotices
    return [_notice(it) for it in all_items(transport, method, request, field="notices", limit=limit)]


def _mark_read(transport: Transport, ids: Sequence[str]) -> int:
    request = inbox_service_pb2.MarkNoticesReadRequest(ids=ids)
    return int(transport.call(transport.control(InboxServiceStub).MarkNoticesRead, request).marked_count)


def _notice(message: notice_pb2.Notice) -> Notice:
    return Notice(
        id=message.id,
        recipient=message.recipient,
        kind=enum_member(NoticeKind, message.kind),
        resource=message.resource,
        about=message.about,
        text=message.text,
        time=from_timestamp(message, "create_time"),
        is_read=bool(message.read_by),
    )
