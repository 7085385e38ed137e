"""Identities: how what a provider says becomes names here. Pure; verified claims come in.

A name is taken over as it is if it is one here too; anything else becomes `x+…` with a digest of the whole, and so does what
looks like such a name. So no two subjects, and no two groups, ever get one name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from domainmesh.v1 import principal_pb2
from mesh_core.names import InvalidName, check_principal

__all__ = [
    "MOST_GROUPS",
    "PROVISIONER",
    "UnusableClaim",
    "group_names",
    "identity_key",
    "linkers",
    "named_in",
    "principal_name",
]

PROVISIONER = "service:identity-provider"
"""Who is said, in the journal, to have made what came by itself."""

MOST_GROUPS = 200
_MARK = "x+"
_FOREIGN = re.compile(r"[^A-Za-z0-9_.@-]+")


class UnusableClaim(ValueError):
    """A claim that is not what it should be; the message names it, not its value."""


def identity_key(issuer: str, subject: str) -> str:
    """The name under which the identity is kept: a digest, since a subject may hold anything."""
    return hashlib.sha256(f"{len(issuer)}:{issuer}{subject}".encode()).hexdigest()


def linkers(identity: principal_pb2.Identity) -> frozenset[str]:
    """Who else may be behind the subject: all who linked it, or could have; nobody if it came by itself or its holder did."""
    linked = {*identity.makers, *({identity.creator} - {PROVISIONER})}
    return frozenset(linked - {identity.principal})


def principal_name(claims: Mapping[str, Any], *, name_claim: str) -> str:
    """`service:` and the client for a token that a client got for itself, else `user:` and the claim. Raises: UnusableClaim."""
    client = _client(claims)
    if client is not None:
        return named_in("service", client)
    value = claims.get(name_claim)
    if not isinstance(value, str) or not value.strip() or len(value) > 255:
        raise UnusableClaim(f"the claim {name_claim} holds no name")
    return named_in("user", value)


def group_names(claims: Mapping[str, Any], *, claim: str) -> tuple[str, ...]:
    """The groups that the claim lists, in order of their names; none without it. Raises: UnusableClaim."""
    listed = _found(claims, claim) if claim else None
    if listed is None:
        return ()
    if not isinstance(listed, list) or len(listed) > MOST_GROUPS or not all(isinstance(one, str) and one for one in listed):
        raise UnusableClaim(f"the claim {claim} is no list of at most {MOST_GROUPS} names")
    return tuple(sorted({named_in("group", one) for one in listed}))


def named_in(kind: str, value: str) -> str:
    """The name here for a name there; different names there are different names here."""
    plain = f"{kind}:{value}"
    if not value.startswith(_MARK):
        try:
            return check_principal(plain)
        except InvalidName:
            pass
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    readable = _FOREIGN.sub("-", value).strip("-.")[:40]
    return check_principal(f"{kind}:{_MARK}{readable}+{digest}")


def _client(claims: Mapping[str, Any]) -> str | None:
    """The client, if it speaks for itself.

    Source: RFC 9068 §2.2 (the subject is the client); Keycloak's service accounts; Microsoft Entra's `idtyp`.
    """
    for client in _texts(claims, ("client_id", "azp", "appid")):
        if claims.get("sub") == client or claims.get("idtyp") == "app":
            return client
        if claims.get("preferred_username") == f"service-account-{client.lower()}" and claims.get("client_id") == client:
            return client
    return None


def _texts(claims: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return [value for name in names if isinstance(value := claims.get(name), str) and 0 < len(value) <= 255]


def _found(claims: Mapping[str, Any], claim: str) -> object:
    """The claim of that name, else the one inside of another, `a.b`."""
    if claim in claims:
        return claims[claim]
    outer, separator, inner = claim.partition(".")
    inside = claims.get(outer)
    return inside.get(inner) if separator and isinstance(inside, dict) else None
