"""DomainService: domains of the mesh."""

from __future__ import annotations

import grpc

from domainmesh.v1 import domain_pb2, domain_service_pb2_grpc
from domainmesh.v1 import domain_service_pb2 as pb
from governance_server.backend import Backend, Page, read
from governance_server.caller import Caller, current_caller
from governance_server.editing.domains import CENTRAL_FIELDS, OWNER_FIELDS
from governance_server.editing.editor import Edit, create, merged, replace
from governance_server.editing.registry import DOMAINS
from governance_server.journal.command import Outcome, Transaction
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.errors import Conflict, Invalid, NotFound
from mesh_core.names import MESH, check_domain

__all__ = ["DomainService"]


class DomainService(domain_service_pb2_grpc.DomainServiceServicer):
    """Serves domains."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def CreateDomain(self, request: pb.CreateDomainRequest, context: grpc.ServicerContext) -> domain_pb2.Domain:
        """Creates a domain."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            edit = Edit.on(self._backend, tx, caller)
            domain = create(edit, DOMAINS, request.domain)
            writes = () if request.validate_only else edit.state.writes()
            return Outcome("domain.created", domain.name, writes, domain.SerializeToString())

        return domain_pb2.Domain.FromString(self._backend.submit(request, request.request_id, run).reply)

    def GetDomain(self, request: pb.GetDomainRequest, context: grpc.ServicerContext) -> domain_pb2.Domain:
        """Returns one domain."""
        name = check_domain(request.name)
        self._backend.policy.authorise(current_caller(), "discover", name)  # now, not only then
        self._backend.policy_at(request.as_of).authorise(current_caller(), "discover", name)
        body = self._backend.catalog.get(kinds.DOMAIN, name, as_of=request.as_of or None)
        if body is None:
            raise denied("discover", name)
        return domain_pb2.Domain.FromString(body)

    def ListDomains(self, request: pb.ListDomainsRequest, context: grpc.ServicerContext) -> pb.ListDomainsResponse:
        """Lists the domains the caller may discover."""
        page = Page.of(request.page_size, request.page_token)
        policies = (self._backend.policy, self._backend.policy_at(request.as_of))
        visible = [policy.visibility(current_caller()) for policy in policies]  # now, not only then
        rows = self._backend.catalog.list(kinds.DOMAIN, limit=None, after_name=page.after, as_of=request.as_of or None)
        found = [domain_pb2.Domain.FromString(body) for name, body in rows if all(v.allows(name) for v in visible)]
        more = Page.token(found[page.size - 1].name) if len(found) > page.size else ""
        return pb.ListDomainsResponse(domains=found[: page.size], next_page_token=more)

    def UpdateDomain(self, request: pb.UpdateDomainRequest, context: grpc.ServicerContext) -> domain_pb2.Domain:
        """Changes the fields named by the mask."""
        fields = frozenset(request.update_mask.paths)
        if not fields or fields - CENTRAL_FIELDS - OWNER_FIELDS:
            raise Invalid(
                "update_mask must name one or more of title, description, owners, members, roles, namespaces.",
                resource=request.domain.name,
            )

        def run(tx: Transaction, caller: Caller) -> Outcome:
            name = check_domain(request.domain.name)
            self._backend.policy.authorise(caller, "administer", MESH if fields & CENTRAL_FIELDS else name)
            try:
                domain = read(tx, kinds.DOMAIN, name, domain_pb2.Domain)
            except NotFound:
                raise denied("administer", name) from None
            if request.domain.etag and request.domain.etag != domain.etag:
                raise Conflict(
                    f"Domain {name!r} has changed since you read it: read it again and repeat the change.", resource=name
                )
            edit = Edit.on(self._backend, tx, caller)
            updated = replace(edit, DOMAINS, domain, merged(domain, request.domain, fields))
            return Outcome("domain.updated", name, edit.state.writes(), updated.SerializeToString())

        return domain_pb2.Domain.FromString(self._backend.submit(request, request.request_id, run).reply)
