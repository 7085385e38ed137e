"""Second persons: whether two who called are two people, as far as their tokens tell.

Whoever made a token may have kept its secret, and so may act as its principal. A second person's step counts only if neither
of the two can be the other. Source: ADR 0008, decision 8.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from governance_server.rules.errors import AccessDenied
from governance_server.rules.token_chain import UNKNOWN_MAKER

__all__ = ["Person", "check_two_persons", "may_act_as"]


@dataclass(frozen=True, slots=True)
class Person:
    """Who took a step: its name, and who else may have taken it in that name."""

    name: str
    makers: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, name: str, makers: Iterable[str]) -> Person:
        """The person as a stored step names it."""
        return cls(name, frozenset(makers))


def may_act_as(one: Person, other: Person) -> bool:
    """True if one of the two may have taken the other's step; always if nobody knows who made the token of either."""
    return one.name in other.makers or other.name in one.makers or UNKNOWN_MAKER in one.makers | other.makers


def check_two_persons(second: Person, first: Person, *, did: str, resource: str, is_strict: bool = False) -> None:
    """Returns if what `second` does now and what `first` `did` are two people's. Raises: AccessDenied.

    Strictly, a third who made both their tokens is enough to refuse: it could have been both.
    """
    makers = sorted(second.makers & first.makers) if is_strict else []
    if not may_act_as(second, first) and not makers:
        return
    if first.name in second.makers or UNKNOWN_MAKER in second.makers or makers:
        maker = first.name if first.name in second.makers else next(iter(makers), "nobody knows whom")
        who = f"{maker}, who {did}," if maker == first.name else maker
        raise AccessDenied(
            f"Your token was made by {who} and whoever made a token may use it, so this would not be a second person's step. "
            "Use a token of your own: `mesh token activate` exchanges yours for one, or log in with `mesh login --oidc`.",
            resource=resource,
        )
    maker = second.name if second.name in first.makers else "nobody knows who"
    raise AccessDenied(
        f"{first.name} {did} with a token that {maker} made, so this "
        f"would not be a second person's step. {first.name} must do it again with a token of its own (`mesh token activate`), "
        "or somebody else must decide.",
        resource=resource,
    )
