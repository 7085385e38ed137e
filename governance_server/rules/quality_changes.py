"""What changed in quality rules: tightened, loosened, added, removed, or made another rule. Pure.

A rule keeps its identity by its `id`, else its `name`, else by what it measures. A rule that blocks is a promise; one that only
warns is none, so no change of it breaks anybody. Source: ODCS 3.2 quality.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction

from governance_server.rules.contract_changes import ChangeKind, ContractChange, Place, change_of_fit
from governance_server.rules.value_sets import Fit, Interval, accepted, fit_of
from mesh_core.contract import Rule

__all__ = ["holds_of_nulls", "quality_changes"]

_SEMANTIC = ("query", "engine", "implementation")
_OF_NULLS = frozenset({"nullValues", "missingValues"})
"""Metrics that may count a null; the others never do."""


def quality_changes(place: Place, old: Sequence[Rule], new: Sequence[Rule]) -> Iterator[ContractChange]:
    """The changes between the rules of one port or column; texts are documentation."""
    before, after = _promises(old), _promises(new)
    for was, now in _paired(before, after):
        if was is None and now is not None:
            fit = Fit.TIGHTER if now.is_blocking else Fit.SAME
            yield change_of_fit(place, ChangeKind.QUALITY_ADDED, f"the quality rule {_words(now)} is new", fit)
        elif now is None and was is not None:
            fit = Fit.LOOSER if was.is_blocking else Fit.SAME
            yield change_of_fit(place, ChangeKind.QUALITY_REMOVED, f"the quality rule {_words(was)} is gone", fit)
        elif was is not None and now is not None and _meaning(was) != _meaning(now):
            text = f"the quality rule {_words(was)} becomes {_words(now)}"
            yield change_of_fit(place, ChangeKind.QUALITY_CHANGED, text, _rule_fit(was, now))


def holds_of_nulls(rule: Rule) -> bool:
    """True if any number of rows without any value keeps the rule, as far as can be told."""
    if not rule.is_blocking or rule.type == "text":
        return True
    counts = accepted(rule.operator, rule.threshold, is_whole=True) if rule.type == "library" else None
    if counts is None:
        return False
    found = Interval(Fraction(0)) if rule.metric in _OF_NULLS else Interval(Fraction(0), Fraction(0))
    return any(it.holds(found) for it in counts)


def _promises(rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if rule.type != "text"]


def _paired(before: list[Rule], after: list[Rule]) -> Iterator[tuple[Rule | None, Rule | None]]:
    """Each rule with what became of it: the same meaning first, then the same name, then the same thing measured."""
    left, right = list(before), list(after)
    for key in (_meaning, _identity, _measure):
        for was in list(left):
            found = next((now for now in right if key(was) and key(now) == key(was)), None)
            if found is not None:
                left.remove(was)
                right.remove(found)
                yield was, found
    yield from ((was, None) for was in left)
    yield from ((None, now) for now in right)


def _meaning(rule: Rule) -> str:
    threshold = json.dumps([rule.operator, rule.threshold], sort_keys=True, default=str)
    return f"{_measure(rule)} {threshold} {rule.is_blocking}"


def _identity(rule: Rule) -> str:
    return str(rule.document.get("id") or rule.name or "")


def _measure(rule: Rule) -> str:
    others = {name: rule.document[name] for name in _SEMANTIC if name in rule.document}
    parts = [rule.type, rule.metric, rule.unit, dict(rule.arguments), others]
    return json.dumps(parts, sort_keys=True, default=str)


def _rule_fit(was: Rule, now: Rule) -> Fit:
    if not was.is_blocking:
        return Fit.TIGHTER if now.is_blocking else Fit.SAME
    if not now.is_blocking:
        return Fit.LOOSER
    if was.type != "library" or _measure(was) != _measure(now):
        return Fit.OTHER
    is_whole = was.unit != "percent"
    before = accepted(was.operator, was.threshold, is_whole=is_whole)
    after = accepted(now.operator, now.threshold, is_whole=is_whole)
    return Fit.OTHER if before is None or after is None else fit_of(before, after)


def _words(rule: Rule) -> str:
    named = rule.name or rule.document.get("id")
    what = f"{rule.metric} {rule.operator} {rule.threshold}" if rule.metric else f"{rule.type} {rule.operator or ''}".strip()
    unit = "%" if rule.unit == "percent" else ""
    level = "" if rule.is_blocking else ", which only warns"
    return f"{named!r} ({what}{unit}{level})" if named else f"{what}{unit}{level}"
