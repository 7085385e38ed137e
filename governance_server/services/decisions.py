"""DecisionService: may X do Y, in bulk, and why."""

from __future__ import annotations

import grpc

from domainmesh.v1 import decision_service_pb2 as pb
from domainmesh.v1 import decision_service_pb2_grpc
from domainmesh.v1.decision_log_pb2 import DECISION_KIND_CHECK, DECISION_KIND_CHECK_MANY, DECISION_KIND_EXPLAIN
from governance_server.backend import Backend
from governance_server.caller import Caller, current_caller
from governance_server.policy.projection import PolicyProjection, denied
from governance_server.rules.errors import AccessDenied, Invalid, PurposeNotHeld, TooLarge
from governance_server.rules.policy_rows import ACTIONS
from governance_server.rules.read_plans import Denied, ReadPlan
from governance_server.services.explaining import complete_action, complete_read
from governance_server.services.plans import plan_to_wire
from mesh_core.names import MESH, check_column, check_principal, parse_port

__all__ = ["DecisionService"]

_MAX_CHECKS = 1000
_NO_RULE = ["no rule matches"]

Rules = tuple[str, ...]
"""The ids of the grants and guardrails that decided, for the decision log: a caller may be told less."""


class DecisionService(decision_service_pb2_grpc.DecisionServiceServicer):
    """Serves decisions."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def Check(self, request: pb.CheckRequest, context: grpc.ServicerContext) -> pb.CheckResponse:
        """Says whether an action is allowed."""
        with self._backend.answering(
            DECISION_KIND_CHECK,
            action=request.action,
            resource=request.resource,
            purpose=request.purpose,
            subject=request.principal,
        ) as recording:
            caller, policy = current_caller(), self._backend.policy_at(request.as_of)
            with policy.pinned(caller.revision):  # the answer names the revision it was decided at, and no later one
                response, rules = self._check(policy, caller, request)
            recording.answered(response.is_allowed, rules=rules, revision=response.revision)
        return response

    def CheckMany(self, request: pb.CheckManyRequest, context: grpc.ServicerContext) -> pb.CheckManyResponse:
        """Says it for up to 1,000 questions, all decided at one revision."""
        if len(request.checks) > _MAX_CHECKS:
            raise TooLarge(f"{len(request.checks)} checks in one call: send at most {_MAX_CHECKS}.")
        with self._backend.answering(DECISION_KIND_CHECK_MANY, action="check") as recording:
            policy = self._backend.policy_at(request.as_of)
            caller = current_caller()
            with policy.pinned(caller.revision):
                is_central = self._backend.policy.check(caller, "administer", MESH).allowed
                answers = [self._check(policy, caller, item, is_central=is_central) for item in request.checks]
                revision = policy.revision
            response = pb.CheckManyResponse(results=[result for result, _ in answers], revision=revision)
            recording.answered_many(request, response, rules={rule for _, rules in answers for rule in rules})
        return response

    def Explain(self, request: pb.ExplainRequest, context: grpc.ServicerContext) -> pb.ExplainResponse:
        """Says what of a port a principal sees, and why."""
        parse_port(request.port)
        with self._backend.answering(
            DECISION_KIND_EXPLAIN, resource=request.port, purpose=request.purpose, subject=request.principal
        ) as recording:
            response, rules = self._explained(request)
            recording.answered(response.is_allowed, rules=rules, revision=response.revision)
        return response

    def _explained(self, request: pb.ExplainRequest) -> tuple[pb.ExplainResponse, Rules]:
        caller = current_caller()
        if request.action not in ("", *ACTIONS):
            raise Invalid(f"{request.action!r} is no action: use one of {', '.join(sorted(ACTIONS))}.", resource=request.port)
        live = self._backend.policy.snapshot()  # what would change the answer is tried out: nobody else waits for that
        policy = self._backend.policy_at(request.as_of).snapshot() if request.as_of else live
        subject = self._subject(policy, caller, request.principal, request.port)
        policies = {live, policy}  # now, not only then
        may_grant = all(p.check(caller, "grant", request.port).allowed for p in policies)
        if not may_grant and not all(p.check(caller, "discover", request.port).allowed for p in policies):
            raise denied("explain", request.port)
        if request.action in ("", "read"):
            return self._explain(policy, subject, request, may_grant=may_grant)
        response = pb.ExplainResponse(revision=policy.revision)
        complete_action(response, self._backend, policy, subject, request=request, may_grant=may_grant)
        return response, ()

    def _explain(
        self, policy: PolicyProjection, subject: Caller, request: pb.ExplainRequest, *, may_grant: bool
    ) -> tuple[pb.ExplainResponse, Rules]:
        response, outcome = pb.ExplainResponse(revision=policy.revision), None
        try:
            outcome = policy.explain(subject, request.port, request.purpose)
        except PurposeNotHeld as error:
            response.reasons.append("purpose not held")
            response.next_step = error.message
        if isinstance(outcome, Denied):
            response.reasons.extend(_words(outcome))
        elif outcome is not None:
            plan = plan_to_wire(outcome, shows_filter=may_grant)
            response.plan.CopyFrom(plan)
            response.is_allowed = True
            response.reasons.extend(plan.reasons)
        complete_read(response, self._backend, policy, subject, request=request, outcome=outcome, may_grant=may_grant)
        if isinstance(outcome, Denied):
            response.next_step = (
                response.ways[0].words if response.ways else f"mesh request {request.port} --purpose … --reason …"
            )
        return response, _rules(outcome) if outcome is not None else ()

    def _check(
        self, policy: PolicyProjection, caller: Caller, item: pb.CheckRequest, *, is_central: bool = False
    ) -> tuple[pb.CheckResponse, Rules]:
        if item.action not in ACTIONS:
            raise Invalid(f"{item.action!r} is no action: use one of {', '.join(sorted(ACTIONS))}.", resource=item.resource)
        resource = _object(item.resource)
        subject = self._subject(policy, caller, item.principal, resource, is_central=is_central)
        response, rules = self._decide(policy, subject, resource, item)
        if response.is_allowed or response.reasons == _NO_RULE:
            return response, rules
        if not any(policy.check(caller, action, resource).allowed for action in ("discover", "grant")):
            response.reasons[:] = _NO_RULE  # why not would tell that the thing exists, and its columns
        return response, rules

    def _decide(
        self, policy: PolicyProjection, subject: Caller, resource: str, item: pb.CheckRequest
    ) -> tuple[pb.CheckResponse, Rules]:
        port, _, column = resource.partition("#")
        if item.action == "read" and port.count(".") == 2:
            return self._check_read(policy, subject, (port, column), item.purpose)
        decision = policy.check(subject, item.action, resource, item.purpose)
        reasons = [f"{rule.rid}: {rule.value}" for rule in decision.rules] or _NO_RULE
        response = pb.CheckResponse(is_allowed=decision.allowed, reasons=reasons, revision=decision.revision)
        return response, tuple(rule.rid for rule in decision.rules)

    def _check_read(
        self, policy: PolicyProjection, subject: Caller, wanted: tuple[str, str], purpose: str
    ) -> tuple[pb.CheckResponse, Rules]:
        """A port may be read if at least one of its columns may; a column, if a read for this purpose would show it."""
        port, column = wanted
        try:
            outcome = policy.explain(subject, port, purpose)
        except PurposeNotHeld:
            return pb.CheckResponse(reasons=["purpose not held"], revision=policy.revision), ()
        except AccessDenied:
            return pb.CheckResponse(reasons=_NO_RULE, revision=policy.revision), ()
        if isinstance(outcome, Denied):
            return pb.CheckResponse(reasons=_words(outcome), revision=policy.revision), _rules(outcome)
        if column and column not in {shown.name for shown in outcome.columns}:
            return pb.CheckResponse(reasons=["no rule gives this column"], revision=outcome.revision), _rules(outcome)
        reasons = [f"{r.rule}: {r.text}" for r in outcome.reasons]
        return pb.CheckResponse(is_allowed=True, reasons=reasons, revision=outcome.revision), _rules(outcome)

    def _subject(
        self, policy: PolicyProjection, caller: Caller, principal: str, resource: str, *, is_central: bool = False
    ) -> Caller:
        """The one the question is about; the centre, if that is known of the caller, may ask about all. Raises: AccessDenied."""
        if principal in ("", caller.name):
            return caller
        check_principal(principal)
        ours = self._backend.policy
        may_ask = is_central or any(ours.check(caller, *asked).allowed for asked in (("administer", MESH), ("grant", resource)))
        if not may_ask:
            raise denied("ask about others on", resource)
        return policy.caller_of(principal) or Caller(name=principal)


def _object(resource: str) -> str:
    """The policy object: `a.b.c.col` is read as the column `a.b.c#col`."""
    parts = resource.split(".", 3)
    if len(parts) == 4 and "#" not in resource:
        return f"{parse_port('.'.join(parts[:3]))}#{check_column(parts[3])}"
    return resource


def _rules(outcome: ReadPlan | Denied) -> Rules:
    return tuple(dict.fromkeys(reason.rule for reason in outcome.reasons))


def _words(outcome: Denied) -> list[str]:
    rules = [f"{reason.rule}: {reason.text}" for reason in outcome.reasons if reason.rule]
    return ["No grant gives you any column.", *rules] if len(rules) < len(outcome.reasons) or not rules else rules
