"""Marks that tell one document from others of the same name: the day it is of, and its version.

`minutes-2031-04-07`, `Minutes of 7 April 2031`, `pump_v2_1.pdf`, `Pump Manual, version 2.1`. Knows nothing of names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

__all__ = ["marks_asked", "marks_of", "may_ask_marks", "without_marks"]

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
_WORD = re.compile(r"[^\W_]+")
_LAST_WORD = re.compile(r"[^\W_]{3,}\Z")
_NOTHING_MORE = re.compile(r"(?:\.0+)+$")


def marks_of(*names: str) -> frozenset[str]:
    """The days and versions that names of files and titles state."""
    return frozenset(mark for name in names for mark in (*_days(name), *map(_version, _VERSION.findall(name))))


def without_marks(name: str) -> tuple[str, ...]:
    """The words of a name, in small letters, without the days and versions that it states."""
    for pattern in (*_DAYS, _VERSION):
        name = pattern.sub(" ", name)
    return tuple(_WORD.findall(name.lower()))


def marks_asked(question: str, *, behind: Collection[str] = ()) -> frozenset[str]:
    """The days and versions that a question names; behind such a word a number with a point is a version, too: `Pump 2.1`."""
    bare = {_version(found[1]) for found in _BARE_VERSION.finditer(question) if _word_before(question, found.start()) in behind}
    return marks_of(question) | bare


def may_ask_marks(question: str) -> bool:
    """False if `marks_asked` finds none in the question, whatever names there are: they need not be looked at then."""
    return bool(marks_of(question) or _BARE_VERSION.search(question))


def _word_before(text: str, position: int) -> str:
    return found[0].lower() if (found := _LAST_WORD.search(text, 0, max(position - 1, 0))) and text[position - 1] in " -_" else ""


def _days(text: str) -> Iterator[str]:
    for found in (match.groupdict() for pattern in _DAYS for match in pattern.finditer(text)):
        month = int(found["month"]) if "month" in found else 1 + _MONTHS.index(found["name"].lower())
        if 1 <= month <= 12 and 1 <= int(found["day"]) <= 31:
            yield f"{found['year']}-{month:02}-{int(found['day']):02}"


def _version(number: str) -> str:
    """`v2.1` of `2_1`, and `v3` of `3.0`."""
    return f"v{_NOTHING_MORE.sub('', number.replace('_', '.'))}"
