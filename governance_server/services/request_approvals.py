"""Approving an access request: one approval is recorded, and the last that is needed becomes the grant, in the same change.

Used by people's approvals and by approval rules alike: a rule is its author's approval, given in advance (ADR 0010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from domainmesh.v1 import access_request_pb2 as messages
from domainmesh.v1 import grant_pb2, notice_pb2
from governance_server.backend import Backend, stamp, store
from governance_server.caller import Caller
from governance_server.editing.grants import prepare_grant
from governance_server.granting import rest_grant
from governance_server.journal.command import Transaction
from governance_server.notices import News, notices
from governance_server.rules import kinds
from governance_server.rules.access_requests import note
from governance_server.rules.access_terms import asked_terms, check_within, given_terms, is_less, strictest, terms_of_grant
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.approvers import GRANT_HOLDERS, Level, adds
from governance_server.rules.errors import AccessDenied, Precondition
from governance_server.rules.second_person import Person, check_two_persons
from governance_server.services.request_views import RequestView, beneficiary

__all__ = ["Approval", "approve", "tell_requester", "trial_grant"]

_READ_ACTIONS = ("discover", "read")


@dataclass(frozen=True, slots=True)
class Approval:
    """What somebody approves: at most these terms. `rule` names the approval rule that stands for its author."""

    by: Caller
    terms: messages.AccessTerms
    reason: str = ""
    rule: str = ""
    grant_id: str = ""


def trial_grant(backend: Backend, tx: Transaction, asked: messages.AccessRequest, terms: messages.AccessTerms) -> grant_pb2.Grant:
    """The grant that the request would become under these terms, checked in every part. Raises: Invalid, InvalidFilter."""
    grant = grant_pb2.Grant(
        id="g-unborn", subject=beneficiary(asked), resource=asked.resource, actions=_READ_ACTIONS,
        effect=grant_pb2.EFFECT_ALLOW, purpose=asked.purpose, columns=terms.columns, row_filter=terms.row_filter,
        masks=terms.masks, reason=asked.reason,
    )  # fmt: skip
    for field in ("start_time", "expire_time"):
        if terms.HasField(field):
            getattr(grant, field).CopyFrom(getattr(terms, field))
    prepare_grant(backend, tx, grant)
    return grant


def approve(
    backend: Backend, tx: Transaction, view: RequestView, asked: messages.AccessRequest, approval: Approval
) -> list[ResourceWrite]:
    """The writes of one approval, the request's own excepted, which is changed. Raises: AccessDenied, Precondition, Invalid."""
    level = _level_for(view, asked, approval)
    _check_second_person(view, asked, approval.by)
    check_within(asked, approval.terms)
    trial_grant(backend, tx, asked, approval.terms)  # its own text must be understood by itself, before it joins others
    if not _is_named(view, asked, level, approval.by.name):
        rest_grant(backend, tx, approval.by, trial_grant(backend, tx, asked, strictest([asked_terms(asked), approval.terms])))
    _record(tx, asked, approval, level)
    event = messages.AccessRequestEvent(
        time=stamp(tx.time), principal=approval.by.name, level=level.number, reason=approval.reason, approval_rule=approval.rule
    )
    found = view.progress(asked)
    if found.waiting is not None:
        note(asked, messages.ACCESS_REQUEST_STEP_LEVEL_APPROVED, event)
        return []
    note(asked, messages.ACCESS_REQUEST_STEP_APPROVED, event)
    counting = [it for it in asked.approvals if it.level <= len(found.counted) and it.approver in found.counted[it.level - 1]]
    return _make_grant(backend, tx, view, asked, (approval, counting))


def _level_for(view: RequestView, asked: messages.AccessRequest, approval: Approval) -> Level:
    """The level this approval fills. Raises: AccessDenied."""
    person, may_fill = approval.by.name, view.may_fill(asked)
    levels, found = view.levels(asked.resource), view.progress(asked)
    level = found.waiting or levels[-1]
    if any(person in people for people in found.counted[: level.number - 1]):
        raise AccessDenied(f"Nobody approves on two levels: level {level.number} is for {_named(level)}.", resource=asked.id)
    if not any(may_fill(person, entry) for entry in level.approvers):
        raise AccessDenied(f"Level {level.number} of {len(levels)} is for {_named(level)}.", resource=asked.id)
    here = found.counted[level.number - 1]
    if found.waiting is not None and person not in here and not adds(level, here, person, may_fill):
        raise AccessDenied(f"Your part of level {level.number} is filled: it waits for {_named(level)}.", resource=asked.id)
    return level


def _check_second_person(view: RequestView, asked: messages.AccessRequest, approver: Caller) -> None:
    """Returns if the approver is neither who asks nor another whose approval counts. Raises: AccessDenied."""
    second = Person(approver.name, approver.token_makers)
    check_two_persons(second, Person.of(asked.requester, asked.requester_makers), did="asked for this", resource=asked.id)
    people = view.progress(asked).people - {approver.name}
    for earlier in asked.approvals:
        if earlier.approver in people:
            first = Person.of(earlier.approver, earlier.approver_makers)
            check_two_persons(second, first, did="approved this before", resource=asked.id)


def _is_named(view: RequestView, asked: messages.AccessRequest, level: Level, person: str) -> bool:
    """True if the contract names the person, so that it gives what the domain holds; else it gives what it holds itself."""
    may_fill = view.may_fill(asked)
    return any(may_fill(person, name) for name in level.approvers if name != GRANT_HOLDERS)


def _named(level: Level) -> str:
    words = ("whoever may grant here" if name == GRANT_HOLDERS else name for name in level.approvers)
    return (" and " if level.needs_all else " or ").join(words)


def _record(tx: Transaction, asked: messages.AccessRequest, approval: Approval, level: Level) -> None:
    """The approval is on its level, in the place of an earlier one of the same person."""
    kept = [it for it in asked.approvals if (it.level, it.approver) != (level.number, approval.by.name)]
    del asked.approvals[:]
    asked.approvals.extend(kept)
    asked.approvals.add(
        level=level.number, approver=approval.by.name, approval_rule=approval.rule, terms=approval.terms, reason=approval.reason,
        approve_time=stamp(tx.time), approver_makers=sorted(approval.by.token_makers),
    )  # fmt: skip


def _make_grant(
    backend: Backend,
    tx: Transaction,
    view: RequestView,
    asked: messages.AccessRequest,
    approvals: tuple[Approval, Sequence[messages.AccessApproval]],
) -> list[ResourceWrite]:
    """The grant of the last approval, no wider than any other that counts."""
    last, counting = approvals
    terms = [asked_terms(asked), *(approval.terms for approval in counting)]
    renewed = _renewed(tx, asked)
    if renewed is not None:
        terms.append(terms_of_grant(renewed))
        if renewed.expire_time.ToDatetime(tzinfo=UTC) > tx.time:
            terms.append(messages.AccessTerms(start_time=renewed.expire_time))  # where the old one ends, so no gap and no overlap
    grant = trial_grant(backend, tx, asked, strictest(terms))
    grant.id, grant.grantor = last.grant_id, last.by.name
    for approval in counting:
        level = view.levels(asked.resource)[approval.level - 1]
        person = last.by if approval.approver == last.by.name else backend.policy.caller_of(approval.approver)
        if person is not None and not _is_named(view, asked, level, person.name):
            grant.grantor = person.name
            rest_grant(backend, tx, person, grant)  # it gives by a right of its own, which the grant rests on
    grant.access_request, grant.approval_rule = asked.id, last.rule
    asked.state = messages.ACCESS_REQUEST_STATE_APPROVED
    asked.grants.append(grant.id)
    asked.given.CopyFrom(given_terms(grant))
    asked.decider, asked.decision_reason = last.by.name, last.reason
    asked.decide_time.CopyFrom(stamp(tx.time))
    writes = [store(kinds.GRANT, grant.id, grant), *tell_requester(tx, asked)]
    return writes if renewed is None else [*writes, *_link(tx, renewed, grant, asked)]


def _renewed(tx: Transaction, asked: messages.AccessRequest) -> grant_pb2.Grant | None:
    """The grant that the request renews, None if it renews none. Raises: Precondition if it cannot be renewed any more."""
    if not asked.renews:
        return None
    grant = grant_pb2.Grant.FromString(tx.get(kinds.GRANT, asked.renews) or b"")
    if not grant.id or grant.revoke_time.seconds:
        raise Precondition(f"Grant {asked.renews} was revoked: what is gone is not renewed. Deny the request.", resource=asked.id)
    if grant.renewed_by:
        raise Precondition(f"Grant {grant.id} is renewed already by {grant.renewed_by}: deny the request.", resource=asked.id)
    return grant


def _link(
    tx: Transaction, renewed: grant_pb2.Grant, grant: grant_pb2.Grant, asked: messages.AccessRequest
) -> list[ResourceWrite]:
    """The renewed grant, and the request it came from, name what goes on after them."""
    renewed.renewed_by = grant.id
    writes = [store(kinds.GRANT, renewed.id, renewed)]
    body = tx.get(kinds.ACCESS_REQUEST, renewed.access_request) if renewed.access_request else None
    if body is not None:
        earlier = messages.AccessRequest.FromString(body)
        earlier.renewed_by = asked.id
        event = messages.AccessRequestEvent(time=stamp(tx.time), principal=asked.decider)
        note(earlier, messages.ACCESS_REQUEST_STEP_RENEWED, event)
        writes.append(store(kinds.ACCESS_REQUEST, earlier.id, earlier))
    return writes


def tell_requester(tx: Transaction, asked: messages.AccessRequest) -> list[ResourceWrite]:
    """The notice that the request was decided."""
    if asked.state == messages.ACCESS_REQUEST_STATE_DENIED:
        text = f"{asked.decider} denied your request for {asked.resource}"
    elif is_less(asked, asked.given):
        text = (
            f"{asked.decider} approved your request for {asked.resource}, for less than you asked: look at it with "
            f"`mesh requests {asked.id}`. Keep it, give it back with `mesh withdraw {asked.id}`, or ask again"
        )
    else:
        text = f"{asked.decider} approved your request for {asked.resource}"
    reason = f": {asked.decision_reason}" if asked.decision_reason else "."
    news = News(notice_pb2.NOTICE_KIND_REQUEST_DECIDED, asked.resource, asked.id, text + reason)
    return list(notices(tx, news, [asked.requester]))
