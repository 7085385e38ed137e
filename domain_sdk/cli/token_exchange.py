"""Exchanging a token that somebody else made, on `mesh login` and by `mesh token activate`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain_sdk.identity import Principal
    from domain_sdk.mesh import Mesh

__all__ = ["Exchanged", "exchange_token"]


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What became of the token."""

    token: str = field(default="", repr=False)
    """The new secret; empty if the token was kept."""
    words: str = ""
    """What there is to say; empty if nothing."""


def exchange_token(mesh: Mesh, principal: Principal) -> Exchanged:
    """A user's token that somebody else made is exchanged, if it can be; one of a service runs elsewhere, too, and is kept."""
    from domain_sdk.errors import WrongState

    makers = ", ".join(mesh.status().token_makers)
    if not makers:
        return Exchanged()
    if not principal.name.startswith("user:"):
        return Exchanged(words=f"made by {makers}, who may act as {principal.name}: `mesh token activate` exchanges it")
    try:
        made = mesh.admin.activate_token()
    except WrongState as refusal:
        return Exchanged(words=f"made by {makers}, who may act as you. Not exchanged: {refusal}")
    words = f"{made.token.id}, your own now. What you were given, made by {makers}, is refused from now on"
    if made.token.makers:
        words += f". It reads only until another administrator confirms it: tell one of them `mesh token confirm {made.token.id}`"
    return Exchanged(made.secret, words)
