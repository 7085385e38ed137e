"""What the end of a grant means for the access request it came from."""

from __future__ import annotations

from collections.abc import Iterator

from domainmesh.v1 import access_request_pb2 as messages
from domainmesh.v1 import grant_pb2, notice_pb2
from governance_server.backend import stamp, store
from governance_server.caller import Caller
from governance_server.editing.state import State
from governance_server.notices import News, notices
from governance_server.rules import kinds
from governance_server.rules.access_requests import note
from governance_server.rules.apply import ResourceWrite

__all__ = ["end_request"]


def end_request(tx: State, grant: grant_pb2.Grant, caller: Caller, *, reason: str) -> Iterator[ResourceWrite]:
    """The writes by which the request of a revoked grant is revoked, and its requester is told; none if it came from none."""
    body = tx.get(kinds.ACCESS_REQUEST, grant.access_request) if grant.access_request else None
    if body is None:
        return
    asked = messages.AccessRequest.FromString(body)
    asked.state = messages.ACCESS_REQUEST_STATE_REVOKED
    event = messages.AccessRequestEvent(time=stamp(tx.time), principal=caller.name, reason=reason)
    note(asked, messages.ACCESS_REQUEST_STEP_REVOKED, event)
    yield store(kinds.ACCESS_REQUEST, asked.id, asked)
    if caller.name != asked.requester:
        text = f"{caller.name} revoked your access to {grant.resource}" + (f": {reason}" if reason else ".")
        yield from notices(tx, News(notice_pb2.NOTICE_KIND_GRANT_REVOKED, grant.resource, grant.id, text), [asked.requester])
