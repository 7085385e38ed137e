"""Signing in with an access token: verified once, remembered until it ends, and held to what is true now at every call."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from governance_server.identity.access_tokens import RefusedToken, verify_access_token
from governance_server.identity.provider_keys import ProviderKeys, ProviderUnreachable
from governance_server.identity.provisioning import NameTaken, Provisioning
from governance_server.oidc_settings import OidcSettings
from governance_server.rules.errors import Unavailable
from governance_server.rules.identities import UnusableClaim, identity_key

__all__ = ["SignIn", "SignedIn"]

_LOG = logging.getLogger(__name__)
_CACHE_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Which identity the token proves, and until when."""

    identity: str
    """The name it is kept under; see `rules.identities.identity_key`."""
    expire_time: datetime
    key_id: str


class SignIn:
    """Resolves access tokens of one provider to identities. Any thread may ask."""

    def __init__(
        self, settings: OidcSettings, *, keys: ProviderKeys, provisioning: Provisioning, now: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._provisioning = provisioning
        self._now = now
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, SignedIn] = OrderedDict()

    def resolve(self, token: str) -> SignedIn | None:
        """What the token proves; None if nothing. Raises: Unavailable while the provider gives no keys, StorageUnavailable."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        try:
            return self._remembered(digest) or self._fresh(token, digest)
        except ProviderUnreachable as error:
            _LOG.error("identity provider unreachable error=%s", error)
            raise Unavailable("The identity provider gives no keys to check the token with: try again later.") from error
        except (RefusedToken, UnusableClaim, NameTaken) as error:
            _LOG.warning("access token refused reason=%s", error)
            return None

    def _remembered(self, digest: bytes) -> SignedIn | None:
        """What was found of the token before, while it lasts and the key that signed it is the provider's."""
        with self._lock:
            found = self._known.get(digest)
        if found is None:
            return None
        if self._now() < found.expire_time and self._keys.find(found.key_id) is not None:
            return found
        with self._lock:
            self._known.pop(digest, None)
        return None

    def _fresh(self, token: str, digest: bytes) -> SignedIn:
        verified = verify_access_token(token, settings=self._settings, keys=self._keys, now=self._now())
        self._provisioning.settle(verified)
        leeway = timedelta(seconds=self._settings.leeway_seconds)
        found = SignedIn(identity_key(verified.issuer, verified.subject), verified.expire_time + leeway, verified.key_id)
        with self._lock:
            self._known[digest] = found
            while len(self._known) > _CACHE_LIMIT:
                self._known.popitem(last=False)
        return found
