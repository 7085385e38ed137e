"""`mesh.approval_rules`: rules of a domain that approve access requests when they are filed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from domain_sdk._arguments import checked_mapping, checked_names, checked_number, checked_text

if TYPE_CHECKING:
    from domain_sdk._transport import Transport

__all__ = ["ApprovalRule", "ApprovalRules"]

_MASKS = "{'email': 'hash'}"


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """Approves, in its author's name, requests that fit it whole."""

    id: str
    subjects: tuple[str, ...]
    """Whose requests: principals, groups, roles, `domain:sales` (its members) or `*`."""
    resource: str
    purpose: str
    """For which purpose, and narrower ones; any when empty."""
    longest_days: int
    """For how many days a request may ask at most; 0 for no bound."""
    columns: tuple[str, ...]
    """Only requests for some of these; any when empty."""
    row_filter: str
    """The rows it gives, as SQL; all when empty."""
    masks: Mapping[str, str]
    """Column → mask."""
    reason: str
    author: str
    """In whose name it approves: who made it or changed it last."""
    create_time: datetime | None
    is_disabled: bool
    is_dead: bool
    """True if it approves nothing because its author may not give any more what it gives."""
    etag: str


class ApprovalRules:
    """The rules on what the caller may grant on. Reached as `mesh.approval_rules`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, resource: str = "") -> Sequence[ApprovalRule]:
        """The rules on the resource and what it contains, by id."""
        from domain_sdk import _approval_rule_calls

        return _approval_rule_calls.list_rules(self._transport, resource)

    def create(
        self,
        resource: str,
        subjects: Sequence[str],
        *,
        id: str = "",
        purpose: str = "",
        longest_days: int = 0,
        columns: Sequence[str] = (),
        rows: str = "",
        masks: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> ApprovalRule:
        """The rule approves, in the caller's name, from now on.

        Args:
            resource: A domain, product or port; a port if columns, rows or masks are given.
            subjects: Whose requests.
            id: Like `sales:analysts-orders`; made up when empty.
            purpose: For which purpose, and narrower ones; any when empty.
            longest_days: Requests for longer, or without an end, wait for people; 0 for no bound.
            columns: Requests for others wait for people; any when empty.
            rows: A SQL predicate that keeps the rows given; all when empty.
            masks: Column → mask, on what is given.
            reason: Why it exists.
        """
        from domain_sdk import _access_calls, _approval_rule_calls
        from domainmesh.v1.approval_rule_pb2 import ApprovalRule as Message

        sent = Message(
            id=checked_text(id, "id"),
            resource=checked_text(resource, "resource", example="sales.orders"),
            subjects=checked_names(subjects, "subjects"),
            purpose=purpose,
            longest_days=checked_number(longest_days, "longest_days") or 0,
            columns=checked_names(columns, "columns"),
            row_filter=checked_text(rows, "rows"),
            masks=_access_calls.to_masks(checked_mapping(masks, "masks", example=_MASKS)),
            reason=reason,
        )
        return _approval_rule_calls.create_rule(self._transport, sent)

    def update(
        self,
        id: str,
        *,
        subjects: Sequence[str] | None = None,
        purpose: str | None = None,
        longest_days: int | None = None,
        columns: Sequence[str] | None = None,
        rows: str | None = None,
        masks: Mapping[str, str] | None = None,
        reason: str | None = None,
        is_disabled: bool | None = None,
        etag: str = "",
    ) -> ApprovalRule:
        """What was given has the new value; None leaves it. The caller answers for the rule now, unless it only disables it.

        Raises:
            Conflict: the etag is stale.
        """
        from domain_sdk import _access_calls, _approval_rule_calls
        from domainmesh.v1.approval_rule_pb2 import ApprovalRule as Message

        given = {
            "subjects": None if subjects is None else checked_names(subjects, "subjects"),
            "purpose": purpose,
            "longest_days": checked_number(longest_days, "longest_days"),
            "columns": None if columns is None else checked_names(columns, "columns"),
            "row_filter": rows,
            "masks": None if masks is None else _access_calls.to_masks(checked_mapping(masks, "masks", example=_MASKS)),
            "reason": reason,
            "is_disabled": is_disabled,
        }
        changed = {name: value for name, value in given.items() if value is not None}
        sent = Message(id=checked_text(id, "id"), etag=etag, **changed)  # type: ignore[arg-type] # checked above
        return _approval_rule_calls.update_rule(self._transport, sent, list(changed))

    def delete(self, id: str) -> ApprovalRule:
        """The rule is gone; grants that it approved stay."""
        from domain_sdk import _approval_rule_calls

        return _approval_rule_calls.delete_rule(self._transport, checked_text(id, "id"))
