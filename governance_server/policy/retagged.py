"""A policy engine's answers for objects that carry further tags: those an earlier version of a port had.

A release that drops a tag says nothing about the data of the releases before it. Knows neither versions nor where tags come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from governance_server.policy.engine import Collected, Matches, PolicyEngine, Request, in_order

__all__ = ["RetaggedEngine"]


class RetaggedEngine:
    """Collects as the engine does, as if each object also carried the tag objects given for it."""

    def __init__(self, engine: PolicyEngine, tags: Mapping[str, Iterable[str]]) -> None:
        """`tags`: object → tag objects (`tag:pii.email`)."""
        self._engine = engine
        self._tags = {obj: tuple(sorted(set(found))) for obj, found in tags.items()}

    def collect(self, request: Request, objects: Sequence[str]) -> Collected:
        """What each object matches, by its own links or by the tags added to it."""
        known = sorted({tag for obj in objects for tag in self._tags.get(obj, ())})
        collected = self._engine.collect(request, [*objects, *known])
        by_tag = dict(zip(known, collected.matches[len(objects) :], strict=True))
        matches = zip(objects, collected.matches, strict=False)
        return Collected(
            collected.revision, tuple(_merged(match, [by_tag[tag] for tag in self._tags.get(obj, ())]) for obj, match in matches)
        )


def _merged(match: Matches, further: Sequence[Matches]) -> Matches:
    if not further:
        return match
    every = (match, *further)
    p, p2, p3 = (in_order({rule for m in every for rule in getattr(m, section)}) for section in ("p", "p2", "p3"))
    return Matches(match.obj, p, p2, p3)
