"""DomainService: domains of the mesh."""

from __future__ import annotations

import grpc

from domainmesh.v1 import domain_pb2, domain_service_pb2_grpc
from domainmesh.v1 import domain_service_pb2 as pb
from governance_server.backend import Backend, Page, read, stamp, store
from governance_server.caller import Caller, current_caller
from governance_server.granting import holds_office
from governance_server.journal.command import Outcome, Transaction
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.errors import AccessDenied, AlreadyExists, Conflict, Invalid, NotFound
from governance_server.rules.policy_facts import domain_rows
from governance_server.rules.policy_rows import Link, UnreadableRule, check_link, check_rule
from governance_server.services.grants import with_consequences
from mesh_core.names import MESH, check_domain, check_principal

__all__ = ["DomainService"]

_CENTRAL_FIELDS = frozenset({"title", "owners", "members"})
_OWNER_FIELDS = frozenset({"description", "roles"})

_RESERVED = frozenset({"domain", "base", "centre"})
"""Names whose grants would be called like base rights (`domain:sales`, `base:administrator`)."""


class DomainService(domain_service_pb2_grpc.DomainServiceServicer):
    """Serves domains."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def CreateDomain(self, request: pb.CreateDomainRequest, context: grpc.ServicerContext) -> domain_pb2.Domain:
        """Creates a domain."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "administer", MESH)
            domain = domain_pb2.Domain()
            domain.CopyFrom(request.domain)
            _check(domain)
            if tx.get(kinds.DOMAIN, domain.name) is not None:
                raise AlreadyExists(
                    f"Domain {domain.name!r} exists already: update it, or choose another name.", resource=domain.name
                )
            domain.create_time.CopyFrom(stamp(tx.time))
            domain.etag = str(tx.revision)
            writes = () if request.validate_only else (store(kinds.DOMAIN, domain.name, domain),)
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
        if not fields or fields - _CENTRAL_FIELDS - _OWNER_FIELDS:
            raise Invalid(
                "update_mask must name one or more of title, description, owners, members, roles.", resource=request.domain.name
            )

        def run(tx: Transaction, caller: Caller) -> Outcome:
            name = check_domain(request.domain.name)
            self._backend.policy.authorise(caller, "administer", MESH if fields & _CENTRAL_FIELDS else name)
            try:
                domain = read(tx, kinds.DOMAIN, name, domain_pb2.Domain)
            except NotFound:
                raise denied("administer", name) from None
            if request.domain.etag and request.domain.etag != domain.etag:
                raise Conflict(
                    f"Domain {name!r} has changed since you read it: read it again and repeat the change.", resource=name
                )
            before = domain_pb2.Domain()
            before.CopyFrom(domain)
            for field in fields:
                domain.ClearField(field)  # type: ignore[arg-type]  # one of the names checked above
            wanted = domain_pb2.Domain()
            wanted.CopyFrom(request.domain)
            for field in {"title", "description", "owners", "members", "roles", "create_time", "etag", "name"} - fields:
                wanted.ClearField(field)  # type: ignore[arg-type]  # names of fields of Domain
            domain.MergeFrom(wanted)
            domain.etag = str(tx.revision)
            _check(domain)
            if _joins(before, domain) and not holds_office(self._backend, caller, name):
                raise AccessDenied("Whoever joins a role gets what it may do: an owner of the domain must add it.", resource=name)
            writes = with_consequences(self._backend, tx, [store(kinds.DOMAIN, name, domain)], caller)
            return Outcome("domain.updated", name, writes, domain.SerializeToString())

        return domain_pb2.Domain.FromString(self._backend.submit(request, request.request_id, run).reply)


def _joins(before: domain_pb2.Domain, after: domain_pb2.Domain) -> bool:
    """True if somebody gains a role of the domain."""
    had, has = ({(role.name, member) for role in domain.roles for member in role.members} for domain in (before, after))
    return not has <= had


def _check(domain: domain_pb2.Domain) -> None:
    if check_domain(domain.name) in _RESERVED:
        raise Invalid(f"{domain.name!r} stands for something else in rules: choose another name.", resource=domain.name)
    for person in (*domain.owners, *domain.members, *(p for role in domain.roles for p in role.members)):
        check_principal(person)
    for role in domain.roles:
        check_principal(role.name)
        if not role.name.startswith("role:") or role.name.startswith("role:owner-of-") or role.name == "role:administrator":
            raise Invalid(f"{role.name!r} cannot be a role of a domain: use a name like role:analyst.", resource=domain.name)
    try:
        for row in domain_rows(domain):
            check_link(row) if isinstance(row, Link) else check_rule(row)
    except UnreadableRule as error:
        raise Invalid(str(error), resource=domain.name) from None
