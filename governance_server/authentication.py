"""Bearer tokens: minting them, and telling whose a presented one is.

A token reads `mesh_<id>_<secret>`; the journal keeps an HMAC of the secret, which has 256 random bits. Knows nothing of gRPC.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from domainmesh.v1 import principal_pb2
from governance_server.caller import Caller
from governance_server.keyring import TOKENS, Keyring, UnknownKey
from governance_server.rules import kinds
from governance_server.rules.errors import Unauthenticated
from governance_server.rules.token_chain import TokenChain, find_chain
from governance_server.storage.catalog import Catalog
from governance_server.storage.engine import Database

__all__ = ["Authenticator", "MintedToken", "mint_token"]

_LOG = logging.getLogger(__name__)
_TOKEN = re.compile(r"mesh_([a-z0-9]{16})_([A-Za-z0-9_-]{43})\Z")
_CACHE_LIMIT = 10_000
_REFUSED = "The token is missing, malformed, unknown, expired or revoked: log in again with `mesh login`, or ask for a new token."


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A fresh token: its id, the text to hand out once, and what to store."""

    id: str
    text: str
    key_id: str
    secret_hmac: bytes

    def stored(self, token: principal_pb2.Token) -> principal_pb2.StoredToken:
        """The token as the journal keeps it."""
        return principal_pb2.StoredToken(token=token, secret_hmac=self.secret_hmac, key_id=self.key_id)

    def __repr__(self) -> str:
        """Its id, without the secret."""
        return f"MintedToken({self.id!r})"


def mint_token(keys: Keyring) -> MintedToken:
    """A token nobody else has."""
    token_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    key_id, mac = keys.hmac(TOKENS, secret.encode())
    return MintedToken(token_id, f"mesh_{token_id}_{secret}", key_id, mac)


class Authenticator:
    """Resolves tokens to callers; what it remembers is dropped as soon as any token or principal changes."""

    def __init__(self, database: Database, *, now: Callable[[], datetime], keys: Keyring) -> None:
        self._database = database
        self._catalog = Catalog(database)
        self._now = now
        self._keys = keys
        self._revision = -1
        self._known: dict[str, tuple[TokenChain, principal_pb2.Principal]] = {}

    def authenticate(self, authorization: str, *, call_id: str) -> Caller:
        """The caller whose valid token is in the `authorization` header. Raises: Unauthenticated, UnusableKeys."""
        found = _TOKEN.match(authorization.removeprefix("Bearer ")) if authorization.startswith("Bearer ") else None
        if not found:
            raise Unauthenticated(_REFUSED)
        chain, principal = self._resolve(found[1])
        if not self._is_secret(chain.own, found[2].encode()) or not chain.is_valid(self._now()) or principal.is_disabled:
            raise Unauthenticated(_REFUSED)
        return Caller(
            name=principal.name, purposes=frozenset(principal.purposes), attributes=dict(principal.attributes), call_id=call_id,
            scope=chain.scope, token=chain.own.token.id, expire_time=chain.expire_time,
        )  # fmt: skip

    def _is_secret(self, stored: principal_pb2.StoredToken, secret: bytes) -> bool:
        if not stored.key_id:  # made before there were keys
            return hmac.compare_digest(hashlib.sha256(secret).digest(), stored.secret_sha256)
        try:
            return self._keys.check_hmac(TOKENS, stored.key_id, secret, stored.secret_hmac)
        except UnknownKey as error:
            _LOG.error("token refused token=%s error=%s", stored.token.id, error)
            return False

    def _resolve(self, token_id: str) -> tuple[TokenChain, principal_pb2.Principal]:
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

    def _load(self, token_id: str) -> tuple[TokenChain, principal_pb2.Principal]:
        chain = find_chain(self._catalog.get, token_id)
        body = self._catalog.get(kinds.PRINCIPAL, chain.own.token.principal) if chain else None
        if chain is None or body is None:
            raise Unauthenticated(_REFUSED)
        return chain, principal_pb2.Principal.FromString(body)
