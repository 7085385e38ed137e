"""ServerService: what this server is and where its gateway listens."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

import grpc

from domainmesh.v1 import server_service_pb2 as pb
from domainmesh.v1 import server_service_pb2_grpc
from governance_server.backend import Backend
from governance_server.caller import current_caller
from governance_server.services.access_requests import pending_for
from governance_server.services.registered_contracts import drafts

__all__ = ["ServerService"]


class ServerService(server_service_pb2_grpc.ServerServiceServicer):
    """Serves information on the server itself."""

    def __init__(self, backend: Backend, *, gateway: Callable[[], str]) -> None:
        self._backend = backend
        self._gateway = gateway

    def GetLoginInfo(self, request: pb.GetLoginInfoRequest, context: grpc.ServicerContext) -> pb.GetLoginInfoResponse:
        """Returns how to log in at the identity provider; to anybody."""
        oidc = self._backend.settings.oidc
        if oidc is None or not oidc.client_id:
            return pb.GetLoginInfoResponse()
        return pb.GetLoginInfoResponse(issuer=oidc.issuer, client_id=oidc.client_id, scopes=oidc.scopes, resource=oidc.resource)

    def GetServerInfo(self, request: pb.GetServerInfoRequest, context: grpc.ServicerContext) -> pb.GetServerInfoResponse:
        """Returns version, revision and the gateway's address."""
        caller = current_caller()
        visible = self._backend.policy.visibility(caller)
        shadow = self._backend.policy.shadow
        products = list(self._backend.policy.facts().products.values())
        return pb.GetServerInfoResponse(
            version=version("domain-mesh"), revision=self._backend.database.head().revision, gateway=self._gateway(),
            principal=caller.name, product_count=sum(bool(p.version) and visible.allows(p.name) for p in products),
            pending_request_count=pending_for(self._backend, caller),
            shadow_check_count=shadow.checked if shadow else 0, shadow_mismatch_count=shadow.different if shadow else 0,
            token_makers=sorted(caller.token_makers),
            registered_product_count=sum(visible.allows(it.name) for it in drafts(self._backend)),
        )  # fmt: skip
