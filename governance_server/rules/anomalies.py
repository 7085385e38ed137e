"""Is this release like those before it? Simple robust statistics over the history of a product; pure.

A number is suspicious if it lies farther from the median of its history than `_SPREADS` times the typical deviation from it
(1.4826 × the median absolute deviation, which for normal data is the standard deviation), and at least a fifth of the median
away: a history without spread would else make an anomaly of one row more. Medians, as one bad day must not blind the next.
Source: Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993): modified z-score, cut at 3.5.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["FEWEST", "MOST", "Usual", "usual"]

FEWEST = 5
"""Releases that must lie behind before anything is called unusual."""
MOST = 30
"""So many releases back are looked at."""
_SPREADS = 3.5
_CONSISTENCY = 1.4826
_LEAST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Usual:
    """What a history makes expect: its median, and the bounds outside which a value is suspicious; both ends are usual."""

    median: float
    least: float
    most: float

    def is_suspicious(self, value: float) -> bool:
        """Whether the value lies outside."""
        return not self.least <= value <= self.most


def usual(history: Sequence[float]) -> Usual | None:
    """What the history makes expect; None while it is too short."""
    if len(history) < FEWEST:
        return None
    median = statistics.median(history)
    spread = _CONSISTENCY * statistics.median(abs(value - median) for value in history)
    reach = max(_SPREADS * spread, _LEAST_SHARE * abs(median))
    return Usual(median, max(0.0, median - reach), median + reach)
