"""The life of an access request: what may follow what, and where it stands at a moment.

Pure. Stored are REQUESTED, APPROVED, DENIED, WITHDRAWN and REVOKED. ACTIVE and EXPIRED follow from the grants' times when
somebody asks, by the same rule that decides reads: no job is needed for either (ADR 0010).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from domainmesh.v1 import access_request_pb2 as pb
from domainmesh.v1 import grant_pb2
from governance_server.rules.errors import Precondition
from governance_server.rules.policy_facts import policy_time
from governance_server.rules.policy_rows import FOREVER, FROM_THE_START

__all__ = ["MOST_EVENTS", "check_open", "check_withdrawable", "note", "shown_state", "state_word"]

MOST_EVENTS = 200
"""So many lines of history a request keeps; approvals that replace one another are then left out."""

State: TypeAlias = pb.AccessRequestState.ValueType


def shown_state(asked: pb.AccessRequest, grants: Sequence[grant_pb2.Grant], now: datetime) -> State:
    """Where the request stands at the moment, given the grants it became."""
    if asked.state != pb.ACCESS_REQUEST_STATE_APPROVED:
        return asked.state
    alive = [grant for grant in grants if not grant.revoke_time.seconds]
    if not alive:
        return pb.ACCESS_REQUEST_STATE_REVOKED
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    times = [(policy_time(it.start_time, default=FROM_THE_START), policy_time(it.expire_time, default=FOREVER)) for it in alive]
    if any(start <= moment < end for start, end in times):
        return pb.ACCESS_REQUEST_STATE_ACTIVE
    return pb.ACCESS_REQUEST_STATE_APPROVED if any(moment < start for start, _ in times) else pb.ACCESS_REQUEST_STATE_EXPIRED


def state_word(state: State) -> str:
    """The state as users read it."""
    return pb.AccessRequestState.Name(state).removeprefix("ACCESS_REQUEST_STATE_").lower()


def check_open(asked: pb.AccessRequest, shown: State) -> None:
    """Returns if the request waits for a decision. Raises: Precondition."""
    if asked.state != pb.ACCESS_REQUEST_STATE_REQUESTED:
        raise Precondition(
            f"Request {asked.id} is {state_word(shown)} already: only an open request can be decided.", resource=asked.id
        )


def check_withdrawable(asked: pb.AccessRequest, shown: State) -> None:
    """Returns if there is something to take back: an open request, or access that lasts. Raises: Precondition."""
    lasting = (pb.ACCESS_REQUEST_STATE_REQUESTED, pb.ACCESS_REQUEST_STATE_APPROVED, pb.ACCESS_REQUEST_STATE_ACTIVE)
    if shown not in lasting:
        raise Precondition(
            f"Request {asked.id} is {state_word(shown)} already: there is nothing to take back.", resource=asked.id
        )


def note(asked: pb.AccessRequest, step: pb.AccessRequestStep.ValueType, event: pb.AccessRequestEvent) -> None:
    """The step is in the request's history."""
    event.step = step
    if len(asked.history) < MOST_EVENTS or step != pb.ACCESS_REQUEST_STEP_LEVEL_APPROVED:
        asked.history.append(event)
