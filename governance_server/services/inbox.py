"""InboxService: what waits for the caller, what happened to what it asked for, what ends soon, and what it was told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, timedelta
from itertools import takewhile

import grpc

from domainmesh.v1 import access_request_pb2, break_glass_pb2, change_set_pb2, grant_pb2, inbox_service_pb2_grpc, notice_pb2
from domainmesh.v1 import inbox_service_pb2 as pb
from governance_server.backend import Backend, Page, stamp, store
from governance_server.caller import Caller, current_caller
from governance_server.editing.committed import Committed
from governance_server.editing.state import State
from governance_server.journal.command import Outcome, Transaction
from governance_server.notices import prefix_of
from governance_server.policy.names import all_names_of
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.errors import TooLarge
from governance_server.rules.listings import moment
from governance_server.rules.policy_rows import ANY
from governance_server.services.access_requests import open_requests
from governance_server.services.break_glass import is_open_now, lists_of_uses
from governance_server.services.contract_changes import awaiting
from governance_server.services.grants import RESTRICTED
from governance_server.services.request_views import RequestView
from mesh_core.names import MESH

__all__ = ["InboxService"]

_FIRST = 50
_MOST_MARKED = 500
_RECENTLY = timedelta(days=30)
_SOON = timedelta(days=14)


class InboxService(inbox_service_pb2_grpc.InboxServiceServicer):
    """Serves inboxes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def GetInbox(self, request: pb.GetInboxRequest, context: grpc.ServicerContext) -> pb.GetInboxResponse:
        """Returns the caller's inbox."""
        caller = current_caller()
        view = RequestView(self._backend, self._backend.catalog, caller)
        to_decide, own = self._requests(view, caller)
        ending = self._ending(caller)
        changes, uses, contracts = self._changes(caller), self._uses(caller), awaiting(self._backend, caller)
        unread = [notice for notice in self._notices(Committed.now(self._backend), caller) if caller.name not in notice.read_by]
        return pb.GetInboxResponse(
            to_decide=[view.shown(asked) for asked in to_decide[:_FIRST]], to_decide_count=len(to_decide),
            own=[view.shown(asked) for asked in own[:_FIRST]], own_count=len(own),
            ending=ending[:_FIRST], ending_count=len(ending),
            notices=[_shown(notice, caller) for notice in unread[:_FIRST]], notice_count=len(unread),
            changes_to_approve=changes[:_FIRST], changes_to_approve_count=len(changes),
            to_acknowledge=uses[:_FIRST], to_acknowledge_count=len(uses),
            contract_changes=contracts[:_FIRST], contract_change_count=len(contracts),
        )  # fmt: skip

    def ListNotices(self, request: pb.ListNoticesRequest, context: grpc.ServicerContext) -> pb.ListNoticesResponse:
        """Lists the caller's notices, newest first."""
        page, caller = Page.of(request.page_size, request.page_token), current_caller()
        found = [
            notice
            for notice in self._notices(Committed.now(self._backend), caller)
            if request.include_read or caller.name not in notice.read_by
        ]
        start = page.position
        more = Page.token(str(start + page.size)) if len(found) > start + page.size else ""
        shown = [_shown(notice, caller) for notice in found[start : start + page.size]]
        return pb.ListNoticesResponse(notices=shown, next_page_token=more)

    def MarkNoticesRead(self, request: pb.MarkNoticesReadRequest, context: grpc.ServicerContext) -> pb.MarkNoticesReadResponse:
        """Marks notices as read by the caller."""
        if len(request.ids) > _MOST_MARKED:
            raise TooLarge(f"{len(request.ids)} notices in one call: send at most {_MOST_MARKED}.")

        def run(tx: Transaction, caller: Caller) -> Outcome:
            known = {notice.id: notice for notice in self._notices(tx, caller)}
            strange = next((name for name in request.ids if name not in known), None)
            if strange is not None:
                raise denied("read the notice", strange)
            wanted = [known[name] for name in dict.fromkeys(request.ids)] or list(known.values())
            unread = [notice for notice in wanted if caller.name not in notice.read_by][:_MOST_MARKED]
            for notice in unread:
                notice.read_by.append(caller.name)
            writes = tuple(store(kinds.NOTICE, notice.id, notice) for notice in unread)
            reply = pb.MarkNoticesReadResponse(marked_count=len(unread)).SerializeToString()
            return Outcome("notices.read", caller.name, writes, reply)

        return pb.MarkNoticesReadResponse.FromString(self._backend.submit(request, request.request_id, run).reply)

    def _requests(
        self, view: RequestView, caller: Caller
    ) -> tuple[list[access_request_pb2.AccessRequest], list[access_request_pb2.AccessRequest]]:
        """Those that wait for the caller, oldest first; and its own that wait or were decided recently, newest first."""
        since = self._backend.now() - _RECENTLY
        to_decide, own = [], []
        for asked in open_requests(self._backend):
            if asked.requester == caller.name and caller.covers("request", asked.resource):
                own.append(asked)
            elif view.awaits_caller(asked):
                to_decide.append(asked)
        decided = self._backend.catalog.walk(kinds.ACCESS_REQUEST, [f"decided-by/{caller.name}"], after=moment(stamp(since)))
        for _, body in decided:
            asked = access_request_pb2.AccessRequest.FromString(body)
            if caller.covers("request", asked.resource):
                own.append(asked)
        return to_decide, sorted(own, key=lambda asked: asked.id, reverse=True)

    def _changes(self, caller: Caller) -> list[change_set_pb2.ChangeSet]:
        """The change sets that wait for the caller as the second person, oldest first."""
        if not self._backend.policy.check(caller, "administer", MESH).allowed:
            return []
        rows = self._backend.catalog.walk(kinds.CHANGE_SET, ["open"])
        every = (change_set_pb2.ChangeSet.FromString(body) for _, body in rows)
        found = [it for it in every if it.proposer != caller.name]
        for it in found:
            it.ClearField("resources")
            it.ClearField("impact")
        return found

    def _uses(self, caller: Caller) -> list[break_glass_pb2.BreakGlass]:
        """The emergency accesses of others that nobody acknowledged and the caller may, oldest first."""
        rows = self._backend.catalog.walk(kinds.BREAK_GLASS, lists_of_uses(self._backend, caller, "open"))
        every = (break_glass_pb2.BreakGlass.FromString(body) for _, body in rows)
        return [
            is_open_now(self._backend, use)
            for use in every
            if use.principal != caller.name and self._backend.policy.check(caller, "grant", use.resource).allowed
        ]

    def _ending(self, caller: Caller) -> list[grant_pb2.Grant]:
        """The grants to the caller, or to a group of its, that end soon and go on nowhere; the next end first."""
        now = self._backend.now()
        lists = sorted({f"ends-of/{name}" for found in self._names(caller).values() for name in found})
        rows = self._backend.catalog.walk(kinds.GRANT, lists, after=moment(stamp(now)))
        ending = (grant_pb2.Grant.FromString(body) for _, body in rows)
        near = takewhile(lambda grant: grant.expire_time.ToDatetime(tzinfo=UTC) <= now + _SOON, ending)
        soon = [
            grant
            for grant in near
            if now < grant.expire_time.ToDatetime(tzinfo=UTC) and caller.covers("discover", grant.resource)
        ]
        for grant in soon:
            if grant.row_filter:
                grant.row_filter = RESTRICTED
        return sorted(soon, key=lambda grant: (grant.expire_time.seconds, grant.id))

    def _names(self, caller: Caller) -> dict[str, frozenset[str]]:
        products = self._backend.policy.facts().products
        domains = frozenset(name.partition(".")[0] for name in products)
        return all_names_of(self._backend.policy, caller.name, domains)

    def _notices(self, reader: State, caller: Caller) -> list[notice_pb2.Notice]:
        """Every notice to the caller, or to a group or role of its, newest first."""
        found = list(_addressed(reader, self._names(caller).items()))
        allowed = [notice for notice in found if caller.covers("discover", notice.resource)]
        return sorted(allowed, key=lambda it: (it.create_time.seconds, it.create_time.nanos, it.id), reverse=True)


def _addressed(reader: State, names: Iterable[tuple[str, frozenset[str]]]) -> Iterator[notice_pb2.Notice]:
    for domain, recipients in names:
        for recipient in recipients:
            rows = reader.list(kinds.NOTICE, prefix=prefix_of(recipient))
            for _, body in rows:
                notice = notice_pb2.Notice.FromString(body)
                if domain in (ANY, notice.domain):
                    yield notice


def _shown(notice: notice_pb2.Notice, caller: Caller) -> notice_pb2.Notice:
    """The notice; of those who have read it the caller learns itself only."""
    readers = [name for name in notice.read_by if name == caller.name]
    del notice.read_by[:]
    notice.read_by.extend(readers)
    return notice
