"""Bearer tokens: minting them, and telling whose a presented one is.

A token reads `mesh_<id>_<secret>`; the journal keeps SHA-256 of the secret, which has 256 random bits. Knows nothing of gRPC.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from domainmesh.v1 import principal_pb2
from governance_server.caller import Caller
from governance_server.rules import kinds
from governance_server.rules.errors import Unauthenticated
from governance_server.storage.catalog import Catalog
from governance_server.storage.engine import Database

__all__ = ["Authenticator", "MintedToken", "mint_token"]

_TOKEN = re.compile(r"mesh_([a-z0-9]{16})_([A-Za-z0-9_-]{43})\Z")
_CACHE_LIMIT = 10_000
_REFUSED = "The token is missing, malformed, unknown, expired or revoked: log in again with `mesh login`, or ask for a new token."


class MintedToken:
    """A fresh token: its id, the text to hand out once, and what to store."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        secret = secrets.token_urlsafe(32)
        self.text = f"mesh_{self.id}_{secret}"
        self.secret_sha256 = hashlib.sha256(secret.encode()).digest()


def mint_token() -> MintedToken:
    """A token nobody else has."""
    return MintedToken()


class Authenticator:
    """Resolves tokens to callers; what it remembers is dropped as soon as any token or principal changes."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._catalog = Catalog(database)
        self._now = now
        self._revision = -1
        self._known: dict[str, tuple[principal_pb2.StoredToken, principal_pb2.Principal]] = {}

    def authenticate(self, authorization: str, *, call_id: str) -> Caller:
        """The caller whose valid token is in the `authorization` header. Raises: Unauthenticated."""
        found = _TOKEN.match(authorization.removeprefix("Bearer ")) if authorization.startswith("Bearer ") else None
        if not found:
            raise Unauthenticated(_REFUSED)
        stored, principal = self._resolve(found[1])
        digest = hashlib.sha256(found[2].encode()).digest()
        if not hmac.compare_digest(digest, stored.secret_sha256) or not self._is_valid(stored.token) or principal.is_disabled:
            raise Unauthenticated(_REFUSED)
        return Caller(
            name=principal.name, purposes=frozenset(principal.purposes), attributes=dict(principal.attributes), call_id=call_id
        )

    def _is_valid(self, token: principal_pb2.Token) -> bool:
        if token.revoke_time.seconds:
            return False
        return token.expire_time.ToDatetime(tzinfo=UTC) > self._now()

    def _resolve(self, token_id: str) -> tuple[principal_pb2.StoredToken, principal_pb2.Principal]:
        revision = self._database.head_of((kinds.TOKEN, kinds.PRINCIPAL))
        if revision != self._revision:
            self._known, self._revision = {}, revision
        known = self._known
        entry = known.get(token_id)
        if entry is None:
            entry = self._load(token_id)
            if len(known) < _CACHE_LIMIT:
                known[token_id] = entry
        return entry

    def _load(self, token_id: str) -> tuple[principal_pb2.StoredToken, principal_pb2.Principal]:
        body = self._catalog.get(kinds.TOKEN, token_id)
        stored = principal_pb2.StoredToken.FromString(body) if body is not None else None
        body = self._catalog.get(kinds.PRINCIPAL, stored.token.principal) if stored else None
        if stored is None or body is None:
            raise Unauthenticated(_REFUSED)
        return stored, principal_pb2.Principal.FromString(body)
