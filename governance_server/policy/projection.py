"""The live policy: a fold of the journal that answers who may do what, always at the newest revision.

Owns catching up with the journal and the facts decisions need (products, lineage, tags, purposes, parsed filters). Every question
first catches up with the head of the kinds it depends on, so nothing is ever answered from a revoked past (design §3).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from types import MappingProxyType

from domainmesh.v1 import product_pb2
from governance_server.caller import Caller
from governance_server.policy.decider import Decider
from governance_server.policy.engine import Decision, Matches, PolicyEngine, Request, Visibility
from governance_server.policy.facts import Facts, copy_facts
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.policy.live import LivePolicy
from governance_server.policy.passage_tags import BoundTags, bound_by, tag_objects
from governance_server.policy.pending import can_follow
from governance_server.policy.retagged import RetaggedEngine
from governance_server.policy.shadow import ShadowCheck
from governance_server.policy.view import View
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, Invalid, PurposeNotHeld
from governance_server.rules.grants import column_types
from governance_server.rules.policy_rows import ANY, domain_of
from governance_server.rules.read_plans import Denied, ReadPlan, fit_masks
from governance_server.rules.refusals import denied, out_of_scope, unconfirmed
from governance_server.storage.engine import Database
from mesh_core.names import InvalidName, column_object, parse_port, tag_object
from mesh_core.near_names import did_you_mean

__all__ = ["NO_PURPOSE", "Facts", "PolicyProjection", "denied", "out_of_scope"]

NO_PURPOSE = "unspecified"
"""The purpose of a read that states none; only rules for any purpose match it."""

_NO_TAGS: Mapping[str, Collection[str]] = MappingProxyType({})
_NO_TYPES: Mapping[str, str] = MappingProxyType({})
_LONGEST_NAME = 1024
_MOST_PURPOSES = 50
_SECOND = timedelta(seconds=1)


class PolicyProjection(LivePolicy):
    """Answers decisions from the journal's head, or from one fixed revision."""

    def __init__(
        self, database: Database, *, now: Callable[[], datetime], as_of: int | None = None, shadow: ShadowCheck | None = None
    ) -> None:
        super().__init__(database, as_of=as_of)
        self._now = now
        self.shadow = shadow
        self._second = (datetime.min.replace(tzinfo=UTC), "")
        self._latest: PolicyProjection | None = None

    # -- questions ---------------------------------------------------------------------------------------------------

    def authorise(self, caller: Caller, action: str, obj: str) -> int:
        """The revision at which the caller may do it. Raises: AccessDenied."""
        decision = self.check(caller, action, obj)
        if not decision.allowed:
            raise _refusal(caller, action, obj)
        return decision.revision

    def check(self, caller: Caller, action: str, obj: str, purpose: str = "") -> Decision:
        """The decision on one action, within the caller's scope; the domain is derived from the object's name."""
        if len(obj) > _LONGEST_NAME:  # callers send what they like, and every dot of it would be looked at
            raise Invalid(f"A name of {len(obj)} characters names nothing: use at most {_LONGEST_NAME}.")
        if not caller.is_narrowed:
            return self._decide(self._current_engine(), self._request(caller.name, action, obj, purpose))
        with self._lock:
            self._catch_up()
            if not self._is_within(caller, action, obj, purpose):
                return Decision(False, (), self._engine.revision)
            return self._decide(self._engine, self._request(caller.name, action, obj, purpose))

    def deciding(self) -> Callable[[str, str, str, str], Decision]:
        """Decides for principals (name, action, object, purpose) with all their rights, at this moment; of what is pinned."""
        assert self._is_pinned, "what is not pinned is caught up with at every question"
        engine, now = self._engine, self._time()

        def decide(principal: str, action: str, obj: str, purpose: str) -> Decision:
            if len(obj) > _LONGEST_NAME:
                raise Invalid(f"A name of {len(obj)} characters names nothing: use at most {_LONGEST_NAME}.")
            return self._decide(engine, Request(principal, domain_of(obj), obj, action, purpose or NO_PURPOSE, now))

        return decide

    def _decide(self, engine: IndexedEngine, request: Request) -> Decision:
        decision = engine.decide(request)
        if self.shadow is not None:
            self.shadow.saw(engine, request, decision)
        return decision

    def matches(self, principal: str, action: str, objects: Sequence[str], purpose: str = "") -> tuple[Matches, ...]:
        """Every rule that holds for each of the objects, which all belong to one domain."""
        with self._lock:
            self._catch_up()
            return self._engine.collect(self._request(principal, action, objects[0], purpose), objects).matches if objects else ()

    def names_of(self, principal: str, domain: str) -> frozenset[str]:
        """Every subject that stands for the principal in rules of the domain: itself, its groups and roles, and `*`."""
        with self._lock:
            self._catch_up()
            return self._engine.roles_of(principal, domain) | self._engine.roles_of(principal, ANY) | {ANY}

    def visibility(self, caller: Caller, action: str = "discover") -> Visibility:
        """What the caller may discover, or do whatever else."""
        with self._lock:
            self._catch_up()
            return self._visible(caller, action)

    def _visible(self, caller: Caller, action: str) -> Visibility:
        found = self._engine.visible_objects(caller.name, action, NO_PURPOSE, self._time())
        return replace(found, narrowed=lambda obj: self._is_within(caller, action, obj, "")) if caller.is_narrowed else found

    def _is_within(self, caller: Caller, action: str, obj: str, purpose: str) -> bool:
        is_for = action != "read" or caller.scope is None or caller.scope.covers_purpose(self.wider_purposes(purpose))
        return is_for and caller.covers(action, obj)

    def plan(
        self,
        caller: Caller,
        port: str,
        purpose: str,
        *,
        past: Mapping[str, Collection[str]] = _NO_TAGS,
        then: Mapping[str, str] = _NO_TYPES,
    ) -> ReadPlan:
        """What the caller sees of the port for the purpose. Raises: AccessDenied, PurposeNotHeld.

        For an earlier version, `past` gives further tags by column, those that it was released with, and `then` its columns with
        their logical types.
        """
        outcome = self.explain(caller, port, purpose, past=past, then=then)
        if isinstance(outcome, Denied):
            raise denied("read", port, purposes=() if purpose else self._opening(caller, port))
        return outcome

    def _opening(self, caller: Caller, port: str) -> tuple[str, ...]:
        """Purposes the caller holds that would let it read the port: what a reader who stated none has forgotten."""
        held = []
        with self._lock:
            for purpose in sorted(self._facts.purposes)[:_MOST_PURPOSES]:
                with suppress(PurposeNotHeld):
                    if not isinstance(self.explain(caller, port, purpose), Denied):
                        held.append(purpose)
        return tuple(held)

    def explain(
        self,
        caller: Caller,
        port: str,
        purpose: str,
        *,
        past: Mapping[str, Collection[str]] = _NO_TAGS,
        then: Mapping[str, str] = _NO_TYPES,
    ) -> ReadPlan | Denied:
        """As `plan`, but a denial is an answer that carries its reasons. Raises: AccessDenied, PurposeNotHeld."""
        with self._lock:
            self._catch_up()
            if not caller.covers("read", port):
                raise out_of_scope("read", port)
            known = self._facts.principals.get(caller.name)
            if known is not None and known.is_disabled:
                raise denied("read", port)
            self._check_scope(caller, port, purpose)
            question, now, view = (caller.name, port, purpose), self._time(), self._view
            can_keep = known is not None and not past and not then
            kept = view.plans.find(question, now, revision=view.engine.revision) if can_keep else None
            if kept is not None:
                return kept
            outcome, until = self._plan(self._as_it_is(caller), port, purpose, now=now, earlier=(past, then))
            if can_keep:
                view.plans.keep(question, now, until, outcome)
            return outcome

    def _plan(
        self,
        caller: Caller,
        port: str,
        purpose: str,
        *,
        now: str,
        earlier: tuple[Mapping[str, Collection[str]], Mapping[str, str]],
    ) -> tuple[ReadPlan | Denied, str]:
        """The plan, and the time from which on it may be another. Raises: AccessDenied, PurposeNotHeld."""
        self._check_purpose(caller, port, purpose)  # before existence: both answers are the same for what does not exist
        found = self.find_port(port)
        if found is None:
            raise denied("read", port)
        past, then = earlier
        today = column_types(found)
        tags = {column_object(port, column): map(tag_object, found_tags) for column, found_tags in past.items()}
        decider = Decider(RetaggedEngine(self._engine, tags) if tags else self._engine)
        outcome = decider.plan(
            caller.name,
            port,
            columns=[*then, *(column.name for column in found.columns if column.name not in then)],
            purpose=purpose or NO_PURPOSE,
            now=now,
            subject_attributes={**caller.attributes, "name": caller.name},
            filters=self._facts.filters,
            types=then or today,
        )
        if self.shadow is not None and found.columns:
            column = column_object(port, found.columns[0].name)
            self._decide(self._engine, self._request(caller.name, "read", column, purpose))
        if isinstance(outcome, Denied):
            return outcome, decider.valid_until
        types = {name: logical or "string" for name, logical in {**today, **then}.items()}
        return fit_masks(replace(outcome, purpose=purpose), types), decider.valid_until

    def _as_it_is(self, caller: Caller) -> Caller:
        """The caller with the purposes and attributes of this very revision."""
        known = self._facts.principals.get(caller.name)
        if known is None:
            return caller
        return replace(caller, purposes=frozenset(known.purposes), attributes=dict(known.attributes))

    def bound_tags(self, caller: Caller, port: str, tags: Collection[str], purpose: str) -> BoundTags:
        """Those of the tags that bind this caller on a passage of the port."""
        with self._lock:
            self._catch_up()
            objects = tag_objects(tags)
            request = self._request(caller.name, "read", port, purpose)
            return bound_by(tags, objects, self._engine.collect(request, list(objects.values())).matches)

    def caller_of(self, principal: str) -> Caller | None:
        """The named principal as a caller, with all its rights, for questions about others; None if unknown."""
        with self._lock:
            self._catch_up()
            view = self._view
            kept = view.callers.get(principal)
            if kept is not None:
                return kept
            found = view.facts.principals.get(principal)
            if found is None:
                return None
            caller = Caller(name=principal, purposes=frozenset(found.purposes), attributes=dict(found.attributes))
            return view.callers.setdefault(principal, caller)

    def find_port(self, name: str) -> product_pb2.Port | None:
        """The port as the catalog has it now, None if there is none."""
        with self._lock:
            self._catch_up()
            view = self._view
            kept = view.ports.get(name)
            if kept is not None:
                return kept
            try:
                parsed = parse_port(name)
            except InvalidName:
                return None
            product = view.facts.products.get(parsed.product_name)
            found = next((port for port in product.ports if port.name == name), None) if product else None
            return found if found is None else view.ports.setdefault(name, found)

    def product_of(self, resource: str) -> product_pb2.Product | None:
        """The product that a product's or port's name points at, None if there is none or the name is another kind's."""
        with self._lock:
            self._catch_up()
            return self._facts.products.get(".".join(resource.split(".")[:2]))

    def readable(self, caller: Caller) -> Callable[[str], bool]:
        """Tells of a product or port whether the caller may read some of it now, without stating a purpose."""
        with self._lock:
            self._catch_up()
            visible = self._visible(caller, "read")
            products = self._facts.products

        def may_read(name: str) -> bool:
            product = products.get(".".join(name.split(".")[:2]))
            ports = [port for port in product.ports if name in (port.name, product.name)] if product else []
            return any(visible.allows(column_object(port.name, column.name)) for port in ports for column in port.columns)

        return may_read

    def reading(self, caller: Caller, purpose: str) -> tuple[Visibility, ...]:
        """Where the caller may read something for no purpose and, if one is stated, for that: what it is, `plan` says."""
        with self._lock:
            self._catch_up()
            purposes = dict.fromkeys((NO_PURPOSE, purpose or NO_PURPOSE))
            return tuple(self._engine.visible_objects(caller.name, "read", it, self._time()) for it in purposes)

    def purposes_on(self, objects: Sequence[str], action: str) -> frozenset[str]:
        """The purposes that grants of the action on one of the objects are for, whoever they are given to."""
        with self._lock:
            self._catch_up()
            rules = self._engine.rules_on_any(objects, action)
        return frozenset(rule.purpose for rule in rules if rule.section == "p" and rule.value == "allow") - {ANY}

    def facts(self) -> Facts:
        """The facts at the head; a caller must not change them."""
        with self._lock:
            self._catch_up()
            return self._facts

    # -- other states ------------------------------------------------------------------------------------------------

    def snapshot(self) -> PolicyProjection:
        """The policy as it is at this moment, for long questions: it never changes, and asking it makes nobody else wait."""
        moment = self._now()
        with self._lock:
            self._catch_up()
            if self._is_ahead:  # of what is committed: nobody else may be given it
                return self._fork(copy_facts(self._facts), moment)
            if self._latest is None or self._latest._engine.revision != self._engine.revision:
                is_same = self._latest is not None and self._latest._view.revision == self._view.revision
                facts = self._latest._facts if self._latest is not None and is_same else copy_facts(self._facts)
                self._latest = self._fork(facts, moment)
            return self._latest.at(moment)

    def at(self, moment: datetime) -> PolicyProjection:
        """The same policy, asked at another moment: what begins or ends by the clock does so. Only of a snapshot."""
        assert self._is_pinned, "a live policy has no other time than now"
        return self._fork(self._facts, moment)

    def with_changes(self, writes: Sequence[ResourceWrite]) -> PolicyProjection:
        """The policy as it would be once these resources are written, at this moment; nothing is written. Raises: Invalid."""
        now = self.snapshot()
        return now.at(now._now())._write(writes)

    def supposing(self, writes: Sequence[ResourceWrite]) -> PolicyProjection:
        """As `with_changes`, for a short question inside `pinned`: what stays is not copied, so later it is worth nothing."""
        assert self._is_pinned, "the facts it shares may change"
        return self._fork(self._facts, self._now())._write(writes)

    def _write(self, writes: Sequence[ResourceWrite]) -> PolicyProjection:
        """Itself, a fork that nobody knows yet, with these resources written. Raises: Invalid."""
        counting = [write for write in writes if write.kind in kinds.POLICY_KINDS]
        revision = self._engine.revision
        if can_follow(counting):  # no tag flows otherwise: the copy costs as much as the changes
            self._live = self._live.fork()
        else:
            self._live.facts = copy_facts(self._facts)
        try:
            self._live.change(counting, revision=revision)
        except ValueError as error:  # an unreadable rule, filter or message: said of what was only supposed
            raise Invalid(f"The changes cannot be understood: {error}") from error
        return self

    def _fork(self, facts: Facts, moment: datetime) -> PolicyProjection:
        fork = PolicyProjection(self._database, now=lambda: moment, as_of=self._as_of)
        fork._live = View(self._engine.fork(), facts, self._view.revision)
        fork._is_pinned = fork._is_fixed = True
        return fork

    @property
    def moment(self) -> datetime:
        """The time that answers are given for, UTC-aware."""
        return self._now()

    @property
    def engine(self) -> PolicyEngine:
        """The rules and links themselves, for questions about many at once. Only of a snapshot."""
        assert self._is_pinned, "rules are read from a snapshot"
        return self._engine

    # -- purposes ----------------------------------------------------------------------------------------------------

    def _check_scope(self, caller: Caller, port: str, purpose: str) -> None:
        if caller.scope is not None and not caller.scope.covers_purpose(self.wider_purposes(purpose)):
            words = caller.scope.purpose_words()
            raise PurposeNotHeld(f"This token reads for {words} only: state that purpose.", resource=port)

    def _check_purpose(self, caller: Caller, port: str, purpose: str) -> None:
        if not purpose:
            return
        wider = self.wider_purposes(purpose)
        if wider & caller.purposes:
            return
        if purpose not in self._facts.purposes:
            hint = did_you_mean(purpose, self._facts.purposes, otherwise="list them with `mesh admin list purposes`.")
            raise PurposeNotHeld(f"There is no purpose {purpose!r}: {hint}", resource=port)
        if purpose in self._facts.purposes and not wider & self._facts.exempting:
            request = self._request(caller.name, "read", port, purpose)
            objects = [port, *(column_object(port, c.name) for c in getattr(self.find_port(port), "columns", ()))]
            rules = chain.from_iterable(m.p for m in self._engine.collect(request, objects).matches)
            if any(rule.purpose in wider and rule.value == "allow" for rule in rules):
                return
        raise PurposeNotHeld(
            f"You do not hold the purpose {purpose!r} for {port}: request access for it with "
            f"`mesh request {port} --purpose {purpose}`, or ask the governance team to assign it to you.",
            resource=port,
        )

    def wider_purposes(self, purpose: str) -> frozenset[str]:
        """The purpose and everything above it, at the revision answers reflect."""
        seen: dict[str, None] = {}
        current = purpose
        while current and current not in seen:
            seen[current] = None
            known = self._facts.purposes.get(current)
            current = known.parent if known else ""
        return frozenset(seen)

    def _request(self, principal: str, action: str, obj: str, purpose: str) -> Request:
        return Request(sub=principal, dom=domain_of(obj), obj=obj, act=action, purpose=purpose or NO_PURPOSE, now=self._time())

    def _time(self) -> str:
        """Now, as policy text: made once a second, as it takes longer than a decision."""
        now = self._now()
        second, text = self._second
        if not second <= now < second + _SECOND:
            second = now.astimezone(UTC).replace(microsecond=0)
            text = second.isoformat()[:19] + "Z"
            self._second = second, text
        return text


def _refusal(caller: Caller, action: str, obj: str) -> AccessDenied:
    """Why the caller may not, in the words that help: by its token, or at all."""
    if caller.must_be_confirmed(action, obj):
        return unconfirmed(action, obj, token=caller.token)
    return denied(action, obj) if caller.covers(action, obj) else out_of_scope(action, obj)
