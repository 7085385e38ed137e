"""Score fusion for stores that do not fuse themselves: relative scores, as Weaviate computes them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CANDIDATES", "fused_order"]

CANDIDATES = 100
"""How many best candidates of each search are fused, at least; more when more are asked for."""


def fused_order(dense: Mapping[str, float], sparse: Mapping[str, float], *, alpha: float) -> list[str]:
    """All keys, best first, by alpha × scaled dense + (1 - alpha) × scaled sparse; higher inputs are better.

    Each search is scaled so that its worst candidate is 0 and its best 1 (all 1 if equal). Sums that differ by less than 1e-7 are
    ordered by key. Source: Weaviate 1.35 `FusionRelativeScore`.
    """
    total: dict[str, float] = {}
    for scores, weight in ((dense, alpha), (sparse, 1 - alpha)):
        for key, scaled in _scaled(scores).items():
            total[key] = total.get(key, 0.0) + weight * scaled
    return sorted(total, key=lambda key: (-round(total[key], 7), key))


def _scaled(scores: Mapping[str, float]) -> dict[str, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    if low == high:
        return dict.fromkeys(scores, 1.0)
    return {key: (score - low) / (high - low) for key, score in scores.items()}
