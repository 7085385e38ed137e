"""Calls about approval rules, from the wire to values."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.field_mask_pb2 import FieldMask

from domain_sdk._paging import all_items
from domain_sdk._times import from_timestamp
from domain_sdk._transport import Transport
from domain_sdk.approval_rules import ApprovalRule
from domainmesh.v1 import approval_rule_pb2, approval_rule_service_pb2
from domainmesh.v1.approval_rule_service_pb2_grpc import ApprovalRuleServiceStub

__all__ = ["create_rule", "delete_rule", "list_rules", "update_rule"]


def list_rules(transport: Transport, resource: str) -> list[ApprovalRule]:
    """The rules on the resource and what it contains."""
    request = approval_rule_service_pb2.ListApprovalRulesRequest(resource=resource)
    method = transport.control(ApprovalRuleServiceStub).ListApprovalRules
    return [_rule(it) for it in all_items(transport, method, request, field="approval_rules")]


def create_rule(transport: Transport, rule: approval_rule_pb2.ApprovalRule) -> ApprovalRule:
    """The rule exists."""
    request = approval_rule_service_pb2.CreateApprovalRuleRequest(approval_rule=rule)
    return _rule(transport.call(transport.control(ApprovalRuleServiceStub).CreateApprovalRule, request))


def update_rule(transport: Transport, rule: approval_rule_pb2.ApprovalRule, fields: Sequence[str]) -> ApprovalRule:
    """The fields have their new values."""
    request = approval_rule_service_pb2.UpdateApprovalRuleRequest(approval_rule=rule, update_mask=FieldMask(paths=fields))
    return _rule(transport.call(transport.control(ApprovalRuleServiceStub).UpdateApprovalRule, request))


def delete_rule(transport: Transport, id: str) -> ApprovalRule:
    """The rule is gone."""
    request = approval_rule_service_pb2.DeleteApprovalRuleRequest(id=id)
    return _rule(transport.call(transport.control(ApprovalRuleServiceStub).DeleteApprovalRule, request))


def _rule(message: approval_rule_pb2.ApprovalRule) -> ApprovalRule:
    return ApprovalRule(
        id=message.id,
        subjects=tuple(message.subjects),
        resource=message.resource,
        purpose=message.purpose,
        longest_days=message.longest_days,
        columns=tuple(message.columns),
        row_filter=message.row_filter,
        masks={it.column: it.mask for it in message.masks},
        reason=message.reason,
        author=message.creator,
        create_time=from_timestamp(message, "create_time"),
        is_disabled=message.is_disabled,
        is_dead=message.is_dead,
        etag=message.etag,
    )
