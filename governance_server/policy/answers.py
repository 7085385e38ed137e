"""Decisions that were made, kept for as long as they must be the same again.

An answer rests on the shards of the object's domain and of the whole mesh, on containment and purposes, and on the clock. It is
given again only while those very parts are served and no rule that it looked at has begun or ended since. Bounded, whatever
callers ask about. Knows nothing of how a decision is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from governance_server.policy.engine import Request
from governance_server.rules.policy_rows import FOREVER, Rule

__all__ = ["Answers", "valid_until"]

_MOST_KEPT = 32_768
_LONGEST_KEPT = 512

_Stamps = tuple[object, ...]
_Answer = tuple[bool, tuple[Rule, ...]]


class Answers:
    """Kept answers by question; any thread may use it."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], tuple[_Stamps, str, str, _Answer]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, request: Request, stamps: _Stamps) -> _Answer | None:
        """The answer, if one is kept that rests on the parts with these stamps and still holds at the request's time."""
        kept = self._kept.get(request[:5])
        if kept is not None and kept[0] == stamps and kept[1] <= request.now < kept[2]:
            return kept[3]
        return None

    def keep(self, request: Request, stamps: _Stamps, until: str, answer: _Answer) -> None:
        """The answer is given from the request's time until before `until`. A full store starts again rather than grow."""
        if len(request.sub) + len(request.obj) + len(request.purpose) > _LONGEST_KEPT:
            return
        if len(self._kept) >= _MOST_KEPT:
            self._kept = {}
        self._kept[request[:5]] = (stamps, request.now, until, answer)


def valid_until(now: str, candidates: Iterable[Rule], moments: Callable[[Rule], tuple[str, ...]]) -> str:
    """The first moment of any of the rules that is not past: an answer given now may be another from then on."""
    until = FOREVER
    for rule in candidates:
        for moment in moments(rule):
            if now <= moment < until:
                until = moment
    return until
