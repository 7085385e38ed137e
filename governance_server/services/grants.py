"""GrantService and GuardrailService: the rules of domains and of the central team."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import grpc

from domainmesh.v1 import grant_pb2, grant_service_pb2_grpc
from domainmesh.v1 import grant_service_pb2 as pb
from governance_server.backend import Backend, Page, read
from governance_server.caller import Caller, current_caller
from governance_server.editing.central import check_alone
from governance_server.editing.editor import Edit, create, end, finish
from governance_server.editing.ending import end_grant
from governance_server.editing.registry import GRANTS, GUARDRAILS
from governance_server.granting import check_lifting
from governance_server.journal.command import Outcome, Transaction
from governance_server.policy.names import domains_where
from governance_server.policy.projection import denied
from governance_server.policy.tag_carriers import tag_warning
from governance_server.rules import kinds
from governance_server.rules.grants import contains
from governance_server.rules.listings import containers
from governance_server.rules.policy_rows import ANY, domain_of
from governance_server.storage.catalog import Catalog
from mesh_core.names import MESH

__all__ = ["RESTRICTED", "GrantService", "GuardrailService"]

_STRETCH = 500

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
            wanted = grant_pb2.Grant()
            wanted.CopyFrom(request.grant)
            wanted.id = new_id
            edit = Edit.on(self._backend, tx, caller)
            grant = create(edit, GRANTS, wanted)
            writes = () if request.validate_only else edit.state.writes()
            return Outcome("grant.created", grant.id, writes, grant.SerializeToString())

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
        rows = self._rows(request, page.after)
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

    def _rows(self, request: pb.ListGrantsRequest, after: str) -> Iterable[tuple[str, bytes]]:
        """Ids and messages of all grants that the answer may hold, by id; of the past all there were."""
        catalog, caller = self._backend.catalog, current_caller()
        domains = domains_where(self._backend.policy, caller, "grant")
        container = [*containers(request.resource)][-1] if request.resource else ANY
        if request.as_of or (domains is None and container == ANY and not request.subject):
            return _stretches(catalog, after, as_of=request.as_of or None)
        of_subject = f"/for/{request.subject}" if request.subject else ""
        if domains is None:
            lists = [f"in/{container}{of_subject}" if container != ANY else f"for/{request.subject}"]
        else:
            is_near = domain_of(container) in domains if container != ANY else True
            near = domains if container == ANY else {container} if is_near else ()
            is_own = request.subject in ("", caller.name)
            lists = [*([f"for/{caller.name}"] if is_own else []), *(f"in/{it}{of_subject}" for it in sorted(near))]
        return catalog.walk(kinds.GRANT, lists, after=after)

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
            edit = Edit.on(self._backend, tx, caller)
            if GRANTS.authorise(edit, grant, None):
                check_alone(self._backend.policy, caller, "a grant")
            check_lifting(self._backend, caller, grant)
            edit.state.write(end_grant(tx, grant, caller, reason=request.reason))
            finish(edit)
            return Outcome("grant.revoked", grant.id, edit.state.writes(), grant.SerializeToString())

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


def _stretches(catalog: Catalog, after: str, *, as_of: int | None) -> Iterator[tuple[str, bytes]]:
    """Every grant at the revision, by id, read only as far as it is asked for."""
    last = after
    while page := catalog.list(kinds.GRANT, limit=_STRETCH, after_name=last, as_of=as_of):
        yield from page
        last = page[-1][0]


class GuardrailService(grant_service_pb2_grpc.GuardrailServiceServicer):
    """Serves guardrails."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def CreateGuardrail(self, request: pb.CreateGuardrailRequest, context: grpc.ServicerContext) -> grant_pb2.Guardrail:
        """Creates a guardrail."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            edit = Edit.on(self._backend, tx, caller)
            guardrail = create(edit, GUARDRAILS, request.guardrail)
            writes = () if request.validate_only else edit.state.writes()
            guardrail.warning = tag_warning(guardrail.resource, self._backend.policy.facts())
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
            edit = Edit.on(self._backend, tx, caller)
            end(edit, GUARDRAILS, guardrail)
            return Outcome("guardrail.deleted", request.id, edit.state.writes(), guardrail.SerializeToString())

        return grant_pb2.Guardrail.FromString(self._backend.submit(request, request.request_id, run).reply)
