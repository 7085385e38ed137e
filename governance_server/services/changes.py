"""ChangeSetService: many resources changed at once, or none; and the second person that central changes need (ADR 0008)."""

from __future__ import annotations

from itertools import islice

import grpc

from domainmesh.v1 import change_set_pb2 as messages
from domainmesh.v1 import change_set_service_pb2 as pb
from domainmesh.v1 import change_set_service_pb2_grpc
from governance_server.backend import Backend, Page
from governance_server.caller import Caller, current_caller
from governance_server.editing.central import second_persons
from governance_server.editing.change_sets import authorise_source, draw_up, read_wanted
from governance_server.editing.committed import Committed
from governance_server.editing.editor import Edit
from governance_server.editing.exporting import exported, unmanaged
from governance_server.editing.impacts import impact_of
from governance_server.editing.proposals import Foreseen, Proposals
from governance_server.journal.command import Outcome, Transaction
from governance_server.policy.names import domains_where
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.change_plans import check_source, domain_of_source
from governance_server.rules.errors import Invalid
from mesh_core.names import MESH

__all__ = ["ChangeSetService"]

_MOST_UNMANAGED = 500


class ChangeSetService(change_set_service_pb2_grpc.ChangeSetServiceServicer):
    """Serves change sets."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._proposals = Proposals(backend)

    def PlanChanges(self, request: pb.PlanChangesRequest, context: grpc.ServicerContext) -> pb.PlanChangesResponse:
        """Tells what a set would change."""
        caller, state = current_caller(), Committed.now(self._backend)
        wanted = read_wanted(request.resources, request.source)
        edit = Edit.on(self._backend, state, caller)
        plan = draw_up(edit, request.source, wanted)
        approvers = second_persons(self._backend.policy, caller.name) if plan.is_central else []
        managed = {it.key for it in wanted} | set(plan.applied)
        return pb.PlanChangesResponse(
            changes=plan.changes, etag=plan.etag, revision=state.snapshot.revision,
            needs_second_person=bool(approvers), approvers=approvers,
            impact=impact_of(self._backend, caller, edit.state.writes()),
            unmanaged=unmanaged(self._backend, caller, request.source, managed, most=_MOST_UNMANAGED),
        )  # fmt: skip

    def ApplyChanges(self, request: pb.ApplyChangesRequest, context: grpc.ServicerContext) -> messages.ChangeSet:
        """Writes all of a set, or files it as a proposal."""
        foreseen = self._foresee(request)

        def run(tx: Transaction, caller: Caller) -> Outcome:
            found, writes = self._proposals.apply(tx, caller, request, foreseen)
            kind = "change_set.proposed" if found.state == messages.CHANGE_SET_STATE_PROPOSED else "change_set.applied"
            subject = found.id or request.source or "change_set"
            return Outcome(kind, subject, () if request.validate_only else writes, found.SerializeToString())

        return messages.ChangeSet.FromString(self._backend.submit(request, request.request_id, run).reply)

    def _foresee(self, request: pb.ApplyChangesRequest) -> Foreseen | None:
        """What a set that will be a proposal would do to access: worked out here, as the writer must not wait for it."""
        caller = current_caller()
        if request.validate_only or not second_persons(self._backend.policy, caller.name):
            return None
        edit = Edit.on(self._backend, Committed.now(self._backend), caller)
        plan = draw_up(edit, request.source, read_wanted(request.resources, request.source))
        return Foreseen(plan.etag, impact_of(self._backend, caller, edit.state.writes())) if plan.is_central else None

    def ApproveChanges(self, request: pb.ApproveChangesRequest, context: grpc.ServicerContext) -> messages.ChangeSet:
        """Applies a proposal."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            found, writes = self._proposals.approve(tx, caller, request.id, request.reason)
            return Outcome("change_set.approved", found.id, writes, found.SerializeToString())

        return messages.ChangeSet.FromString(self._backend.submit(request, request.request_id, run).reply)

    def RejectChanges(self, request: pb.RejectChangesRequest, context: grpc.ServicerContext) -> messages.ChangeSet:
        """Rejects a proposal."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            found, writes = self._proposals.reject(tx, caller, request.id, request.reason)
            return Outcome("change_set.rejected", found.id, writes, found.SerializeToString())

        return messages.ChangeSet.FromString(self._backend.submit(request, request.request_id, run).reply)

    def WithdrawChanges(self, request: pb.WithdrawChangesRequest, context: grpc.ServicerContext) -> messages.ChangeSet:
        """Takes one's own proposal back."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            found, write = self._proposals.withdraw(tx, caller, request.id)
            return Outcome("change_set.withdrawn", found.id, (write,), found.SerializeToString())

        return messages.ChangeSet.FromString(self._backend.submit(request, request.request_id, run).reply)

    def GetChanges(self, request: pb.GetChangesRequest, context: grpc.ServicerContext) -> messages.ChangeSet:
        """Returns one set."""
        body = self._backend.catalog.get(kinds.CHANGE_SET, request.id)
        found = messages.ChangeSet.FromString(body or b"")
        if body is None or not self._may_see(current_caller(), found):
            raise denied("see the change set", request.id)
        return found

    def ListChangeSets(self, request: pb.ListChangeSetsRequest, context: grpc.ServicerContext) -> pb.ListChangeSetsResponse:
        """Lists the sets the caller may see, newest first."""
        page, caller = Page.of(request.page_size, request.page_token), current_caller()
        rows = self._backend.catalog.walk(kinds.CHANGE_SET, self._lists(caller, request), after=page.place, is_descending=True)
        every = ((place, messages.ChangeSet.FromString(body)) for place, body in rows)
        fitting = (
            (place, it) for place, it in every
            if request.state in (0, it.state) and request.source in ("", it.source) and self._may_see(caller, it)
        )  # fmt: skip
        found = list(islice(fitting, page.size + 1))
        for _, it in found:
            it.ClearField("resources")
            it.ClearField("impact")
        more = Page.token(found[page.size - 1][0]) if len(found) > page.size else ""
        return pb.ListChangeSetsResponse(change_sets=[it for _, it in found[: page.size]], next_page_token=more)

    def _lists(self, caller: Caller, request: pb.ListChangeSetsRequest) -> list[str]:
        """The lists in which all sets stand that the caller may see and asks for, and as few others as can be."""
        state = "open" if request.state == messages.CHANGE_SET_STATE_PROPOSED else "all"
        if request.source:
            return [f"{state}-of/{request.source}"]
        domains = domains_where(self._backend.policy, caller, "administer")
        if domains is None:
            return [state]
        return [f"{state}-by/{caller.name}", *(f"{state}-of/domain:{domain}" for domain in sorted(domains))]

    def ExportMesh(self, request: pb.ExportMeshRequest, context: grpc.ServicerContext) -> pb.ExportMeshResponse:
        """Returns the mesh as far as the caller administers it."""
        page, caller = Page.of(request.page_size, request.page_token), current_caller()
        authorise_source(Edit.on(self._backend, Committed.now(self._backend), caller), check_source(request.source))
        as_of, kind, name = _export_position(page.after) or (self._backend.catalog.revision(), "", "")
        rest = exported(
            self._backend, caller, source=request.source, as_of=as_of, after=(kind, name), has_derived=request.include_requested
        )
        found = list(islice(rest, page.size + 1))
        last = found[page.size - 1] if len(found) > page.size else None
        more = Page.token(f"{as_of} {last.kind} {last.name}") if last else ""
        resources = [item.desired() for item in found[: page.size]]
        return pb.ExportMeshResponse(resources=resources, next_page_token=more, revision=as_of)

    def _may_see(self, caller: Caller, found: messages.ChangeSet) -> bool:
        domain = domain_of_source(found.source)
        if found.proposer == caller.name and caller.covers("administer", domain or MESH):
            return True
        return self._backend.policy.check(caller, "administer", domain or MESH).allowed


def _export_position(token: str) -> tuple[int, str, str] | None:
    """Revision, kind and name after which an export goes on. Raises: Invalid."""
    if not token:
        return None
    revision, _, rest = token.partition(" ")
    kind, _, name = rest.partition(" ")
    if not (revision.isascii() and revision.isdecimal() and len(revision) < 19 and name):
        raise Invalid("page_token is not one this server gave out: leave it empty to start anew.")
    return int(revision), kind, name
