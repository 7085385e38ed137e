"""Settings of the identity provider: read with all others at start, validated, frozen and passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mesh_core.web_json import is_safe_url

__all__ = ["ALGORITHMS", "InvalidOidcSettings", "OidcSettings", "load_oidc_settings"]

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""What may be asked for; never `none`, and no HS: a public key is no secret."""
_DEFAULT_ALGORITHMS = "RS256 ES256 PS256 EdDSA"
_TOKEN_TYPES = ("at+jwt", "JWT")


class InvalidOidcSettings(ValueError):
    """A setting that cannot be used; the message names the variable and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """Whose access tokens are accepted, and what is taken from them."""

    issuer: str
    """`MESH_OIDC_ISSUER`: exactly what tokens and the provider's discovery document call it. https, but on loopback."""
    audience: str
    """`MESH_OIDC_AUDIENCE`: the name under which the provider knows this mesh; tokens for others are refused."""
    algorithms: tuple[str, ...]
    """`MESH_OIDC_ALGORITHMS`, default RS256 ES256 PS256 EdDSA."""
    token_type: str
    """`MESH_OIDC_TOKEN_TYPE`, default `at+jwt` (RFC 9068). `JWT` for providers that do not mark access tokens."""
    name_claim: str
    """`MESH_OIDC_NAME_CLAIM`, default `sub`: what a person's principal is named by when it is seen for the first time."""
    groups_claim: str
    """`MESH_OIDC_GROUPS_CLAIM`, default none: the claim that lists groups; `a.b` is `b` inside of `a`."""
    leeway_seconds: int
    """`MESH_OIDC_LEEWAY_SECONDS`, default 30: how far the clocks may differ."""
    token_days: int
    """`MESH_OIDC_TOKEN_DAYS`, default 0: how long a token made with an access token may last; 0: as long as that one."""
    client_id: str
    """`MESH_OIDC_CLIENT_ID`, default none: the public client that `mesh login --oidc` presents itself as."""
    scopes: str
    """`MESH_OIDC_SCOPES`, default `openid offline_access`: what `mesh login --oidc` asks for."""
    resource: str
    """`MESH_OIDC_RESOURCE`, default none: the resource indicator (RFC 8707) that `mesh login --oidc` sends."""


def load_oidc_settings(env: Mapping[str, str]) -> OidcSettings | None:
    """The provider's settings; None without an issuer. Raises: InvalidOidcSettings."""
    issuer = env.get("MESH_OIDC_ISSUER", "")
    if not issuer:
        given = sorted(name for name in env if name.startswith("MESH_OIDC_") and env[name])
        if given:
            raise InvalidOidcSettings(f"{', '.join(given)} without MESH_OIDC_ISSUER: set the issuer, or none of them.")
        return None
    if not is_safe_url(issuer):
        raise InvalidOidcSettings(f"MESH_OIDC_ISSUER={issuer!r} is no https URL: give the issuer exactly as its tokens name it.")
    audience = env.get("MESH_OIDC_AUDIENCE", "")
    if not audience:
        raise InvalidOidcSettings("MESH_OIDC_AUDIENCE is not set: tokens of this issuer for other services would be accepted.")
    return OidcSettings(
        issuer=issuer,
        audience=audience,
        algorithms=_algorithms(env.get("MESH_OIDC_ALGORITHMS", _DEFAULT_ALGORITHMS)),
        token_type=_one_of(env.get("MESH_OIDC_TOKEN_TYPE", "at+jwt"), _TOKEN_TYPES, "MESH_OIDC_TOKEN_TYPE"),
        name_claim=env.get("MESH_OIDC_NAME_CLAIM") or "sub",
        groups_claim=env.get("MESH_OIDC_GROUPS_CLAIM", ""),
        leeway_seconds=_whole(env.get("MESH_OIDC_LEEWAY_SECONDS", "30"), "MESH_OIDC_LEEWAY_SECONDS", most=300),
        token_days=_whole(env.get("MESH_OIDC_TOKEN_DAYS", "0"), "MESH_OIDC_TOKEN_DAYS", most=366),
        client_id=env.get("MESH_OIDC_CLIENT_ID", ""),
        scopes=env.get("MESH_OIDC_SCOPES") or "openid offline_access",
        resource=env.get("MESH_OIDC_RESOURCE", ""),
    )


def _algorithms(text: str) -> tuple[str, ...]:
    names = tuple(text.replace(",", " ").split())
    unknown = [name for name in names if name not in ALGORITHMS]
    if unknown or not names:
        raise InvalidOidcSettings(f"MESH_OIDC_ALGORITHMS={text!r} cannot be used: choose from {' '.join(ALGORITHMS)}.")
    return names


def _one_of(value: str, allowed: tuple[str, ...], name: str) -> str:
    if value not in allowed:
        raise InvalidOidcSettings(f"{name}={value!r} is unknown: use {' or '.join(allowed)}.")
    return value


def _whole(text: str, name: str, *, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) <= most):
        raise InvalidOidcSettings(f"{name}={text!r} cannot be used: give a whole number from 0 to {most}.")
    return int(text)
