"""Bearer tokens: minting them, and telling whose a presented one is.

A token of the mesh reads `mesh_<id>_<secret>`; the journal keeps an HMAC of the secret, which has 256 random bits. Anything else
can only be an access token of the identity provider, if there is one. Knows nothing of gRPC.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from domainmesh.v1 import principal_pb2
from governance_server.caller import Caller
from governance_server.identity.sign_in import SignIn
from governance_server.keyring import TOKENS, Keyring, UnknownKey
from governance_server.rules import kinds
from governance_server.rules.errors import Unauthenticated
from governance_server.rules.identities import linkers
from governance_server.rules.token_chain import TokenChain, find_chain
from governance_server.storage.catalog import Catalog
from governance_server.storage.engine import Database

__all__ = ["Authenticator", "MintedToken", "mint_token", "presents_own_token"]

_LOG = logging.getLogger(__name__)
_TOKEN = re.compile(r"mesh_([a-z0-9]{16})_([A-Za-z0-9_-]{43})\Z")
_CACHE_LIMIT = 10_000
_REFUSED = "The token is missing, malformed, unknown, expired or revoked: log in again with `mesh login`, or ask for a new token."
_EXCHANGED = (
    "This token was exchanged for another one, {}: use that. If you did not do that, somebody else had your token and now acts "
    "as you: tell an administrator, who revokes that one and makes you a new one."
)


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


@dataclass(frozen=True, slots=True)
class _Proof:
    """Whom a token or an identity stands for, and the token with those it was made with."""

    caller: Caller
    """Whoever presents it, in no call yet."""
    is_disabled: bool
    chain: TokenChain | None


class _Remembered(NamedTuple):
    """What is known at a head of the journal; `revision` is the last at which a token or principal changed."""

    head: int
    revision: int
    proofs: dict[str, _Proof]


class Authenticator:
    """Resolves tokens to callers; what it remembers is dropped as soon as any token or principal changes."""

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime],
        keys: Keyring,
        sign_in: SignIn | None = None,
        has_two: Callable[[int], bool] = lambda _: False,
        recall_two: Callable[[int], bool | None] = lambda _: False,
    ) -> None:
        """Remembers nothing yet.

        Args:
            database: Where tokens are.
            now: The time.
            keys: What proves a token.
            sign_in: Resolves tokens of an identity provider.
            has_two: Whether there are two administrators at this head of the journal, so that tokens are to be confirmed.
            recall_two: The same at once; None if it has to be looked up.
        """
        self._database = database
        self._has_two = has_two
        self._recall_two = recall_two
        self._catalog = Catalog(database)
        self._now = now
        self._keys = keys
        self._sign_in = sign_in
        self._remembered = _Remembered(-1, -1, {})

    def authenticate(self, authorization: str, *, call_id: str, since: float | None = None) -> Caller:
        """The caller whose valid token is in the `authorization` header, and whether that is good for more than reading.

        The token was valid at some time after the moment `since` of `time.monotonic`, when the call had come; by default now.

        Raises: Unauthenticated, UnusableKeys, Unavailable while the identity provider gives no keys.
        """
        return self.weigh(self.identify(authorization, call_id=call_id, since=since))

    def weigh(self, caller: Caller) -> Caller:
        """The caller, unconfirmed if its login's maker could else act in its name alone. Policy may have to catch up first."""
        is_unconfirmed = _may_be_its_maker(caller) and self._has_two(caller.revision)
        return replace(caller, is_unconfirmed=True) if is_unconfirmed else caller

    def weigh_at_once(self, caller: Caller) -> Caller | None:
        """As `weigh`, for those that others wait for; None if that has to look something up."""
        if not _may_be_its_maker(caller):
            return caller
        has_two = self._recall_two(caller.revision)
        return None if has_two is None else replace(caller, is_unconfirmed=True) if has_two else caller

    def identify(self, authorization: str, *, call_id: str, since: float | None = None) -> Caller:
        """The caller whose valid token is in the `authorization` header, at once; to be weighed before it does anything.

        `since` is as in `authenticate`.

        Raises: Unauthenticated, UnusableKeys, Unavailable while the identity provider gives no keys.
        """
        token = _presented(authorization)
        found = _TOKEN.match(token)
        if not token or (not found and self._sign_in is None):
            raise Unauthenticated(_REFUSED)
        if found:
            head = self._database.revision_since(monotonic() if since is None else since)
            caller = self._by_own_token(found[1], found[2], call_id, head)
        else:
            caller = self._by_access_token(token, call_id)
        if caller is None:
            raise Unauthenticated(_REFUSED)
        return caller

    def _by_own_token(self, token_id: str, secret: str, call_id: str, head: int) -> Caller | None:
        proof = self._resolve(token_id, self._load_token, head)
        chain = proof.chain if proof else None
        if proof is None or chain is None or proof.is_disabled:
            return None
        if not self._is_secret(chain.own, secret.encode()):
            return None
        if chain.own.token.exchanged_for:
            raise Unauthenticated(_EXCHANGED.format(chain.own.token.exchanged_for))
        if chain.is_revoked or proof.caller.expire_time is None or self._now() >= proof.caller.expire_time:
            return None
        return proof.caller.in_call(call_id, head)

    def _by_access_token(self, token: str, call_id: str) -> Caller | None:
        signed_in = self._sign_in.resolve(token) if self._sign_in else None
        if signed_in is None:
            return None
        head = self._database.revision()  # whoever signs in for the first time has been written just now
        proof = self._resolve(signed_in.identity, self._load_identity, head)
        if proof is None or proof.is_disabled:
            return None
        return replace(proof.caller.in_call(call_id, head), expire_time=signed_in.expire_time)

    def _is_secret(self, stored: principal_pb2.StoredToken, secret: bytes) -> bool:
        if not stored.key_id:  # made before there were keys
            return hmac.compare_digest(hashlib.sha256(secret).digest(), stored.secret_sha256)
        try:
            return self._keys.check_hmac(TOKENS, stored.key_id, secret, stored.secret_hmac)
        except UnknownKey as error:
            _LOG.error("token refused token=%s error=%s", stored.token.id, error)
            return False

    def _resolve(self, name: str, load: Callable[[str], _Proof | None], head: int) -> _Proof | None:
        """The proof as it is at this head of the journal, or at a later one."""
        remembered = self._remembered
        if head != remembered.head:
            revision = self._database.head_of((kinds.TOKEN, kinds.PRINCIPAL, kinds.IDENTITY))
            proofs = remembered.proofs if revision == remembered.revision else {}
            self._remembered = remembered = _Remembered(head, revision, proofs)
        known = remembered.proofs
        proof = known.get(name) or load(name)
        if proof is not None and len(known) < _CACHE_LIMIT:
            known[name] = proof
        return proof

    def _load_token(self, token_id: str) -> _Proof | None:
        chain = find_chain(self._catalog.get, token_id)
        return self._proof(chain.own.token.principal, chain) if chain else None

    def _load_identity(self, identity: str) -> _Proof | None:
        body = self._catalog.get(kinds.IDENTITY, identity)
        if body is None:
            return None
        known = principal_pb2.Identity.FromString(body)
        proof = self._proof(known.principal, None)
        return proof and replace(proof, caller=replace(proof.caller, token_makers=linkers(known), confirmer=known.confirmer))

    def _proof(self, principal: str, chain: TokenChain | None) -> _Proof | None:
        body = self._catalog.get(kinds.PRINCIPAL, principal)
        if body is None:
            return None
        known = principal_pb2.Principal.FromString(body)
        caller = Caller(known.name, frozenset(known.purposes), dict(known.attributes))
        if chain is not None:
            caller = replace(
                caller, scope=chain.scope, token=chain.own.token.id, expire_time=chain.expire_time, token_makers=chain.makers,
                confirmer=chain.confirmer,
            )  # fmt: skip
        return _Proof(caller, known.is_disabled, chain)


def presents_own_token(authorization: str) -> bool:
    """True if the `authorization` header may carry a token of the mesh: whose it is can be told at once."""
    return _presented(authorization).startswith("mesh_")


def _presented(authorization: str) -> str:
    """The token in the header, empty if there is none. The scheme's case and the spaces after it say nothing: RFC 9110, 11.4."""
    scheme, _, token = authorization.partition(" ")
    return token.lstrip(" ") if scheme.lower() == "bearer" else ""


def _may_be_its_maker(caller: Caller) -> bool:
    return bool(caller.token_makers) and not caller.confirmer
