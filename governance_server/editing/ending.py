"""How grants end, and what ends with them in the same change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domainmesh.v1 import grant_pb2
from governance_server.backend import Backend, stamp, store
from governance_server.caller import Caller
from governance_server.editing.request_endings import end_request
from governance_server.editing.state import State
from governance_server.fallen_grants import fallen
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite

__all__ = ["end_grant", "with_consequences"]


def end_grant(state: State, grant: grant_pb2.Grant, caller: Caller, *, reason: str) -> Iterable[ResourceWrite]:
    """The writes that end a grant, its renewal, and the access requests they came from; `grant` is changed accordingly."""
    grant.revoke_time.CopyFrom(stamp(state.time))
    grant.revoker, grant.revoke_reason = caller.name, reason
    yield store(kinds.GRANT, grant.id, grant)
    yield from end_request(state, grant, caller, reason=reason)
    body = state.get(kinds.GRANT, grant.renewed_by) if grant.renewed_by else None
    successor = grant_pb2.Grant.FromString(body or b"")
    if successor.id and not successor.revoke_time.seconds:
        yield from end_grant(state, successor, caller, reason=reason)


def with_consequences(
    backend: Backend, state: State, writes: Sequence[ResourceWrite], caller: Caller
) -> tuple[ResourceWrite, ...]:
    """The writes and what they bring about: whatever rests on a rule that they end or narrow ends in the same change."""
    ended = fallen(backend, state, writes)
    further = (write for grant in ended for write in end_grant(state, grant, caller, reason="What it rested on has ended."))
    return tuple({(write.kind, write.name): write for write in (*writes, *further)}.values())
