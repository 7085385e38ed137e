"""The default engine: model.conf compiled over an index of immutable, domain-sharded states.

A decision looks only at the rules the matcher itself could accept: those of the object's containers, in the object's domain or
mesh-wide, for the principal or its roles. Readers take one reference to one state and never lock; a write publishes the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from copy import copy
from operator import attrgetter
from types import MappingProxyType

from governance_server.policy.answers import Answers, valid_until
from governance_server.policy.engine import Collected, Decision, Matches, Request, Visibility, in_order, is_complete
from governance_server.policy.matcher import Matcher, Selected, matcher_of
from governance_server.policy.model import MODEL_PATH
from governance_server.policy.state import Draft, Places, State
from governance_server.rules.policy_rows import (
    ANY,
    FOREVER,
    Link,
    PolicyDelta,
    Row,
    Rule,
    RuleSection,
    check_link,
    check_rule,
    domain_of,
)

__all__ = ["IndexedEngine"]

_SECTIONS: tuple[RuleSection, ...] = ("p", "p2", "p3")
_Pairs = set[tuple[str, str]]
_NOWHERE: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_UNMATCHED: tuple[bool, tuple[Rule, ...]] = (False, ())


class IndexedEngine:
    """`PolicyEngine` by index: microseconds whatever the number of rules."""

    def __init__(self, *, model: str | None = None) -> None:
        """Compiles the model (the text of a model.conf; default: this package's own). Raises: UnsupportedModel."""
        self._matcher: Matcher = matcher_of(MODEL_PATH.read_text("utf-8") if model is None else model)
        self._moments = attrgetter(*self._matcher.moments, "nbf") if self._matcher.moments else None
        self._state = State(0, {})
        self._answers = Answers()
        self._readable_time = ""
        self._writing = threading.Lock()

    @property
    def revision(self) -> int:
        """The revision of the policy being served."""
        return self._state.revision

    def load(self, rules: Iterable[Rule], links: Iterable[Link], *, revision: int) -> None:
        """The given rows are the policy, or nothing has changed. Raises: UnreadableRule."""
        draft = Draft(State(0, {}))
        draft.add_all(check_rule(rule) for rule in rules)
        draft.add_all(check_link(link) for link in links)
        with self._writing:
            self._state = draft.finish(revision)

    def apply(self, delta: PolicyDelta, *, revision: int) -> None:
        """The delta is part of the policy, or nothing has changed. Raises: UnreadableRule, UnknownRow."""
        with self._writing:
            draft = Draft(self._state)
            for row in delta.add:
                draft.add(check_rule(row) if isinstance(row, Rule) else check_link(row))
            for row in delta.remove:
                draft.remove(row)
            self._state = draft.finish(revision)

    def decide(self, request: Request) -> Decision:
        """The decision, from one state; the one made before if it must be the same."""
        state = self._state
        stamps = state.stamps(request.dom)
        question = request[:5]
        known = self._answers.find(question, stamps, request.now)
        if known is not None:
            return Decision(known[0], known[1], state.revision)
        if not (all(request) and (request.now == self._readable_time or is_complete(request))):
            return Decision(False, (), state.revision)
        self._readable_time = request.now
        selected = self._matcher.select(request, state)
        candidates = _candidates(_places(state, selected, "p"), state.containers(request.obj), selected[2])
        answer = _effect(candidates, self._matcher.test(request, state)) if candidates else _UNMATCHED
        if self._moments is not None:
            until = valid_until(request.now, candidates, self._moments) if candidates else FOREVER
            self._answers.keep(question, stamps, request.now, until, answer)
        return Decision(answer[0], answer[1], state.revision)

    def matching(self, section: RuleSection, request: Request) -> tuple[Rule, ...]:
        """Every rule of the section whose matcher holds, in order."""
        return _ordered(self._matched(self._state, section, request))

    def collect(self, request: Request, objects: Sequence[str]) -> Collected:
        """What each object matches; what objects that lie in the same containers share is found once."""
        state = self._state
        if not is_complete(request):
            return Collected(state.revision, tuple(Matches(obj, (), (), ()) for obj in objects))
        gathering = _Gathering(state, self._matcher, request, self._moments)
        matches = tuple([gathering.matches(obj) for obj in objects])
        return Collected(state.revision, matches, gathering.until)

    def visible_objects(self, sub: str, act: str, purpose: str, now: str) -> Visibility:
        """Where the principal may act: one look-up per domain and role, never one per object."""
        state = self._state
        allowed: _Pairs = set()
        denied: _Pairs = set()
        if is_complete(Request(sub, ANY, ANY, act, purpose, now)):
            asked = Request(sub, ANY, ANY, act, purpose, now)
            everywhere = self._matcher.select(asked, state)
            _note(state, everywhere, ANY, holds=self._matcher.test(asked, state), into=(allowed, denied))
            for domain in state.shards:
                if domain != ANY:
                    asked = Request(sub, domain, ANY, act, purpose, now)
                    selected, holds = self._matcher.select(asked, state), self._matcher.test(asked, state)
                    _note(state, selected, domain, holds=holds, skip=everywhere[2], into=(allowed, denied))
        return Visibility(frozenset(allowed), frozenset(denied), state.revision, state.g2, linked=state.linked)

    def rules_on(self, obj: str, act: str) -> tuple[Rule, ...]:
        """Every rule that reaches the object for the action, whoever its subject."""
        return self.rules_on_any((obj,), act)

    def rules_on_any(self, objects: Sequence[str], act: str) -> tuple[Rule, ...]:
        """Every rule that reaches one of the objects; what contains several of them is looked at once."""
        state = self._state
        around = {name for obj in objects for name in state.g2(obj)}
        shards = [shard for domain in {*map(domain_of, objects[:1]), ANY} if (shard := state.shards.get(domain))]
        buckets = [
            bucket
            for shard in shards
            for section in _SECTIONS
            if (places := shard.rules.get((section, act)))
            for name in around
            if (bucket := places.get(name))
        ]
        return in_order(rule for bucket in buckets for rules in bucket.values() for rule in rules)

    def ancestors(self, obj: str) -> frozenset[str]:
        """Everything that contains the object, itself included."""
        return self._state.g2(obj)

    def rows(self) -> Iterable[Row]:
        """Every row of the policy, once."""
        return self._state.rows()

    def roles_of(self, principal: str, domain: str) -> frozenset[str]:
        """The groups and roles of the principal in the domain, itself included."""
        return frozenset(self._state.g(principal, domain))

    def purposes_above(self, purpose: str) -> frozenset[str]:
        """The purposes and exemptions that include the purpose, itself included."""
        return frozenset(self._state.g3(purpose))

    def fork(self) -> IndexedEngine:
        """An engine that shares the state, which never changes, and goes its own way from here."""
        fork = copy(self)
        fork._writing, fork._answers = threading.Lock(), Answers()
        return fork

    def _matched(self, state: State, section: RuleSection, request: Request) -> list[Rule]:
        if not is_complete(request):
            return []
        selected = self._matcher.select(request, state)
        candidates = _candidates(_places(state, selected, section), state.containers(request.obj), selected[2])
        return list(filter(self._matcher.test(request, state), candidates))


class _Gathering:
    """What the objects of one question match, from one state; and until when."""

    def __init__(
        self, state: State, matcher: Matcher, request: Request, moments: Callable[[Rule], tuple[str, ...]] | None
    ) -> None:
        selected = matcher.select(request, state)
        self._state = state
        self._subjects = selected[2]
        self._holds = matcher.test(request, state)
        self._now = request.now
        self._moments = moments
        self._places = [_places(state, selected, section) for section in _SECTIONS]
        self._everywhere = [place for of_section in self._places for place in of_section]
        self._at: dict[frozenset[str], tuple[tuple[Rule, ...], ...]] = {}
        self.until = FOREVER if moments is not None else request.now

    def matches(self, obj: str) -> Matches:
        """What one object matches, by itself and by its containers."""
        if not obj:
            return Matches(obj, (), (), ())
        containers = self._state.g2(obj)
        others = containers - {obj}
        shared = self._at.get(others)
        if shared is None:
            shared = self._at[others] = self._hits(others)
        for place in self._everywhere:
            if obj in place:
                own = self._hits((obj,))
                return Matches(obj, *(_ordered([*own[i], *shared[i]]) for i in range(len(_SECTIONS))))
        return Matches(obj, *shared)

    def _hits(self, names: Iterable[str]) -> tuple[tuple[Rule, ...], ...]:
        """By section, the rules that match at any of the names, in order."""
        found = []
        for of_section in self._places:
            candidates = _candidates(of_section, names, self._subjects)
            if candidates and self._moments is not None:
                self.until = min(self.until, valid_until(self._now, candidates, self._moments))
            found.append(_ordered(list(filter(self._holds, candidates))))
        return tuple(found)


def _places(state: State, selected: Selected, section: RuleSection) -> list[Places]:
    """Where rules of the section lie that may concern the request: by object, one for each of its domains."""
    domains, actions, _ = selected
    shards, found = state.shards, []
    for domain in domains:
        shard = shards.get(domain)
        if shard is not None:
            for act in actions:
                places = shard.rules.get((section, act))
                if places:
                    found.append(places)
    return found


def _effect(candidates: list[Rule], holds: Callable[[Rule], bool]) -> tuple[bool, tuple[Rule, ...]]:
    """Allowed if some rule matches and none of those that do denies; with the rules that decided."""
    matched = list(filter(holds, candidates))
    denies = [rule for rule in matched if rule.value != "allow"]
    return bool(matched) and not denies, _ordered(denies or matched)


def _candidates(places: list[Places], containers: Iterable[str], subjects: Set[str]) -> list[Rule]:
    """The rules that the test must be made on; a place is entered if its subjects and the principal's names meet."""
    found: list[Rule] = []
    for place in places:
        for name in containers:
            bucket = place.get(name)
            if bucket is not None and not bucket.keys().isdisjoint(subjects):  # walks the smaller of the two
                for subject in subjects:
                    if subject in bucket:
                        found += bucket[subject]
    return found


def _note(
    state: State,
    selected: Selected,
    domain: str,
    *,
    holds: Callable[[Rule], bool],
    into: tuple[_Pairs, _Pairs],
    skip: Set[str] = frozenset(),
) -> None:
    """Adds the pairs that hold in the domain; mesh-wide rules for subjects in `skip` are already noted for every domain."""
    domains, actions, subjects = selected
    allowed, denied = into
    for home in domains:
        shard = state.shards.get(home)
        if shard is None:
            continue
        for subject in subjects - skip if home == ANY and domain != ANY else subjects:
            for act in actions:
                for obj in shard.objects.get(act, _NOWHERE).get(subject, ()):
                    for rule in shard.rules["p", act][obj][subject]:
                        if holds(rule):
                            (allowed if rule.value == "allow" else denied).add((domain, obj))


def _ordered(rules: list[Rule]) -> tuple[Rule, ...]:
    return in_order(rules) if len(rules) > 1 else tuple(rules)
