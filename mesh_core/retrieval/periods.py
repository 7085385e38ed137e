"""Years, quarters and months as people write them: `FY2022`, `fiscal 2022`, `FY22`, `Q2 2023`, `2Q23`, `2023Q2`, `June 2023`."""

from __future__ import annotations

import calendar
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

_MONTHS = {name[:3].lower(): number for number, name in enumerate(calendar.month_name) if number}
_MONTH = re.compile(
    r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.? (?:\d{1,2}(?:st|nd|rd|th)?,? )?((?:19|20)\d\d)(?!\d)",
    re.IGNORECASE,
)
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)([- ]?)(0[1-9]|1[0-2])\2(?:0[1-9]|[12]\d|3[01])(?!\d)")
"""`2023-06-30`, and `20230630` as in names of files."""
_OF_QUARTER = re.compile(r"\bquarter(?:s|ly)?\b|\b(?:three|3) months\b|\b(?:thirteen|13)[ -]weeks?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Periods:
    """Which years and quarters (1 to 4) a text speaks of, and which months: pairs of year and month."""

    years: frozenset[int] = frozenset()
    quarters: frozenset[int] = frozenset()
    months: frozenset[tuple[int, int]] = frozenset()
    is_of_quarter: bool = False
    """It speaks of a quarter, though perhaps not of which."""

    @property
    def ends(self) -> frozenset[tuple[int, int]]:
        """The months in which its quarters of its years end, where years are those of the calendar."""
        return frozenset((year, 3 * quarter) for year in self.years for quarter in self.quarters)


def periods_in(text: str) -> Periods:
    """The periods named in the text; two digits count only behind `FY`, `CY` or a quarter."""
    years = {int(found) for found in _YEAR.findall(text)} | {2000 + int(found) for found in _SHORT_YEAR.findall(text)}
    quarters = {int(one or other or third) for one, other, third in _QUARTER.findall(text)}
    quarters |= {_WORDS[word.lower()] for word in _QUARTER_WORD.findall(text)}
    months = {(int(year), _MONTHS[name.lower()]) for name, year in _MONTH.findall(text)}
    months |= {(int(year), int(month)) for year, _, month in _DAY.findall(text)}
    years |= {year for year, _ in months}
    return Periods(frozenset(years), frozenset(quarters), frozenset(months), bool(quarters or _OF_QUARTER.search(text)))
