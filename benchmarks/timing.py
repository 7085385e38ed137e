"""Repeated measurements. Peers are measured in turns, so that a busy neighbour disturbs both alike; medians are taken."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence

__all__ = ["in_turns", "median_seconds", "percentile", "seconds_of"]


def seconds_of(action: Callable[[], object]) -> float:
    """How long the action took; what it returned is freed outside the measured time."""
    gc.collect()
    begin = time.perf_counter()
    result = action()
    elapsed = time.perf_counter() - begin
    del result
    return elapsed


def median_seconds(action: Callable[[], object], *, repetitions: int, warm_ups: int = 1) -> float:
    """The median duration of the action after it ran `warm_ups` times unmeasured."""
    for _ in range(warm_ups):
        seconds_of(action)
    return statistics.median(seconds_of(action) for _ in range(repetitions))


def in_turns(*actions: Callable[[], object], repetitions: int, warm_ups: int = 1) -> list[float]:
    """The median duration of each action; they ran one after the other, `repetitions` times."""
    for _ in range(warm_ups):
        for action in actions:
            seconds_of(action)
    rounds = [[seconds_of(action) for action in actions] for _ in range(repetitions)]
    return [statistics.median(durations) for durations in zip(*rounds, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
