"""Scripts that run from right to left, on a PDF page: its lines in the direction in which they are read. Pure.

Characters come in the order of reading; where they stand tells what belongs together. In Arabic and Hebrew each stands left
of the one before, and words of other scripts and numbers run the other way inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from unicodedata import bidirectional

from domain_sdk.extraction.pdf_places import PlacedChars

__all__ = ["WordBox", "has_leftward", "mirrored", "runs_leftward", "word_boxes"]

_LEFTWARD = frozenset({"R", "AL"})
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
"""Few characters are; the others run to the right."""
WordBox = tuple[str, float, float]
"""Text, least and greatest x."""


def has_leftward(text: str) -> bool:
    """True if some of it is written from right to left."""
    return not text.isascii() and any(bidirectional(char) in _LEFTWARD for char in _BEYOND_ASCII.findall(text))


def runs_leftward(text: str) -> bool:
    """True if most of it is written from right to left."""
    if not has_leftward(text):
        return False
    directions = [bidirectional(char) for char in text if char.isalpha()]
    return sum(it in _LEFTWARD for it in directions) * 2 > len(directions)


def mirrored(chars: PlacedChars) -> PlacedChars:
    """The characters as in a mirror: what is read first is left."""
    return replace(chars, left=[-it for it in chars.right], right=[-it for it in chars.left])


def word_boxes(run: str, left: Sequence[float], right: Sequence[float], *, gap: float) -> list[WordBox]:
    """The run in pieces that stand at most `gap` apart, whichever way its words run; sides are of what is no white space."""
    words = _words(run, left, right, gap)
    turns = groupby(words, key=lambda word: any(bidirectional(char) in _LEFTWARD for char in word[0]))
    return _near([box for _, some in turns for box in _near(some, gap)], gap)


def _words(run: str, left: Sequence[float], right: Sequence[float], gap: float) -> list[WordBox]:
    """What stands between white space, or between gaps that have none."""
    words: list[WordBox] = []
    sides = zip(left, right, strict=True)
    for word in run.split():
        is_first = True
        for text, (its_left, its_right) in zip(word, sides, strict=False):
            last = ("", 0.0, 0.0) if is_first else words[-1]
            if not is_first and max(its_left - last[2], last[1] - its_right) <= gap:
                words[-1] = last[0] + text, min(last[1], its_left), max(last[2], its_right)
            else:
                words.append((text, its_left, its_right))
            is_first = False
    return words


def _near(words: Iterable[WordBox], gap: float) -> list[WordBox]:
    near: list[WordBox] = []
    for text, left, right in words:
        before = near[-1] if near else None
        if before is not None and max(left - before[2], before[1] - right) <= gap:
            near[-1] = f"{before[0]} {text}", min(before[1], left), max(before[2], right)
        else:
            near.append((text, left, right))
    return near
