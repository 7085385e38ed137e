"""GrantService and GuardrailService: the rules of domains and of the central team."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import grpc

from domainmesh.v1 import grant_pb2, grant_service_pb2_grpc
from domainmesh.v1 import grant_service_pb2 as pb
from governance_server.backend import Backend, Page, Reader, read, stamp, store
from governance_server.caller import Caller, current_caller
from governance_server.granting import check_lifting, fallen, rest_grant
from governance_server.journal.command import Outcome, Transaction
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, AlreadyExists, Invalid
from governance_server.rules.grants import check_grant, check_guardrail, contains, settle_resource
from governance_server.rules.policy_facts import exemption_role
from governance_server.services.request_endings import end_request
from mesh_core.names import MESH, check_tag

__all__ = ["RESTRICTED", "GrantService", "GuardrailService", "end_grant", "prepare_grant", "with_consequences"]

RESTRICTED = "restricted"
"""Stands for a row filter whose text is not for the reader."""


class GrantService(grant_service_pb2_grpc.GrantServiceServicer):
    """Serves grants."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def CreateGrant(self, request: pb.CreateGrantRequest, context: grpc.ServicerContext) -> grant_pb2.Grant:
        """Creates a grant."""
        new_id = f"g-{self._backend.new_id()}"

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "grant", request.grant.resource)
            if request.grant.subject == caller.name:
                raise AccessDenied("Nobody grants to itself: another owner must.", resource=request.grant.resource)
            grant = grant_pb2.Grant()
            grant.CopyFrom(request.grant)
            grant.id, grant.grantor = new_id, caller.name
            prepare_grant(self._backend, tx, grant)
            rest_grant(self._backend, tx, caller, grant)
            writes = with_consequences(self._backend, tx, [store(kinds.GRANT, grant.id, grant)], caller)
            return Outcome("grant.created", grant.id, () if request.validate_only else writes, grant.SerializeToString())

        return grant_pb2.Grant.FromString(self._backend.submit(request, request.request_id, run).reply)

    def GetGrant(self, request: pb.GetGrantRequest, context: grpc.ServicerContext) -> grant_pb2.Grant:
        """Returns one grant: to its grantee, and to who may grant on its resource."""
        body = self._backend.catalog.get(kinds.GRANT, request.id, as_of=request.as_of or None)
        grant = grant_pb2.Grant.FromString(body) if body is not None else grant_pb2.Grant(resource=MESH)
        if not self._may_see(grant, request.as_of) or body is None:
            raise denied("see the grant", request.id)
        return self._shown(grant)

    def ListGrants(self, request: pb.ListGrantsRequest, context: grpc.ServicerContext) -> pb.ListGrantsResponse:
        """Lists grants by id: the caller's own, and those on resources it may grant on."""
        page = Page.of(request.page_size, request.page_token)
        rows = self._backend.catalog.list(kinds.GRANT, limit=None, after_name=page.after, as_of=request.as_of or None)
        found = []
        for _, body in rows:
            grant = grant_pb2.Grant.FromString(body)
            if request.resource and not contains(request.resource, grant.resource):
                continue
            if request.subject and grant.subject != request.subject:
                continue
            if self._may_see(grant, request.as_of):
                found.append(self._shown(grant))
            if len(found) > page.size:
                break
        more = Page.token(found[page.size - 1].id) if len(found) > page.size else ""
        return pb.ListGrantsResponse(grants=found[: page.size], next_page_token=more)

    def RevokeGrant(self, request: pb.RevokeGrantRequest, context: grpc.ServicerContext) -> grant_pb2.Grant:
        """Revokes a grant; the next read that needed it is denied."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            body = tx.get(kinds.GRANT, request.id)
            grant = grant_pb2.Grant.FromString(body) if body is not None else grant_pb2.Grant(resource=MESH)
            if not self._backend.policy.check(caller, "grant", grant.resource).allowed:
                raise denied("revoke the grant", request.id)  # names no resource: who may not know it must not learn it
            read(tx, kinds.GRANT, request.id, grant_pb2.Grant)
            if grant.revoke_time.seconds:
                return Outcome("grant.revoked", grant.id, (), grant.SerializeToString())
            check_lifting(self._backend, caller, grant)
            writes = with_consequences(self._backend, tx, [*end_grant(tx, grant, caller, reason=request.reason)], caller)
            return Outcome("grant.revoked", grant.id, writes, grant.SerializeToString())

        return grant_pb2.Grant.FromString(self._backend.submit(request, request.request_id, run).reply)

    def _shown(self, grant: grant_pb2.Grant) -> grant_pb2.Grant:
        """The grant; its row filter only to who may grant, since it may name values and columns that are hidden."""
        if grant.row_filter and not self._backend.policy.check(current_caller(), "grant", grant.resource).allowed:
            grant.row_filter = RESTRICTED
        return grant

    def _may_see(self, grant: grant_pb2.Grant, as_of: int) -> bool:
        caller = current_caller()
        if grant.subject == caller.name and caller.covers("discover", grant.resource):
            return True
        policies = {self._backend.policy, self._backend.policy_at(as_of)}  # now, not only then
        return all(policy.check(caller, "grant", grant.resource).allowed for policy in policies)


def prepare_grant(backend: Backend, tx: Reader, grant: grant_pb2.Grant) -> None:
    """The grant is complete, understood and points at something that exists. Raises: Invalid, InvalidFilter, NotFound."""
    assert isinstance(tx, Transaction)
    product = backend.policy.product_of(grant.resource)
    settle_resource(grant, product)
    grant.ClearField("revoke_time")
    grant.ClearField("revoker")
    grant.ClearField("revoke_reason")
    for field in ("access_request", "approval_rule", "renewed_by"):
        grant.ClearField(field)
    grant.create_time.CopyFrom(stamp(tx.time))
    check_grant(grant, product, now=tx.time)
    domain = grant.resource.partition(".")[0]
    if grant.resource != MESH and tx.get(kinds.DOMAIN, domain) is None:
        raise Invalid(f"There is no domain {domain!r}: grant on a domain, product or port that exists.", resource=grant.resource)
    if grant.purpose and grant.purpose != "*" and tx.get(kinds.PURPOSE, grant.purpose) is None:
        raise Invalid(f"There is no purpose {grant.purpose!r}: the governance team can create it.", resource=grant.resource)


def end_grant(tx: Transaction, grant: grant_pb2.Grant, caller: Caller, *, reason: str) -> Iterable[ResourceWrite]:
    """The writes that end a grant, its renewal, and the access requests they came from; `grant` is changed accordingly."""
    grant.revoke_time.CopyFrom(stamp(tx.time))
    grant.revoker, grant.revoke_reason = caller.name, reason
    yield store(kinds.GRANT, grant.id, grant)
    yield from end_request(tx, grant, caller, reason=reason)
    body = tx.get(kinds.GRANT, grant.renewed_by) if grant.renewed_by else None
    successor = grant_pb2.Grant.FromString(body or b"")
    if successor.id and not successor.revoke_time.seconds:
        yield from end_grant(tx, successor, caller, reason=reason)


def with_consequences(
    backend: Backend, tx: Transaction, writes: Sequence[ResourceWrite], caller: Caller
) -> tuple[ResourceWrite, ...]:
    """The writes and what they bring about: whatever rests on a rule that they end or narrow ends in the same change."""
    ended = fallen(backend, tx, writes)
    further = (write for grant in ended for write in end_grant(tx, grant, caller, reason="What it rested on has ended."))
    return tuple({(write.kind, write.name): write for write in (*writes, *further)}.values())


class GuardrailService(grant_service_pb2_grpc.GuardrailServiceServicer):
    """Serves guardrails."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def CreateGuardrail(self, request: pb.CreateGuardrailRequest, context: grpc.ServicerContext) -> grant_pb2.Guardrail:
        """Creates a guardrail."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "administer", MESH)
            guardrail = grant_pb2.Guardrail()
            guardrail.CopyFrom(request.guardrail)
            check_tag(guardrail.id)
            if tx.get(kinds.GUARDRAIL, guardrail.id) is not None:
                raise AlreadyExists(
                    f"Guardrail {guardrail.id!r} exists already: delete it first, or choose another id.", resource=guardrail.id
                )
            guardrail.creator = caller.name
            guardrail.create_time.CopyFrom(stamp(tx.time))
            check_guardrail(guardrail, self._backend.policy.product_of(guardrail.resource))
            for exempt in guardrail.exempt:
                name = exempt.removeprefix("purpose:")
                if exempt.startswith("purpose:") and tx.get(kinds.PURPOSE, name) is None:
                    raise Invalid(
                        f"There is no purpose {name!r} to exempt: create it first.", resource=exemption_role(guardrail.id)
                    )
            writes = () if request.validate_only else (store(kinds.GUARDRAIL, guardrail.id, guardrail),)
            return Outcome("guardrail.created", guardrail.id, writes, guardrail.SerializeToString())

        return grant_pb2.Guardrail.FromString(self._backend.submit(request, request.request_id, run).reply)

    def GetGuardrail(self, request: pb.GetGuardrailRequest, context: grpc.ServicerContext) -> grant_pb2.Guardrail:
        """Returns one guardrail."""
        body = self._backend.catalog.get(kinds.GUARDRAIL, request.id, as_of=request.as_of or None)
        if body is None:
            raise denied("see the guardrail", request.id)
        return self._shown(grant_pb2.Guardrail.FromString(body))

    def _shown(self, guardrail: grant_pb2.Guardrail) -> grant_pb2.Guardrail:
        """The guardrail; a row filter's text only to the central team."""
        may_see = self._backend.policy.check(current_caller(), "administer", MESH).allowed
        if guardrail.row_filter and not may_see:
            guardrail.row_filter = RESTRICTED
        return guardrail

    def ListGuardrails(self, request: pb.ListGuardrailsRequest, context: grpc.ServicerContext) -> pb.ListGuardrailsResponse:
        """Lists guardrails by id. Everyone may see them."""
        page = Page.of(request.page_size, request.page_token)
        rows = self._backend.catalog.list(kinds.GUARDRAIL, limit=page.size + 1, after_name=page.after)
        found = [self._shown(grant_pb2.Guardrail.FromString(body)) for _, body in rows[: page.size]]
        more = Page.token(found[-1].id) if len(rows) > page.size else ""
        return pb.ListGuardrailsResponse(guardrails=found, next_page_token=more)

    def DeleteGuardrail(self, request: pb.DeleteGuardrailRequest, context: grpc.ServicerContext) -> grant_pb2.Guardrail:
        """Removes a guardrail."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "administer", MESH)
            guardrail = read(tx, kinds.GUARDRAIL, request.id, grant_pb2.Guardrail)
            removal = ResourceWrite(kinds.GUARDRAIL, request.id, None)
            return Outcome("guardrail.deleted", request.id, (removal,), guardrail.SerializeToString())

        return grant_pb2.Guardrail.FromString(self._backend.submit(request, request.request_id, run).reply)
