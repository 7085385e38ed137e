"""Read plans that were made, kept until a rule they looked at begins or ends.

They rest on everything a view holds, so they live and die with it. Bounded. Knows nothing of how a plan is made.
"""

from __future__ import annotations

from dataclasses import replace

from governance_server.rules.read_plans import Denied, ReadPlan

__all__ = ["KeptPlans"]

_MOST_KEPT = 2_048
_LONGEST_KEPT = 1_024

_Question = tuple[str, str, str]
"""Principal, port, purpose."""


class KeptPlans:
    """Kept plans by question; used under the projection's lock."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[_Question, tuple[str, str, ReadPlan | Denied]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, question: _Question, now: str, *, revision: int) -> ReadPlan | Denied | None:
        """The plan, if one is kept that holds now, as one of this revision."""
        kept = self._kept.get(question)
        if kept is None or not kept[0] <= now < kept[1]:
            return None
        plan = kept[2]
        if plan.revision != revision:
            plan = replace(plan, revision=revision)
            self._kept[question] = (kept[0], kept[1], plan)
        return plan

    def keep(self, question: _Question, since: str, until: str, plan: ReadPlan | Denied) -> None:
        """The plan is given from `since` until before `until`. A full store starts again rather than grow."""
        if since >= until or sum(map(len, question)) > _LONGEST_KEPT:
            return
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[question] = (since, until, plan)
