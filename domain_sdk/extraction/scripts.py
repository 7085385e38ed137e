"""What the scripts of the world put between the words of two lines that are one: a blank, or nothing. Pure."""

from __future__ import annotations

import re

__all__ = ["between"]

_UNSPACED = re.compile(
    "[\u2e80-\u312f\u3190-\u9fff\ua000-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffdf\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U0003ffff]"
)
"""Chinese, Japanese and their punctuation, Thai, Lao, Burmese and Khmer; Korean has blanks between its words."""


def between(before: str, after: str) -> str:
    """What belongs between the two: nothing at the edge of a script without blanks between words, else a blank."""
    return "" if _UNSPACED.match(before[-1:]) or _UNSPACED.match(after[:1]) else " "
