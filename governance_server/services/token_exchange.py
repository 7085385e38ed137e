"""Exchanging a token that somebody else made for one of its holder's own, whose secret nobody else has seen.

A principal that has a token or a login of its own exchanges nothing. So whoever made the token cannot exchange it any more once
its holder has, and if it does so before, what the holder has is dead, and says why. Once there are two administrators, a
second one confirms that it was the holder who exchanged. Source: ADR 0008, decisions 8 and 9.
"""

from __future__ import annotations

from collections.abc import Iterator

from domainmesh.v1 import notice_pb2, principal_pb2
from domainmesh.v1 import principal_service_pb2 as pb
from governance_server.authentication import MintedToken
from governance_server.backend import stamp, store
from governance_server.caller import Caller
from governance_server.journal.command import Outcome, Transaction
from governance_server.notices import News, notices
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, Invalid, NotFound, Precondition, Unauthenticated
from governance_server.rules.identities import linkers
from governance_server.rules.policy_facts import ADMINISTRATOR
from governance_server.rules.second_person import Person, check_two_persons
from governance_server.rules.token_chain import TokenChain, find_chain, owner_key
from mesh_core.names import MESH

__all__ = ["confirm", "exchange", "living_tokens", "own_token", "signs_in_alone"]


def exchange(
    tx: Transaction, caller: Caller, request: pb.CreateTokenRequest, minted: MintedToken, *, is_doubtful: bool
) -> Outcome:
    """The caller has a token of its own instead of those that others made. Raises: Invalid, Precondition, Unauthenticated.

    If it is doubtful who calls, the makers stay with it until somebody else confirms it.
    """
    if request.HasField("scope") or request.HasField("expire_time") or request.principal not in ("", caller.name):
        raise Invalid(
            "An exchanged token keeps principal and end, and has no scope: leave them out, and make another one with it."
        )
    handed_out = _exchangeable(tx, caller)
    token = principal_pb2.Token(
        id=minted.id, principal=caller.name, description=request.description or handed_out.own.token.description,
        create_time=stamp(tx.time), expire_time=handed_out.own.token.expire_time, creator=caller.name,
        exchanged_from=handed_out.own.token.id, makers=sorted(handed_out.makers) if is_doubtful else (),
    )  # fmt: skip
    index = principal_pb2.Token(id=token.id, principal=caller.name)
    makers = ", ".join(sorted(handed_out.makers))
    text = (
        f"{caller.name} activated its token: {token.id} takes the place of {handed_out.own.token.id}, which {makers} made. If "
        f"{caller.name} did not do that, it was who made it: revoke it with `mesh token revoke {token.id}`."
    )
    if is_doubtful:
        text += f" If {caller.name} tells you this id, confirm it with `mesh token confirm {token.id}`: until then it reads only."
    writes = (
        store(kinds.TOKEN, token.id, minted.stored(token)),
        store(kinds.TOKEN_OWNER, owner_key(caller.name, token.id), index),
        *_ended(tx, caller.name, token.id),
        *notices(tx, News(notice_pb2.NOTICE_KIND_TOKEN_ACTIVATED, MESH, token.id, text), (caller.name, ADMINISTRATOR)),
    )
    return Outcome("token.exchanged", caller.name, writes, token.SerializeToString())


def living_tokens(tx: Transaction, principal: str) -> Iterator[TokenChain]:
    """The principal's tokens that are valid now, by id."""
    for name, _ in tx.list(kinds.TOKEN_OWNER, prefix=owner_key(principal, "")):
        chain = find_chain(tx.get, name.rpartition("/")[2])
        if chain is not None and chain.is_valid(tx.time):
            yield chain


def own_token(tx: Transaction, principal: str) -> str:
    """A valid token of the principal that nobody else has made, or that it got by exchange; empty if it has none."""
    living = living_tokens(tx, principal)
    return next((it.own.token.id for it in living if not it.makers or it.tokens[-1].token.exchanged_from), "")


def confirm(tx: Transaction, caller: Caller, token_id: str) -> Outcome:
    """The right one has the token, says the caller. Raises: NotFound, Precondition, AccessDenied if it may be a maker."""
    chain = find_chain(tx.get, token_id)
    if chain is None or not chain.is_valid(tx.time):
        raise NotFound(f"There is no valid token {token_id!r}: list tokens with `mesh token list NAME`.", resource=token_id)
    stored = chain.own
    holder = stored.token.principal
    if not chain.makers or chain.confirmer or stored.token.parent:
        raise Precondition(f"Token {token_id} of {holder} is not waiting to be confirmed: it is good for what it was made for.")
    if caller.name == holder or caller.name in chain.makers:
        raise AccessDenied(
            f"{caller.name} may hold token {token_id} of {holder} itself: an administrator confirms it who has not made it.",
            resource=token_id,
        )
    made_it = Person(holder, chain.makers)
    check_two_persons(Person(caller.name, caller.token_makers), made_it, did="has this", resource=token_id, is_strict=True)
    stored.token.confirmer = caller.name
    if stored.token.exchanged_from:
        del stored.token.makers[:]
    reply = TokenChain((stored,)).shown()
    return Outcome("token.confirmed", holder, (store(kinds.TOKEN, token_id, stored),), reply.SerializeToString())


def signs_in_alone(tx: Transaction, principal: str) -> bool:
    """True if the principal logs in at the identity provider, and nobody linked it who could be behind that."""
    rows = (principal_pb2.Identity.FromString(body) for _, body in tx.list(kinds.IDENTITY))
    return any(it.principal == principal and not linkers(it) for it in rows)


def _exchangeable(tx: Transaction, caller: Caller) -> TokenChain:
    """The token of this call, if it may be exchanged."""
    chain = find_chain(tx.get, caller.token) if caller.token else None
    if caller.token and (chain is None or not chain.is_valid(tx.time)):
        raise Unauthenticated("The token of this call ended while it was served: log in again with `mesh login`.")
    if chain is None or not chain.makers:
        raise Precondition("Nobody else has made what you log in with: there is nothing to exchange.")
    if chain.scope is not None:
        raise Precondition("The token of this call has a scope, and an exchange ends others: exchange one without a scope.")
    if chain.own.token.parent:
        raise Precondition(
            f"The token of this call was made with {chain.tokens[-1].token.id}, which somebody else made: exchange that one."
        )
    own = own_token(tx, caller.name)
    if own:
        raise Precondition(
            f"{caller.name} has a token of its own already, {own}: use that one. If it is lost, revoke it "
            f"(`mesh token revoke {own}`), and exchange then."
        )
    if signs_in_alone(tx, caller.name):
        raise Precondition(f"{caller.name} logs in at the identity provider: use `mesh login --oidc`, which nobody else can.")
    return chain


def _ended(tx: Transaction, principal: str, successor: str) -> Iterator[ResourceWrite]:
    """Every token of the principal that others made is revoked; those made with one end with it."""
    for chain in living_tokens(tx, principal):
        if chain.makers and not chain.own.token.parent:
            chain.own.token.revoke_time.CopyFrom(stamp(tx.time))
            chain.own.token.exchanged_for = successor
            yield store(kinds.TOKEN, chain.own.token.id, chain.own)
