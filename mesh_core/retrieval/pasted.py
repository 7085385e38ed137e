"""Questions as they are pasted from pages and PDF files: with letters that nobody sees, blanks and hyphens that do not break."""

from __future__ import annotations

import re

__all__ = ["as_typed"]

_UNSEEN = "\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
"""Soft hyphen, blanks of no width, marks of direction; not the joiners, which are letters to Persian and to Indic scripts."""
_PASTED = re.compile(
    rf"(?P<unseen>[{_UNSEEN}])|(?P<blank>[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000])|(?P<hyphen>[\u2010\u2011\u2212])"
)
_TYPED = {"unseen": "", "blank": " ", "hyphen": "-"}
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""Latin letters, digits and signs of the width of Chinese ones."""


def as_typed(question: str) -> str:
    """The question as a keyboard would have written it; the question itself if that leaves nothing."""
    typed = _PASTED.sub(lambda found: _TYPED[found.lastgroup or "unseen"], question).translate(_WIDE)
    return typed if typed.strip() else question
