"""What a planned change set would do to access: worked out outside of the journal's writer, in bounded time."""

from __future__ import annotations

from collections.abc import Sequence

from domainmesh.v1 import impact_pb2
from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.policy.budget import Budget
from governance_server.policy.simulation import everywhere, simulate
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from mesh_core.names import MESH

__all__ = ["impact_of"]

_SECONDS = 5.0


def impact_of(backend: Backend, caller: Caller, writes: Sequence[ResourceWrite]) -> impact_pb2.Impact:
    """Who would gain and lose what by the writes, on resources that the caller may ask about others on. Raises: Invalid."""
    counting = [write for write in writes if write.kind in kinds.POLICY_KINDS]
    before = backend.policy.snapshot()
    if not counting:
        return impact_pb2.Impact(revision=before.revision)

    def may_ask(resource: str) -> bool:
        return before.check(caller, "grant", resource).allowed

    is_central = before.check(caller, "administer", MESH).allowed
    return simulate(
        before,
        before.with_changes(counting),
        counting,
        budget=Budget(_SECONDS),
        may_ask=everywhere if is_central else may_ask,
    )
