"""Seats in the central team: none that leaves nobody who could approve.

Source: ADR 0008. Seats in which nobody can act count for two persons all the same: else whoever revokes a colleague's token would
be alone. So they must not come to be where they would lock the centre.
"""

from __future__ import annotations

from domainmesh.v1 import principal_pb2
from governance_server.editing.central import administrators
from governance_server.editing.editor import Edit
from governance_server.editing.state import State
from governance_server.rules import kinds
from governance_server.rules.errors import Precondition
from governance_server.rules.token_chain import find_chain, owner_key

__all__ = ["can_log_in", "check_seats"]


def check_seats(edit: Edit) -> None:
    """Returns unless the edit gives seats so that two are needed and fewer than two can act. Raises: Precondition."""
    policy = edit.backend.policy
    with policy.pinned():
        before, after = administrators(policy), administrators(policy.supposing(edit.state.writes()))
    fresh = [name for name in after if name not in before and not can_log_in(edit.state, name)]
    able = [name for name in after if name == edit.caller.name or can_log_in(edit.state, name)]
    if fresh and len(able) < 2:
        raise Precondition(
            f"{fresh[0]} cannot log in yet, and with its seat no central change could be approved: make it a token first "
            f"(`mesh token create {fresh[0]}`, or link its identity), then give it the seat.",
            resource=fresh[0],
        )


def can_log_in(state: State, name: str) -> bool:
    """True if the principal has a token that is valid, or an identity at the provider."""
    tokens = (key.rpartition("/")[2] for key, _ in state.list(kinds.TOKEN_OWNER, prefix=owner_key(name, "")))
    if any(chain is not None and chain.is_valid(state.time) for chain in (find_chain(state.get, it) for it in tokens)):
        return True
    identities = (principal_pb2.Identity.FromString(body) for _, body in state.list(kinds.IDENTITY))
    return any(it.principal == name for it in identities)
