"""AccessRequestService: asking for a grant, and deciding. The last approval creates the grant in the same change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import grpc

from domainmesh.v1 import access_request_pb2 as messages
from domainmesh.v1 import access_request_service_pb2 as pb
from domainmesh.v1 import access_request_service_pb2_grpc
from governance_server.backend import Backend, Page, stamp, store
from governance_server.caller import Caller, current_caller
from governance_server.editing.ending import end_grant, with_consequences
from governance_server.journal.command import Outcome, Transaction
from governance_server.policy.names import domains_where
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.access_requests import check_open, check_withdrawable, note
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, GovernanceError, Invalid
from governance_server.rules.grants import contains
from governance_server.rules.listings import containers
from governance_server.rules.policy_rows import ANY, domain_of
from governance_server.services.request_approvals import Approval, approve, tell_requester
from governance_server.services.request_filing import file_renewal, file_request
from governance_server.services.request_views import RequestView

__all__ = ["AccessRequestService", "open_requests", "pending_for"]

_REQUESTED = messages.ACCESS_REQUEST_STATE_REQUESTED
_PAGE = 500
_ID = re.compile(r"r-[0-9a-f]{1,40}\Z")
_SHOWN_AS = {
    messages.ACCESS_REQUEST_STATE_APPROVED: (messages.ACCESS_REQUEST_STATE_APPROVED, messages.ACCESS_REQUEST_STATE_ACTIVE)
}


class AccessRequestService(access_request_service_pb2_grpc.AccessRequestServiceServicer):
    """Serves access requests."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def CreateAccessRequest(
        self, request: pb.CreateAccessRequestRequest, context: grpc.ServicerContext
    ) -> messages.AccessRequest:
        """Files a request; an approval rule may approve it at once."""
        self._warm(request.access_request.resource)

        def run(tx: Transaction, caller: Caller) -> Outcome:
            return file_request(self._backend, tx, caller, request.access_request)

        return self._submitted(self._backend.submit(request, request.request_id, run).reply)

    def RenewAccess(self, request: pb.RenewAccessRequest, context: grpc.ServicerContext) -> messages.AccessRequest:
        """Files a request for a longer end of a grant the caller has."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            return file_renewal(self._backend, tx, caller, request)

        return self._submitted(self._backend.submit(request, request.request_id, run).reply)

    def GetAccessRequest(self, request: pb.GetAccessRequestRequest, context: grpc.ServicerContext) -> messages.AccessRequest:
        """Returns one request: to who made it and who may decide it."""
        view = self._view()
        body = self._backend.catalog.get(kinds.ACCESS_REQUEST, request.id)
        found = messages.AccessRequest.FromString(body) if body is not None else None
        if found is None or not view.may_see(found):
            raise denied("see the request", request.id)
        return view.shown(found)

    def ListAccessRequests(
        self, request: pb.ListAccessRequestsRequest, context: grpc.ServicerContext
    ) -> pb.ListAccessRequestsResponse:
        """Lists the caller's own requests and those it may decide, newest first."""
        page, view = Page.of(request.page_size, request.page_token), self._view()
        found: list[messages.AccessRequest] = []
        for asked in _newest_first(self._backend, _lists(self._backend, current_caller(), request.resource), page.after):
            if _is_wanted(view, request, asked) and view.may_see(asked):
                found.append(asked)
            if len(found) > page.size:
                break
        more = Page.token(found[page.size - 1].id) if len(found) > page.size else ""
        shown = [view.shown(asked) for asked in found[: page.size]]
        return pb.ListAccessRequestsResponse(access_requests=shown, next_page_token=more)

    def ApproveAccessRequest(
        self, request: pb.ApproveAccessRequestRequest, context: grpc.ServicerContext
    ) -> messages.AccessRequest:
        """Approves: if nothing more is needed, the grant is created in the same transaction."""
        new_id = f"g-{self._backend.new_id()}"
        stored = messages.AccessRequest.FromString(self._backend.catalog.get(kinds.ACCESS_REQUEST, request.id) or b"")
        self._warm(stored.resource)

        def run(tx: Transaction, caller: Caller) -> Outcome:
            view = RequestView(self._backend, tx, caller)
            asked = _to_decide(view, tx, caller, request.id)
            terms = messages.AccessTerms(columns=request.columns, row_filter=request.row_filter, masks=request.masks)
            if request.HasField("expire_time"):
                terms.expire_time.CopyFrom(request.expire_time)
            approval = Approval(by=caller, terms=terms, reason=request.reason, grant_id=new_id)
            writes = approve(self._backend, tx, view, asked, approval)
            kind = "access_request.approved" if asked.grants else "access_request.level_approved"
            return _outcome(kind, asked, writes)

        return self._submitted(self._backend.submit(request, request.request_id, run).reply)

    def DenyAccessRequest(self, request: pb.DenyAccessRequestRequest, context: grpc.ServicerContext) -> messages.AccessRequest:
        """Denies, whatever level it is on."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            view = RequestView(self._backend, tx, caller)
            asked = _to_decide(view, tx, caller, request.id)
            if not view.may_deny(asked):
                raise denied("deny the request", request.id)
            _decide(asked, messages.ACCESS_REQUEST_STATE_DENIED, (tx, caller), request.reason)
            return _outcome("access_request.denied", asked, tell_requester(tx, asked))

        return self._submitted(self._backend.submit(request, request.request_id, run).reply)

    def WithdrawAccessRequest(
        self, request: pb.WithdrawAccessRequestRequest, context: grpc.ServicerContext
    ) -> messages.AccessRequest:
        """Takes one's own request back; access that it gave ends."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            body = tx.get(kinds.ACCESS_REQUEST, request.id)
            asked = messages.AccessRequest.FromString(body) if body is not None else messages.AccessRequest()
            if asked.requester != caller.name or not caller.covers("request", asked.resource):
                raise denied("withdraw the request", request.id)
            view = RequestView(self._backend, tx, caller)
            check_withdrawable(asked, view.state(asked))
            alive = [grant for grant in view.grants(asked) if not grant.revoke_time.seconds]
            ended = [write for grant in alive for write in end_grant(tx, grant, caller, reason="given back by the requester")]
            further = with_consequences(self._backend, tx, ended, caller)
            others = [write for write in further if (write.kind, write.name) != (kinds.ACCESS_REQUEST, asked.id)]
            _decide(asked, messages.ACCESS_REQUEST_STATE_WITHDRAWN, (tx, caller), "")
            return _outcome("access_request.withdrawn", asked, others)

        return self._submitted(self._backend.submit(request, request.request_id, run).reply)

    def _warm(self, resource: str) -> None:
        """The contract's roles are read before the writer needs them: a long one takes a while to parse."""
        with suppress(GovernanceError):
            self._view().levels(resource)

    def _view(self) -> RequestView:
        return RequestView(self._backend, self._backend.catalog, current_caller())

    def _submitted(self, reply: bytes) -> messages.AccessRequest:
        """The request as it was decided, shown as at this moment: a repetition shows what has become of it since."""
        return self._view().shown(messages.AccessRequest.FromString(reply))


def pending_for(backend: Backend, caller: Caller) -> int:
    """How many open requests wait for the caller's decision."""
    view = RequestView(backend, backend.catalog, caller)
    return sum(view.awaits_caller(asked) for asked in open_requests(backend))


def open_requests(backend: Backend, requester: str = "") -> Iterator[messages.AccessRequest]:
    """The requests that nobody has decided yet, the requester's only if one is named, oldest first."""
    listed = f"open-by/{requester}" if requester else "open"
    return (messages.AccessRequest.FromString(body) for _, body in backend.catalog.walk(kinds.ACCESS_REQUEST, [listed]))


def _lists(backend: Backend, caller: Caller, resource: str) -> list[str] | None:
    """The lists in which all requests stand that the caller may see on the resource; None if that may be all there are."""
    own, narrowest = f"by/{caller.name}", [*containers(resource)][-1] if resource else ANY
    domains = domains_where(backend.policy, caller, "grant")
    if domains is None:
        return None if narrowest == ANY else [f"in/{narrowest}"]
    named = _named_in(backend, caller)
    if narrowest == ANY:
        return [own, *(f"in/{it}" for it in sorted(domains | named))]
    if domain_of(narrowest) in domains or narrowest in named:
        return [f"in/{narrowest}"]
    return [own, *(f"in/{it}" for it in sorted(named) if contains(narrowest, it))]


def _named_in(backend: Backend, caller: Caller) -> set[str]:
    """The products of which a contract names the caller as an approver, by itself, a group or a role."""
    with backend.policy.pinned():
        domains = {ANY, *map(domain_of, backend.policy.facts().products)}
        names = {name for domain in domains for name in backend.policy.names_of(caller.name, domain)}
    lists = [f"approver/{name}" for name in sorted(names)]
    return {product for product, _ in backend.catalog.walk(kinds.CONTRACT, lists)}


def _newest_first(backend: Backend, lists: list[str] | None, after: str = "") -> Iterator[messages.AccessRequest]:
    """Every request in the lists (of all if None) before the one named `after`, if one is. Ids sort by the order of filing."""
    if after and not _ID.match(after):
        raise Invalid("page_token is not one this server gave out: leave it empty to start anew.")
    if lists is not None:
        rows = backend.catalog.walk(kinds.ACCESS_REQUEST, lists, after=after, is_descending=True)
        yield from (messages.AccessRequest.FromString(body) for _, body in rows)
        return
    last = after
    while page := backend.catalog.list(kinds.ACCESS_REQUEST, after_name=last, limit=_PAGE, is_descending=True):
        yield from (messages.AccessRequest.FromString(body) for _, body in page)
        last = page[-1][0]


def _is_wanted(view: RequestView, request: pb.ListAccessRequestsRequest, asked: messages.AccessRequest) -> bool:
    if request.resource and not contains(request.resource, asked.resource):
        return False
    if request.awaits_caller and not view.awaits_caller(asked):
        return False
    return not request.state or view.state(asked) in _SHOWN_AS.get(request.state, (request.state,))


def _to_decide(view: RequestView, tx: Transaction, caller: Caller, request_id: str) -> messages.AccessRequest:
    """The open request, if the caller may know it and is no party to it. Raises: AccessDenied, Precondition."""
    body = tx.get(kinds.ACCESS_REQUEST, request_id)
    asked = messages.AccessRequest.FromString(body) if body is not None else None
    if asked is not None and asked.requester == caller.name and caller.covers("request", asked.resource):
        raise AccessDenied("Nobody decides its own request: another approver must.", resource=asked.id)
    if asked is None or not (view.may_see(asked) or view.is_party(asked, caller.name)):
        raise denied("decide the request", request_id)
    if view.is_party(asked, caller.name):
        if not view.may_grant(asked):
            raise denied("decide the request", request_id)
        raise AccessDenied(f"Nobody decides for a group of its own: {asked.subject} would get it.", resource=asked.id)
    check_open(asked, view.state(asked))
    return asked


def _decide(
    asked: messages.AccessRequest,
    state: messages.AccessRequestState.ValueType,
    by: tuple[Transaction, Caller],
    reason: str,
) -> None:
    tx, caller = by
    asked.state, asked.decider, asked.decision_reason = state, caller.name, reason
    asked.decide_time.CopyFrom(stamp(tx.time))
    steps = {
        messages.ACCESS_REQUEST_STATE_DENIED: messages.ACCESS_REQUEST_STEP_DENIED,
        messages.ACCESS_REQUEST_STATE_WITHDRAWN: messages.ACCESS_REQUEST_STEP_WITHDRAWN,
    }
    note(asked, steps[state], messages.AccessRequestEvent(time=stamp(tx.time), principal=caller.name, reason=reason))


def _outcome(kind: str, asked: messages.AccessRequest, writes: list[ResourceWrite]) -> Outcome:
    return Outcome(kind, asked.id, (store(kinds.ACCESS_REQUEST, asked.id, asked), *writes), asked.SerializeToString())
