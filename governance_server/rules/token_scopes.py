"""Token scopes: what a token narrows its principal's rights to. A scope gives nothing; policy decides within it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from domainmesh.v1 import principal_pb2
from governance_server.rules.errors import AccessDenied, Invalid
from governance_server.rules.grants import check_resource, contains
from governance_server.rules.policy_rows import ACTIONS
from mesh_core.names import MESH, check_purpose

__all__ = ["TokenScope", "narrowed_scope", "scope_within"]

_MOST = 100


@dataclass(frozen=True, slots=True)
class TokenScope:
    """What is left of a principal's rights to whoever holds the token."""

    permissions: frozenset[tuple[str, str]]
    """Pairs of action and resource; a resource stands for everything in it. None at all: nothing is left."""
    purposes: frozenset[str] = frozenset()
    """Data is read for one of these, or a narrower one, only. Empty: for any that the principal holds, and for none."""
    within: TokenScope | None = None
    """The scope of the token that this one was made with: what it leaves out is left out here, whatever changes later."""

    def covers(self, action: str, obj: str) -> bool:
        """True if the action on the object is within the scope; a tag is within `mesh` only."""
        is_named = any(action == allowed and contains(resource, obj) for allowed, resource in self.permissions)
        return is_named and (self.within is None or self.within.covers(action, obj))

    def covers_purpose(self, wider: Collection[str]) -> bool:
        """True if reading is within the scope for a purpose, given with everything above it; none at all is empty."""
        is_named = not self.purposes or not self.purposes.isdisjoint(wider)
        return is_named and (self.within is None or self.within.covers_purpose(wider))

    def purpose_words(self) -> str:
        """The purposes it reads for, in words."""
        own = " or ".join(sorted(self.purposes))
        return own or ("any purpose" if self.within is None else self.within.purpose_words())


def scope_within(scope: principal_pb2.TokenScope | None, outer: TokenScope | None) -> TokenScope | None:
    """The stored scope as a value, within that of the token it was made with; None if neither narrows anything."""
    if scope is None:
        return outer
    permissions = frozenset((item.action, item.resource) for item in scope.permissions)
    return TokenScope(permissions, frozenset(scope.purposes), outer)


def narrowed_scope(
    wanted: principal_pb2.TokenScope | None, outer: TokenScope | None, *, wider: Callable[[str], Collection[str]]
) -> principal_pb2.TokenScope | None:
    """The scope to store for a new token; `outer` is the scope of the one it is made with, `wider` a purpose and all above it.

    Raises: AccessDenied if it would leave `outer`; Invalid, InvalidName.
    """
    if wanted is None:
        return None
    if max(len(wanted.permissions), len(wanted.purposes)) > _MOST:
        raise Invalid(f"The scope has more than {_MOST} entries: name wider resources.")
    asked = {(item.action, _checked(item)) for item in wanted.permissions}
    # Without an entry the purposes alone narrow: whatever else is left is left by the scope around it.
    permissions = asked or {(action, MESH) for action in ACTIONS}
    for action, resource in sorted(asked):
        if outer is not None and not outer.covers(action, resource):
            raise AccessDenied(f"This call's token may not {action} {resource}, so none made with it may.", resource=resource)
    for purpose in wanted.purposes:
        if outer is not None and not outer.covers_purpose(wider(check_purpose(purpose))):
            raise AccessDenied(f"This call's token reads for {outer.purpose_words()}, so none made with it reads for {purpose}.")
    return principal_pb2.TokenScope(
        permissions=[principal_pb2.TokenPermission(action=a, resource=r) for a, r in sorted(permissions)],
        purposes=sorted(set(wanted.purposes)),
    )


def _checked(item: principal_pb2.TokenPermission) -> str:
    if item.action not in ACTIONS:
        raise Invalid(f"{item.action!r} is no action: use one of {', '.join(sorted(ACTIONS))}.", resource=item.resource)
    return check_resource(item.resource)
