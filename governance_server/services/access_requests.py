"""AccessRequestService: asking for a grant, and deciding. Approval creates the grant in the same change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC

import grpc

from domainmesh.v1 import access_request_pb2 as messages
from domainmesh.v1 import access_request_service_pb2 as pb
from domainmesh.v1 import access_request_service_pb2_grpc, grant_pb2
from governance_server.backend import Backend, Page, stamp, store
from governance_server.caller import Caller, current_caller
from governance_server.granting import rest_grant
from governance_server.journal.command import Outcome, Transaction
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.errors import AccessDenied, Invalid, Precondition
from governance_server.rules.grants import check_resource, contains
from governance_server.services.grants import RESTRICTED, prepare_grant

__all__ = ["AccessRequestService", "pending_for"]

_REQUESTED = messages.ACCESS_REQUEST_STATE_REQUESTED
_LONGEST_REASON = 4000
_READ_ACTIONS = ("discover", "read")


class AccessRequestService(access_request_service_pb2_grpc.AccessRequestServiceServicer):
    """Serves access requests."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def CreateAccessRequest(
        self, request: pb.CreateAccessRequestRequest, context: grpc.ServicerContext
    ) -> messages.AccessRequest:
        """Files a request."""
        new_id = f"r-{self._backend.new_id()}"

        def run(tx: Transaction, caller: Caller) -> Outcome:
            wanted = request.access_request
            if len(wanted.reason) > _LONGEST_REASON:
                raise Invalid(f"The reason has {len(wanted.reason)} characters: say it in {_LONGEST_REASON}.")
            self._backend.policy.authorise(caller, "request", check_resource(wanted.resource))
            if self._backend.policy.product_of(wanted.resource) is None:
                raise denied("request", wanted.resource)
            if wanted.purpose and tx.get(kinds.PURPOSE, wanted.purpose) is None:
                raise Invalid(f"There is no purpose {wanted.purpose!r}: list them, or leave it out.", resource=wanted.resource)
            filed = messages.AccessRequest(
                id=new_id, requester=caller.name, resource=wanted.resource, purpose=wanted.purpose, columns=wanted.columns,
                reason=wanted.reason, state=_REQUESTED, create_time=stamp(tx.time),
            )  # fmt: skip
            if wanted.HasField("expire_time"):
                filed.expire_time.CopyFrom(wanted.expire_time)
            # The grant it would become must be a grant that can be understood: refused now, not at approval.
            prepare_grant(self._backend, tx, _grant(filed, pb.ApproveAccessRequestRequest(), caller, "g-unborn"))
            write = store(kinds.ACCESS_REQUEST, filed.id, filed)
            return Outcome("access_request.created", filed.id, (write,), filed.SerializeToString())

        return messages.AccessRequest.FromString(self._backend.submit(request, request.request_id, run).reply)

    def GetAccessRequest(self, request: pb.GetAccessRequestRequest, context: grpc.ServicerContext) -> messages.AccessRequest:
        """Returns one request: to who made it and who may decide it."""
        body = self._backend.catalog.get(kinds.ACCESS_REQUEST, request.id)
        found = messages.AccessRequest.FromString(body) if body is not None else None
        if found is None or not _may_see(self._backend, current_caller(), found):
            raise denied("see the request", request.id)
        return self._shown(found)

    def ListAccessRequests(
        self, request: pb.ListAccessRequestsRequest, context: grpc.ServicerContext
    ) -> pb.ListAccessRequestsResponse:
        """Lists the caller's own requests and those it may decide, newest first."""
        page = Page.of(request.page_size, request.page_token)
        rows = self._backend.catalog.list(kinds.ACCESS_REQUEST, limit=None)
        everything = sorted(
            (messages.AccessRequest.FromString(body) for _, body in rows),
            key=lambda r: (r.create_time.seconds, r.create_time.nanos, r.id),
            reverse=True,
        )
        start, may_see = page.position, _sight(self._backend, current_caller())
        found = [
            item
            for item in everything
            if (not request.state or item.state == request.state)
            and (not request.resource or contains(request.resource, item.resource))
            and may_see(item)
        ]
        more = Page.token(str(start + page.size)) if len(found) > start + page.size else ""
        shown = [self._shown(item) for item in found[start : start + page.size]]
        return pb.ListAccessRequestsResponse(access_requests=shown, next_page_token=more)

    def ApproveAccessRequest(
        self, request: pb.ApproveAccessRequestRequest, context: grpc.ServicerContext
    ) -> messages.AccessRequest:
        """Approves: the grant is created in the same transaction."""
        new_id = f"g-{self._backend.new_id()}"

        def run(tx: Transaction, caller: Caller) -> Outcome:
            asked = self._to_decide(tx, caller, request.id)
            grant = _grant(asked, request, caller, new_id)
            prepare_grant(self._backend, tx, grant)
            _check_not_more(asked, grant)
            rest_grant(self._backend, tx, caller, grant)
            asked.state = messages.ACCESS_REQUEST_STATE_APPROVED
            asked.grants.append(grant.id)
            asked.row_filter = request.row_filter
            asked.masks.extend(request.masks)
            _decide(asked, caller, tx, request.reason)
            writes = (store(kinds.ACCESS_REQUEST, asked.id, asked), store(kinds.GRANT, grant.id, grant))
            return Outcome("access_request.approved", asked.id, writes, asked.SerializeToString())

        return messages.AccessRequest.FromString(self._backend.submit(request, request.request_id, run).reply)

    def DenyAccessRequest(self, request: pb.DenyAccessRequestRequest, context: grpc.ServicerContext) -> messages.AccessRequest:
        """Denies."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            asked = self._to_decide(tx, caller, request.id)
            asked.state = messages.ACCESS_REQUEST_STATE_DENIED
            _decide(asked, caller, tx, request.reason)
            write = store(kinds.ACCESS_REQUEST, asked.id, asked)
            return Outcome("access_request.denied", asked.id, (write,), asked.SerializeToString())

        return messages.AccessRequest.FromString(self._backend.submit(request, request.request_id, run).reply)

    def WithdrawAccessRequest(
        self, request: pb.WithdrawAccessRequestRequest, context: grpc.ServicerContext
    ) -> messages.AccessRequest:
        """Takes one's own request back."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            body = tx.get(kinds.ACCESS_REQUEST, request.id)
            asked = messages.AccessRequest.FromString(body) if body is not None else messages.AccessRequest()
            if asked.requester != caller.name or not caller.covers("request", asked.resource):
                raise denied("withdraw the request", request.id)
            _check_open(asked)
            asked.state = messages.ACCESS_REQUEST_STATE_WITHDRAWN
            _decide(asked, caller, tx, "")
            write = store(kinds.ACCESS_REQUEST, asked.id, asked)
            return Outcome("access_request.withdrawn", asked.id, (write,), asked.SerializeToString())

        return messages.AccessRequest.FromString(self._backend.submit(request, request.request_id, run).reply)

    def _shown(self, asked: messages.AccessRequest) -> messages.AccessRequest:
        """The request; the row filter it was approved with only to who may grant."""
        if asked.row_filter and not self._backend.policy.check(current_caller(), "grant", asked.resource).allowed:
            asked.row_filter = RESTRICTED
        return asked

    def _to_decide(self, tx: Transaction, caller: Caller, request_id: str) -> messages.AccessRequest:
        """The open request, if the caller may decide it. Raises: AccessDenied, Precondition."""
        body = tx.get(kinds.ACCESS_REQUEST, request_id)
        asked = messages.AccessRequest.FromString(body) if body is not None else None
        if asked is None or not _may_see(self._backend, caller, asked):
            raise denied("decide the request", request_id)
        if asked.requester == caller.name:
            raise AccessDenied("Nobody decides its own request: another owner of the domain must.", resource=asked.id)
        self._backend.policy.authorise(caller, "grant", asked.resource)
        _check_open(asked)
        return asked


def pending_for(backend: Backend, caller: Caller) -> int:
    """How many open requests wait for the caller's decision."""
    rows = backend.catalog.list(kinds.ACCESS_REQUEST, limit=None)
    asked = (messages.AccessRequest.FromString(body) for _, body in rows)
    may_see = _sight(backend, caller)
    return sum(r.state == _REQUESTED and r.requester != caller.name and may_see(r) for r in asked)


def _may_see(backend: Backend, caller: Caller, asked: messages.AccessRequest) -> bool:
    return _sight(backend, caller)(asked)


def _sight(backend: Backend, caller: Caller) -> Callable[[messages.AccessRequest], bool]:
    """Tells of requests whether the caller may see them; asks once for each resource, however many requests there are."""
    may_grant: dict[str, bool] = {}

    def may_see(asked: messages.AccessRequest) -> bool:
        if asked.requester == caller.name and caller.covers("request", asked.resource):
            return True
        if asked.resource not in may_grant:
            may_grant[asked.resource] = backend.policy.check(caller, "grant", asked.resource).allowed
        return may_grant[asked.resource]

    return may_see


def _check_open(asked: messages.AccessRequest) -> None:
    if asked.state != _REQUESTED:
        state = messages.AccessRequestState.Name(asked.state).removeprefix("ACCESS_REQUEST_STATE_").lower()
        raise Precondition(f"Request {asked.id} is {state} already: only an open request can be decided.", resource=asked.id)


def _decide(asked: messages.AccessRequest, caller: Caller, tx: Transaction, reason: str) -> None:
    asked.decider, asked.decision_reason = caller.name, reason
    asked.decide_time.CopyFrom(stamp(tx.time))


def _grant(
    asked: messages.AccessRequest, decision: pb.ApproveAccessRequestRequest, caller: Caller, grant_id: str
) -> grant_pb2.Grant:
    grant = grant_pb2.Grant(
        id=grant_id, subject=asked.requester, resource=asked.resource, actions=_READ_ACTIONS, effect=grant_pb2.EFFECT_ALLOW,
        purpose=asked.purpose, columns=decision.columns or asked.columns, row_filter=decision.row_filter, masks=decision.masks,
        reason=asked.reason, grantor=caller.name, access_request=asked.id,
    )  # fmt: skip
    expires = next((source.expire_time for source in (decision, asked) if source.HasField("expire_time")), None)
    if expires is not None:
        grant.expire_time.CopyFrom(expires)
    return grant


def _check_not_more(asked: messages.AccessRequest, grant: grant_pb2.Grant) -> None:
    """An approval gives at most what was asked. Raises: Invalid."""
    if asked.columns and set(grant.columns) - set(asked.columns):
        raise Invalid("The approval names columns that were not asked for.", resource=asked.id)
    if asked.HasField("expire_time") and grant.expire_time.ToDatetime(tzinfo=UTC) > asked.expire_time.ToDatetime(tzinfo=UTC):
        raise Invalid("The approval lasts longer than was asked for.", resource=asked.id)
