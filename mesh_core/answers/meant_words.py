"""Words of a question that a passage does not have, and whether it speaks of what they say all the same.

Told by leaving the word out: the question without it is further from a passage that means it in other words (`vacation` of
`holiday`), and nearer to one that it leads away from (`dog` of a page on offices). That needs no list of synonyms, and only what
compares question and passage anyway. Pure: vectors are given.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from mesh_core.answers.wording import wording_of

__all__ = ["Standing", "standing_of", "without_word"]

_CLEARLY = 0.05
"""A change of nearness (a cosine) that says something; smaller ones come of leaving out any word."""
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


class Standing(Enum):
    """How a word stands to a passage that does not have it."""

    MEANT = auto()
    """The passage says it in other words."""
    OPEN = auto()
    """It makes no difference."""
    FOREIGN = auto()
    """The passage is about something else."""


def without_word(question: str, stem: str) -> str:
    """The question without the words that have the stem."""
    left = _WORD.sub(lambda it: "" if stem in wording_of(it[0].lower()).words else it[0], question)
    return " ".join(left.split())


def standing_of(near: float, without: float) -> Standing:
    """How the word stands, by how near the question is to the passage with it and without it (cosines)."""
    if near - without >= _CLEARLY:
        return Standing.MEANT
    return Standing.FOREIGN if without - near >= _CLEARLY else Standing.OPEN
