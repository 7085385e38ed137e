"""Change sets as they are applied, proposed, approved, rejected and withdrawn, inside the journal's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from domainmesh.v1 import change_set_pb2 as messages
from domainmesh.v1 import change_set_service_pb2 as pb
from domainmesh.v1 import impact_pb2, notice_pb2
from governance_server.backend import Backend, stamp, store
from governance_server.caller import Caller
from governance_server.editing.central import is_administrator, second_persons
from governance_server.editing.change_sets import Plan, draw_up, read_wanted
from governance_server.editing.editor import Edit
from governance_server.journal.command import Transaction
from governance_server.notices import News, notices
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, Conflict, Invalid, Precondition
from governance_server.rules.second_person import Person, check_two_persons
from mesh_core.names import MESH

__all__ = ["Foreseen", "Proposals"]

_PROPOSED, _APPLIED = messages.CHANGE_SET_STATE_PROPOSED, messages.CHANGE_SET_STATE_APPLIED
_LONGEST_REASON = 4000
_Decided = tuple[messages.ChangeSet, tuple[ResourceWrite, ...]]


@dataclass(frozen=True)
class Foreseen:
    """What a plan of this etag would do to access."""

    etag: str
    impact: impact_pb2.Impact


class Proposals:
    """Decides about change sets."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def apply(
        self, tx: Transaction, caller: Caller, request: pb.ApplyChangesRequest, foreseen: Foreseen | None = None
    ) -> _Decided:
        """The set and its writes: all of it, or the proposal of it. Raises: Conflict and what planning raises."""
        _check_reason(request.reason)
        wanted = read_wanted(request.resources, request.source)
        edit = Edit.on(self._backend, tx, caller)
        plan = draw_up(edit, request.source, wanted)
        if request.etag and request.etag != plan.etag:
            raise Conflict("The mesh has changed since this was planned, and the plan with it: plan again.")
        found = messages.ChangeSet(
            source=request.source, reason=request.reason, state=_APPLIED, proposer=caller.name, changes=plan.real,
            base_revision=tx.revision - 1, create_time=stamp(tx.time), etag=plan.etag,
            proposer_makers=sorted(caller.token_makers),
        )  # fmt: skip
        if not plan.real:
            return found, _adoption(found, plan)
        found.id = self._id_of(tx, found)
        approvers = second_persons(self._backend.policy, caller.name) if plan.is_central else []
        if approvers:
            found.approvers.extend(approvers)
            if foreseen is not None and foreseen.etag == plan.etag:
                found.impact.CopyFrom(foreseen.impact)
            return self._propose(tx, found, plan)
        return self._finish(edit, found, plan)

    def approve(self, tx: Transaction, approver: Caller, id: str, reason: str) -> _Decided:
        """The set, applied in its proposer's name, and its writes. Raises: AccessDenied, Conflict, Precondition."""
        found = self._to_decide(tx, approver, id, "approve")
        second, first = Person(approver.name, approver.token_makers), Person.of(found.proposer, found.proposer_makers)
        check_two_persons(second, first, did="proposed this", resource=id, is_strict=True)
        _check_reason(reason)
        proposer = self._backend.policy.caller_of(found.proposer)
        if proposer is None or self._backend.policy.facts().principals[found.proposer].is_disabled:
            raise Precondition(f"{found.proposer}, who proposed {id}, is disabled: reject it.", resource=id)
        edit = Edit.on(self._backend, tx, replace(proposer, token_makers=first.makers))
        plan = draw_up(edit, found.source, read_wanted(found.resources, found.source))
        if plan.etag != found.etag:
            raise Conflict(
                f"What {id} changes has changed since it was proposed ({', '.join(_moved(found.changes, plan.real))}): "
                "reject it, and let it be proposed anew.",
                resource=id,
            )
        _decide(found, tx, approver, reason)
        found.state = _APPLIED
        del found.changes[:]
        found.changes.extend(plan.real)
        done, writes = self._finish(edit, found, plan)
        return done, (*writes, *_told(tx, found))

    def reject(self, tx: Transaction, approver: Caller, id: str, reason: str) -> _Decided:
        """The set, rejected. Raises: AccessDenied, Precondition."""
        found = self._to_decide(tx, approver, id, "reject")
        _check_reason(reason)
        _decide(found, tx, approver, reason)
        found.state = messages.CHANGE_SET_STATE_REJECTED
        return found, (store(kinds.CHANGE_SET, id, found), *_told(tx, found))

    def withdraw(self, tx: Transaction, caller: Caller, id: str) -> tuple[messages.ChangeSet, ResourceWrite]:
        """The set, taken back by who proposed it. Raises: AccessDenied, Precondition."""
        found = _stored(tx, id)
        if found is None or found.proposer != caller.name or not caller.covers("administer", MESH):  # proposals are central
            raise denied("withdraw the change set", id)
        _check_open(found)
        found.state = messages.CHANGE_SET_STATE_WITHDRAWN
        found.decide_time.CopyFrom(stamp(tx.time))
        return found, store(kinds.CHANGE_SET, id, found)

    def _propose(self, tx: Transaction, found: messages.ChangeSet, plan: Plan) -> _Decided:
        waiting = _stored(tx, found.id)
        if waiting is not None:  # the very same proposal
            return waiting, ()
        found.state = _PROPOSED
        found.resources.extend(_all_resources(plan))
        count = len(found.changes)
        noun = "change" if count == 1 else "changes"
        text = f"{found.proposer} proposes {count} {noun} as {found.id}: see mesh changes {found.id}, and decide."
        news = News(notice_pb2.NOTICE_KIND_CHANGES_PROPOSED, MESH, found.id, text)
        return found, (store(kinds.CHANGE_SET, found.id, found), *notices(tx, news, found.approvers))

    def _finish(self, edit: Edit, found: messages.ChangeSet, plan: Plan) -> _Decided:
        """The writes of the set, of its record and of what its source holds now."""
        changed = {(change.kind, change.name) for change in plan.real}
        del found.resources[:]
        found.resources.extend(_all_resources(plan, only=changed))
        return found, (*edit.state.writes(), store(kinds.CHANGE_SET, found.id, found), *_adoption(found, plan))

    def _id_of(self, tx: Transaction, found: messages.ChangeSet) -> str:
        """An id that the same proposal gets again as long as it waits, whatever reason is given."""
        attempt = 0
        while True:
            text = f"{found.etag} {found.proposer} {attempt}"
            id = f"c-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
            earlier = _stored(tx, id)
            if earlier is None or earlier.state == _PROPOSED:
                return id
            attempt += 1

    def _to_decide(self, tx: Transaction, caller: Caller, id: str, verb: str) -> messages.ChangeSet:
        """The open proposal, if the caller may decide it. Raises: AccessDenied, Precondition."""
        found = _stored(tx, id)
        if not self._backend.policy.check(caller, "administer", MESH).allowed or found is None:
            raise denied(f"{verb} the change set", id)
        if found.proposer == caller.name:
            raise AccessDenied(f"Nobody decides its own proposal: another administrator must {verb} {id}.", resource=id)
        if not is_administrator(self._backend.policy, caller.name):  # disabled since the call began
            raise denied(f"{verb} the change set", id)
        _check_open(found)
        return found


def _told(tx: Transaction, found: messages.ChangeSet) -> Iterable[ResourceWrite]:
    """The proposer is told what was decided."""
    word = "approved" if found.state == _APPLIED else "rejected"
    text = f"{found.approver} {word} your change set {found.id}" + (
        f": {found.decision_reason}" if found.decision_reason else "."
    )
    return notices(tx, News(notice_pb2.NOTICE_KIND_CHANGES_DECIDED, MESH, found.id, text), [found.proposer])


def _stored(tx: Transaction, id: str) -> messages.ChangeSet | None:
    body = tx.get(kinds.CHANGE_SET, id)
    return None if body is None else messages.ChangeSet.FromString(body)


def _check_open(found: messages.ChangeSet) -> None:
    if found.state != _PROPOSED:
        state = messages.ChangeSetState.Name(found.state).removeprefix("CHANGE_SET_STATE_").lower()
        raise Precondition(f"Change set {found.id} is {state} already: only a proposal can be decided.", resource=found.id)


def _check_reason(reason: str) -> None:
    if len(reason) > _LONGEST_REASON:
        raise Invalid(f"The reason has {len(reason)} characters: say it in {_LONGEST_REASON}.")


def _decide(found: messages.ChangeSet, tx: Transaction, approver: Caller, reason: str) -> None:
    found.approver, found.decision_reason = approver.name, reason
    found.decide_time.CopyFrom(stamp(tx.time))


def _moved(before: Iterable[messages.PlannedChange], after: Iterable[messages.PlannedChange]) -> list[str]:
    """The names of what is planned otherwise than before."""
    plans = [{f"{it.kind} {it.name}": it.SerializeToString(deterministic=True) for it in side} for side in (before, after)]
    names = [name for name in sorted({*plans[0], *plans[1]}) if plans[0].get(name) != plans[1].get(name)]
    return names[:5] or ["the same fields, by somebody else"]


def _all_resources(plan: Plan, *, only: set[tuple[str, str]] | None = None) -> list[messages.DesiredResource]:
    """The resources as they were desired; of these only, if given."""
    return [it.desired() for it in plan.wanted if only is None or it.key in only]


def _adoption(found: messages.ChangeSet, plan: Plan) -> tuple[ResourceWrite, ...]:
    """What the source holds from now on; nothing if that is what it held."""
    if not found.source or not plan.is_adopting:
        return ()
    applied = messages.AppliedSource(source=found.source, change_set=found.id)
    applied.resources.extend(it.desired() for it in plan.wanted if it.content is not None)
    return (store(kinds.APPLIED_SOURCE, found.source, applied),)
