"""When an approval rule approves an access request: it fits all that was asked, and gives at most what it says.

Pure. A rule is its author's approval, given in advance; whether the author may still give it is found where approvals are made.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import UTC, datetime, timedelta

from domainmesh.v1 import access_request_pb2, approval_rule_pb2
from governance_server.rules.grants import contains

__all__ = ["fits", "rule_terms"]


def fits(
    rule: approval_rule_pb2.ApprovalRule,
    asked: access_request_pb2.AccessRequest,
    *,
    names: Set[str],
    wider: Set[str],
    now: datetime,
) -> bool:
    """True if the rule approves what is asked.

    Args:
        rule: The rule.
        asked: The request.
        names: Every name that stands for who is to get the access.
        wider: The request's purpose and everything above it; empty if it states none.
        now: When it is filed.
    """
    if rule.is_disabled or names.isdisjoint(rule.subjects) or not contains(rule.resource, asked.resource):
        return False
    if rule.purpose and rule.purpose not in wider:
        return False
    if rule.columns and (not asked.columns or set(asked.columns) - set(rule.columns)):
        return False
    return not rule.longest_days or _lasts_at_most(asked, now + timedelta(days=rule.longest_days))


def _lasts_at_most(asked: access_request_pb2.AccessRequest, end: datetime) -> bool:
    return asked.HasField("expire_time") and asked.expire_time.ToDatetime(tzinfo=UTC) <= end


def rule_terms(rule: approval_rule_pb2.ApprovalRule) -> access_request_pb2.AccessTerms:
    """What the rule gives at most, besides what it requires to be asked."""
    return access_request_pb2.AccessTerms(row_filter=rule.row_filter, masks=rule.masks)
