"""What is known of a candidate before it is among the best; how much is remembered of candidates, and of passages given."""

from __future__ import annotations

from typing import NamedTuple

from mesh_core.vectors.passages import Candidate

__all__ = ["MOST_CHARACTERS", "MOST_LABELS", "Label"]

MOST_LABELS = 20_000
MOST_CHARACTERS = 16 * 2**20
"""Of the texts of passages given."""


class Label(NamedTuple):
    """What is known of one stored passage before it is among the best."""

    id: str
    """What the store calls it in its present state: Weaviate by its key, LanceDB by its row."""
    key: str
    """What it is called in every state; equal scores are ordered by it."""
    valid_from: int
    candidate: Candidate
