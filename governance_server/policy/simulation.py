"""What changes of policy would do: who gains and who loses what, over all principals, ports and purposes.

A pure function of two policies: it asks, compares and counts, and changes neither. Only what the changes can touch is compared,
and principals of equal standing once. Knows nothing of the journal, the wire or who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from domainmesh.v1 import impact_pb2
from governance_server.policy.audience import Audience
from governance_server.policy.budget import Budget
from governance_server.policy.projection import PolicyProjection
from governance_server.policy.reach import Names, Reach, Touched, touched
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.sights import Difference, Rows, Shown, Sight, compare

__all__ = ["ReadLog", "RecordedRead", "everywhere", "restrict", "simulate"]

_MOST_ENTRIES = 500
_MOST_NAMES = 50

_SHOWN: Mapping[Shown, impact_pb2.ColumnShown.ValueType] = {
    Shown.HIDDEN: impact_pb2.COLUMN_SHOWN_HIDDEN,
    Shown.PARTLY: impact_pb2.COLUMN_SHOWN_PARTLY,
    Shown.MASKED: impact_pb2.COLUMN_SHOWN_MASKED,
    Shown.CLEAR: impact_pb2.COLUMN_SHOWN_CLEAR,
}
_ROWS: Mapping[Rows, impact_pb2.RowChange.ValueType] = {
    Rows.SAME: impact_pb2.ROW_CHANGE_SAME,
    Rows.WIDER: impact_pb2.ROW_CHANGE_WIDER,
    Rows.NARROWER: impact_pb2.ROW_CHANGE_NARROWER,
    Rows.UNKNOWN: impact_pb2.ROW_CHANGE_UNKNOWN,
}


class RecordedRead(Protocol):
    """Reads of one principal that the decision log holds, added up."""

    @property
    def principal(self) -> str:
        """Who read."""
        ...

    @property
    def port(self) -> str:
        """What."""
        ...

    @property
    def purpose(self) -> str:
        """The purpose stated; empty if none."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """The columns that were read."""
        ...

    @property
    def is_allowed(self) -> bool:
        """False if they were refused."""
        ...

    @property
    def count(self) -> int:
        """How often."""
        ...


class ReadLog(Protocol):
    """Where recorded reads come from: the decision log."""

    def reads_since(self, days: float) -> Sequence[RecordedRead]:
        """The reads of the last so many days, those of one principal, port, purpose, set of columns and outcome as one."""
        ...


def everywhere(resource: str) -> bool:
    """True: the answer covers every resource."""
    return True


@dataclass(frozen=True, slots=True)
class _Case:
    """One kind of change at one port; everybody of whom it is true is listed with it."""

    difference: Difference
    could_read: bool
    can_read: bool
    purposes: tuple[str, ...]


@dataclass(slots=True)
class _Tally:
    """What was found so far."""

    impact: impact_pb2.Impact
    reasons: list[str] = field(default_factory=list)

    def cut(self, reason: str) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)


def simulate(
    before: PolicyProjection,
    after: PolicyProjection,
    writes: Sequence[ResourceWrite],
    *,
    budget: Budget,
    reads: Iterable[RecordedRead] = (),
    days: int = 0,
    may_ask: Callable[[str], bool] = everywhere,
) -> impact_pb2.Impact:
    """What the writes, which lead from `before` to `after` (both snapshots), do to access.

    Args:
        before: The policy without the changes.
        after: `before.with_changes(writes)`.
        writes: The changed resources.
        budget: When to stop; what was not compared by then is said in the answer.
        reads: Recorded reads of the past days, to be judged again.
        days: How many days these cover.
        may_ask: The resources the answer may be about.
    """
    found = touched(Reach(before.facts()), Reach(after.facts()), writes)
    comparison = _Comparison(Audience(before), Audience(after), budget, may_ask)
    tally = _Tally(impact_pb2.Impact(revision=before.revision, recorded_days=days, is_restricted=may_ask is not everywhere))
    tally.impact.principal_count = len(comparison.everybody)
    comparison.read(found, tally)
    comparison.act(found, tally)
    if days:
        comparison.recorded(reads, found, tally)
    tally.impact.is_cut = bool(tally.reasons)
    tally.impact.cut_reason = " ".join(tally.reasons)
    return tally.impact


class _Comparison:
    """Two audiences side by side."""

    def __init__(self, before: Audience, after: Audience, budget: Budget, may_ask: Callable[[str], bool]) -> None:
        self._before, self._after = before, after
        self._budget, self._may_ask = budget, may_ask
        self.everybody = before.names | after.names

    def read(self, found: Touched, tally: _Tally) -> None:
        ports = [port for port in sorted(found.reads) if self._may_ask(port)]
        tally.impact.port_count = len(ports)
        for port in ports:
            cases = self._port(port, found.reads[port])
            if cases is None:
                left = len(ports) - tally.impact.compared_port_count
                return tally.cut(f"The time was over with {left} of {len(ports)} ports not compared.")
            tally.impact.compared_port_count += 1
            self._count(port, cases, tally)
        return None

    def _port(self, port: str, who: Names) -> dict[str, list[_Case]] | None:
        """Principal → how it sees the port otherwise; None if the time is over."""
        names = self.everybody if who is None else self.everybody & who
        found: dict[str, list[_Case]] = {}
        for members in self._alike(port, names):
            cases = self._cases(members[0], port)
            if cases is None:
                return None
            found |= dict.fromkeys(members, cases) if cases else {}
        return found

    def _alike(self, port: str, names: Iterable[str]) -> list[list[str]]:
        old, new = self._before.rules_of(port), self._after.rules_of(port)
        groups: dict[Hashable, list[str]] = {}
        for name in sorted(names):
            groups.setdefault((self._before.standing(name, old), self._after.standing(name, new)), []).append(name)
        return list(groups.values())

    def _cases(self, name: str, port: str) -> list[_Case] | None:
        old, new = self._before.rules_of(port), self._after.rules_of(port)
        alike: dict[Hashable, list[str]] = {}
        for purpose in dict.fromkeys([*self._before.purposes(name), *self._after.purposes(name)]):
            weight = (self._before.weight(name, old, purpose), self._after.weight(name, new, purpose))
            alike.setdefault(weight, []).append(purpose)
        cases: dict[tuple[Difference, bool, bool], list[str]] = {}
        for purposes in alike.values():
            if self._budget.is_over():
                return None
            one, other = self._before.sight(name, port, purposes[0]), self._after.sight(name, port, purposes[0])
            if difference := compare(one, other):
                cases.setdefault((difference, bool(one.columns), bool(other.columns)), []).extend(purposes)
        return [_Case(*key, tuple(sorted(purposes))) for key, purposes in cases.items()]

    def _count(self, port: str, found: Mapping[str, list[_Case]], tally: _Tally) -> None:
        by_case: dict[_Case, list[str]] = {}
        for name, cases in found.items():
            for case in cases:
                by_case.setdefault(case, []).append(name)
        gained = sum(any(case.difference.gains for case in cases) for cases in found.values())
        lost = sum(any(case.difference.loses for case in cases) for cases in found.values())
        tally.impact.gained_count += gained
        tally.impact.lost_count += lost
        if gained or lost:
            tally.impact.ports.add(port=port, gained_count=gained, lost_count=lost)
        for case, names in by_case.items():
            if len(tally.impact.access) < _MOST_ENTRIES:
                tally.impact.access.append(_entry(port, case, sorted(names)))
            else:
                tally.cut(f"Only the first {_MOST_ENTRIES} entries are listed.")

    def act(self, found: Touched, tally: _Tally) -> None:
        stated: dict[tuple[str, str, bool], list[str]] = {}  # for no purpose; one of which the same is true needs no entry
        for (action, resource, purpose), who in sorted(found.actions.items(), key=lambda item: item[0]):
            if not self._may_ask(resource):
                continue
            if self._budget.is_over():
                return tally.cut("The time was over before every action was compared.")
            for is_allowed, names in self._decisions(action, resource, purpose, who).items():
                key = (action, resource, is_allowed)
                if names == stated.setdefault(key, [] if purpose else names) and purpose:
                    continue
                if len(tally.impact.actions) >= _MOST_ENTRIES:
                    return tally.cut(f"Only the first {_MOST_ENTRIES} actions are listed.")
                tally.impact.actions.add(
                    action=action, resource=resource, purpose=purpose, is_allowed=is_allowed,
                    principals=names[:_MOST_NAMES], principal_count=len(names),
                )  # fmt: skip
        return None

    def _decisions(self, action: str, resource: str, purpose: str, who: Names) -> dict[bool, list[str]]:
        """Whether they may do it afterwards → whose answer that changes."""
        changed: dict[bool, list[str]] = {}
        for name in sorted(self.everybody if who is None else self.everybody & who):
            answers = [
                name in side.names and side.policy.check(side.caller(name), action, resource, purpose).allowed
                for side in (self._before, self._after)
            ]
            if answers[0] != answers[1]:
                changed.setdefault(answers[1], []).append(name)
        return changed

    def recorded(self, reads: Iterable[RecordedRead], found: Touched, tally: _Tally) -> None:
        for read in reads:
            if not read.is_allowed or not self._may_ask(read.port):
                continue
            who = found.reads.get(read.port, set())
            tally.impact.recorded_read_count += read.count if read.port in found.reads else 0
            if who is not None and read.principal not in who:
                continue
            if self._budget.is_over():
                return tally.cut("The time was over before every recorded read was judged.")
            sights = [side.sight(read.principal, read.port, read.purpose) for side in (self._before, self._after)]
            entry = _read(read, sights[0], sights[1])
            if entry is not None:
                tally.impact.affected_read_count += read.count
                if len(tally.impact.reads) < _MOST_ENTRIES:
                    tally.impact.reads.append(entry)
                else:
                    tally.cut(f"Only the first {_MOST_ENTRIES} recorded reads are listed.")
        return None


def _entry(port: str, case: _Case, names: Sequence[str]) -> impact_pb2.AccessImpact:
    entry = impact_pb2.AccessImpact(
        port=port, principals=names[:_MOST_NAMES], principal_count=len(names), purposes=case.purposes[:_MOST_NAMES],
        could_read=case.could_read, can_read=case.can_read, rows=_ROWS[case.difference.rows],
        gains=case.difference.gains, loses=case.difference.loses,
    )  # fmt: skip
    for change in case.difference.columns:
        entry.columns.add(
            column=change.name, before=_SHOWN[change.before], before_mask=change.before_mask or "",
            after=_SHOWN[change.after], after_mask=change.after_mask or "",
        )  # fmt: skip
    return entry


def _read(read: RecordedRead, before: Sight, after: Sight) -> impact_pb2.ReadImpact | None:
    """What of the recorded read would be less; None if nothing would. What it would not show today either does not count."""
    difference = compare(before, after)
    lost = [change for change in difference.columns if change.gain <= 0 and change.name in set(read.columns)]
    hidden = [change.name for change in lost if change.after is Shown.HIDDEN]
    fewer = difference.rows in (Rows.NARROWER, Rows.UNKNOWN)
    is_denied = bool(before.columns) and not after.columns
    counts_no_more = is_denied and not read.columns  # who only counted rows had read no column
    if not lost and not fewer and not counts_no_more:
        return None
    return impact_pb2.ReadImpact(
        principal=read.principal, port=read.port, purpose=read.purpose, read_count=read.count,
        is_denied=is_denied, hidden_columns=hidden,
        masked_columns=[change.name for change in lost if change.after is not Shown.HIDDEN], rows=_ROWS[difference.rows],
    )  # fmt: skip


def restrict(impact: impact_pb2.Impact, may_ask: Callable[[str], bool]) -> impact_pb2.Impact:
    """The impact as somebody may see it who may ask about others on some resources only; its numbers are of these."""
    shown = impact_pb2.Impact(revision=impact.revision, is_restricted=True, recorded_days=impact.recorded_days)
    shown.access.extend(entry for entry in impact.access if may_ask(entry.port))
    shown.actions.extend(entry for entry in impact.actions if may_ask(entry.resource))
    shown.reads.extend(entry for entry in impact.reads if may_ask(entry.port))
    shown.ports.extend(entry for entry in impact.ports if may_ask(entry.port))
    shown.port_count = shown.compared_port_count = len(shown.ports)
    shown.principal_count = impact.principal_count
    shown.gained_count = sum(entry.gained_count for entry in shown.ports)
    shown.lost_count = sum(entry.lost_count for entry in shown.ports)
    shown.affected_read_count = sum(entry.read_count for entry in shown.reads)
    shown.is_cut, shown.cut_reason = impact.is_cut, "Not everything was compared, or listed." if impact.is_cut else ""
    return shown
