"""Names that are not there, and those that may have been meant.

Pure. Only for names that whoever asks may know: purposes are everybody's, principals the centre's.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from governance_server.rules.errors import Invalid

__all__ = ["did_you_mean", "unknown_purpose"]

_MOST_SHOWN = 3
_LONGEST = 200


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str) -> str:
    """The words that name what may have been meant; `otherwise` if nothing is alike."""
    folded = {it.casefold(): it for it in known} if len(name) <= _LONGEST else {}
    near = difflib.get_close_matches(name.casefold(), folded, n=_MOST_SHOWN, cutoff=0.6)
    return f"did you mean {' or '.join(folded[it] for it in near)}?" if near else otherwise


def unknown_purpose(name: str, known: Iterable[str], *, resource: str = "") -> Invalid:
    """The refusal of a purpose that does not exist."""
    hint = did_you_mean(name, known, otherwise="list them with `mesh admin list purposes`, or let the governance team create it.")
    return Invalid(f"There is no purpose {name!r}: {hint}", resource=resource)
