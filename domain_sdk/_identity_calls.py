"""Identity calls: principals, purposes, tokens and the server itself, from the wire to values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from domain_sdk._arguments import checked_text
from domain_sdk._paging import all_items
from domain_sdk._times import Until, from_timestamp, to_expiry
from domain_sdk._transport import Transport
from domain_sdk.errors import Conflict, InvalidRequest, WrongState
from domain_sdk.identity import NewToken, Principal, Purpose, ServerStatus, Token
from domainmesh.v1 import principal_pb2, principal_service_pb2
from domainmesh.v1.principal_service_pb2_grpc import PrincipalServiceStub, TokenServiceStub
from domainmesh.v1.server_service_pb2 import GetLoginInfoRequest, GetServerInfoRequest
from domainmesh.v1.server_service_pb2_grpc import ServerServiceStub

if TYPE_CHECKING:
    from domain_sdk._oidc_login import LoginInfo

__all__ = [
    "activate_token",
    "create_principal",
    "create_purpose",
    "create_token",
    "get_login_info",
    "get_principal",
    "get_status",
    "link_identity",
    "list_principals",
    "list_purposes",
    "list_tokens",
    "revoke_token",
    "to_scope",
    "update_principal",
]


def get_status(transport: Transport) -> ServerStatus:
    """What the server is and what waits for the caller."""
    info = transport.call(transport.control(ServerServiceStub).GetServerInfo, GetServerInfoRequest())
    return ServerStatus(
        url=transport.url,
        version=info.version,
        revision=info.revision,
        gateway=info.gateway,
        principal=info.principal,
        product_count=info.product_count,
        pending_request_count=info.pending_request_count,
        shadow_check_count=info.shadow_check_count,
        shadow_mismatch_count=info.shadow_mismatch_count,
        token_makers=tuple(info.token_makers),
        registered_product_count=info.registered_product_count,
    )


def get_login_info(transport: Transport) -> LoginInfo:
    """Where the mesh lets people log in. Raises: WrongState if it has no identity provider for that."""
    from domain_sdk._oidc_login import LoginInfo

    info = transport.call(transport.control(ServerServiceStub).GetLoginInfo, GetLoginInfoRequest())
    if not info.issuer:
        raise WrongState(f"The mesh at {transport.url} has no identity provider to log in at: log in with a token.")
    return LoginInfo(info.issuer, info.client_id, info.scopes, info.resource)


def get_principal(transport: Transport, name: str = "") -> Principal:
    """The principal; the caller itself when the name is empty."""
    request = principal_service_pb2.GetPrincipalRequest(name=name)
    return _principal(transport.call(transport.control(PrincipalServiceStub).GetPrincipal, request))


def list_principals(transport: Transport) -> list[Principal]:
    """Every principal, by name."""
    method = transport.control(PrincipalServiceStub).ListPrincipals
    request = principal_service_pb2.ListPrincipalsRequest()
    return [_principal(it) for it in all_items(transport, method, request, field="principals")]


def create_principal(transport: Transport, principal: principal_pb2.Principal) -> Principal:
    """The principal exists."""
    request = principal_service_pb2.CreatePrincipalRequest(principal=principal)
    return _principal(transport.call(transport.control(PrincipalServiceStub).CreatePrincipal, request))


def update_principal(transport: Transport, principal: principal_pb2.Principal, fields: Sequence[str]) -> Principal:
    """The named fields of the principal have the new values."""
    request = principal_service_pb2.UpdatePrincipalRequest(principal=principal)
    request.update_mask.paths.extend(fields)
    return _principal(transport.call(transport.control(PrincipalServiceStub).UpdatePrincipal, request))


def link_identity(transport: Transport, principal: str, subject: str) -> None:
    """The identity provider's subject is the principal; nobody with an empty one."""
    request = principal_service_pb2.LinkIdentityRequest(principal=principal, subject=checked_text(subject, "subject"))
    transport.call(transport.control(PrincipalServiceStub).LinkIdentity, request)


def create_purpose(transport: Transport, purpose: Purpose) -> Purpose:
    """The purpose exists."""
    sent = principal_pb2.Purpose(name=purpose.name, parent=purpose.parent, description=purpose.description)
    request = principal_service_pb2.CreatePurposeRequest(purpose=sent)
    return _purpose(transport.call(transport.control(PrincipalServiceStub).CreatePurpose, request))


def list_purposes(transport: Transport) -> list[Purpose]:
    """Every purpose, by name."""
    method = transport.control(PrincipalServiceStub).ListPurposes
    request = principal_service_pb2.ListPurposesRequest()
    return [_purpose(it) for it in all_items(transport, method, request, field="purposes")]


def create_token(
    transport: Transport,
    *,
    principal: str = "",
    description: str = "",
    until: Until | None = None,
    scope: principal_pb2.TokenScope | None = None,
) -> NewToken:
    """The token exists and its secret is in the reply. Not retried: a replayed call would return no secret."""
    request = principal_service_pb2.CreateTokenRequest(
        principal=principal, description=description, expire_time=to_expiry(until), scope=scope
    )
    return _new_token(transport, request)


def activate_token(transport: Transport, description: str = "") -> NewToken:
    """The token of this call is exchanged for one that nobody else has seen. Not retried, as `create_token`."""
    return _new_token(transport, principal_service_pb2.CreateTokenRequest(description=description, exchange=True))


def _new_token(transport: Transport, request: principal_service_pb2.CreateTokenRequest) -> NewToken:
    response = transport.call(transport.control(TokenServiceStub).CreateToken, request, is_retried=False)
    if not response.secret:
        raise Conflict(f"Token {response.token.id} was made but its secret is lost: revoke it and make another.")
    return NewToken(_token(response.token), response.secret)


def list_tokens(transport: Transport, principal: str = "") -> list[Token]:
    """The principal's tokens without their secrets; the caller's own when the name is empty."""
    method = transport.control(TokenServiceStub).ListTokens
    request = principal_service_pb2.ListTokensRequest(principal=principal)
    return [_token(it) for it in all_items(transport, method, request, field="tokens")]


def revoke_token(transport: Transport, id: str) -> Token:
    """The token is revoked; the next call with it is refused."""
    request = principal_service_pb2.RevokeTokenRequest(id=id)
    return _token(transport.call(transport.control(TokenServiceStub).RevokeToken, request))


def confirm_token(transport: Transport, id: str) -> Token:
    """The right one has the token, as an administrator says who is none of its makers."""
    request = principal_service_pb2.ConfirmTokenRequest(id=id)
    return _token(transport.call(transport.control(TokenServiceStub).ConfirmToken, request))


def _principal(message: principal_pb2.Principal) -> Principal:
    return Principal(
        name=message.name,
        title=message.title,
        groups=tuple(message.groups),
        roles=tuple(message.roles),
        purposes=tuple(message.purposes),
        attributes=dict(message.attributes),
        is_disabled=message.is_disabled,
        is_administrator=message.is_administrator,
        create_time=from_timestamp(message, "create_time"),
        etag=message.etag,
    )


def _purpose(message: principal_pb2.Purpose) -> Purpose:
    return Purpose(message.name, message.parent, message.description)


def _token(message: principal_pb2.Token) -> Token:
    return Token(
        id=message.id,
        principal=message.principal,
        description=message.description,
        create_time=from_timestamp(message, "create_time"),
        expire_time=from_timestamp(message, "expire_time"),
        revoke_time=from_timestamp(message, "revoke_time"),
        scope=_scope_words(message.scope),
        purposes=tuple(message.scope.purposes),
        parent=message.parent,
        creator=message.creator,
        makers=tuple(message.makers),
        exchanged_for=message.exchanged_for,
        exchanged_from=message.exchanged_from,
        confirmer=message.confirmer,
    )


def to_scope(scope: Sequence[str], purposes: Sequence[str]) -> principal_pb2.TokenScope | None:
    """What a token is to be good for, on the wire; `scope` has entries like `discover,read:finance.ledger`.

    Raises:
        InvalidRequest: an entry is not written so.
    """
    if not scope and not purposes:
        return None
    sent = principal_pb2.TokenScope(purposes=purposes)
    for entry in scope:
        actions, separator, resource = entry.partition(":")
        if not separator or not resource or not all(actions.split(",")):
            raise InvalidRequest(f"{entry!r} is no scope: write actions and a resource, like discover,read:finance.ledger.")
        for action in actions.split(","):
            sent.permissions.add(action=action, resource=resource)
    return sent


def _scope_words(scope: principal_pb2.TokenScope) -> tuple[str, ...]:
    actions: dict[str, list[str]] = {}
    for item in scope.permissions:
        actions.setdefault(item.resource, []).append(item.action)
    return tuple(f"{','.join(sorted(those))}:{resource}" for resource, those in sorted(actions.items()))
