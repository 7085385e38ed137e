"""Access requests as one caller sees them at one moment: who must approve, whether the caller may, and what is shown.

Owns asking the policy and the contract for what `rules/approvers.py` decides on. Answers are remembered for the life of a view,
so that a long list asks once for each resource.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, partial

from domainmesh.v1 import access_request_pb2 as messages
from domainmesh.v1 import grant_pb2, product_pb2
from governance_server.backend import Backend, Reader
from governance_server.caller import Caller
from governance_server.policy.names import is_disabled
from governance_server.rules import kinds
from governance_server.rules.access_requests import State, shown_state
from governance_server.rules.access_terms import is_less
from governance_server.rules.approvers import GRANT_HOLDERS, Level, MayFill, Progress, adds, levels_of, progress
from governance_server.rules.errors import Invalid
from governance_server.rules.policy_rows import domain_of
from governance_server.services.grants import RESTRICTED
from governance_server.storage.catalog import Catalog
from governance_server.storage.engine import Database
from mesh_core.contract.roles import Role, read_roles
from mesh_core.names import column_object

__all__ = ["RequestView", "beneficiary"]

_REQUESTED = messages.ACCESS_REQUEST_STATE_REQUESTED
_APPROVED = messages.ACCESS_REQUEST_STATE_APPROVED


def beneficiary(asked: messages.AccessRequest) -> str:
    """Who is to get the grant."""
    return asked.subject or asked.requester


class RequestView:
    """What the rules of this moment say of access requests."""

    def __init__(self, backend: Backend, reader: Reader, caller: Caller) -> None:
        self._backend = backend
        self._policy = backend.policy
        self._reader = reader
        self._caller = caller
        self._levels: dict[str, tuple[Level, ...]] = {}
        self._names: dict[tuple[str, str], frozenset[str]] = {}
        self._callers: dict[str, Caller | None] = {}
        self._begins: dict[tuple[str, str], bool] = {}
        self._grants: dict[tuple[str, str, bool], bool] = {}

    def levels(self, resource: str) -> tuple[Level, ...]:
        """Who must approve a request on the resource. Raises: Invalid if its ports differ."""
        if resource not in self._levels:
            self._levels[resource] = self._find_levels(resource)
        return self._levels[resource]

    def _find_levels(self, resource: str) -> tuple[Level, ...]:
        product = self._policy.product_of(resource)
        roles = self._roles(kinds.versioned_name(product.name, product.version)) if product else ()
        ports = [port.name for port in product.ports] if product else []
        wanted = [resource] if resource.count(".") == 2 else ports
        name = ".".join(resource.split(".")[:2])
        return levels_of(roles, [port.rpartition(".")[2] for port in wanted], product=name)

    def _roles(self, contract: str) -> tuple[Role, ...]:
        try:
            return _committed_roles(self._backend.database, contract)
        except KeyError:  # released by the very group of commands that is open
            body = self._reader.get(kinds.CONTRACT, contract)
            return read_roles(product_pb2.Contract.FromString(body).text) if body is not None else ()

    def may_fill(self, asked: messages.AccessRequest) -> MayFill:
        """Tells of a person and an entry of a level whether the person may fill it for this request, by what it is now.

        Of the caller, within the scope of its token.
        """
        return partial(self._may_fill, asked, is_scoped=True)

    def _may_fill(self, asked: messages.AccessRequest, person: str, entry: str, *, is_scoped: bool) -> bool:
        if self.is_party(asked, person):
            return False
        approver = self._caller if is_scoped and person == self._caller.name else self._caller_of(person)
        if approver is None or not approver.covers("grant", asked.resource):
            return False
        if entry == GRANT_HOLDERS:
            return self._may_grant(approver, asked.resource)
        return entry in self.names(person, asked.resource)

    def is_party(self, asked: messages.AccessRequest, person: str) -> bool:
        """True if the person asks, or would get the access as a member of who does."""
        return person == asked.requester or beneficiary(asked) in self.names(person, asked.resource)

    def names(self, person: str, resource: str) -> frozenset[str]:
        """The names under which rules on the resource reach the person."""
        key = (person, domain_of(resource))
        if key not in self._names:
            self._names[key] = self._policy.names_of(*key)
        return self._names[key]

    def _caller_of(self, person: str) -> Caller | None:
        if person not in self._callers:
            disabled = is_disabled(self._policy, person)
            self._callers[person] = None if disabled else self._policy.caller_of(person)
        return self._callers[person]

    def _may_grant(self, person: Caller, resource: str) -> bool:
        key = (person.name, resource, person is self._caller)
        if key not in self._grants:
            self._grants[key] = self._policy.check(person, "grant", resource).allowed
        return self._grants[key]

    def progress(self, asked: messages.AccessRequest) -> Progress:
        """How far the request's approvals go, by the rules of this moment. Raises: Invalid if its ports came to differ."""
        given = [(approval.level, approval.approver) for approval in asked.approvals]
        return progress(self.levels(asked.resource), given, partial(self._may_fill, asked, is_scoped=False))

    def may_grant(self, asked: messages.AccessRequest) -> bool:
        """True if the caller holds `grant` on the resource."""
        return self._may_grant(self._caller, asked.resource)

    def may_deny(self, asked: messages.AccessRequest) -> bool:
        """True if the caller may end the request: as an approver on any level, or as one who may grant."""
        if self.is_party(asked, self._caller.name):
            return False
        return self.may_grant(asked) or self._is_approver(asked)

    def _is_approver(self, asked: messages.AccessRequest) -> bool:
        try:
            levels = self.levels(asked.resource)
        except Invalid:
            return False
        may_fill = self.may_fill(asked)
        return any(may_fill(self._caller.name, entry) for level in levels for entry in level.approvers)

    def may_see(self, asked: messages.AccessRequest) -> bool:
        """True to who asked, to who may approve it on any level, and to who may grant on its resource."""
        if asked.requester == self._caller.name and self._caller.covers("request", asked.resource):
            return True
        return self.may_grant(asked) or self._is_approver(asked)

    def awaits_caller(self, asked: messages.AccessRequest) -> bool:
        """True if the caller's approval would count now."""
        if asked.state != _REQUESTED or self.is_party(asked, self._caller.name):
            return False
        if not asked.approvals:  # the usual case, and a list may hold ten thousand of them
            return self._may_begin(asked)
        try:
            found = self.progress(asked)
        except Invalid:
            return False
        caller, may_fill = self._caller.name, self.may_fill(asked)
        if caller in found.people and found.waiting is not None:
            return False
        if found.waiting is None:  # the contract asks for less than it did: any approver of the last level confirms
            return self._may_give_by(asked, self.levels(asked.resource)[-1].approvers)
        if not self._may_give_by(asked, found.waiting.approvers):
            return False
        return adds(found.waiting, found.counted[found.waiting.number - 1], caller, may_fill)

    def _may_begin(self, asked: messages.AccessRequest) -> bool:
        """True if the caller may fill some entry of the first level; asked once for each resource."""
        key = asked.resource, asked.purpose
        if key not in self._begins:
            try:
                first = self.levels(asked.resource)[0]
            except Invalid:
                return False
            self._begins[key] = self._may_give_by(asked, first.approvers)
        return self._begins[key]

    def _may_give_by(self, asked: messages.AccessRequest, entries: Iterable[str]) -> bool:
        """True if the caller may fill one of the entries: named by the contract, or by a right to read that it may pass on."""
        may_fill, caller = self.may_fill(asked), self._caller.name
        return any(may_fill(caller, entry) and (entry != GRANT_HOLDERS or self._holds_reading(asked)) for entry in entries)

    def _holds_reading(self, asked: messages.AccessRequest) -> bool:
        """True if some rule lets the caller read some of it: nobody gives what it does not hold (ADR 0009)."""
        product = self._policy.product_of(asked.resource)
        ports = [it for it in product.ports if asked.resource in (it.name, product.name)] if product else []
        columns = [column_object(port.name, column.name) for port in ports for column in port.columns]
        found = self._policy.matches(self._caller.name, "read", [asked.resource, *columns], asked.purpose)
        return any(rule.value == "allow" for of_object in found for rule in of_object.p)

    def state(self, asked: messages.AccessRequest) -> State:
        """Where the request stands at this moment."""
        return shown_state(asked, self.grants(asked), self._backend.now())

    def grants(self, asked: messages.AccessRequest) -> list[grant_pb2.Grant]:
        """The grants the request became, as they are."""
        if asked.state != _APPROVED:
            return []
        bodies = (self._reader.get(kinds.GRANT, name) for name in asked.grants)
        return [grant_pb2.Grant.FromString(body) for body in bodies if body is not None]

    def shown(self, asked: messages.AccessRequest) -> messages.AccessRequest:
        """The request with what follows from this moment, and without the rows that the caller may not know."""
        asked.state = self.state(asked)
        if asked.HasField("given"):
            asked.is_less_than_asked = is_less(asked, asked.given)
        if asked.state == _REQUESTED:
            self._add_levels(asked)
        if not self.may_grant(asked) and not self._is_approver(asked):
            _hide_rows(asked)
        return asked

    def _add_levels(self, asked: messages.AccessRequest) -> None:
        try:
            found = self.progress(asked)
        except Invalid:
            return
        waiting = found.waiting.number if found.waiting else len(found.counted) + 1
        for level in self.levels(asked.resource):
            people = found.counted[level.number - 1] if level.number <= len(found.counted) else ()
            asked.levels.add(
                level=level.number, approvers=level.approvers, needs_all=level.needs_all, approved_by=people,
                is_filled=level.number < waiting,
            )  # fmt: skip


@lru_cache(maxsize=1024)
def _committed_roles(database: Database, contract: str) -> tuple[Role, ...]:
    """The roles of an accepted contract, which never changes: parsed once. Raises: KeyError if it is not committed."""
    body = Catalog(database).get(kinds.CONTRACT, contract)
    if body is None:
        raise KeyError(contract)
    return read_roles(product_pb2.Contract.FromString(body).text)


def _hide_rows(asked: messages.AccessRequest) -> None:
    """The rows given may name values and columns that are hidden; what the requester wrote itself stays."""
    own = "" if asked.renews else asked.row_filter
    for terms in (asked.given, *(approval.terms for approval in asked.approvals)):
        if terms.row_filter and terms.row_filter != own:
            terms.row_filter = RESTRICTED
    if asked.renews and asked.row_filter:
        asked.row_filter = RESTRICTED
