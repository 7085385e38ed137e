"""Approval rules at work: a request that one fits is approved in the very change that files it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

from domainmesh.v1 import access_request_pb2 as messages
from domainmesh.v1 import approval_rule_pb2
from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.journal.command import Transaction
from governance_server.policy.names import is_disabled
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.approval_rules import fits, rule_terms
from governance_server.rules.errors import GovernanceError
from governance_server.rules.policy_rows import domain_of
from governance_server.services.request_approvals import Approval, approve
from governance_server.services.request_views import RequestView, beneficiary

__all__ = ["approve_by_rules", "is_alive"]

_LOG = logging.getLogger(__name__)


def approve_by_rules(
    backend: Backend, tx: Transaction, view: RequestView, filed: messages.AccessRequest
) -> tuple[messages.AccessRequest, list[ResourceWrite]]:
    """The request with the approvals of the rules that fit it, and the writes if they made a grant.

    Each rule approves once; one whose author could not approve like this is passed over, and people decide.
    """
    left = list(_fitting(backend, tx, filed))
    current = filed
    while not current.grants:
        for rule in left:
            attempt = _approved_by(backend, tx, view, (current, rule))
            if attempt is not None:
                current, writes = attempt
                left.remove(rule)  # the next level may be for one that was passed over on this one
                break
        else:
            return current, []
    return current, writes


def _approved_by(
    backend: Backend, tx: Transaction, view: RequestView, pair: tuple[messages.AccessRequest, approval_rule_pb2.ApprovalRule]
) -> tuple[messages.AccessRequest, list[ResourceWrite]] | None:
    """The request with the rule's approval, and the writes; None if its author could not approve like this."""
    asked, rule = pair
    attempt = messages.AccessRequest()
    attempt.CopyFrom(asked)
    author = _author(backend, rule)
    if author is None:
        return None
    approval = Approval(author, rule_terms(rule), rule.reason, rule.id, f"g-{backend.new_id()}")
    try:
        return attempt, approve(backend, tx, view, attempt, approval)
    except GovernanceError as refusal:
        _LOG.info("approval rule passed over rule=%s request=%s reason=%s", rule.id, asked.id, type(refusal).__name__)
        return None


def is_alive(backend: Backend, rule: approval_rule_pb2.ApprovalRule) -> bool:
    """True if the rule's author may still grant what it gives."""
    return _author(backend, rule) is not None


def _author(backend: Backend, rule: approval_rule_pb2.ApprovalRule) -> Caller | None:
    """The rule's author, None if it was disabled or may not grant on the rule's resource any more: the rule is dead then."""
    author = None if is_disabled(backend.policy, rule.creator) else backend.policy.caller_of(rule.creator)
    if author is None or not backend.policy.check(author, "grant", rule.resource).allowed:
        return None
    return replace(author, token_makers=frozenset(rule.creator_makers))


def _fitting(backend: Backend, tx: Transaction, filed: messages.AccessRequest) -> Iterator[approval_rule_pb2.ApprovalRule]:
    """The rules of the resource's domain that fit the request, by id."""
    domain = domain_of(filed.resource)
    rows = tx.list(kinds.APPROVAL_RULE, prefix=f"{domain}:")
    if not rows:
        return
    names = backend.policy.names_of(beneficiary(filed), domain)
    wider = backend.policy.wider_purposes(filed.purpose) if filed.purpose else frozenset()
    for _, body in rows:
        rule = approval_rule_pb2.ApprovalRule.FromString(body)
        if fits(rule, filed, names=names, wider=wider, now=tx.time):
            yield rule
