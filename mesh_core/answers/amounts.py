"""Numbers with what they are of: `30 days` is no `30 weeks`, and `1,000 euro` no `$1,000`. Comparing is by form; English."""

from __future__ import annotations

import re

from mesh_core.answers.conditions import currencies_in, quantities_in
from mesh_core.answers.number_words import SPELT

__all__ = ["Amount", "amounts_in", "strays"]

Amount = tuple[str, str]
"""A number as `wording_of` writes it, and its unit: `("30", "day")`, `("1000", "EUR")`."""

_OTHER_UNITS = {
    "second": "second", "minute": "minute", "hour": "hour", "night": "night", "quarter": "quarter", "decade": "decade",
    "%": "percent", "percent": "percent", "per cent": "percent", "percentage point": "point",
}  # fmt: skip
_OTHER = re.compile(
    rf"(?<![\w.])(?P<number>\d+(?:,\d{{3}})*(?:\.\d+)?|{'|'.join(SPELT)})[ -]?"
    rf"(?P<unit>{'|'.join(map(re.escape, sorted(_OTHER_UNITS, key=len, reverse=True)))})s?(?!\w)",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b(?P<unit>day|week|month|year|hour|minute|second|night|quarter|decade)s?\b|(?P<percent>%|\bper ?cent\b)", re.I
)


def amounts_in(text: str) -> frozenset[Amount]:
    """The numbers of the text that have a unit."""
    found = {(f"{it.value.normalize():f}", f"working {it.unit}" if it.is_working else it.unit) for it in quantities_in(text)}
    for match in _OTHER.finditer(text):
        number = match["number"].lower()
        value = str(SPELT[number]) if number in SPELT else number.replace(",", "")
        plain = value.rstrip("0").rstrip(".") if "." in value else value
        found.add((plain, _OTHER_UNITS[match["unit"].lower()]))
    return frozenset(found)


def strays(amount: Amount, text: str) -> bool:
    """True if the text gives the number another unit, or none and the unit is not in it either."""
    number, unit = amount
    given = {it for value, it in amounts_in(text) if value == number}
    return unit not in given if given else unit.removeprefix("working ") not in _named(text)


def _named(text: str) -> frozenset[str]:
    """The units that the text has words for, whatever they are of."""
    times = {"percent" if it["percent"] else it["unit"].lower() for it in _TIME.finditer(text)}
    return frozenset(times | currencies_in(text))
