"""A login at an identity provider as it is kept: how to get a new access token when the old one has ended.

Knows the token endpoint and the profile file; how somebody logs in is `_oidc_login`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from domain_sdk.errors import ServerUnreachable, Unauthenticated

__all__ = ["OidcSession", "SessionToken", "received"]

_EARLY_SECONDS = 30.0
"""A token is renewed so long before it ends, or halfway through a shorter life: a call must not end on the way."""


@dataclass(frozen=True, slots=True)
class OidcSession:
    """What renews an access token."""

    issuer: str
    client_id: str
    token_endpoint: str
    resource: str
    refresh_token: str = field(repr=False)
    expires_at: float
    """When the access token that belongs to it ends, in seconds since 1970; 0 if the provider did not say."""
    renew_at: float
    """From when on it is renewed before a call."""

    def renewed(self) -> tuple[str, OidcSession]:
        """A new access token, and what renews that. Raises: Unauthenticated, ServerUnreachable."""
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token, "client_id": self.client_id}
        answer = _post(self.token_endpoint, {**form, **({"resource": self.resource} if self.resource else {})})
        if "access_token" not in answer:
            raise Unauthenticated(f"The login at {self.issuer} has ended: log in again with `mesh login --oidc`.")
        token, expires_at, renew_at = received(answer)
        refresh = str(answer.get("refresh_token") or self.refresh_token)
        return token, replace(self, refresh_token=refresh, expires_at=expires_at, renew_at=renew_at)


def received(answer: Mapping[str, Any]) -> tuple[str, float, float]:
    """The access token of a token endpoint's answer, when it ends, and from when on it is renewed. Raises: Unauthenticated."""
    token, kind, seconds = answer.get("access_token"), str(answer.get("token_type", "")), answer.get("expires_in")
    if not isinstance(token, str) or kind.lower() != "bearer":
        raise Unauthenticated("The identity provider answered without a bearer token: log in again with `mesh login --oidc`.")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        return token, 0.0, float("inf")
    now = time.time()
    return token, now + seconds, now + max(seconds - _EARLY_SECONDS, seconds / 2)


class SessionToken:
    """The access token of a saved profile, renewed when it is about to end. Safe to share between threads and processes."""

    def __init__(self, load: Callable[[], tuple[str, OidcSession]], renew: Callable[[], tuple[str, OidcSession]]) -> None:
        """`load` gives what is saved; `renew` renews and saves it, unless another process just did."""
        self._renew = renew
        self._token, self._session = load()

    def current(self) -> str:
        """An access token for a call made now. Raises: Unauthenticated, ServerUnreachable, NotConfigured."""
        if time.time() >= self._session.renew_at:
            self._token, self._session = self._renew()
        return self._token


def _post(url: str, form: Mapping[str, str]) -> dict[str, Any]:
    from mesh_core.web_json import Unfetched, post_form

    try:
        return post_form(url, form)
    except Unfetched as error:
        raise ServerUnreachable(f"The identity provider cannot be reached: {error}.") from error
