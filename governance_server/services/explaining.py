"""Explanations made whole: each column and its rules, what would change the answer, who can approve, and how to ask."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from domainmesh.v1 import access_request_pb2, grant_pb2
from domainmesh.v1 import decision_service_pb2 as pb
from governance_server.backend import Backend
from governance_server.caller import Caller, current_caller
from governance_server.policy.audience import Audience
from governance_server.policy.projection import PolicyProjection
from governance_server.policy.ways import Way, WayKind, column_reasons, ways_of
from governance_server.rules import kinds
from governance_server.rules.approvers import GRANT_HOLDERS
from governance_server.rules.errors import Invalid
from governance_server.rules.policy_rows import Link, domain_of
from governance_server.rules.read_plans import Denied, ReadPlan
from governance_server.rules.sights import NOTHING, Shown, sight_of
from governance_server.services.request_views import RequestView
from governance_server.services.sights import SHOWN
from mesh_core.names import column_object

__all__ = ["complete_action", "complete_read"]

_KINDS: Mapping[WayKind, pb.WayKind.ValueType] = {
    WayKind.STATE_PURPOSE: pb.WAY_KIND_STATE_PURPOSE,
    WayKind.ASSIGN_PURPOSE: pb.WAY_KIND_ASSIGN_PURPOSE,
    WayKind.WAIT: pb.WAY_KIND_WAIT,
    WayKind.RENEW: pb.WAY_KIND_RENEW,
    WayKind.END_DENIAL: pb.WAY_KIND_END_DENIAL,
    WayKind.EXEMPTION: pb.WAY_KIND_EXEMPTION,
}


def complete_read(
    response: pb.ExplainResponse,
    backend: Backend,
    policy: PolicyProjection,
    subject: Caller,
    *,
    request: pb.ExplainRequest,
    outcome: ReadPlan | Denied | None,
    may_grant: bool,
) -> None:
    """The response says of every column why, and what would change it; `outcome` is None if the purpose is not held."""
    audience = Audience(policy)
    audience.adopt(subject)
    port, purpose = request.port, request.purpose
    response.columns.extend(_columns(policy, subject, port, purpose, outcome))
    for way in ways_of(audience, subject.name, port, purpose):
        response.ways.append(_way(backend, policy, way, may_grant=may_grant))
    response.approvers.extend(_approvers(backend, policy, port))
    hidden = [column.name for column in response.columns if column.shown == SHOWN[Shown.HIDDEN]]
    if hidden and policy.check(subject, "request", port).allowed:
        response.request_command = _request_command(port, purpose, hidden if response.is_allowed else [])
        response.ways.add(kind=pb.WAY_KIND_ASK, words=f"Ask for it: {response.request_command}", columns=hidden)


def complete_action(
    response: pb.ExplainResponse, backend: Backend, policy: PolicyProjection, subject: Caller, *, request: pb.ExplainRequest,
    may_grant: bool,
) -> None:  # fmt: skip
    """The response says what stands in the way of an action other than reading, and who can give it."""
    decision = policy.check(subject, request.action, request.port, request.purpose)
    response.is_allowed = decision.allowed
    response.reasons.extend([f"{rule.rid}: {rule.value}" for rule in decision.rules] or ["no rule matches"])
    if decision.allowed:
        return
    for rule in decision.rules:
        words = f"{rule.rid} denies it: whoever may grant can end it."
        response.ways.append(_way(backend, policy, Way(WayKind.END_DENIAL, words, rule.rid), may_grant=may_grant))
    owners = _owners(policy, request.port)
    command = f"mesh grant {subject.name} {request.port} --actions {request.action}"
    words = f"Ask {', '.join(owners) or 'the governance team'} for a grant: `{command}`."
    response.ways.add(kind=pb.WAY_KIND_ASK, words=words)
    response.next_step = words
    response.approvers.add(level=1, approvers=owners)


def _columns(
    policy: PolicyProjection, subject: Caller, port: str, purpose: str, outcome: ReadPlan | Denied | None
) -> Iterator[pb.ExplainedColumn]:
    found = policy.find_port(port)
    names = [column.name for column in found.columns] if found else []
    sight = NOTHING if outcome is None else sight_of(outcome)
    matches = policy.matches(subject.name, "read", [column_object(port, name) for name in names], purpose)
    for name, match in zip(names, matches, strict=True):
        seen = sight.shows(name)
        reasons = ["the purpose is not held"] if outcome is None else column_reasons(match)
        shown = seen.shown if seen else Shown.HIDDEN
        yield pb.ExplainedColumn(name=name, shown=SHOWN[shown], mask=(seen.mask if seen else None) or "", reasons=reasons)


def _way(backend: Backend, policy: PolicyProjection, way: Way, *, may_grant: bool) -> pb.WayOut:
    """The way; who set a denial only for who may grant there, who is exempt from a guardrail for everybody."""
    actor, words = "", way.words
    if way.kind is WayKind.END_DENIAL and may_grant:
        body = backend.catalog.get(kinds.GRANT, way.rule, as_of=policy.revision)
        actor = grant_pb2.Grant.FromString(body).grantor if body is not None else ""
    if way.kind is WayKind.EXEMPTION:
        body = backend.catalog.get(kinds.GUARDRAIL, way.rule, as_of=policy.revision)
        exempt = grant_pb2.Guardrail.FromString(body).exempt if body is not None else ()
        words += f" Exempt are: {', '.join(exempt)}." if exempt else " Nobody is exempt."
    return pb.WayOut(kind=_KINDS[way.kind], words=words, rule=way.rule, purpose=way.purpose, columns=way.columns, actor=actor)


def _approvers(backend: Backend, policy: PolicyProjection, port: str) -> Iterator[access_request_pb2.ApproverLevel]:
    """Who must approve a request on the port; whoever may grant is named as the owners of its domain."""
    try:
        levels = RequestView(backend, backend.catalog, current_caller()).levels(port)
    except Invalid:
        return
    for level in levels:
        names = [name for entry in level.approvers for name in (_owners(policy, port) if entry == GRANT_HOLDERS else [entry])]
        yield access_request_pb2.ApproverLevel(level=level.number, approvers=dict.fromkeys(names), needs_all=level.needs_all)


def _owners(policy: PolicyProjection, resource: str) -> list[str]:
    domain = domain_of(resource)
    rows = policy.facts().rows.get((kinds.DOMAIN, domain), ())
    return sorted(row.child for row in rows if isinstance(row, Link) and row.parent == f"role:owner-of-{domain}")


def _request_command(port: str, purpose: str, columns: Sequence[str]) -> str:
    words = ["mesh", "request", port]
    if purpose:
        words += ["--purpose", purpose]
    if columns:
        words += ["--columns", ",".join(columns)]
    return shlex.join(words) + " --reason …"
