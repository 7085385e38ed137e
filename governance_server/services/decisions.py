"""DecisionService: may X do Y, in bulk, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import grpc

from domainmesh.v1 import decision_service_pb2 as pb
from domainmesh.v1 import decision_service_pb2_grpc
from domainmesh.v1.decision_log_pb2 import DECISION_KIND_CHECK, DECISION_KIND_CHECK_MANY, DECISION_KIND_EXPLAIN
from governance_server.audit.recording import Question
from governance_server.backend import Backend
from governance_server.caller import Caller, current_caller
from governance_server.policy.projection import PolicyProjection, denied
from governance_server.rules.collection_plans import UNSEARCHABLE, gives_something
from governance_server.rules.errors import AccessDenied, Invalid, PurposeNotHeld, TooLarge
from governance_server.rules.policy_rows import ACTIONS
from governance_server.rules.read_plans import Denied, ReadPlan
from governance_server.services.explaining import complete_action, complete_read
from governance_server.services.plans import plan_to_wire
from governance_server.services.questioning import check_known
from mesh_core.names import MESH, check_column, check_principal, parse_port

__all__ = ["DecisionService"]

_MAX_CHECKS = 1000
_NO_RULE = ["no rule matches"]

Rules = tuple[str, ...]
"""The ids of the grants and guardrails that decided, for the decision log: a caller may be told less."""


class _Answer(NamedTuple):
    """One answer, in words and with its rules."""

    is_allowed: bool
    reasons: list[str]
    revision: int
    rules: Sequence[str]


class _Asking:
    """Who asks, of which state of the policy; what is the same for many questions is found once."""

    __slots__ = ("caller", "decide", "is_central", "policy", "subjects")

    def __init__(self, policy: PolicyProjection, caller: Caller, *, is_central: bool = False) -> None:
        self.policy = policy
        self.caller = caller
        self.is_central = is_central
        self.decide = policy.deciding()
        self.subjects: dict[str, Caller] = {}


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
                answer = self._check(_Asking(policy, caller), _question(request))
            recording.answered(answer.is_allowed, rules=answer.rules, revision=answer.revision)
        return pb.CheckResponse(is_allowed=answer.is_allowed, reasons=answer.reasons, revision=answer.revision)

    def CheckMany(self, request: pb.CheckManyRequest, context: grpc.ServicerContext) -> pb.CheckManyResponse:
        """Says it for up to 1,000 questions, all decided at one revision."""
        if len(request.checks) > _MAX_CHECKS:
            raise TooLarge(f"{len(request.checks)} checks in one call: send at most {_MAX_CHECKS}.")
        with self._backend.answering(DECISION_KIND_CHECK_MANY, action="check") as recording:
            policy = self._backend.policy_at(request.as_of)
            caller = current_caller()
            with policy.pinned(caller.revision):
                is_central = self._backend.policy.check(caller, "administer", MESH).allowed
                asking, questions = _Asking(policy, caller, is_central=is_central), [_question(item) for item in request.checks]
                answers = [self._check(asking, question) for question in questions]
                response = pb.CheckManyResponse(revision=policy.revision)
            response.results.extend(_answers_to_wire(answers))
            allowed = [answer[0] for answer in answers]
            rules = {rule for answer in answers for rule in answer[3]}
            recording.answered_many(request, questions, allowed, revision=response.revision, rules=rules)
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
        subject = self._subject(_Asking(policy, caller), request.principal, request.port)
        policies = {live, policy}  # now, not only then
        if request.principal and all(p.check(caller, "administer", MESH).allowed for p in policies):
            check_known(policies, subject.name)
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
            port = policy.find_port(request.port)
            response.is_allowed = port is not None and gives_something(port, outcome)
            response.reasons.extend([] if response.is_allowed else [UNSEARCHABLE])
            response.reasons.extend(plan.reasons)
        complete_read(response, self._backend, policy, subject, request=request, outcome=outcome, may_grant=may_grant)
        if outcome is not None and not response.is_allowed:
            response.next_step = (
                response.ways[0].words if response.ways else f"mesh request {request.port} --purpose … --reason …"
            )
        return response, _rules(outcome) if outcome is not None else ()

    def _check(self, asking: _Asking, question: Question) -> _Answer:
        principal, action, name, _ = question
        if action not in ACTIONS:
            raise Invalid(f"{action!r} is no action: use one of {', '.join(sorted(ACTIONS))}.", resource=name)
        resource = _object(name) if name.count(".") > 2 else name
        subject = asking.subjects.get(principal) if asking.is_central else None
        answer = self._decide(asking, subject or self._subject(asking, principal, resource), resource, question)
        if answer.is_allowed or answer.reasons is _NO_RULE:
            return answer
        if not any(asking.policy.check(asking.caller, action, resource).allowed for action in ("discover", "grant")):
            return answer._replace(reasons=_NO_RULE)  # why not would tell that the thing exists, and its columns
        return answer

    def _decide(self, asking: _Asking, subject: Caller, resource: str, question: Question) -> _Answer:
        _, action, _, purpose = question
        if action == "read":
            port, _, column = resource.partition("#")
            if port.count(".") == 2:
                return self._check_read(asking.policy, subject, (port, column), purpose)
        if not subject.is_narrowed:
            decision = asking.decide(subject.name, action, resource, purpose)
        else:
            decision = asking.policy.check(subject, action, resource, purpose)
        allowed, rules, revision = decision
        if not rules:
            return _Answer(allowed, _NO_RULE, revision, ())
        return _Answer(allowed, [f"{rule.rid}: {rule.value}" for rule in rules], revision, [rule.rid for rule in rules])

    def _check_read(self, policy: PolicyProjection, subject: Caller, wanted: tuple[str, str], purpose: str) -> _Answer:
        """A table may be read if one of its columns may, a collection if its text may be searched.

        A column may, if a read for this purpose would show it.
        """
        port, column = wanted
        try:
            outcome = policy.explain(subject, port, purpose)
        except PurposeNotHeld:
            return _Answer(False, ["purpose not held"], policy.revision, ())
        except AccessDenied:
            return _Answer(False, _NO_RULE, policy.revision, ())
        if isinstance(outcome, Denied):
            return _Answer(False, _words(outcome), policy.revision, _rules(outcome))
        if column and column not in {shown.name for shown in outcome.columns}:
            return _Answer(False, ["no rule gives this column"], outcome.revision, _rules(outcome))
        reasons = [f"{r.rule}: {r.text}" for r in outcome.reasons]
        found = policy.find_port(port)
        if not column and found is not None and not gives_something(found, outcome):
            return _Answer(False, [UNSEARCHABLE, *reasons], outcome.revision, _rules(outcome))
        return _Answer(True, reasons, outcome.revision, _rules(outcome))

    def _subject(self, asking: _Asking, principal: str, resource: str) -> Caller:
        """The one the question is about; the centre, if that is known of the caller, may ask about all. Raises: AccessDenied."""
        if principal in ("", asking.caller.name):
            return asking.caller
        known = asking.subjects.get(principal) or asking.policy.caller_of(principal)
        if known is None:
            check_principal(principal)
            known = Caller(name=principal)
        if not (asking.is_central or self._may_ask(asking.caller, resource)):
            raise denied("ask about others on", resource)
        asking.subjects[principal] = known
        return known

    def _may_ask(self, caller: Caller, resource: str) -> bool:
        policy = self._backend.policy
        return policy.check(caller, "administer", MESH).allowed or policy.check(caller, "grant", resource).allowed


def _answers_to_wire(answers: Iterable[_Answer]) -> Iterator[pb.CheckResponse]:
    """The answers on the wire; equal ones, most of them refusals by no rule, are made once."""
    made: dict[tuple[bool, str, int], pb.CheckResponse] = {}
    for is_allowed, reasons, revision, _ in answers:
        key = (is_allowed, "\n".join(reasons), revision)
        response = made.get(key)
        if response is None:
            response = made[key] = pb.CheckResponse(is_allowed=is_allowed, reasons=reasons, revision=revision)
        yield response


def _question(item: pb.CheckRequest) -> Question:
    return item.principal, item.action, item.resource, item.purpose


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
