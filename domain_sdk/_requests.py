"""The calls of `Mesh` about access requests: asking, deciding, renewing; and the inbox.

Owns their arguments; whether a call is allowed is always the server's decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from domain_sdk._arguments import checked_mapping, checked_names, checked_predicate, checked_text
from domain_sdk._times import Until, to_expiry

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domain_sdk.access_requests import AccessRequest
    from domain_sdk.inbox import Inbox, Notice

__all__ = ["RequestCalls"]

_MASKS = "{'email': 'hash'}"


class RequestCalls:
    """Access requests, as `Mesh` offers them."""

    _transport: Transport

    def request(
        self,
        resource: str,
        *,
        purpose: str = "",
        until: Until | None = None,
        columns: Sequence[str] = (),
        rows: str | None = None,
        subject: str = "",
        reason: str = "",
    ) -> AccessRequest:
        """A filed request for a grant on a product or port; `wait()` on it returns once it is decided.

        An approval rule of the domain may approve it at once: look at its `state`.

        Args:
            resource: A product or port.
            purpose: What for; any when empty.
            until: Exclusive end; for ever when None.
            columns: Only these; all when empty.
            rows: A SQL predicate that keeps the rows wanted; all when None. An empty text is refused: it would be all, too.
            subject: A group you belong to that is to get the access; yourself when empty.
            reason: Why, for who decides.
        """
        from domain_sdk import _request_calls
        from domainmesh.v1.access_request_pb2 import AccessRequest as Message

        sent = Message(
            resource=checked_text(resource, "resource", example="finance.ledger"),
            purpose=purpose,
            columns=checked_names(columns, "columns"),
            row_filter=checked_predicate(rows, "rows"),
            subject=checked_text(subject, "subject", example="group:analysts"),
            expire_time=to_expiry(until),
            reason=reason,
        )
        return _request_calls.create_request(self._transport, sent)

    def renew(self, id: str, *, until: Until, reason: str = "") -> AccessRequest:
        """A filed request for a longer end of a grant of yours, under the obligations it has.

        Once approved, access goes on without a gap where the grant ends.

        Args:
            id: The grant's id, or that of the request it came from.
            until: The new end, exclusive.
            reason: Why; as before when empty.

        Raises:
            WrongState: the grant has ended, was renewed already or has no end.
        """
        from domain_sdk import _request_calls
        from domainmesh.v1.access_request_service_pb2 import RenewAccessRequest

        sent = RenewAccessRequest(id=checked_text(id, "id"), expire_time=to_expiry(until), reason=reason)
        return _request_calls.renew_access(self._transport, sent)

    def get_request(self, id: str) -> AccessRequest:
        """The request as it stands, to who made it and who may decide it."""
        from domain_sdk import _request_calls

        return _request_calls.get_request(self._transport, checked_text(id, "id"))

    def requests(
        self, *, state: str = "", resource: str = "", awaits_me: bool = False, limit: int | None = None
    ) -> list[AccessRequest]:
        """The caller's own requests and those it may decide, newest first.

        Args:
            state: Only in a state like `requested` or `active`, if given; `approved` includes `active`.
            resource: Only on this and what it contains.
            awaits_me: Only those that wait for the caller's own decision.
            limit: At most so many.
        """
        from domain_sdk import _request_calls

        return _request_calls.list_requests(self._transport, state=state, resource=resource, awaits_me=awaits_me, limit=limit)

    def approve(
        self,
        id: str,
        *,
        rows: str | None = None,
        masks: Mapping[str, str] | None = None,
        columns: Sequence[str] = (),
        until: Until | None = None,
        reason: str = "",
    ) -> AccessRequest:
        """The approval counts, possibly for less than was asked; if none further is needed, the grant exists.

        Args:
            id: The request's id.
            rows: A SQL predicate that keeps the rows given, of those asked for; all of them when None, as no empty text says.
            masks: Column → mask.
            columns: Only these; those asked for when empty.
            until: Exclusive end; as asked when None.
            reason: What the requester gets to read.
        """
        from domain_sdk import _access_calls, _request_calls
        from domainmesh.v1.access_request_service_pb2 import ApproveAccessRequestRequest

        sent = ApproveAccessRequestRequest(
            id=id,
            row_filter=checked_predicate(rows, "rows"),
            masks=_access_calls.to_masks(checked_mapping(masks, "masks", example=_MASKS)),
            columns=checked_names(columns, "columns"),
            expire_time=to_expiry(until),
            reason=reason,
        )
        return _request_calls.approve_request(self._transport, sent)

    def inbox(self) -> Inbox:
        """What waits for the caller, what became of what it asked for, what ends soon, and what it has not read."""
        from domain_sdk import _inbox_calls

        return _inbox_calls.get_inbox(self._transport)

    def notices(self, *, include_read: bool = False, limit: int | None = None) -> list[Notice]:
        """What the caller was told and has not read (or all of it), newest first."""
        from domain_sdk import _inbox_calls

        return _inbox_calls.list_notices(self._transport, include_read=include_read, limit=limit)

    def deny(self, id: str, *, reason: str = "") -> AccessRequest:
        """The request is denied."""
        from domain_sdk import _request_calls

        return _request_calls.deny_request(self._transport, id, reason)

    def withdraw(self, id: str) -> AccessRequest:
        """The caller's own request is taken back; if it was approved, its grant has ended."""
        from domain_sdk import _request_calls

        return _request_calls.withdraw_request(self._transport, id)
