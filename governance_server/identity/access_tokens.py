"""Access tokens of the identity provider: what a JWT must be to prove anything. Knows nothing of principals here.

Source: RFC 9068 (JWT access tokens), RFC 8725 (best current practice), RFC 7515 (JWS).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from governance_server.identity.provider_keys import ProviderKey, ProviderKeys
from governance_server.oidc_settings import OidcSettings

__all__ = ["AccessToken", "RefusedToken", "verify_access_token"]

_MOST_CHARACTERS = 12 << 10
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_FORBIDDEN_HEADERS = frozenset(
    {"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc", "epk", "apu", "apv", "cty", "iss", "aud"}
)
"""Headers that bring or name a key, change what is signed, or belong to encryption: nothing we accept needs one."""
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_LEAST_RSA_BITS = 2048
_LONGEST_TEXT = 255
_LATEST = 253_402_300_799
"""9999-12-31: no time beyond it can be told."""
_ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events"})


class RefusedToken(Exception):
    """The token proves nothing; the message is for the log and holds nothing of the token."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a verified access token says."""

    issuer: str
    subject: str
    key_id: str
    issued_at: datetime
    expire_time: datetime
    claims: dict[str, Any]


def verify_access_token(text: str, *, settings: OidcSettings, keys: ProviderKeys, now: datetime) -> AccessToken:
    """What the token says, once everything about it has been verified. Raises: RefusedToken, ProviderUnreachable."""
    if len(text) > _MOST_CHARACTERS or not _SHAPE.match(text):
        raise RefusedToken("not a signed JWT of bearable size")
    head, body, _ = text.split(".")
    header = _json_object(head)
    _check_header(header, settings)
    claims = _json_object(body)
    _check_times(claims, settings, now)
    _check_claims(claims, settings)
    key = keys.find(header["kid"])  # asked only now: a token for somebody else makes nobody fetch keys
    if key is None:
        raise RefusedToken("signed with a key that the provider does not have")
    _check_signature(text, key, header["alg"])
    return AccessToken(
        issuer=settings.issuer,
        subject=claims["sub"],
        key_id=header["kid"],
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expire_time=datetime.fromtimestamp(claims["exp"], UTC),
        claims=claims,
    )


def _check_header(header: dict[str, Any], settings: OidcSettings) -> None:
    if header.get("alg") not in settings.algorithms:
        raise RefusedToken("an algorithm that is not accepted")
    if set(header) & _FORBIDDEN_HEADERS:
        raise RefusedToken("a header that is not accepted")
    if str(header.get("typ")).lower().removeprefix("application/") != settings.token_type.lower():
        raise RefusedToken("not of the type of access tokens")
    if not _is_text(header.get("kid")):
        raise RefusedToken("no key id")


def _check_times(claims: dict[str, Any], settings: OidcSettings, now: datetime) -> None:
    for name in ("exp", "iat", *(["nbf"] if "nbf" in claims else [])):
        value = claims.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 < value <= _LATEST:
            raise RefusedToken(f"{name} is no time")
    leeway = timedelta(seconds=settings.leeway_seconds)
    if now - leeway >= datetime.fromtimestamp(claims["exp"], UTC):
        raise RefusedToken("expired")
    if now + leeway < datetime.fromtimestamp(max(claims["iat"], claims.get("nbf", 0)), UTC):
        raise RefusedToken("not valid yet")
    if claims["exp"] <= claims["iat"]:
        raise RefusedToken("ends before it begins")


def _check_claims(claims: dict[str, Any], settings: OidcSettings) -> None:
    if claims.get("iss") != settings.issuer:
        raise RefusedToken("of another issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(one, str) for one in audiences) or settings.audience not in audiences:
        raise RefusedToken("for another audience")
    if not _is_text(claims.get("sub")):
        raise RefusedToken("no subject")
    if settings.token_type == "JWT" and (set(claims) & _ID_TOKEN_CLAIMS or claims.get("typ", "Bearer") != "Bearer"):
        raise RefusedToken("not an access token")


def _check_signature(text: str, key: ProviderKey, algorithm: str) -> None:
    from jwt import PyJWS
    from jwt.exceptions import PyJWTError

    if not _fits(key.declared, algorithm):
        raise RefusedToken("a key that is not for this algorithm")
    try:
        PyJWS().decode(text, key.public, algorithms=[algorithm])
    except (PyJWTError, ValueError, TypeError) as error:
        raise RefusedToken("a signature that is not the key's") from error


def _fits(declared: Mapping[str, Any], algorithm: str) -> bool:
    """True if the key is meant for the algorithm, and of its kind, curve and strength."""
    if declared.get("alg", algorithm) != algorithm:
        return False
    if algorithm == "EdDSA":
        return bool(declared["kty"] == "OKP" and declared.get("crv") in ("Ed25519", "Ed448"))
    if algorithm in _CURVES:
        return bool(declared["kty"] == "EC" and declared.get("crv") == _CURVES[algorithm])
    return bool(declared["kty"] == "RSA" and len(_decoded(str(declared.get("n")))) * 8 >= _LEAST_RSA_BITS)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT and value.isprintable() and value == value.strip()


def _json_object(part: str) -> dict[str, Any]:
    """The JSON object of a part. Raises: RefusedToken if it is none, or says something twice."""
    try:
        found = json.loads(_decoded(part), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RefusedToken("a part that is no JSON object") from error
    if not isinstance(found, dict):
        raise RefusedToken("a part that is no JSON object")
    return found


def _decoded(part: str) -> bytes:
    """The bytes, if the part is the one way to write them. Raises: RefusedToken."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError) as error:
        raise RefusedToken("a part that is not base64url") from error
    if base64.urlsafe_b64encode(data).decode().rstrip("=") != part.rstrip("="):
        raise RefusedToken("a part that is not base64url")
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
