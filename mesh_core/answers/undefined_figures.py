"""Why a figure of some time is not given: nothing that the asker may read defines what is asked for, or a fiscal year."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mesh_core.answers.intervals import TimeSpan
from mesh_core.contract.model import Port

__all__ = ["undefined_figures"]

_FROM_TODAY = re.compile(r"(?:this|last|previous|current|past|year to date|ytd|today|yesterday)\b", re.IGNORECASE)
_MOST_LISTED = 6


def undefined_figures(clauses: Sequence[tuple[str, tuple[TimeSpan, ...] | None]], ports: Mapping[str, Port]) -> list[str]:
    """A sentence for each clause that asks for a figure of a fiscal year, or of a time that is told from today.

    Args:
        clauses: Clauses that ask for figures which no measure is called, with the times that they name; None for fiscal ones.
        ports: What the asker may read; nothing is said if they define no measures at all.
    """
    defined = [f"{it.name} of {name}" for name, port in ports.items() for it in port.measures if it.position >= 0][:_MOST_LISTED]
    said = []
    for text, spans in clauses if defined else ():
        period = _period(text, spans)
        if period:
            fiscal = " No contract says when one begins: name the months." if spans is None else ""
            none = f"No figure of {period}: no table that you may read defines one called so."
            said.append(f"{none}{fiscal} Defined: {', '.join(defined)}.")
    return said


def _period(text: str, spans: tuple[TimeSpan, ...] | None) -> str:
    if spans is None:
        return "a fiscal year"
    named = (text[it.begin : it.finish] for it in spans)
    return next((it for it in named if _FROM_TODAY.match(it)), "")
