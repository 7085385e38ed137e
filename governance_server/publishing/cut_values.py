"""Known values in passages, those that two of them share as well: long sentences are cut between any two words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesh_core.pii.exact_match import Match
    from mesh_core.vectors.passages import Passage

__all__ = ["Place", "places"]

_LONGEST_VALUE = 300
_LONGEST_GAP = 3
Place = tuple[int, int, int]
"""Owner of the value, and where it starts and ends in the passage's text."""


def places(passages: Iterable[Passage], find: Callable[[str], Iterable[Match]]) -> Iterator[tuple[Passage, list[Place]]]:
    """Each passage with the places of values, or of their parts, in its text."""
    before: Passage | None = None
    found: list[Place] = []
    for passage in passages:
        ends, begins = _shared(before, passage, find) if before is not None else ([], [])
        if before is not None:
            yield before, [*found, *ends]
        before = passage
        found = [*begins, *((it.owner, it.start, it.end) for it in find(passage.text))]
    if before is not None:
        yield before, found


def _shared(before: Passage, passage: Passage, find: Callable[[str], Iterable[Match]]) -> tuple[list[Place], list[Place]]:
    """What of values that both share stands at the end of the one, and at the beginning of the other."""
    gap = passage.start - (before.start + len(before.text))
    if before.document != passage.document or not 0 <= gap <= _LONGEST_GAP or before.text[-1:] in ".!?。！？":
        return [], []
    tail, head = before.text[-_LONGEST_VALUE:], passage.text[:_LONGEST_VALUE]
    cut, seam = len(before.text) - len(tail), len(tail) + gap
    matches = [it for it in find(f"{tail}{' ' * gap}{head}") if it.start < len(tail) and it.end > seam]
    ends = [(it.owner, cut + it.start, len(before.text)) for it in matches]
    return ends, [(it.owner, 0, it.end - seam) for it in matches]
