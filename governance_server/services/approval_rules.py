"""ApprovalRuleService: rules that approve access requests when they are filed."""

from __future__ import annotations

import grpc

from domainmesh.v1 import approval_rule_pb2, approval_rule_service_pb2_grpc
from domainmesh.v1 import approval_rule_service_pb2 as pb
from governance_server.backend import Backend, Page, Reader
from governance_server.caller import Caller, current_caller
from governance_server.editing.approval_rules import FIELDS
from governance_server.editing.editor import Edit, create, end, merged, replace
from governance_server.editing.registry import APPROVAL_RULES
from governance_server.journal.command import Outcome, Transaction
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.errors import Conflict, Invalid
from governance_server.rules.grants import contains
from governance_server.services.request_rules import is_alive

__all__ = ["ApprovalRuleService"]


class ApprovalRuleService(approval_rule_service_pb2_grpc.ApprovalRuleServiceServicer):
    """Serves approval rules."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def CreateApprovalRule(
        self, request: pb.CreateApprovalRuleRequest, context: grpc.ServicerContext
    ) -> approval_rule_pb2.ApprovalRule:
        """Creates a rule."""
        new_id = self._backend.new_id()

        def run(tx: Transaction, caller: Caller) -> Outcome:
            wanted = approval_rule_pb2.ApprovalRule()
            wanted.CopyFrom(request.approval_rule)
            wanted.id = wanted.id or f"{wanted.resource.partition('.')[0]}:{new_id}"
            edit = Edit.on(self._backend, tx, caller)
            rule = create(edit, APPROVAL_RULES, wanted)
            writes = () if request.validate_only else edit.state.writes()
            return Outcome("approval_rule.created", rule.id, writes, rule.SerializeToString())

        return self._shown(self._backend.submit(request, request.request_id, run).reply)

    def GetApprovalRule(
        self, request: pb.GetApprovalRuleRequest, context: grpc.ServicerContext
    ) -> approval_rule_pb2.ApprovalRule:
        """Returns one rule, to who may grant on its resource."""
        rule = self._found(self._backend.catalog, current_caller(), request.id)
        return self._shown(rule.SerializeToString())

    def ListApprovalRules(
        self, request: pb.ListApprovalRulesRequest, context: grpc.ServicerContext
    ) -> pb.ListApprovalRulesResponse:
        """Lists the rules on resources the caller may grant on, by id."""
        page = Page.of(request.page_size, request.page_token)
        found: list[approval_rule_pb2.ApprovalRule] = []
        for _, body in self._backend.catalog.list(kinds.APPROVAL_RULE, limit=None, after_name=page.after):
            rule = approval_rule_pb2.ApprovalRule.FromString(body)
            if request.resource and not contains(request.resource, rule.resource):
                continue
            if self._backend.policy.check(current_caller(), "grant", rule.resource).allowed:
                found.append(self._shown(body))
            if len(found) > page.size:
                break
        more = Page.token(found[page.size - 1].id) if len(found) > page.size else ""
        return pb.ListApprovalRulesResponse(approval_rules=found[: page.size], next_page_token=more)

    def UpdateApprovalRule(
        self, request: pb.UpdateApprovalRuleRequest, context: grpc.ServicerContext
    ) -> approval_rule_pb2.ApprovalRule:
        """Changes the fields named by the mask."""
        fields, sent = frozenset(request.update_mask.paths), request.approval_rule
        if not fields or fields - FIELDS:
            raise Invalid(f"update_mask must name one or more of {', '.join(sorted(FIELDS))}.", resource=sent.id)

        def run(tx: Transaction, caller: Caller) -> Outcome:
            live = self._found(tx, caller, sent.id)
            if sent.etag and sent.etag != live.etag:
                raise Conflict(f"The approval rule {live.id} has changed since you read it: read it again.", resource=live.id)
            edit = Edit.on(self._backend, tx, caller)
            rule = replace(edit, APPROVAL_RULES, live, merged(live, sent, fields))
            return Outcome("approval_rule.updated", rule.id, edit.state.writes(), rule.SerializeToString())

        return self._shown(self._backend.submit(request, request.request_id, run).reply)

    def DeleteApprovalRule(
        self, request: pb.DeleteApprovalRuleRequest, context: grpc.ServicerContext
    ) -> approval_rule_pb2.ApprovalRule:
        """Removes a rule; grants that it approved stay."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            live = self._found(tx, caller, request.id)
            edit = Edit.on(self._backend, tx, caller)
            end(edit, APPROVAL_RULES, live)
            return Outcome("approval_rule.deleted", live.id, edit.state.writes(), live.SerializeToString())

        return self._shown(self._backend.submit(request, request.request_id, run).reply)

    def _found(self, reader: Reader, caller: Caller, name: str) -> approval_rule_pb2.ApprovalRule:
        """The rule, if the caller may grant on its resource. Raises: AccessDenied."""
        rule = approval_rule_pb2.ApprovalRule.FromString(reader.get(kinds.APPROVAL_RULE, name) or b"")
        if not rule.id or not self._backend.policy.check(caller, "grant", rule.resource).allowed:
            raise denied("see the approval rule", name)
        return rule

    def _shown(self, body: bytes) -> approval_rule_pb2.ApprovalRule:
        rule = approval_rule_pb2.ApprovalRule.FromString(body)
        rule.is_dead = not is_alive(self._backend, rule)
        return rule
