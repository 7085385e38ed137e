"""Who is calling: the authenticated identity of the request being served, set by the interceptor and read by handlers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from governance_server.rules.token_scopes import TokenScope
from mesh_core.names import MESH

_READING = frozenset({"discover", "request", "read"})

__all__ = ["Caller", "current_caller", "recheck_caller", "set_caller", "set_recheck"]


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated principal and the request it makes."""

    name: str
    """`user:ana` or `service:etl`."""
    purposes: frozenset[str] = frozenset()
    """Purposes the central team assigned to it, directly."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What row filters may use as `subject.<name>`."""
    call_id: str = ""
    """The id this request has in the log."""
    scope: TokenScope | None = None
    """What its token narrows its rights to; None: to nothing less than they are."""
    token: str = ""
    """The id of the mesh's own token that proved it; empty for an access token of an identity provider."""
    expire_time: datetime | None = None
    """From when on what proved it is refused."""
    token_makers: frozenset[str] = frozenset()
    """Who else may hold what proved it, and so may be who calls: see `rules.second_person`."""
    confirmer: str = ""
    """The second administrator who said that the right one has what proved it; empty if nobody did."""
    is_unconfirmed: bool = False
    """True if somebody else may hold what proved it, nobody confirmed it, and there are two administrators: it may read only."""
    revision: int = field(default=0, compare=False)
    """The journal's head when its proof was checked: what was acknowledged before this request began is in it."""

    def in_call(self, call_id: str, revision: int) -> Caller:
        """The same caller in one call, admitted at that revision."""
        return Caller(
            self.name, self.purposes, self.attributes, call_id=call_id, scope=self.scope, token=self.token,
            expire_time=self.expire_time, token_makers=self.token_makers, confirmer=self.confirmer,
            is_unconfirmed=self.is_unconfirmed, revision=revision,
        )  # fmt: skip

    def makers_for(self, principal: str) -> tuple[str, ...]:
        """Who else may act as the principal by what this caller gives it: the caller, and who may act as the caller."""
        return tuple(sorted((self.token_makers | {self.name}) - {principal}))

    @property
    def is_narrowed(self) -> bool:
        """True if its token leaves out any of its rights."""
        return self.scope is not None or self.is_unconfirmed

    def covers(self, action: str, obj: str) -> bool:
        """True unless its token leaves the action on the object out. It gives no right: policy decides."""
        return not self.must_be_confirmed(action, obj) and (self.scope is None or self.scope.covers(action, obj))

    def must_be_confirmed(self, action: str, obj: str) -> bool:
        """True if its maker could act in its name alone: by more than reading, and not for the centre, where two always act."""
        return self.is_unconfirmed and action not in _READING and obj != MESH


_CALLER: ContextVar[Caller] = ContextVar("caller")
_RECHECK: ContextVar[Callable[[], None]] = ContextVar("recheck")


def set_caller(caller: Caller) -> None:
    """The caller of everything this thread does until set again."""
    _CALLER.set(caller)


def set_recheck(recheck: Callable[[], None]) -> None:
    """How a stream served by this thread finds out whether its token still holds."""
    _RECHECK.set(recheck)


def recheck_caller() -> None:
    """Returns if the token of the stream being served still holds; for streams that wait. Raises: Unauthenticated."""
    _RECHECK.get()()


def current_caller() -> Caller:
    """The caller of the request being served. Raises: LookupError outside of a request."""
    return _CALLER.get()
