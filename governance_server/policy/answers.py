"""Decisions that were made, kept for as long as they must be the same again.

An answer rests on the shards of the object's domain and of the whole mesh, on containment and purposes, and on the clock. It is
given again only while those very parts are served and no rule that it looked at has begun or ended since. Bounded, whatever
callers ask about. Knows nothing of how a decision is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from governance_server.rules.policy_rows import FOREVER, Rule

__all__ = ["Answers", "valid_until"]

_MOST_KEPT = 32_768
_LONGEST_KEPT = 512

_Question = tuple[str, ...]
_Stamps = tuple[object, ...]
_Answer = tuple[bool, tuple[Rule, ...]]


class Answers:
    """Kept answers by question; any thread may use it."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[_Question, tuple[_Stamps, str, str, _Answer]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, question: _Question, stamps: _Stamps, now: str) -> _Answer | None:
        """The answer, if one is kept that rests on the parts with these stamps and still holds at this time."""
        kept = self._kept.get(question)
        if kept is not None and kept[0] == stamps and kept[1] <= now < kept[2]:
            return kept[3]
        return None

    def keep(self, question: _Question, stamps: _Stamps, now: str, until: str, answer: _Answer) -> None:
        """The answer is given from now until before `until`. A full store starts again rather than grow."""
        if len(question[0]) + len(question[2]) + len(question[4]) > _LONGEST_KEPT:
            return
        if len(self._kept) >= _MOST_KEPT:
            self._kept = {}
        self._kept[question] = (stamps, now, until, answer)


def valid_until(now: str, candidates: Iterable[Rule], moments: Callable[[Rule], tuple[str, ...]]) -> str:
    """The first moment of any of the rules that is not past: an answer given now may be another from then on."""
    until = FOREVER
    for rule in candidates:
        for moment in moments(rule):
            if now <= moment < until:
                until = moment
    return until
