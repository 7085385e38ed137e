"""QuestionService: what somebody sees, who sees something, what changes would do, and whether a claim holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from domainmesh.v1 import decision_service_pb2, impact_pb2, question_pb2, question_service_pb2_grpc
from domainmesh.v1 import question_service_pb2 as pb
from domainmesh.v1.decision_log_pb2 import DECISION_KIND_QUESTION
from governance_server.backend import Backend, Page
from governance_server.caller import Caller, current_caller
from governance_server.policy.audience import Audience, View
from governance_server.policy.budget import Budget
from governance_server.policy.paths import Paths
from governance_server.policy.projection import PolicyProjection
from governance_server.policy.prover import Claim, claim_of_guardrail, claim_of_tag, prove
from governance_server.policy.simulation import ReadLog, everywhere, simulate
from governance_server.rules.errors import AccessDenied, Invalid, NotFound, PurposeNotHeld, TooLarge
from governance_server.rules.grants import check_resource
from governance_server.rules.policy_rows import ACTIONS, ANY
from governance_server.rules.read_plans import ReadPlan
from governance_server.services.questioning import Questioning, port_and_column
from governance_server.services.sights import denial_to_wire, outcome_to_wire, proof_to_wire, view_to_wire
from governance_server.services.supposing import supposed_writes
from mesh_core.names import check_domain, check_principal, parse_port

__all__ = ["QuestionService"]

_MAX_QUESTIONS = 1000
_PAGE_SECONDS = 15.0
_SIMULATION_SECONDS, _MAX_SIMULATION_SECONDS = 10, 60
_MAX_DAYS = 366


class QuestionService(question_service_pb2_grpc.QuestionServiceServicer):
    """Serves questions about many."""

    def __init__(self, backend: Backend, reads: ReadLog | None = None) -> None:
        self._backend = backend
        self._reads = reads

    def ListVisible(self, request: pb.ListVisibleRequest, context: grpc.ServicerContext) -> pb.ListVisibleResponse:
        """Lists what a principal sees."""
        with self._backend.answering(
            DECISION_KIND_QUESTION, action="sees", resource=request.domain, purpose=request.purpose, subject=request.principal
        ) as recording:
            response = self._visible(request)
            recording.answered(True, revision=response.revision)
        return response

    def _visible(self, request: pb.ListVisibleRequest) -> pb.ListVisibleResponse:
        page = Page.of(request.page_size, request.page_token)
        asking = Questioning(self._backend, current_caller(), request.as_of)
        name = asking.known_subject(request.principal)
        asking.check_purpose(request.purpose)
        inside = check_domain(request.domain) + "." if request.domain else ""
        ports = sorted(it for it in asking.audience.ports() if it > page.after and it.startswith(inside))
        sights: list[question_pb2.Sight] = []
        budget, last, shown, more = Budget(_PAGE_SECONDS), "", 0, ""
        for port in ports:
            if last and (shown == page.size or budget.is_over()):
                more = Page.token(last)
                break
            last = port
            found = list(_visible(asking, name, port, request.purpose)) if asking.may_see(name, port) else []
            sights += found
            shown += bool(found)
        return pb.ListVisibleResponse(
            sights=sights, next_page_token=more, is_restricted=not asking.is_central, revision=asking.policy.revision
        )

    def ListReaders(self, request: pb.ListReadersRequest, context: grpc.ServicerContext) -> pb.ListReadersResponse:
        """Lists everybody who sees a port or column."""
        with self._backend.answering(
            DECISION_KIND_QUESTION, action="who", resource=request.resource, purpose=request.purpose
        ) as recording:
            response = self._readers(request)
            recording.answered(True, revision=response.revision)
        return response

    def _readers(self, request: pb.ListReadersRequest) -> pb.ListReadersResponse:
        page = Page.of(request.page_size, request.page_token)
        port, column = port_and_column(request.resource)
        asking = Questioning(self._backend, current_caller(), request.as_of)
        asking.authorise(port)
        asking.check_purpose(request.purpose)
        known = asking.policy.find_port(port)
        if known is None or (column and column not in {it.name for it in known.columns}):
            raise NotFound(f"There is no {request.resource!r}: list what there is with `mesh show`.", resource=request.resource)
        readers = _Readers(asking.audience, port, column, request.purpose)
        sights: list[question_pb2.Sight] = []
        budget, last, shown, more = Budget(_PAGE_SECONDS), "", 0, ""
        for name in sorted(it for it in asking.audience.names if it > page.after):
            if last and (shown == page.size or budget.is_over()):
                more = Page.token(last)
                break
            last = name
            found = list(readers.sights(name))
            sights += found
            shown += bool(found)
        count = len(asking.audience.names)
        return pb.ListReadersResponse(sights=sights, next_page_token=more, principal_count=count, revision=asking.policy.revision)

    def ExplainMany(self, request: pb.ExplainManyRequest, context: grpc.ServicerContext) -> pb.ExplainManyResponse:
        """Says what several see, also under changes that nobody has made."""
        with self._backend.answering(DECISION_KIND_QUESTION, action="explain") as recording:
            response = self._explained(request)
            recording.answered(True, revision=response.revision)
        return response

    def _explained(self, request: pb.ExplainManyRequest) -> pb.ExplainManyResponse:
        if len(request.questions) > _MAX_QUESTIONS:
            raise TooLarge(f"{len(request.questions)} questions in one call: send at most {_MAX_QUESTIONS}.")
        asking = Questioning(self._backend, current_caller(), request.as_of)
        for question in request.questions:
            parse_port(question.port)
            if not asking.may_see(asking.subject(question.principal), question.port):
                asking.authorise(question.port)
        policy = asking.policy
        if request.changes:
            policy = policy.with_changes(supposed_writes(self._backend, asking, request.changes))
        if request.HasField("decide_time"):
            policy = policy.at(_moment(request.decide_time))
        audience = Audience(policy)
        audience.adopt(asking.caller)
        sights = [_answer(audience, asking, question) for question in request.questions]
        return pb.ExplainManyResponse(sights=sights, revision=policy.revision)

    def CheckSupposed(
        self, request: pb.CheckSupposedRequest, context: grpc.ServicerContext
    ) -> decision_service_pb2.CheckManyResponse:
        """Says whether actions are allowed, also under changes that nobody has made."""
        with self._backend.answering(DECISION_KIND_QUESTION, action="check") as recording:
            response = self._checked(request)
            recording.answered(True, revision=response.revision)
        return response

    def _checked(self, request: pb.CheckSupposedRequest) -> decision_service_pb2.CheckManyResponse:
        if len(request.checks) > _MAX_QUESTIONS:
            raise TooLarge(f"{len(request.checks)} questions in one call: send at most {_MAX_QUESTIONS}.")
        asking = Questioning(self._backend, current_caller(), request.as_of)
        for check in request.checks:
            if check.action not in ACTIONS:
                raise Invalid(f"{check.action!r} is no action: use one of {', '.join(sorted(ACTIONS))}.", resource=check.resource)
            check_resource(check.resource)
            if asking.subject(check.principal) != asking.caller.name:
                asking.authorise(check.resource)
        policy = asking.policy
        if request.changes:
            policy = policy.with_changes(supposed_writes(self._backend, asking, request.changes))
        if request.HasField("decide_time"):
            policy = policy.at(_moment(request.decide_time))
        audience = Audience(policy)
        audience.adopt(asking.caller)
        response = decision_service_pb2.CheckManyResponse(revision=policy.revision)
        for check in request.checks:
            caller = audience.caller(check.principal or asking.caller.name)
            response.results.add(is_allowed=_is_allowed(policy, caller, check), revision=policy.revision)
        return response

    def Simulate(self, request: pb.SimulateRequest, context: grpc.ServicerContext) -> impact_pb2.Impact:
        """Says what changes would do to access."""
        with self._backend.answering(DECISION_KIND_QUESTION, action="simulate") as recording:
            response = self._simulated(request)
            recording.answered(True, revision=response.revision)
        return response

    def _simulated(self, request: pb.SimulateRequest) -> impact_pb2.Impact:
        if request.recorded_days > _MAX_DAYS:
            raise TooLarge(f"{request.recorded_days} days of recorded reads: ask for at most {_MAX_DAYS}.")
        asking = Questioning(self._backend, current_caller(), request.as_of)
        writes = supposed_writes(self._backend, asking, request.changes)
        budget = Budget(min(request.limit_seconds or _SIMULATION_SECONDS, _MAX_SIMULATION_SECONDS))
        days = request.recorded_days if self._reads is not None else 0
        reads = self._reads.reads_since(days) if self._reads is not None and days else ()
        return simulate(
            asking.policy,
            asking.policy.with_changes(writes),
            writes,
            budget=budget,
            reads=reads,
            days=days,
            may_ask=everywhere if asking.is_central else asking.may_ask,
        )

    def Prove(self, request: pb.ProveRequest, context: grpc.ServicerContext) -> pb.ProveResponse:
        """Proves a claim, or names who contradicts it."""
        with self._backend.answering(
            DECISION_KIND_QUESTION,
            action="prove",
            resource=request.guardrail or request.tag,
            purpose=request.purpose,
            subject=request.subject,
        ) as recording:
            response = self._proven(request)
            recording.answered(True, revision=response.revision)
        return response

    def _proven(self, request: pb.ProveRequest) -> pb.ProveResponse:
        asking = Questioning(self._backend, current_caller(), request.as_of)
        if request.subject not in ("", ANY):
            check_principal(request.subject)
        asking.known_subject(request.subject or ANY)
        asking.check_purpose(request.purpose)
        claim = _claim(asking.policy, request)
        proof = prove(asking.audience, claim, purpose=request.purpose, subject=request.subject, may_ask=asking.may_ask)
        if request.WhichOneof("claim") == "tag" and not proof.columns:
            whose = "" if asking.is_central else " that you may ask about"
            raise NotFound(
                f"There is nothing to prove: no column{whose} carries {claim.obj}. Check the tag.", resource=request.tag
            )
        return proof_to_wire(claim, proof, is_restricted=not asking.is_central, revision=asking.policy.revision)


def _claim(policy: PolicyProjection, request: pb.ProveRequest) -> Claim:
    if request.action not in ("", *ACTIONS):
        raise Invalid(f"{request.action!r} is no action: use one of {', '.join(sorted(ACTIONS))}.")
    match request.WhichOneof("claim"):
        case "guardrail":
            if request.action not in ("", "read") or request.is_hidden:
                raise Invalid("A guardrail is about reading and says itself what is hidden: leave action and is_hidden out.")
            return claim_of_guardrail(policy, request.guardrail)
        case "tag":
            return claim_of_tag(request.tag, action=request.action or "read", is_hidden=request.is_hidden)
    raise Invalid("There is nothing to prove: name a guardrail or a tag.")


def _visible(asking: Questioning, name: str, port: str, purpose: str) -> Iterator[question_pb2.Sight]:
    audience, may_ask = asking.audience, asking.may_ask(port)
    for view in audience.views(name, port, [purpose] if purpose else audience.purposes(name)):
        paths = asking.paths.grants(name, view.plan) if may_ask else ()
        yield view_to_wire(name, view, paths=paths, shows_filter=may_ask)


def _moment(time: Timestamp) -> datetime:
    """The time. Raises: Invalid."""
    try:
        return time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Invalid("decide_time is no time between the years 1 and 9999: correct it, or leave it out.") from None


class _Readers:
    """The answers for one port, worked out once for all principals that are alike there."""

    def __init__(self, audience: Audience, port: str, column: str, purpose: str) -> None:
        self._audience = audience
        self._port, self._purpose = port, purpose
        self._columns: Sequence[str] = [column] if column else []
        self._rules = audience.rules_of(port)
        self._paths = Paths(audience)
        self._known: dict[object, list[View]] = {}

    def sights(self, name: str) -> Iterator[question_pb2.Sight]:
        """What the principal sees of it; nothing if it sees nothing."""
        standing = self._audience.standing(name, self._rules)
        if standing not in self._known:
            purposes = [self._purpose] if self._purpose else self._audience.purposes(name)
            views = self._audience.views(name, self._port, purposes)
            self._known[standing] = [it for it in views if not self._columns or it.sight.shows(self._columns[0])]
        for view in self._known[standing]:
            paths = self._paths.grants(name, view.plan, self._columns)
            yield view_to_wire(name, view, paths=paths, shows_filter=True, columns=self._columns)


def _is_allowed(policy: PolicyProjection, caller: Caller, check: decision_service_pb2.CheckRequest) -> bool:
    try:
        if check.action == "read" and check.resource.count(".") == 2:  # of a port, any column
            return isinstance(policy.explain(caller, check.resource, check.purpose), ReadPlan)
        return policy.check(caller, check.action, check.resource, check.purpose).allowed
    except AccessDenied:  # the purpose is not held, or there is no such port
        return False


def _answer(audience: Audience, asking: Questioning, question: pb.ExplainManyRequest.Question) -> question_pb2.Sight:
    name = question.principal or asking.caller.name
    try:
        outcome = audience.policy.explain(audience.caller(name), question.port, question.purpose)
    except PurposeNotHeld:
        return denial_to_wire(name, question.port, question.purpose, ["purpose not held"])
    except AccessDenied:
        return denial_to_wire(name, question.port, question.purpose, ["no rule matches"])
    return outcome_to_wire(name, outcome, question.purpose, shows_filter=asking.may_ask(question.port))
