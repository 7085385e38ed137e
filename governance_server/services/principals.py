"""PrincipalService: who there is, and for what data may be read."""

from __future__ import annotations

import grpc

from domainmesh.v1 import principal_pb2, principal_service_pb2_grpc
from domainmesh.v1 import principal_service_pb2 as pb
from governance_server.backend import Backend, Page, read
from governance_server.caller import Caller, current_caller
from governance_server.editing.editor import Edit, create, merged, replace
from governance_server.editing.identities import link_identity
from governance_server.editing.registry import PRINCIPALS, PURPOSES
from governance_server.journal.command import Outcome, Transaction
from governance_server.rules import kinds
from governance_server.rules.errors import AccessDenied, Conflict, Invalid, NotFound
from mesh_core.names import MESH, check_principal

__all__ = ["PrincipalService"]

_FIELDS = ("title", "groups", "roles", "purposes", "attributes", "is_disabled", "is_administrator")


class PrincipalService(principal_service_pb2_grpc.PrincipalServiceServicer):
    """Serves principals and purposes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def CreatePrincipal(self, request: pb.CreatePrincipalRequest, context: grpc.ServicerContext) -> principal_pb2.Principal:
        """Creates a principal."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            edit = Edit.on(self._backend, tx, caller)
            principal = create(edit, PRINCIPALS, request.principal)
            return Outcome("principal.created", principal.name, edit.state.writes(), principal.SerializeToString())

        return principal_pb2.Principal.FromString(self._backend.submit(request, request.request_id, run).reply)

    def GetPrincipal(self, request: pb.GetPrincipalRequest, context: grpc.ServicerContext) -> principal_pb2.Principal:
        """Returns one principal; the caller itself when the name is empty."""
        caller = current_caller()
        name = check_principal(request.name or caller.name)
        if name != caller.name:
            self._backend.policy.authorise(caller, "administer", MESH)
        body = self._backend.catalog.get(kinds.PRINCIPAL, name, as_of=request.as_of or None)
        if body is None:
            raise NotFound(f"There is no principal {name!r}: create it with `mesh admin create-principal`.", resource=name)
        return principal_pb2.Principal.FromString(body)

    def ListPrincipals(self, request: pb.ListPrincipalsRequest, context: grpc.ServicerContext) -> pb.ListPrincipalsResponse:
        """Lists principals by name."""
        self._backend.policy.authorise(current_caller(), "administer", MESH)
        page = Page.of(request.page_size, request.page_token)
        rows = self._backend.catalog.list(kinds.PRINCIPAL, limit=page.size + 1, after_name=page.after)
        found = [principal_pb2.Principal.FromString(body) for _, body in rows[: page.size]]
        more = Page.token(found[-1].name) if len(rows) > page.size else ""
        return pb.ListPrincipalsResponse(principals=found, next_page_token=more)

    def UpdatePrincipal(self, request: pb.UpdatePrincipalRequest, context: grpc.ServicerContext) -> principal_pb2.Principal:
        """Changes the fields named by the mask."""
        fields = set(request.update_mask.paths)
        if not fields or fields - set(_FIELDS):
            raise Invalid(f"update_mask must name one or more of {', '.join(_FIELDS)}.", resource=request.principal.name)

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "administer", MESH)
            principal = read(tx, kinds.PRINCIPAL, check_principal(request.principal.name), principal_pb2.Principal)
            if principal.name == caller.name and (request.principal.is_disabled or "is_administrator" in fields):
                raise AccessDenied("Nobody ends its own seat in the central team: another one must.", resource=caller.name)
            if request.principal.etag and request.principal.etag != principal.etag:
                raise Conflict(f"{principal.name!r} has changed since you read it: read it again.", resource=principal.name)
            edit = Edit.on(self._backend, tx, caller)
            updated = replace(edit, PRINCIPALS, principal, merged(principal, request.principal, fields))
            return Outcome("principal.updated", principal.name, edit.state.writes(), updated.SerializeToString())

        return principal_pb2.Principal.FromString(self._backend.submit(request, request.request_id, run).reply)

    def LinkIdentity(self, request: pb.LinkIdentityRequest, context: grpc.ServicerContext) -> principal_pb2.Identity:
        """Says which principal a subject of the identity provider is, or that it is nobody's any more."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "administer", MESH)
            edit = Edit.on(self._backend, tx, caller)
            identity = link_identity(edit, request.principal, request.subject)
            return Outcome("identity.linked", request.principal or "nobody", edit.state.writes(), identity.SerializeToString())

        return principal_pb2.Identity.FromString(self._backend.submit(request, request.request_id, run).reply)

    def CreatePurpose(self, request: pb.CreatePurposeRequest, context: grpc.ServicerContext) -> principal_pb2.Purpose:
        """Creates a purpose."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            edit = Edit.on(self._backend, tx, caller)
            purpose = create(edit, PURPOSES, request.purpose)
            return Outcome("purpose.created", purpose.name, edit.state.writes(), purpose.SerializeToString())

        return principal_pb2.Purpose.FromString(self._backend.submit(request, request.request_id, run).reply)

    def ListPurposes(self, request: pb.ListPurposesRequest, context: grpc.ServicerContext) -> pb.ListPurposesResponse:
        """Lists purposes by name."""
        page = Page.of(request.page_size, request.page_token)
        rows = self._backend.catalog.list(kinds.PURPOSE, limit=page.size + 1, after_name=page.after)
        found = [principal_pb2.Purpose.FromString(body) for _, body in rows[: page.size]]
        more = Page.token(found[-1].name) if len(rows) > page.size else ""
        return pb.ListPurposesResponse(purposes=found, next_page_token=more)
