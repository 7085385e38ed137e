"""Marks that tell one document from others of the same name: the day it is of, and its version.

`minutes-2031-04-07`, `Minutes of 7 April 2031`, `pump_v2_1.pdf`, `Pump Manual, version 2.1`. Knows nothing of names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["kind_of", "marks_asked", "marks_of"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = rf"(?P<name>{'|'.join(_MONTHS)})[^\W\d_]{{0,6}}\.?"
_YEAR = r"(?P<year>(?:19|20)\d\d)(?!\d)"
_DAYS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<part>[-_. ]?)(?P<month>0[1-9]|1[0-2])(?P=part)(?P<day>0[1-9]|[12]\d|3[01])(?!\d)",
        rf"(?<![^\W_]){_NAME} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? {_YEAR}",
        rf"(?<!\d)(?P<day>\d{{1,2}})(?:\.|st|nd|rd|th)?(?: of)? {_NAME},? {_YEAR}",
        rf"(?<![\d./-])(?P<day>\d{{1,2}})(?P<part>[./-])(?P<month>\d{{1,2}})(?P=part){_YEAR}",
        rf"(?<![\d./-])(?P<month>\d{{1,2}})(?P<part>[/-])(?P<day>\d{{1,2}})(?P=part){_YEAR}",
    )
)
"""In numbers both day and month may stand first: each reading that is a day counts."""
_VERSION = re.compile(
    r"(?<![^\W_])(?:v|ver\.?|version|release|rev\.?|revision)[ ._-]?(\d{1,3}(?:[._]\d{1,4})*)(?![^\W_])", re.IGNORECASE
)
_BARE_VERSION = re.compile(
    r"(?<![\w.,$€£¥+-])(\d{1,3}(?:\.\d{1,4})+)(?![\w%]|[.,]\d| ?%| (?:percent|thousand|million|billion|bn|mn)\b)", re.IGNORECASE
)
_NOTHING_MORE = re.compile(r"(?:\.0+)+$")


def marks_of(*names: str) -> frozenset[str]:
    """The days and versions that names of files and titles state."""
    return frozenset(mark for name in names for mark in (*_days(name), *map(_version, _VERSION.findall(name))))


def marks_asked(question: str) -> frozenset[str]:
    """The days and versions that a question names; a number with a point may be a version, too: `Pump 2.1`."""
    return marks_of(question) | frozenset(map(_version, _BARE_VERSION.findall(question)))


def kind_of(mark: str) -> str:
    """Whether a mark is a day or a version, in a word."""
    return "version" if mark.startswith("v") else "day"


def _days(text: str) -> Iterator[str]:
    for found in (match.groupdict() for pattern in _DAYS for match in pattern.finditer(text)):
        month = int(found["month"]) if "month" in found else 1 + _MONTHS.index(found["name"].lower())
        if 1 <= month <= 12 and 1 <= int(found["day"]) <= 31:
            yield f"{found['year']}-{month:02}-{int(found['day']):02}"


def _version(number: str) -> str:
    """`v2.1` of `2_1`, and `v3` of `3.0`."""
    return f"v{_NOTHING_MORE.sub('', number.replace('_', '.'))}"
