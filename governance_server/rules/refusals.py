"""The words of a refusal: the same whether a thing is forbidden or does not exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from governance_server.rules.errors import AccessDenied, Invalid
from mesh_core.near_names import did_you_mean

__all__ = ["denied", "out_of_scope", "unconfirmed", "unknown_purpose"]

_GIVEN_BY_GRANT = frozenset({"request", "write", "grant", "administer"})
"""Actions that no access request gives: a request is for reading."""


def denied(action: str, obj: str, *, purposes: Sequence[str] = ()) -> AccessDenied:
    """The one refusal, whether the thing is forbidden or does not exist; `purposes` are the caller's own that would do."""
    resource = obj.partition("#")[0]
    if purposes:
        held = ", ".join(purposes)
        return AccessDenied(f"You may not {action} {obj} without a purpose: you hold {held}; state one.", resource=obj)
    if "." in resource and action in _GIVEN_BY_GRANT:
        step = f"and ask its owner for a grant: `mesh grant … {resource} --actions {action}`"
    elif "." in resource and " " not in action:
        step = f"and ask for access with `mesh request {resource} --purpose … --reason …`"
    else:
        step = "and ask its owner or the governance team"
    return AccessDenied(
        f"You may not {action} {obj}, or it does not exist: find what you may see with `mesh discover`, {step}.", resource=obj
    )


def out_of_scope(action: str, obj: str) -> AccessDenied:
    """The refusal of what a token's scope leaves out: the same whether the thing exists or not."""
    message = f"This token may not {action} {obj}: its scope leaves that out. Use a token that covers it."
    return AccessDenied(message, resource=obj.partition("#")[0])


def unconfirmed(action: str, obj: str, *, token: str) -> AccessDenied:
    """The refusal of what a maker of the token could else do alone in its holder's name."""
    step = f"`mesh token confirm {token}`" if token else "the same `mesh admin link-identity`"
    return AccessDenied(
        f"This login may not {action} {obj}: who made it could do so in your name, so it reads only until another administrator "
        f"confirms it ({step}). Exchange a token first (`mesh token activate`), and tell the administrator its new id.",
        resource=obj.partition("#")[0],
    )


def unknown_purpose(name: str, known: Iterable[str], *, resource: str = "") -> Invalid:
    """The refusal of a purpose that does not exist; purposes are everybody's, so those that are alike are named."""
    hint = did_you_mean(name, known, otherwise="list them with `mesh admin list purposes`, or let the governance team create it.")
    return Invalid(f"There is no purpose {name!r}: {hint}", resource=resource)
