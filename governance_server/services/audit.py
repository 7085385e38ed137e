"""AuditService: who read what, and the proof that nothing of it, or of the journal, was changed."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from domainmesh.v1 import access_request_pb2, audit_service_pb2_grpc, checkpoint_pb2, grant_pb2
from domainmesh.v1 import audit_service_pb2 as pb
from domainmesh.v1.checkpoint_pb2 import CHECKPOINT_CAUSE_REQUESTED, CheckpointCause
from domainmesh.v1.decision_log_pb2 import DECISION_END_DENIED, AnswerSummary, DecisionRecord
from governance_server.audit.checkpoints import CheckpointMaker
from governance_server.audit.policy_changes import Concern, policy_changes
from governance_server.audit.proof import prove
from governance_server.audit.report import ReportFold
from governance_server.backend import Backend, Page, stamp
from governance_server.caller import current_caller
from governance_server.keyring import CHECKPOINTS
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.errors import Invalid, NotFound
from governance_server.services.journal import change_to_wire
from governance_server.storage.checkpoints import StoredCheckpoint, read_checkpoints
from governance_server.storage.decisions import DecisionQuery, every_decision, find_decisions, log_start
from governance_server.storage.events import Event
from governance_server.storage.times import from_microseconds
from mesh_core.names import MESH

__all__ = ["AuditService"]

_MOST_CHANGES = 1000
_LONGEST_NAME = 1024


class AuditService(audit_service_pb2_grpc.AuditServiceServicer):
    """Serves the audit."""

    def __init__(self, backend: Backend, checkpoints: CheckpointMaker) -> None:
        self._backend = backend
        self._checkpoints = checkpoints

    def ListDecisions(self, request: pb.ListDecisionsRequest, context: grpc.ServicerContext) -> pb.ListDecisionsResponse:
        """Lists decisions, newest first."""
        resource, column = self._authorise(request.scope)
        page = Page.of(request.page_size, request.page_token)
        query = _query(request.scope, resource, outcomes=(DECISION_END_DENIED,) if request.only_denied else ())
        found: list[DecisionRecord] = []
        before = page.position or None
        while len(found) <= page.size:  # a column is not in the index
            events = find_decisions(self._backend.database, query, before=before, limit=page.size + 1)
            found += [record for record in map(_record, events) if not column or column in record.columns]
            if len(events) <= page.size:
                break
            before = events[-1].sequence
        shown = [_within(record, resource) for record in found[: page.size]]
        more = Page.token(str(shown[-1].sequence)) if len(found) > page.size else ""
        return pb.ListDecisionsResponse(decisions=shown, next_page_token=more)

    def GetAuditReport(self, request: pb.GetAuditReportRequest, context: grpc.ServicerContext) -> pb.GetAuditReportResponse:
        """Returns who read what, by which grants, and what was refused and changed."""
        scope = request.scope
        resource, column = self._authorise(scope)
        query = _query(scope, resource)
        fold = ReportFold(resource, column)
        fold.take(_record(event) for event in every_decision(self._backend.database, query))
        groups = self._groups(scope.principal)
        concern = Concern(resource, scope.principal, groups)
        response = pb.GetAuditReportResponse(
            uses=sorted(fold.uses.values(), key=lambda it: (it.port, it.principal, it.kind)),
            denials=sorted(fold.denials.values(), key=lambda it: (it.resource, it.principal, it.action)),
            grants=[grant for rule, revision in sorted(fold.rules.items()) if (grant := self._grant(rule, revision))],
            scope=scope,
            revision=self._backend.database.head().revision,
            is_cut=fold.is_cut,
        )
        changes = policy_changes(self._backend.database, concern, since_us=query.since_us, until_us=query.until_us)
        for change in changes:
            if len(response.changes) == _MOST_CHANGES:
                response.is_cut = True
                break
            response.changes.append(change_to_wire(change, include_body=False))
        is_recorded = bool(response.uses or response.denials or ("." not in resource and response.changes))
        if resource and not is_recorded and not self._exists(resource):  # changes around it may be of what contains the name
            raise NotFound(f"There is no {resource!r}, and nothing is recorded about it: check the name.", resource=resource)
        oldest = log_start(self._backend.database)
        if oldest is not None:
            response.log_start_time.CopyFrom(stamp(oldest.received_at))
        return response

    def VerifyAudit(self, request: pb.VerifyAuditRequest, context: grpc.ServicerContext) -> pb.VerifyAuditResponse:
        """Recomputes every hash, compares the tables, and holds all of it against checkpoints."""
        self._backend.policy.authorise(current_caller(), "administer", MESH)
        kept = [_from_wire(checkpoint) for checkpoint in request.checkpoints]
        keys = {key.id: key.public_key for key in request.keys}
        settings = self._backend.settings
        proof = prove(
            self._backend.database, self._backend.keys, file=settings.checkpoints, kept=kept, trusted=keys or None,
            includes_tables=not request.is_chain_only,
        )  # fmt: skip
        response = pb.VerifyAuditResponse(is_intact=proof.ok, checkpoints=proof.checkpoints)
        for log in proof.logs:
            response.logs.add(
                stream=log.stream, checked=log.checked, sequence=log.sequence, hash=log.hash, pruned_sequence=log.pruned_sequence
            )
        for problem in proof.problems:
            sequence = problem.sequence if 0 <= problem.sequence < 1 << 64 else 0
            response.problems.add(stream=problem.stream, sequence=sequence, text=problem.text)
        return response

    def ListCheckpoints(self, request: pb.ListCheckpointsRequest, context: grpc.ServicerContext) -> pb.ListCheckpointsResponse:
        """Lists signed checkpoints, oldest first."""
        self._backend.policy.authorise(current_caller(), "administer", MESH)
        page = Page.of(request.page_size, request.page_token)
        database = self._backend.database
        try:
            found = read_checkpoints(database.reader(), page.position, page.size + 1, request.stream)
        except database.driver.errors as error:
            raise database.unavailable(error) from error
        shown = found[: page.size]
        more = Page.token(str(shown[-1].number)) if len(found) > page.size else ""
        return pb.ListCheckpointsResponse(checkpoints=map(_to_wire, shown), next_page_token=more)

    def CreateCheckpoints(
        self, request: pb.CreateCheckpointsRequest, context: grpc.ServicerContext
    ) -> pb.CreateCheckpointsResponse:
        """Makes checkpoints of every log now."""
        self._backend.policy.authorise(current_caller(), "administer", MESH)
        return pb.CreateCheckpointsResponse(checkpoints=map(_to_wire, self._checkpoints.make(CHECKPOINT_CAUSE_REQUESTED)))

    def ListAuditKeys(self, request: pb.ListAuditKeysRequest, context: grpc.ServicerContext) -> pb.ListAuditKeysResponse:
        """Lists the public keys that checkpoints are verified with."""
        self._backend.policy.authorise(current_caller(), "administer", MESH)
        keys = self._backend.keys
        ids = [key.id for key in keys.list_keys() if key.purpose == CHECKPOINTS]
        return pb.ListAuditKeysResponse(
            keys=[checkpoint_pb2.AuditKey(id=it, public_key=keys.public_key(CHECKPOINTS, it)) for it in ids]
        )

    def _authorise(self, scope: pb.AuditScope) -> tuple[str, str]:
        """The resource and the column the question is about, if the caller may ask it. Raises: AccessDenied, Invalid."""
        if max(len(scope.resource), len(scope.principal)) > _LONGEST_NAME:
            raise Invalid(f"A name of more than {_LONGEST_NAME} characters names nothing: correct it.")
        port, _, column = scope.resource.partition("#")
        if not column and port.count(".") == 3:
            port, _, column = port.rpartition(".")
        policy, caller = self._backend.policy, current_caller()
        is_own = scope.principal == caller.name and caller.scope is None
        is_granted = bool(port) and policy.check(caller, "grant", port).allowed
        if not is_own and not is_granted and not policy.check(caller, "administer", MESH).allowed:
            raise denied("audit", port or scope.principal or MESH)
        return port, column

    def _exists(self, resource: str) -> bool:
        if resource == MESH or self._backend.catalog.get(kinds.DOMAIN, resource) is not None:
            return True
        product = self._backend.policy.product_of(resource)
        return product is not None and resource in (product.name, *(port.name for port in product.ports))

    def _groups(self, principal: str) -> frozenset[str]:
        known = self._backend.policy.facts().principals.get(principal)
        return frozenset(known.groups) if known else frozenset()

    def _grant(self, rule: str, revision: int) -> pb.AuditedGrant | None:
        """The grant as it is now, or as it was when it last gave something; None if the rule is no grant."""
        catalog = self._backend.catalog
        body = catalog.get(kinds.GRANT, rule) or catalog.get(kinds.GRANT, rule, as_of=revision)
        if body is None:
            return None
        grant = grant_pb2.Grant.FromString(body)
        found = pb.AuditedGrant(
            id=rule, subject=grant.subject, resource=grant.resource, grantor=grant.grantor, purpose=grant.purpose,
            access_request=grant.access_request,
        )  # fmt: skip
        for name in ("create_time", "expire_time", "revoke_time"):
            if grant.HasField(name):
                getattr(found, name).CopyFrom(getattr(grant, name))
        request = catalog.get(kinds.ACCESS_REQUEST, grant.access_request) if grant.access_request else None
        if request is not None:
            found.decider = access_request_pb2.AccessRequest.FromString(request).decider
        return found


def _query(scope: pb.AuditScope, resource: str, *, outcomes: Sequence[int] = ()) -> DecisionQuery:
    since = scope.since.ToMicroseconds() if scope.HasField("since") else None
    until = scope.until.ToMicroseconds() if scope.HasField("until") else None
    return DecisionQuery(principal=scope.principal, resource=resource, since_us=since, until_us=until, outcomes=tuple(outcomes))


def _within(record: DecisionRecord, resource: str) -> DecisionRecord:
    """The record; of an answer only what of it lies in the resource, if one is asked about: the rest is other domains' affair."""
    if not resource or not record.HasField("answer"):
        return record
    answer = record.answer

    def is_meant(port: str) -> bool:
        return f"{port}.".startswith(f"{resource}.")

    ports, passages = [it for it in answer.ports if is_meant(it)], [it for it in answer.passages if is_meant(it.port)]
    figures = [it for it in answer.figures if any(map(is_meant, it.ports))]
    for figure in figures:
        figure.ports[:] = [it for it in figure.ports if is_meant(it)]
    record.answer.CopyFrom(AnswerSummary(id=answer.id, writer=answer.writer, ports=ports, passages=passages, figures=figures))
    return record


def _record(event: Event) -> DecisionRecord:
    record = DecisionRecord.FromString(event.body)
    record.sequence = event.sequence
    record.time.CopyFrom(stamp(event.received_at))
    return record


def _to_wire(checkpoint: StoredCheckpoint) -> checkpoint_pb2.Checkpoint:
    return checkpoint_pb2.Checkpoint(
        number=checkpoint.number, stream=checkpoint.stream, sequence=checkpoint.sequence, hash=checkpoint.hash,
        time=stamp(from_microseconds(checkpoint.time_us)), cause=CheckpointCause.ValueType(checkpoint.cause),
        key_id=checkpoint.key_id, signature=checkpoint.signature,
    )  # fmt: skip


def _from_wire(message: checkpoint_pb2.Checkpoint) -> StoredCheckpoint:
    if max(message.number, message.sequence) >= 1 << 63:
        raise Invalid(f"Checkpoint {message.number} has numbers that no log reaches: send what the server once gave out.")
    return StoredCheckpoint(
        message.number, message.stream, message.sequence, message.hash, message.time.ToMicroseconds(), message.cause,
        message.key_id, message.signature,
    )  # fmt: skip
