"""Who is told that an administrator made a token for somebody who did not need one, or who owns data (ADR 0008, decision 8)."""

from __future__ import annotations

from collections.abc import Iterable

from domainmesh.v1 import domain_pb2, notice_pb2, principal_pb2
from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.editing.central import second_persons
from governance_server.journal.command import Transaction
from governance_server.notices import News, notices
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.policy_rows import ANY
from governance_server.services.token_exchange import living_tokens
from mesh_core.names import MESH

__all__ = ["told_of_token"]


def told_of_token(backend: Backend, tx: Transaction, caller: Caller, token: principal_pb2.Token) -> Iterable[ResourceWrite]:
    """The notices of a token for another principal that has tokens or owns a domain, once there are two administrators."""
    others = second_persons(backend.policy, caller.name) if token.principal != caller.name else []
    if not others:
        return ()
    has_tokens = next(living_tokens(tx, token.principal), None) is not None
    owned = _owned(backend, tx, token.principal)
    if not (has_tokens or owned):
        return ()
    why = " and ".join([*(["has tokens already"] if has_tokens else []), *([f"owns {owned}"] if owned else [])])
    text = (
        f"{caller.name} made token {token.id} for {token.principal}, which {why}. Whoever has a token acts as its principal: if "
        f"{token.principal} did not ask for it, revoke it with `mesh token revoke {token.id}`."
    )
    news = News(notice_pb2.NOTICE_KIND_TOKEN_MADE, MESH, token.id, text)
    return tuple(notices(tx, news, (token.principal, *others)))


def _owned(backend: Backend, tx: Transaction, principal: str) -> str:
    """A domain that the principal owns, by itself or by a group of its; empty if it owns none."""
    names = backend.policy.names_of(principal, ANY) - {ANY}
    for name, body in tx.list(kinds.DOMAIN):
        if not names.isdisjoint(domain_pb2.Domain.FromString(body).owners):
            return name
    return ""
