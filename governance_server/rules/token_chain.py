"""A token and those it was made with: valid together, narrowing one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from domainmesh.v1 import principal_pb2
from governance_server.rules import kinds
from governance_server.rules.token_scopes import TokenScope, scope_within

__all__ = ["BOOTSTRAP", "MOST_ANCESTORS", "UNKNOWN_MAKER", "TokenChain", "find_chain", "owner_key"]

MOST_ANCESTORS = 8
"""How many tokens may have been made one with another."""

BOOTSTRAP = "service:bootstrap"
"""Who the journal says made the first administrator's token: the server itself, into a file that only its operator reads."""

UNKNOWN_MAKER = "unknown"
"""Stands for whoever made a token of which nobody is on record; no principal has this name."""


@dataclass(frozen=True, slots=True)
class TokenChain:
    """A stored token with its ancestors."""

    tokens: tuple[principal_pb2.StoredToken, ...]
    """The token itself, the one it was made with, and so on."""

    @property
    def own(self) -> principal_pb2.StoredToken:
        """The token itself."""
        return self.tokens[0]

    @property
    def ids(self) -> frozenset[str]:
        """Its id and those of its ancestors."""
        return frozenset(stored.token.id for stored in self.tokens)

    @property
    def expire_time(self) -> datetime:
        """From when on it is refused: the first end of all."""
        return min(stored.token.expire_time.ToDatetime(tzinfo=UTC) for stored in self.tokens)

    @property
    def scope(self) -> TokenScope | None:
        """What all of them leave; None if none narrows."""
        scope: TokenScope | None = None
        for stored in reversed(self.tokens):
            scope = scope_within(stored.token.scope if stored.token.HasField("scope") else None, scope)
        return scope

    @property
    def makers(self) -> frozenset[str]:
        """Who else may act as its principal: all who made one of them, or could have by a token that they had made before."""
        found = {maker for stored in self.tokens for maker in stored.token.makers}
        for stored in self.tokens:
            if stored.token.creator not in (stored.token.principal, BOOTSTRAP):
                found.add(stored.token.creator or UNKNOWN_MAKER)
        return frozenset(found - {self.own.token.principal})

    @property
    def confirmer(self) -> str:
        """The second administrator who said that the right one has it, or what it was made with; empty if nobody did."""
        return self.tokens[-1].token.confirmer

    def is_valid(self, now: datetime) -> bool:
        """True if none of them is revoked or has expired."""
        return now < self.expire_time and not self.is_revoked

    @property
    def is_revoked(self) -> bool:
        """True if one of them is."""
        return any(stored.token.revoke_time.seconds for stored in self.tokens)

    def shown(self) -> principal_pb2.Token:
        """The token as people see it: ended when the first of all was."""
        token = principal_pb2.Token()
        token.CopyFrom(self.own.token)
        del token.makers[:]
        token.makers.extend(sorted(self.makers))
        narrowing = next((stored.token.scope for stored in self.tokens if stored.token.HasField("scope")), None)
        if narrowing is not None:  # its own, or that of the nearest it was made with
            token.scope.CopyFrom(narrowing)
        for stored in self.tokens:
            if not token.revoke_time.seconds and stored.token.revoke_time.seconds:
                token.revoke_time.CopyFrom(stored.token.revoke_time)
        return token


def find_chain(get: Callable[[str, str], bytes | None], token_id: str) -> TokenChain | None:
    """The token of this id with its ancestors; None if one of them is unknown, which ends them all."""
    found: list[principal_pb2.StoredToken] = []
    wanted = token_id
    while wanted:
        body = get(kinds.TOKEN, wanted)
        if body is None or len(found) > MOST_ANCESTORS:
            return None
        found.append(principal_pb2.StoredToken.FromString(body))
        wanted = found[-1].token.parent
    return TokenChain(tuple(found)) if found else None


def owner_key(principal: str, token_id: str) -> str:
    """The name under which a token is found by its principal; ids of one principal lie together."""
    return f"{principal}/{token_id}"
