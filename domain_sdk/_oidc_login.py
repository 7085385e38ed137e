"""Logging in at an identity provider with a browser: authorization code and PKCE, caught on this machine.

Source: RFC 8252 (native apps, loopback redirection), RFC 7636 (PKCE, S256), RFC 9207 (issuer of the answer), OpenID Connect Core
§3.1. The identity token comes straight from the token endpoint, over TLS, so its claims are compared and its signature is not.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from domain_sdk._oidc_session import OidcSession, received
from domain_sdk.errors import ServerUnreachable, Unauthenticated, WrongState
from mesh_core.web_json import Unfetched, discover, is_safe_url, post_form

__all__ = ["LoginInfo", "log_in"]


@dataclass(frozen=True, slots=True)
class LoginInfo:
    """Where the mesh lets people log in, and as which client."""

    issuer: str
    client_id: str
    scopes: str
    resource: str


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One login: what the provider says of itself, and the secrets that tie its answers to this attempt."""

    info: LoginInfo
    provider: Mapping[str, Any]
    redirect_uri: str
    state: str
    nonce: str
    verifier: str

    @property
    def url(self) -> str:
        """Where the browser goes."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code", "client_id": self.info.client_id, "redirect_uri": self.redirect_uri,
            "scope": self.info.scopes, "state": self.state, "nonce": self.nonce, "code_challenge": challenge,
            "code_challenge_method": "S256",
        }  # fmt: skip
        if "offline_access" in self.info.scopes.split():
            query["prompt"] = "consent"  # OpenID Connect Core §11: without it no refresh token is promised
        if self.info.resource:
            query["resource"] = self.info.resource
        endpoint = self.provider["authorization_endpoint"]
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def log_in(info: LoginInfo, catch: Callable[[Callable[[str], str]], str]) -> tuple[str, OidcSession | None]:
    """An access token, and what renews it if the provider gives that.

    Args:
        info: Where and as which client.
        catch: Is given a function that makes the address to open from the redirection address, and returns the address at which
            the browser ended.

    Raises:
        Unauthenticated: the login was refused, or an answer does not belong to it.
        ServerUnreachable: the provider does not answer.
    """
    try:
        provider = discover(info.issuer)
    except Unfetched as error:
        raise ServerUnreachable(f"The identity provider cannot be reached: {error}.") from error
    for name in ("authorization_endpoint", "token_endpoint"):
        if not isinstance(provider.get(name), str) or not is_safe_url(str(provider[name])):
            raise WrongState(f"The identity provider {info.issuer} names no usable {name}: tell whoever runs it.")
    attempts: list[_Attempt] = []

    def begin(redirect_uri: str) -> str:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempts.append(_Attempt(info, provider, redirect_uri, state, nonce, verifier))
        return attempts[-1].url

    landed = catch(begin)
    attempt = attempts[-1]
    return _exchange(attempt, _code(attempt, landed))


def _code(attempt: _Attempt, landed: str) -> str:
    """The authorization code in the address at which the browser ended. Raises: Unauthenticated."""
    answer = {name: values[0] for name, values in parse_qs(urlsplit(landed).query).items() if len(values) == 1}
    if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
        raise Unauthenticated("The browser's answer belongs to another login: run `mesh login --oidc` again.")
    says_issuer = attempt.provider.get("authorization_response_iss_parameter_supported") is True
    if ("iss" in answer or says_issuer) and answer.get("iss") != attempt.info.issuer:
        raise Unauthenticated("The browser's answer is of another identity provider: run `mesh login --oidc` again.")
    if "code" not in answer:
        reason = answer.get("error_description") or answer.get("error") or "no reason was given"
        raise Unauthenticated(f"The identity provider refused the login: {_plain(reason)}.")
    return answer["code"]


def _exchange(attempt: _Attempt, code: str) -> tuple[str, OidcSession | None]:
    info, endpoint = attempt.info, str(attempt.provider["token_endpoint"])
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": attempt.redirect_uri, "client_id": info.client_id,
        "code_verifier": attempt.verifier, **({"resource": info.resource} if info.resource else {}),
    }  # fmt: skip
    try:
        answer = post_form(endpoint, form)
    except Unfetched as error:
        raise ServerUnreachable(f"The identity provider cannot be reached: {error}.") from error
    if "error" in answer:
        reason = answer.get("error_description") or answer["error"]
        raise Unauthenticated(f"The identity provider gave no token: {_plain(str(reason))}.")
    token, expires_at, renew_at = received(answer)
    if "openid" in info.scopes.split():
        _check_identity(attempt, answer.get("id_token"))
    refresh = answer.get("refresh_token")
    if not isinstance(refresh, str):
        return token, None
    return token, OidcSession(info.issuer, info.client_id, endpoint, info.resource, refresh, expires_at, renew_at)


def _check_identity(attempt: _Attempt, id_token: object) -> None:
    """Returns if the identity token belongs to this login. Raises: Unauthenticated."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(str(id_token).split(".")[1] + "=="))
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        is_right = (
            claims["iss"] == attempt.info.issuer
            and attempt.info.client_id in audience
            and claims.get("azp", attempt.info.client_id) == attempt.info.client_id
            and hmac.compare_digest(str(claims["nonce"]).encode(), attempt.nonce.encode())
            and float(claims["exp"]) > time.time() - 60
        )
    except (IndexError, ValueError, KeyError, TypeError) as error:
        raise Unauthenticated("The identity provider sent no identity token that can be read.") from error
    if not is_right:
        raise Unauthenticated("The identity token belongs to another login: run `mesh login --oidc` again.")


def _plain(text: str) -> str:
    """The provider's words, without what a terminal would obey."""
    return "".join(character for character in text if character.isprintable())[:200].rstrip(".")
