"""The identity provider's public keys: found by discovery, kept, and asked for again when they rotate.

A key that the provider withdraws is refused five minutes later. While the provider does not answer, the keys it named last are
good for an hour, then none is. A key id nobody has heard of makes the server ask again: ten times at once, then every 5 s.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mesh_core.web_json import Unfetched, fetch_json

__all__ = ["ProviderKey", "ProviderKeys", "ProviderUnreachable"]

_LOG = logging.getLogger(__name__)
_FRESH_SECONDS, _USABLE_SECONDS, _PAUSE_SECONDS = 300.0, 3600.0, 5.0
_BURST = 10
_MOST_KEYS = 50


class ProviderUnreachable(Exception):
    """The provider does not answer and what it said last is too old to rely on."""


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """One public key, and what the provider says of it (`kty`, `crv`, `alg`, …)."""

    public: Any
    declared: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Known:
    keys: dict[str, ProviderKey]
    at: float


class ProviderKeys:
    """The keys of one issuer. Any thread may ask; one of them fetches, the others go on with what is known if they can."""

    def __init__(
        self,
        issuer: str,
        *,
        fetch: Callable[[str], dict[str, Any]] = fetch_json,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._known = _Known({}, float("-inf"))
        self._attempts = 0
        self._budget, self._counted = float(_BURST), clock()

    def find(self, key_id: str) -> ProviderKey | None:
        """The provider's key of this id; None if it has none. Raises: ProviderUnreachable."""
        self._refresh(_FRESH_SECONDS)
        if key_id not in self._known.keys:
            self._refresh(0.0)
        known = self._known
        if self._clock() - known.at > _USABLE_SECONDS:
            raise ProviderUnreachable(f"{self._issuer} gives no keys")
        return known.keys.get(key_id)

    def _refresh(self, older_than_seconds: float) -> None:
        """What is known is no older than this, unless the provider fails or was asked just now."""
        attempts = self._attempts
        if self._clock() - self._known.at < older_than_seconds:
            return
        is_usable = self._clock() - self._known.at <= _USABLE_SECONDS
        if not self._lock.acquire(blocking=not is_usable or older_than_seconds == 0):
            return  # another thread asks already
        try:
            if self._attempts == attempts and self._may_ask():
                self._attempts += 1
                self._known = _Known(self._fetched(), self._clock())
        except Unfetched as error:
            _LOG.error("identity provider failed issuer=%s error=%s", self._issuer, error)
        finally:
            self._lock.release()

    def _may_ask(self) -> bool:
        now = self._clock()
        self._budget = min(float(_BURST), self._budget + (now - self._counted) / _PAUSE_SECONDS)
        self._counted = now
        if self._budget < 1:
            return False
        self._budget -= 1
        return True

    def _fetched(self) -> dict[str, ProviderKey]:
        document = self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self._issuer:
            raise Unfetched(f"the discovery document names another issuer, {document.get('issuer')!r}")
        listed = self._fetch(str(document.get("jwks_uri"))).get("keys")
        if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
            raise Unfetched(f"the key set is no list of at most {_MOST_KEYS} keys")
        return _usable(listed)


def _usable(listed: list[Any]) -> dict[str, ProviderKey]:
    """Keys for signatures by their id; what cannot be understood, has no id or one that comes twice is left out."""
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    found: dict[str, ProviderKey] = {}
    twice: set[str] = set()
    for entry in listed:
        if not isinstance(entry, dict) or not _is_for_signatures(entry):
            continue
        try:
            key = ProviderKey(PyJWK.from_dict(entry).key, entry)
        except (PyJWTError, ValueError, TypeError, KeyError):
            continue
        if entry["kid"] in found:
            twice.add(entry["kid"])
        found[entry["kid"]] = key
    return {key_id: key for key_id, key in found.items() if key_id not in twice}


def _is_for_signatures(entry: dict[str, Any]) -> bool:
    operations = entry.get("key_ops", ["verify"])
    return (
        entry.get("kty") in ("RSA", "EC", "OKP")
        and isinstance(entry.get("kid"), str)
        and entry.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and "d" not in entry
    )
