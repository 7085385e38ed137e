"""What would change an answer: a purpose to state or to be assigned, a grant that begins or ended, a denial, a guardrail.

Tried out on the policy rather than guessed: a way is named only if the policy, asked again under it, shows more. Only rules that
name the principal (its groups, roles or everybody) are looked at. Knows nothing of the wire or of who asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domainmesh.v1 import principal_pb2
from governance_server.policy.audience import Audience
from governance_server.policy.engine import Matches
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.policy_rows import ANY, Rule, domain_of
from governance_server.rules.sights import Sight, compare
from mesh_core.names import column_object

__all__ = ["Way", "WayKind", "column_reasons", "purpose_to_state", "ways_of"]

_MOST_PURPOSES = 20


class WayKind(StrEnum):
    """What kind of thing would change the answer."""

    STATE_PURPOSE = "state purpose"
    ASSIGN_PURPOSE = "assign purpose"
    WAIT = "wait"
    RENEW = "renew"
    END_DENIAL = "end denial"
    EXEMPTION = "exemption"


@dataclass(frozen=True, slots=True)
class Way:
    """One thing that would change the answer. `rule` is the grant or guardrail, `columns` those of which more would be shown."""

    kind: WayKind
    words: str
    rule: str = ""
    purpose: str = ""
    columns: tuple[str, ...] = ()


def column_reasons(matches: Matches) -> list[str]:
    """Why a column is shown as it is, in words."""
    denies = [rule for rule in matches.p if rule.value != "allow"]
    if denies:
        return [f"{rule.rid} denies it" for rule in denies]
    if not matches.p:
        return ["no rule gives it"]
    given = [f"{rid} gives it" for rid in dict.fromkeys(rule.rid for rule in matches.p)]
    masked = [f"{rid} masks it with {value}" for rid, value in dict.fromkeys((rule.rid, rule.value) for rule in matches.p2)]
    return [*given, *masked]


def ways_of(audience: Audience, name: str, port: str, purpose: str) -> list[Way]:
    """What would show the principal more of the port, the nearest first."""
    return list(_Ways(audience, name, port, purpose).find())


def purpose_to_state(audience: Audience, name: str, port: str, purpose: str) -> Way | None:
    """The first purpose that the principal may state to see more of the port; None if there is none."""
    return next(_Ways(audience, name, port, purpose).to_state(), None)


class _Ways:
    """One principal at one port, for one purpose."""

    def __init__(self, audience: Audience, name: str, port: str, purpose: str) -> None:
        self._audience, self._policy = audience, audience.policy
        self._name, self._port, self._purpose = name, port, purpose
        self._now = audience.sight(name, port, purpose)
        self._rules = audience.rules_of(port)
        subjects = self._policy.names_of(name, domain_of(port))
        self._mine = [rule for rule in self._rules.rules if rule.sub in subjects]

    def find(self) -> Iterator[Way]:
        stated = {way.purpose: way for way in self.to_state()}
        yield from stated.values()
        yield from (way for way in self._to_be_assigned() if way.purpose not in stated)
        yield from self._in_time()
        yield from self._in_the_way()

    def _more(self, then: Sight) -> tuple[str, ...] | None:
        """The columns of which `then` shows more than now; empty for more rows of the same; None for nothing more."""
        difference = compare(self._now, then)
        if not difference or not difference.gains or (difference.loses and not self._now.columns):
            return None
        return tuple(change.name for change in difference.columns if change.gain > 0)

    def to_state(self) -> Iterator[Way]:
        """Purposes that it may state."""
        for view in self._audience.views(self._name, self._port, self._audience.purposes(self._name)):
            if self._purpose in view.purposes or (columns := self._more(view.sight)) is None:
                continue
            purpose = view.purposes[0] or next(iter(view.purposes[1:]), "")
            stated = f"State the purpose {purpose}, which is held: `--purpose {purpose}`."
            words = stated if purpose else "State no purpose."
            yield Way(WayKind.STATE_PURPOSE, words, purpose=purpose, columns=columns)

    def _to_be_assigned(self) -> Iterator[Way]:
        """Purposes that rules on the port name and that the principal may not state: tried as if they were assigned."""
        known = self._policy.facts().purposes
        named = sorted(it for it in self._wanted() if it in known)[:_MOST_PURPOSES]
        for purpose in named:
            if self._audience.outcome(self._name, self._port, purpose) is not None:
                continue
            message = principal_pb2.Principal(name=self._name)
            if self._name in self._policy.facts().principals:
                message.CopyFrom(self._policy.facts().principals[self._name])
            message.purposes.append(purpose)
            then = self._policy.with_changes([ResourceWrite(kinds.PRINCIPAL, self._name, message.SerializeToString())])
            columns = self._more(Audience(then).sight(self._name, self._port, purpose))
            if columns is not None:
                words = f"Ask the governance team to assign the purpose {purpose}."
                yield Way(WayKind.ASSIGN_PURPOSE, words, purpose=purpose, columns=columns)

    def _wanted(self) -> set[str]:
        """Purposes that the principal's own rules are for, and those that exempt from a guardrail on the port."""
        for_rules = {rule.purpose for rule in self._mine if rule.section == "p" and rule.value == "allow"} - {ANY}
        exempting = {
            purpose
            for purpose in self._policy.facts().purposes
            if self._policy.engine.purposes_above(purpose) & self._rules.exemptions
        }
        return for_rules | exempting

    def _in_time(self) -> Iterator[Way]:
        now = self._policy.moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        for rid, rule in sorted({rule.rid: rule for rule in self._mine if rule.section == "p" and rule.value == "allow"}.items()):
            if rule.nbf > now:
                yield Way(WayKind.WAIT, f"Wait: {rid} begins at {rule.nbf}.", rule=rid, purpose=_of(rule))
            elif rule.exp <= now:
                yield Way(WayKind.RENEW, f"Ask for {rid} to be renewed: it ended at {rule.exp}.", rule=rid, purpose=_of(rule))

    def _in_the_way(self) -> Iterator[Way]:
        """Denials and guardrails that apply, each with the columns it acts on."""
        found = self._policy.find_port(self._port)
        names = [column.name for column in found.columns] if found else []
        objects = [column_object(self._port, column) for column in names]
        columns: dict[Rule, list[str]] = {}
        for column, match in zip(names, self._policy.matches(self._name, "read", objects, self._purpose), strict=True):
            for rule in (*(it for it in match.p if it.value != "allow"), *match.p2, *match.p3):
                if rule.kind == "guard" or rule.section == "p":
                    columns.setdefault(rule, []).append(column)
        shared = {rule.rid: rule for rule in columns}
        for rid in sorted(shared):
            acted = tuple(dict.fromkeys(name for rule, at in columns.items() if rule.rid == rid for name in at))
            yield _obstacle(shared[rid], acted)


def _of(rule: Rule) -> str:
    return "" if rule.purpose == ANY else rule.purpose


def _obstacle(rule: Rule, columns: Sequence[str]) -> Way:
    what = {"p": "denies", "p2": f"masks with {rule.value}", "p3": "keeps only some rows of"}[rule.section]
    shown = ", ".join(columns)
    if rule.kind != "guard":
        return Way(
            WayKind.END_DENIAL, f"{rule.rid} denies {shown}: whoever may grant can end it.", rule.rid, _of(rule), tuple(columns)
        )
    return Way(WayKind.EXEMPTION, f"Guardrail {rule.rid} {what} {shown}.", rule.rid, columns=tuple(columns))
