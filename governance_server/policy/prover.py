"""Proofs of claims about reading: every principal, purpose, column and moment is enumerated, or the question is refused.

Nothing is sampled. What must be equal is decided once: principals of equal standing, purposes of equal weight, and the time
between two moments at which some rule begins or ends. A row filter is taken to keep some row. Memberships that nobody has today
are not combined: a further member of two groups at once is not enumerated. Knows nothing of the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from governance_server.policy.audience import Audience, PortRules
from governance_server.policy.paths import Path, Paths
from governance_server.policy.projection import PolicyProjection
from governance_server.rules import kinds
from governance_server.rules.errors import AccessDenied, NotFound, TooLarge
from governance_server.rules.grants import contains
from governance_server.rules.policy_rows import FOREVER, Rule
from governance_server.rules.read_plans import ColumnPlan, Denied, ReadPlan
from governance_server.rules.sights import Shown, sight_of
from mesh_core.masks import Mask, allowed_masks, is_stricter, join
from mesh_core.names import column_object, tag_object

__all__ = ["Claim", "Counterexample", "Proof", "claim_of_guardrail", "claim_of_tag", "prove"]

_MOST_DECISIONS = 100_000
_MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Claim:
    """What nobody may do, of the columns that the object covers: carry the tag, or lie in the resource."""

    obj: str
    words: str
    action: str = "read"
    guard: Rule | None = None
    """The guardrail nobody may read past; None for a claim about a tag."""
    is_hidden: bool = False
    """Not seen at all, rather than not seen as it is."""


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A column somebody can read (or act on) against the claim, from the first moment on at which it can."""

    principal: str
    purposes: tuple[str, ...]
    column: str
    shown: Shown
    mask: Mask | None
    moment: datetime | None
    """None for at once."""
    paths: tuple[Path, ...]
    exemptions: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was enumerated, and what contradicts the claim; `found` counts all of `counterexamples`, which may be shortened."""

    counterexamples: tuple[Counterexample, ...]
    found: int
    principals: int
    purposes: int
    columns: int
    moments: int
    decisions: int


def claim_of_guardrail(policy: PolicyProjection, guardrail: str) -> Claim:
    """That nobody reads past the guardrail. Raises: NotFound."""
    rows = policy.facts().rows.get((kinds.GUARDRAIL, guardrail), ())
    rule = next((row for row in rows if isinstance(row, Rule)), None)
    if rule is None:
        raise NotFound(f"There is no guardrail {guardrail!r}: list them with `mesh guardrails`.", resource=guardrail)
    what = {"p": "at all", "p2": f"other than under {rule.value} or stricter", "p3": "without its row filter"}[rule.section]
    return Claim(rule.obj, f"Nobody reads past {guardrail}: {rule.obj} {what}.", guard=rule)


def claim_of_tag(tag: str, *, action: str = "read", is_hidden: bool = False) -> Claim:
    """That nobody sees (or acts on) a column that carries the tag. Raises: InvalidName."""
    obj = tag_object(tag)
    if action != "read":
        return Claim(obj, f"Nobody may {action} a column that carries {obj}.", action)
    how = "sees anything of" if is_hidden else "sees as it is"
    return Claim(obj, f"Nobody {how} a column that carries {obj}.", is_hidden=is_hidden)


def prove(audience: Audience, claim: Claim, *, purpose: str = "", subject: str = "", may_ask: Callable[[str], bool]) -> Proof:
    """Every counterexample to the claim, over everything. Raises: TooLarge.

    Args:
        audience: Everybody, at the moment from which on the claim is made.
        claim: What must not be possible.
        purpose: Only for this purpose; for all, and none, when empty.
        subject: Only this principal, or who has this group or role; everybody when empty.
        may_ask: The ports the proof may be about.
    """
    return _Search(audience, claim, purpose, subject).run(may_ask)


@dataclass(frozen=True, slots=True)
class _Task:
    """Decisions that come out the same for all members, all these purposes, until the next moment."""

    port: str
    columns: tuple[str, ...]
    members: tuple[str, ...]
    purposes: tuple[str, ...]
    moments: tuple[datetime, ...]


@dataclass(slots=True)
class _Hit:
    """A column shown against the claim, at its first moment."""

    shown: Shown
    mask: Mask | None
    moment: datetime
    cases: list[tuple[tuple[str, ...], ReadPlan | None]] = field(default_factory=list)
    """Purposes that come to the same, and the plan of a read for them; None for another action."""


class _Search:
    """One claim over one audience."""

    def __init__(self, audience: Audience, claim: Claim, purpose: str, subject: str) -> None:
        self._audience, self._claim, self._purpose = audience, claim, purpose
        self._policy = audience.policy
        self._now = self._policy.moment
        self._later: dict[datetime, PolicyProjection] = {}
        self._names = sorted(name for name in audience.names if not subject or audience.has(name, subject))
        self._paths = Paths(audience)

    def run(self, may_ask: Callable[[str], bool]) -> Proof:
        columns = {port: found for port in sorted(self._audience.ports()) if may_ask(port) and (found := self._covered(port))}
        tasks = [task for port, names in columns.items() for task in self._tasks(port, names)]
        decisions = sum(len(task.moments) for task in tasks)
        if decisions > _MOST_DECISIONS:
            raise TooLarge(
                f"The proof needs {decisions} decisions, at most {_MOST_DECISIONS} are made: narrow it to a subject, a purpose "
                "or a narrower tag."
            )
        hits: dict[tuple[str, str], _Hit] = {}
        for task in tasks:
            self._judge(task, hits)
        listed = [self._counterexample(*key, hits[key]) for key in sorted(hits)[:_MOST_LISTED]]
        return Proof(
            tuple(listed), len(hits), len(self._names), len({it for task in tasks for it in task.purposes}),
            sum(map(len, columns.values())), len({it for task in tasks for it in task.moments}), decisions,
        )  # fmt: skip

    def _covered(self, port: str) -> tuple[str, ...]:
        """The columns of the port that the claim is about."""
        found = self._policy.find_port(port)
        obj, engine = self._claim.obj, self._policy.engine
        if found is None:
            return ()
        if not obj.startswith("tag:"):
            return tuple(column.name for column in found.columns if contains(obj, column_object(port, column.name)))
        return tuple(column.name for column in found.columns if obj in engine.ancestors(column_object(port, column.name)))

    def _tasks(self, port: str, columns: tuple[str, ...]) -> Iterator[_Task]:
        rules = self._audience.rules_of(port, self._claim.action)
        moments = (self._now, *sorted(moment for moment in _boundaries(rules) if moment > self._now))
        for members in self._audience.alike(self._names, rules):
            purposes = [self._purpose] if self._purpose else self._audience.purposes(members[0])
            alike: dict[Hashable, list[str]] = {}
            for purpose in purposes:
                alike.setdefault(self._audience.weight(members[0], rules, purpose), []).append(purpose)
            for same in alike.values():
                yield _Task(port, columns, tuple(members), tuple(same), moments)

    def _judge(self, task: _Task, hits: dict[tuple[str, str], _Hit]) -> None:
        for moment in task.moments:
            for column, shown, mask, plan in self._against(task, moment):
                for name in task.members:
                    key = (name, column_object(task.port, column))
                    known = hits.get(key)
                    if known is None or moment < known.moment:
                        known = hits[key] = _Hit(shown, mask, moment)
                    if moment == known.moment:
                        known.cases.append((task.purposes, plan))

    def _against(self, task: _Task, moment: datetime) -> Iterator[tuple[str, Shown, Mask | None, ReadPlan | None]]:
        """The columns that the claim does not hold for, as they are shown."""
        if moment not in self._later:
            self._later[moment] = self._policy.at(moment)
        policy, caller = self._later[moment], self._audience.caller(task.members[0])
        if self._claim.action != "read":
            for column in task.columns:
                if policy.check(caller, self._claim.action, column_object(task.port, column), task.purposes[0]).allowed:
                    yield column, Shown.CLEAR, None, None
            return
        try:
            outcome = policy.explain(caller, task.port, task.purposes[0])
        except AccessDenied:
            return
        if isinstance(outcome, Denied):
            return
        sights = {column.name: column for column in sight_of(outcome).columns}
        types = self._types(task.port)
        for plan in outcome.columns:
            if plan.name in task.columns and self._contradicts(plan, outcome, types.get(plan.name, "string")):
                yield plan.name, sights[plan.name].shown, sights[plan.name].mask, outcome

    def _types(self, port: str) -> Mapping[str, str]:
        found = self._policy.find_port(port)
        return {column.name: column.logical_type or "string" for column in found.columns} if found else {}

    def _contradicts(self, column: ColumnPlan, plan: ReadPlan, logical_type: str) -> bool:
        guard = self._claim.guard
        masks = [join(column.guard_mask, branch.mask) for branch in column.branches]
        if guard is None:
            return self._claim.is_hidden or None in masks
        if guard.section == "p3":
            return not any(reason.rule == guard.rid and reason.effect == "filter" for reason in plan.reasons)
        if guard.section == "p":
            return True
        demanded = _fitted(guard.value, logical_type)
        return any(mask is not demanded and not is_stricter(mask, demanded) for mask in masks)

    def _counterexample(self, name: str, column: str, hit: _Hit) -> Counterexample:
        port, _, bare = column.partition("#")
        rules = self._audience.rules_of(port, self._claim.action)
        allows = [rule for rule in rules.rules if rule.section == "p" and rule.value == "allow"]
        paths: set[Path] = set()
        exemptions: set[Path] = set()
        for purposes, plan in hit.cases:
            if plan is None:
                paths.update(self._paths.of_rules(name, allows, rules.domain, purposes[0]))
            else:
                paths.update(self._paths.grants(name, plan, [bare]))
                exemptions.update(self._paths.exemptions(name, port, bare, plan.purpose))
        return Counterexample(
            principal=name, purposes=tuple(sorted(it for purposes, _ in hit.cases for it in purposes)), column=column,
            shown=hit.shown, mask=hit.mask, moment=None if hit.moment == self._now else hit.moment,
            paths=tuple(sorted(paths)), exemptions=tuple(sorted(exemptions)),
        )  # fmt: skip


def _fitted(mask: str, logical_type: str) -> Mask:
    """The guardrail's mask as it meets a column of the type."""
    known = Mask(mask)
    return known if known in allowed_masks(logical_type) else Mask.REPLACE_WITH_NULL


def _boundaries(rules: PortRules) -> set[datetime]:
    """The moments at which some rule begins or ends."""
    texts = {text for rule in rules.rules for text in (rule.nbf, rule.exp) if text != FOREVER}
    return {datetime.fromisoformat(text.replace("Z", "+00:00")) for text in texts}
