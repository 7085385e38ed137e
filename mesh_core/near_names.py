"""Names that are not there, and those that may have been meant: the one rule for how alike two names must be written.

Pure. Only for names that whoever asks may know: what may have been meant is said.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["IN_TEXT", "did_you_mean", "near_names"]

_STATED = 0.6
"""How alike, of 1, a name must be to one that was stated as such: something was meant, so that much may be offered."""
IN_TEXT = 0.8
"""How alike to a word of running text, which mostly means no name at all: as much as one wrong letter of five leaves."""
_MOST_SHOWN = 3
_LONGEST = 200


def near_names(name: str, known: Iterable[str], *, alike: float = _STATED) -> list[str]:
    """At most three of the known names that are written nearly like this one in whatever case, the nearest first."""
    folded = {it.casefold(): it for it in known} if len(name) <= _LONGEST else {}
    return [folded[it] for it in difflib.get_close_matches(name.casefold(), folded, n=_MOST_SHOWN, cutoff=alike)]


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str) -> str:
    """The words that name what may have been meant; `otherwise` if nothing is alike."""
    near = near_names(name, known)
    return f"did you mean {' or '.join(near)}?" if near else otherwise
