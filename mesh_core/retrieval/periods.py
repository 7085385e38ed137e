"""Years and quarters as people write them: `FY2022`, `fiscal 2022`, `FY22`, `Q2 2023`, `2Q23`, `2023Q2`."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Periods", "periods_in"]

_YEAR = re.compile(r"(?<![\d.,$])(?:FY|CY|[1-4]Q|Q[1-4])?[ '’]?((?:19|20)\d\d)(?:(?![\d])|(?=Q[1-4]))(?![.,]\d)", re.IGNORECASE)
_SHORT_YEAR = re.compile(r"\b(?:FY|CY|[1-4]Q|Q[1-4](?=[ '’]))[ '’]?(\d\d)(?!\d)", re.IGNORECASE)
_QUARTER = re.compile(
    r"(?<![A-Za-z\d])Q([1-4])(?=\W|\d|\Z)|(?<![A-Za-z\d.])([1-4])Q(?=\W|\d|\Z)|(?:19|20)\d\dQ([1-4])", re.IGNORECASE
)
_WORDS = {"first": 1, "second": 2, "third": 3, "fourth": 4}
_QUARTER_WORD = re.compile(r"\b(first|second|third|fourth)[ -](?:fiscal[ -])?quarter\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Periods:
    """Which years and quarters (1 to 4) a text speaks of."""

    years: frozenset[int] = frozenset()
    quarters: frozenset[int] = frozenset()


def periods_in(text: str) -> Periods:
    """The periods named in the text; two digits count only behind `FY`, `CY` or a quarter."""
    years = {int(found) for found in _YEAR.findall(text)} | {2000 + int(found) for found in _SHORT_YEAR.findall(text)}
    quarters = {int(one or other or third) for one, other, third in _QUARTER.findall(text)}
    quarters |= {_WORDS[word.lower()] for word in _QUARTER_WORD.findall(text)}
    return Periods(frozenset(years), frozenset(quarters))
