"""TokenService: what proves who calls. A token made with another is never wider and never lasts longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc

from domainmesh.v1 import principal_pb2, principal_service_pb2_grpc
from domainmesh.v1 import principal_service_pb2 as pb
from governance_server.authentication import mint_token
from governance_server.backend import Backend, Page, read, stamp, store
from governance_server.caller import Caller, current_caller
from governance_server.editing.central import is_administrator, second_persons
from governance_server.journal.command import Outcome, Transaction
from governance_server.rules import kinds
from governance_server.rules.errors import AccessDenied, GovernanceError, Invalid, NotFound, SecondPersonNeeded, Unauthenticated
from governance_server.rules.refusals import unknown_purpose
from governance_server.rules.token_chain import MOST_ANCESTORS, TokenChain, find_chain, owner_key
from governance_server.rules.token_scopes import narrowed_scope
from governance_server.services.token_exchange import confirm, exchange, own_token, signs_in_alone
from governance_server.services.token_news import told_of_token
from mesh_core.names import MESH, check_principal

__all__ = ["TokenService"]

_MAX_TOKEN_AGE, _DEFAULT_TOKEN_AGE = timedelta(days=366), timedelta(days=90)


class TokenService(principal_service_pb2_grpc.TokenServiceServicer):
    """Serves tokens. Everyone manages its own; the central team those of everybody."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def CreateToken(self, request: pb.CreateTokenRequest, context: grpc.ServicerContext) -> pb.CreateTokenResponse:
        """Creates a token; its secret is in the response and nowhere else."""
        minted = mint_token(self._backend.keys)

        def run(tx: Transaction, caller: Caller) -> Outcome:
            if request.exchange:
                return exchange(tx, caller, request, minted, is_doubtful=self._is_doubtful(caller))
            owner = check_principal(request.principal or caller.name)
            self._authorise(caller, owner)
            read(tx, kinds.PRINCIPAL, owner, principal_pb2.Principal)
            _check_other_seat(self._backend, caller, owner)
            _check_own_login(self._backend, tx, caller, owner)
            token = principal_pb2.Token(
                id=minted.id, principal=owner, description=request.description, create_time=stamp(tx.time),
                expire_time=stamp(_end(request, tx.time, self._limit(tx.time, caller))), creator=caller.name,
                parent=_parent(tx, caller) if owner == caller.name else "", makers=caller.makers_for(owner),
                confirmer=caller.confirmer if owner == caller.name else "",
            )  # fmt: skip
            wanted = request.scope if request.HasField("scope") else _inherited(caller, owner)
            with self._backend.policy.pinned():  # the hierarchy of purposes as it is now
                scope = narrowed_scope(wanted, caller.scope, wider=self._backend.policy.wider_purposes)
            if scope is not None:
                _check_purposes(tx, scope)
                token.scope.CopyFrom(scope)
            stored = minted.stored(token)
            parents = find_chain(tx.get, token.parent) if token.parent else None
            shown = TokenChain((stored, *(parents.tokens if parents else ()))).shown()
            index = principal_pb2.Token(id=token.id, principal=owner)
            writes = (
                store(kinds.TOKEN, token.id, stored),
                store(kinds.TOKEN_OWNER, owner_key(owner, token.id), index),
                *told_of_token(self._backend, tx, caller, token),
            )
            return Outcome("token.created", owner, writes, shown.SerializeToString())

        receipt = self._backend.submit(request, request.request_id, run)
        token = principal_pb2.Token.FromString(receipt.reply)
        return pb.CreateTokenResponse(token=token, secret="" if receipt.replayed else minted.text)

    def ListTokens(self, request: pb.ListTokensRequest, context: grpc.ServicerContext) -> pb.ListTokensResponse:
        """Lists tokens without their secrets, by id."""
        caller = current_caller()
        owner = check_principal(request.principal or caller.name)
        self._authorise(caller, owner)
        page = Page.of(request.page_size, request.page_token)
        rows = self._backend.catalog.list(
            kinds.TOKEN_OWNER, prefix=owner_key(owner, ""), limit=page.size + 1, after_name=page.after
        )
        response = pb.ListTokensResponse(next_page_token=Page.token(rows[page.size - 1][0]) if len(rows) > page.size else "")
        for name, _ in rows[: page.size]:
            chain = find_chain(self._backend.catalog.get, name.rpartition("/")[2])
            if chain is not None and (owner != caller.name or caller.scope is None or caller.token in chain.ids):
                response.tokens.append(chain.shown())
        return response

    def RevokeToken(self, request: pb.RevokeTokenRequest, context: grpc.ServicerContext) -> principal_pb2.Token:
        """Revokes a token; the next call with it, or with one made with it, is refused."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            chain = find_chain(tx.get, request.id)
            owner = chain.own.token.principal if chain is not None else "nobody"
            is_own = chain is not None and owner == caller.name and (caller.scope is None or caller.token in chain.ids)
            if not is_own:
                self._authorise(caller, owner, is_other=True)
            if chain is None:
                raise NotFound(f"There is no token {request.id!r}: list tokens with `mesh token list`.", resource=request.id)
            stored = chain.own
            if stored.token.revoke_time.seconds:
                return Outcome("token.revoked", owner, (), stored.token.SerializeToString())
            stored.token.revoke_time.CopyFrom(stamp(tx.time))
            return Outcome("token.revoked", owner, (store(kinds.TOKEN, request.id, stored),), stored.token.SerializeToString())

        return principal_pb2.Token.FromString(self._backend.submit(request, request.request_id, run).reply)

    def ConfirmToken(self, request: pb.ConfirmTokenRequest, context: grpc.ServicerContext) -> principal_pb2.Token:
        """Says that the right one has a token, which somebody else made."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._authorise(caller, "nobody", is_other=True)
            return confirm(tx, caller, request.id)

        return principal_pb2.Token.FromString(self._backend.submit(request, request.request_id, run).reply)

    def _is_doubtful(self, caller: Caller) -> bool:
        """True if what the caller exchanges stays its maker's until somebody else confirms it; for the centre two always act."""
        return caller.is_unconfirmed and not is_administrator(self._backend.policy, caller.name)

    def _limit(self, now: datetime, caller: Caller) -> datetime | None:
        """When a token made by this caller must end: with its own, unless the settings let one outlive an access token."""
        oidc = self._backend.settings.oidc
        if caller.token or oidc is None or not oidc.token_days:
            return caller.expire_time
        return now + timedelta(days=oidc.token_days)

    def _authorise(self, caller: Caller, owner: str, *, is_other: bool = False) -> None:
        if owner == caller.name and not is_other:
            return
        try:
            self._backend.policy.authorise(caller, "administer", MESH)
        except GovernanceError:
            raise AccessDenied("You may manage your own tokens only: ask the governance team for those of others.") from None


def _end(request: pb.CreateTokenRequest, now: datetime, limit: datetime | None) -> datetime:
    """When the new token ends: as asked, no later than the token of this call. Raises: Invalid."""
    latest = min(now + _MAX_TOKEN_AGE, limit or datetime.max.replace(tzinfo=UTC))
    if not request.HasField("expire_time"):
        return min(now + _DEFAULT_TOKEN_AGE, latest)
    expires = request.expire_time.ToDatetime(tzinfo=UTC)
    if expires <= now or expires > now + _MAX_TOKEN_AGE:
        raise Invalid("expire_time must lie in the future and at most one year ahead.")
    if expires > latest:
        raise Invalid(f"A token does not outlive the one it is made with: expire_time is at most {latest:%Y-%m-%dT%H:%M:%SZ}.")
    return expires


def _parent(tx: Transaction, caller: Caller) -> str:
    """The token of this call, if the mesh made it and it is still valid. Raises: Unauthenticated, Invalid."""
    if not caller.token:
        return ""
    chain = find_chain(tx.get, caller.token)
    if chain is None or not chain.is_valid(tx.time):
        raise Unauthenticated("The token of this call ended while it was served: log in again with `mesh login`.")
    if len(chain.tokens) > MOST_ANCESTORS:
        raise Invalid(f"{MOST_ANCESTORS} tokens were made one with another: use an earlier one of them.")
    return caller.token


def _inherited(caller: Caller, owner: str) -> principal_pb2.TokenScope | None:
    """What a token without a scope of its own is narrowed to: its own chain says it, except for another principal's token."""
    if caller.scope is None or owner == caller.name:
        return None
    raise Invalid("The token of this call has a scope, so say what one for another principal is for: give a scope within it.")


def _check_purposes(tx: Transaction, scope: principal_pb2.TokenScope) -> None:
    for purpose in scope.purposes:
        if tx.get(kinds.PURPOSE, purpose) is None:
            raise unknown_purpose(purpose, (name for name, _ in tx.list(kinds.PURPOSE)))


def _check_other_seat(backend: Backend, caller: Caller, owner: str) -> None:
    """Returns unless the token would let one administrator speak as another. Raises: SecondPersonNeeded."""
    policy = backend.policy
    if owner != caller.name and is_administrator(policy, owner) and second_persons(policy, caller.name):
        raise SecondPersonNeeded(
            f"{owner} is an administrator, and one administrator alone must not speak as another: it makes its own tokens with "
            "`mesh token create`. A new administrator gets its first token before it becomes one.",
            resource=owner,
        )


def _check_own_login(backend: Backend, tx: Transaction, caller: Caller, owner: str) -> None:
    """Returns unless the owner logs in by what nobody else has, and so needs no token. Raises: SecondPersonNeeded."""
    if owner == caller.name or not second_persons(backend.policy, caller.name):
        return
    own = own_token(tx, owner)
    if own or signs_in_alone(tx, owner):
        way = f"is it lost, revoke it first (`mesh token revoke {own}`)" if own else "and else at the identity provider"
        raise SecondPersonNeeded(
            f"{owner} has a login of its own, and one administrator alone must not act as {owner} beside it: it makes its own "
            f"tokens with `mesh token create`; {way}.",
            resource=owner,
        )
