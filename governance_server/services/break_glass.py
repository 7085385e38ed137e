"""BreakGlassService: access that somebody opens for itself in an emergency, told to everybody who answers for the data.

A use is a grant like any other, with an end; it lifts a missing grant and nothing else: denials and guardrails stay above it.
"""

from __future__ import annotations

import logging
from datetime import UTC, timedelta
from itertools import islice

import grpc

from domainmesh.v1 import break_glass_pb2, break_glass_service_pb2_grpc, grant_pb2, notice_pb2
from domainmesh.v1 import break_glass_service_pb2 as pb
from governance_server.backend import Backend, Page, Reader, stamp, store
from governance_server.caller import Caller, current_caller
from governance_server.editing.ending import end_grant, with_consequences
from governance_server.journal.command import Outcome, Transaction
from governance_server.notices import News, notices
from governance_server.policy.names import domains_where
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, Invalid
from governance_server.rules.policy_facts import ADMINISTRATOR, BREAK_GLASS_ROLE
from governance_server.rules.policy_rows import ANY, domain_of
from governance_server.rules.refusals import denied, out_of_scope, unconfirmed
from governance_server.rules.second_person import Person, check_two_persons
from mesh_core.names import parse_port

__all__ = ["BreakGlassService", "answerable", "is_open_now", "lists_of_uses"]

_LOG = logging.getLogger(__name__)
_DEFAULT_MINUTES, _MOST_MINUTES = 30, 240
_LONGEST_REASON = 4000


class BreakGlassService(break_glass_service_pb2_grpc.BreakGlassServiceServicer):
    """Serves emergency access."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def OpenBreakGlass(self, request: pb.OpenBreakGlassRequest, context: grpc.ServicerContext) -> break_glass_pb2.BreakGlass:
        """Opens one port for the caller, for a while. The owners of its domain and the administrators are told."""
        use_id, grant_id = f"b-{self._backend.new_id()}", f"g-{self._backend.new_id()}"

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._check_opening(caller, request)
            end = stamp(tx.time, plus=timedelta(minutes=request.minutes or _DEFAULT_MINUTES))
            use = break_glass_pb2.BreakGlass(
                id=use_id, principal=caller.name, resource=request.resource, reason=request.reason, grant=grant_id,
                create_time=stamp(tx.time), expire_time=end, is_open=True,
                principal_makers=sorted(caller.token_makers),
            )  # fmt: skip
            grant = grant_pb2.Grant(
                id=grant_id, subject=caller.name, resource=request.resource, actions=["discover", "read"],
                effect=grant_pb2.EFFECT_ALLOW, expire_time=end, reason=request.reason, grantor=caller.name,
                create_time=stamp(tx.time), basis=[BREAK_GLASS_ROLE], break_glass=use_id,
            )  # fmt: skip
            writes = (store(kinds.GRANT, grant_id, grant), _kept(use), *notices(tx, _news(use), answerable(use)))
            return Outcome("break_glass.opened", use.resource, writes, use.SerializeToString())

        receipt = self._backend.submit(request, request.request_id, run)
        use = break_glass_pb2.BreakGlass.FromString(receipt.reply)
        if not receipt.replayed:
            _LOG.warning(
                "break_glass.opened id=%s principal=%s resource=%s until=%s",
                use.id, use.principal, use.resource, use.expire_time.ToJsonString(),
            )  # fmt: skip
        return use

    def _check_opening(self, caller: Caller, request: pb.OpenBreakGlassRequest) -> None:
        """Returns if the caller may open the port. Raises: AccessDenied, Invalid, InvalidName."""
        policy = self._backend.policy
        if BREAK_GLASS_ROLE not in policy.names_of(caller.name, ANY):
            raise AccessDenied(
                f"Only holders of {BREAK_GLASS_ROLE} open access for themselves: ask for access with `mesh request`, or the "
                "governance team for the role.",
                resource=request.resource,
            )
        if caller.is_unconfirmed:
            raise unconfirmed("open", request.resource, token=caller.token)
        if not caller.covers("read", request.resource) or (caller.scope is not None and caller.scope.purposes):
            raise out_of_scope("read", request.resource)
        if not request.reason.strip() or len(request.reason) > _LONGEST_REASON:
            raise Invalid(f"Say why, in at most {_LONGEST_REASON} characters: it is what others see.", resource=request.resource)
        if request.minutes > _MOST_MINUTES:
            raise Invalid(f"minutes is {request.minutes}: use 1 to {_MOST_MINUTES}, and open it again if need be.")
        parse_port(request.resource)
        if policy.find_port(request.resource) is None:
            raise denied("open", request.resource)

    def ListBreakGlass(self, request: pb.ListBreakGlassRequest, context: grpc.ServicerContext) -> pb.ListBreakGlassResponse:
        """Lists the caller's own uses and those on what it may grant on, newest first."""
        page = Page.of(request.page_size, request.page_token)
        caller = current_caller()
        lists = lists_of_uses(self._backend, caller, "open" if request.only_unacknowledged else "all")
        rows = self._backend.catalog.walk(kinds.BREAK_GLASS, lists, after=page.place, is_descending=True)
        uses = ((place, break_glass_pb2.BreakGlass.FromString(body)) for place, body in rows)
        found = list(islice(((place, use) for place, use in uses if self._may_see(caller, use)), page.size + 1))
        more = Page.token(found[page.size - 1][0]) if len(found) > page.size else ""
        return pb.ListBreakGlassResponse(uses=[self._shown(use) for _, use in found[: page.size]], next_page_token=more)

    def AcknowledgeBreakGlass(
        self, request: pb.AcknowledgeBreakGlassRequest, context: grpc.ServicerContext
    ) -> break_glass_pb2.BreakGlass:
        """Takes note of a use."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            use = self._use(tx, caller, request.id)
            self._backend.policy.authorise(caller, "grant", use.resource)
            if use.principal == caller.name:
                raise AccessDenied("Nobody acknowledges its own use: an owner or administrator must.", resource=use.id)
            first, second = Person.of(use.principal, use.principal_makers), Person(caller.name, caller.token_makers)
            check_two_persons(second, first, did="opened this", resource=use.id)
            if len(request.acknowledgement) > _LONGEST_REASON:
                raise Invalid(f"Say it in at most {_LONGEST_REASON} characters.", resource=use.id)
            if not use.acknowledger:
                use.acknowledger, use.acknowledgement = caller.name, request.acknowledgement
                use.acknowledge_time.CopyFrom(stamp(tx.time))
            return Outcome("break_glass.acknowledged", use.resource, (_kept(use),), use.SerializeToString())

        receipt = self._backend.submit(request, request.request_id, run)
        return self._shown(break_glass_pb2.BreakGlass.FromString(receipt.reply))

    def EndBreakGlass(self, request: pb.EndBreakGlassRequest, context: grpc.ServicerContext) -> break_glass_pb2.BreakGlass:
        """Ends a use at once."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            use = self._use(tx, caller, request.id)
            if use.principal != caller.name:
                self._backend.policy.authorise(caller, "grant", use.resource)
            grant = grant_pb2.Grant.FromString(tx.get(kinds.GRANT, use.grant) or b"")
            is_over = bool(grant.revoke_time.seconds)
            ended = () if is_over else end_grant(tx, grant, caller, reason=request.reason)
            writes = with_consequences(self._backend, tx, [*ended], caller)
            return Outcome("break_glass.ended", use.resource, writes, use.SerializeToString())

        receipt = self._backend.submit(request, request.request_id, run)
        return self._shown(break_glass_pb2.BreakGlass.FromString(receipt.reply))

    def _use(self, source: Reader, caller: Caller, use_id: str) -> break_glass_pb2.BreakGlass:
        """The use, if the caller may see it. Raises: AccessDenied."""
        body = source.get(kinds.BREAK_GLASS, use_id)
        use = break_glass_pb2.BreakGlass.FromString(body or b"")
        if body is None or not self._may_see(caller, use):
            raise denied("see the use of break-glass", use_id)
        return use

    def _may_see(self, caller: Caller, use: break_glass_pb2.BreakGlass) -> bool:
        is_own = use.principal == caller.name and caller.covers("read", use.resource)
        return is_own or self._backend.policy.check(caller, "grant", use.resource).allowed

    def _shown(self, use: break_glass_pb2.BreakGlass) -> break_glass_pb2.BreakGlass:
        return is_open_now(self._backend, use)


def lists_of_uses(backend: Backend, caller: Caller, state: str) -> list[str]:
    """The lists in which all uses stand (of this state: `all` or `open`) that the caller may see."""
    domains = domains_where(backend.policy, caller, "grant")
    return [state] if domains is None else [f"{state}-by/{caller.name}", *(f"{state}-of/{it}" for it in sorted(domains))]


def is_open_now(backend: Backend, use: break_glass_pb2.BreakGlass) -> break_glass_pb2.BreakGlass:
    """The use, with whether it is open now."""
    grant = grant_pb2.Grant.FromString(backend.catalog.get(kinds.GRANT, use.grant) or b"")
    is_over = grant.revoke_time.seconds or use.expire_time.ToDatetime(tzinfo=UTC) <= backend.now()
    use.is_open = not is_over
    return use


def _kept(use: break_glass_pb2.BreakGlass) -> ResourceWrite:
    kept = break_glass_pb2.BreakGlass()
    kept.CopyFrom(use)
    kept.ClearField("is_open")
    return store(kinds.BREAK_GLASS, use.id, kept)


def _news(use: break_glass_pb2.BreakGlass) -> News:
    until = use.expire_time.ToDatetime(tzinfo=UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = (
        f"{use.principal} opened {use.resource} for itself until {until}: {use.reason} "
        f"(end it with `mesh end-break-glass {use.id}`, take note of it with `mesh audit acknowledge {use.id}`)"
    )
    return News(notice_pb2.NOTICE_KIND_BREAK_GLASS, use.resource, use.grant, text)


def answerable(use: break_glass_pb2.BreakGlass) -> list[str]:
    """Who is told: the owners of the domain and the central team."""
    return [f"role:owner-of-{domain_of(use.resource)}", ADMINISTRATOR]
