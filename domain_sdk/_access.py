"""The calls of `Mesh` about access: granting, and what a decision would be; asking for it is in `_requests`.

Owns their arguments; whether a call is allowed is always the server's decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from domain_sdk._arguments import checked_mapping, checked_names, checked_text
from domain_sdk._requests import RequestCalls
from domain_sdk._times import Until, to_expiry, to_timestamp

if TYPE_CHECKING:
    from domain_sdk.access import Decision, Explanation, Grant, Guardrail

__all__ = ["AccessCalls", "Action"]

Action = Literal["discover", "request", "read", "write", "grant", "administer"]
_MASKS = "{'email': 'hash'}"


class AccessCalls(RequestCalls):
    """Requests, grants and decisions, as `Mesh` offers them."""

    def grant(
        self,
        subject: str,
        resource: str,
        *,
        actions: Sequence[Action] = ("discover", "read"),
        purpose: str = "",
        rows: str = "",
        masks: Mapping[str, str] | None = None,
        columns: Sequence[str] = (),
        since: Until | None = None,
        until: Until | None = None,
        deny: bool = False,
        reason: str = "",
    ) -> Grant:
        """The grant holds: the subject may (or, with `deny`, may not) do the actions on the resource.

        Args:
            subject: A principal, group, role, `domain:sales` (its members) or `*`.
            resource: `mesh`, a domain, product or port.
            actions: None implies another.
            purpose: What it is for; any when empty.
            rows: A SQL predicate that keeps the rows given; all when empty.
            masks: Column → mask.
            columns: Only these; all when empty.
            since: From when on, inclusive; at once when None.
            until: Until when, exclusive; for ever when None.
            deny: Take instead of give; overrides every allow.
            reason: Why it exists.
        """
        from domain_sdk import _access_calls
        from domainmesh.v1 import grant_pb2

        sent = grant_pb2.Grant(
            subject=checked_text(subject, "subject", example="user:ana"),
            resource=checked_text(resource, "resource", example="finance.ledger"),
            actions=checked_names(actions, "actions"),
            effect=grant_pb2.EFFECT_DENY if deny else grant_pb2.EFFECT_ALLOW,
            purpose=purpose,
            columns=checked_names(columns, "columns"),
            row_filter=rows,
            masks=_access_calls.to_masks(checked_mapping(masks, "masks", example=_MASKS)),
            start_time=to_timestamp(since),
            expire_time=to_expiry(until),
            reason=reason,
        )
        return _access_calls.create_grant(self._transport, sent)

    def grants(self, *, resource: str = "", subject: str = "") -> list[Grant]:
        """The grants on the resource and what it contains, and to the subject, by id."""
        from domain_sdk import _access_calls

        return _access_calls.list_grants(self._transport, resource=resource, subject=subject)

    def revoke(self, id: str, *, reason: str = "") -> Grant:
        """The grant is revoked; the next read that needs it is denied."""
        from domain_sdk import _access_calls

        return _access_calls.revoke_grant(self._transport, id, reason)

    def guardrails(self) -> list[Guardrail]:
        """The rules of the central team that bind every domain, by id."""
        from domain_sdk import _access_calls

        return _access_calls.list_guardrails(self._transport)

    def check(
        self, action: Action, resource: str, *, principal: str = "", purpose: str | None = None, as_of: int = 0
    ) -> Decision:
        """Whether the principal (the caller when empty) may do the action, and why; true in a condition if it may.

        Decided at the journal revision `as_of`, with that revision's time; 0 means now.
        """
        from domain_sdk import _access_calls
        from domainmesh.v1.decision_service_pb2 import CheckRequest

        sent = CheckRequest(principal=principal, action=action, resource=resource, purpose=purpose or "", as_of=as_of)
        return _access_calls.check(self._transport, sent)

    def explain(
        self, port: str, *, principal: str = "", purpose: str | None = None, action: Action = "read", as_of: int = 0
    ) -> Explanation:
        """What the principal (the caller when empty) sees of the port, why, column by column, and what would change it.

        Of another action than read: whether it may do it, why, and who could let it.

        Decided at the journal revision `as_of`, with that revision's time; 0 means now.
        """
        from domain_sdk import _access_calls
        from domainmesh.v1.decision_service_pb2 import ExplainRequest

        wanted = "" if action == "read" else action
        sent = ExplainRequest(port=port, principal=principal, purpose=purpose or "", action=wanted, as_of=as_of)
        return _access_calls.explain(self._transport, sent)
