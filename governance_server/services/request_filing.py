"""Filing an access request, or one that renews a grant; approval rules that fit approve it in the very same change."""

from __future__ import annotations

from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from domainmesh.v1 import access_request_pb2 as messages
from domainmesh.v1 import access_request_service_pb2 as pb
from domainmesh.v1 import grant_pb2
from governance_server.backend import Backend, stamp, store
from governance_server.caller import Caller
from governance_server.journal.command import Outcome, Transaction
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.access_requests import note
from governance_server.rules.access_terms import asked_terms
from governance_server.rules.errors import Invalid, Precondition
from governance_server.rules.grants import check_resource
from governance_server.rules.policy_facts import policy_time
from governance_server.rules.policy_rows import FOREVER, domain_of
from governance_server.rules.refusals import unknown_purpose
from governance_server.services.request_approvals import trial_grant
from governance_server.services.request_rules import approve_by_rules
from governance_server.services.request_views import RequestView

__all__ = ["file_renewal", "file_request"]

_LONGEST_REASON = 4000
_READING = frozenset({"discover", "read"})


def file_request(backend: Backend, tx: Transaction, caller: Caller, wanted: messages.AccessRequest) -> Outcome:
    """The request is filed, or approved by a rule. Raises: AccessDenied, Invalid, InvalidFilter."""
    if len(wanted.reason) > _LONGEST_REASON:
        raise Invalid(f"The reason has {len(wanted.reason)} characters: say it in {_LONGEST_REASON}.")
    backend.policy.authorise(caller, "request", check_resource(wanted.resource))
    if backend.policy.product_of(wanted.resource) is None:
        raise denied("request", wanted.resource)
    if wanted.columns or wanted.row_filter or wanted.masks:  # whether they can be used tells of the columns there are
        backend.policy.authorise(caller, "discover", wanted.resource)
    if wanted.purpose and tx.get(kinds.PURPOSE, wanted.purpose) is None:
        raise unknown_purpose(wanted.purpose, (name for name, _ in tx.list(kinds.PURPOSE)), resource=wanted.resource)
    filed = messages.AccessRequest(
        requester=caller.name, subject=_subject(backend, caller, wanted), resource=wanted.resource, purpose=wanted.purpose,
        columns=wanted.columns, row_filter=wanted.row_filter, masks=wanted.masks, reason=wanted.reason,
    )  # fmt: skip
    if wanted.HasField("expire_time"):
        filed.expire_time.CopyFrom(wanted.expire_time)
    return _file(backend, tx, caller, filed)


def _subject(backend: Backend, caller: Caller, wanted: messages.AccessRequest) -> str:
    """Who is to get the grant, empty for the caller. Raises: AccessDenied if it is not a group of the caller's."""
    if wanted.subject in ("", caller.name):
        return ""
    is_group = wanted.subject.startswith(("group:", "domain:"))
    if not is_group or wanted.subject not in backend.policy.names_of(caller.name, domain_of(wanted.resource)):
        raise Invalid(
            f"A request is for yourself or for a group you belong to: {wanted.subject} is none.", resource=wanted.resource
        )
    return wanted.subject


def file_renewal(backend: Backend, tx: Transaction, caller: Caller, request: pb.RenewAccessRequest) -> Outcome:
    """A request for a longer end of a grant of the caller's is filed. Raises: AccessDenied, Precondition, Invalid."""
    if len(request.reason) > _LONGEST_REASON:
        raise Invalid(f"The reason has {len(request.reason)} characters: say it in {_LONGEST_REASON}.")
    grant = _own_grant(backend, tx, caller, request.id)
    backend.policy.authorise(caller, "request", grant.resource)
    _check_renewable(grant, request.expire_time, now=tx)
    filed = messages.AccessRequest(
        requester=caller.name, subject="" if grant.subject == caller.name else grant.subject, resource=grant.resource,
        purpose="" if grant.purpose == "*" else grant.purpose, columns=grant.columns, row_filter=grant.row_filter,
        masks=grant.masks, reason=request.reason or grant.reason, renews=grant.id, expire_time=request.expire_time,
    )  # fmt: skip
    return _file(backend, tx, caller, filed)


def _own_grant(backend: Backend, tx: Transaction, caller: Caller, name: str) -> grant_pb2.Grant:
    """The grant of that id, or the one the request of that id became, if it is the caller's. Raises: AccessDenied."""
    asked = messages.AccessRequest.FromString(tx.get(kinds.ACCESS_REQUEST, name) or b"")
    grant = grant_pb2.Grant.FromString(tx.get(kinds.GRANT, asked.grants[-1] if asked.grants else name) or b"")
    if grant.id and not asked.id and grant.renewed_by:  # what goes on after it is what can be renewed
        grant = grant_pb2.Grant.FromString(tx.get(kinds.GRANT, grant.renewed_by) or b"")
    is_own = grant.subject == caller.name or (
        grant.subject.startswith(("group:", "domain:"))
        and grant.subject in backend.policy.names_of(caller.name, domain_of(grant.resource))
    )
    if not grant.id or not is_own:
        raise denied("renew the access", name)
    return grant


def _check_renewable(grant: grant_pb2.Grant, until: Timestamp, *, now: Transaction) -> None:
    moment = now.time.strftime("%Y-%m-%dT%H:%M:%SZ")
    if grant.effect != grant_pb2.EFFECT_ALLOW or set(grant.actions) - _READING:
        raise Precondition(f"Grant {grant.id} is more than reading: ask {grant.grantor} to give it anew.", resource=grant.id)
    if grant.revoke_time.seconds or policy_time(grant.expire_time, default=FOREVER) <= moment:
        raise Precondition(f"Grant {grant.id} has ended: ask anew with `mesh request {grant.resource}`.", resource=grant.id)
    if grant.renewed_by:
        raise Precondition(f"Grant {grant.id} is renewed already, by {grant.renewed_by}: renew that one.", resource=grant.id)
    if not grant.HasField("expire_time"):
        raise Precondition(f"Grant {grant.id} has no end: there is nothing to renew.", resource=grant.id)
    ends = grant.expire_time.ToDatetime(tzinfo=UTC)
    try:
        is_later = until.ToDatetime(tzinfo=UTC) > ends
    except (ValueError, OverflowError):
        is_later = False
    if not is_later:
        raise Invalid(f"Grant {grant.id} ends at {ends:%Y-%m-%d %H:%M} UTC: ask for a later end.", resource=grant.id)


def _file(backend: Backend, tx: Transaction, caller: Caller, filed: messages.AccessRequest) -> Outcome:
    """The request has an id that sorts by the order of filing, and is understood: refused now, not at approval."""
    filed.id = f"r-{tx.revision:010x}{backend.new_id()[:6]}"
    filed.state = messages.ACCESS_REQUEST_STATE_REQUESTED
    filed.requester_makers.extend(sorted(caller.token_makers))
    filed.create_time.CopyFrom(stamp(tx.time))
    trial_grant(backend, tx, filed, asked_terms(filed))
    view = RequestView(backend, tx, caller)
    view.levels(filed.resource)
    event = messages.AccessRequestEvent(time=stamp(tx.time), principal=caller.name, reason=filed.reason)
    note(filed, messages.ACCESS_REQUEST_STEP_FILED, event)
    decided, writes = approve_by_rules(backend, tx, view, filed)
    kind = "access_request.approved" if decided.grants else "access_request.created"
    return Outcome(kind, decided.id, (store(kinds.ACCESS_REQUEST, decided.id, decided), *writes), decided.SerializeToString())
