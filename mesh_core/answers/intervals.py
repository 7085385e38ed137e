"""Stretches of time as people name them in a question: `March 2026`, `Q1 2026`, `last month`, `since 2026-04-01`.

Years and quarters are read as `mesh_core.retrieval.periods` reads them; months, days and what is relative to today are added
here. Calendar time only: a fiscal year begins where no contract says. Ends are excluded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mesh_core.answers.number_words import MONTH, MONTHS
from mesh_core.retrieval.periods import periods_in

__all__ = ["Interval", "TimeSpan", "intervals_in", "unread_in"]

_DAY = r"\d{4}-\d{2}-\d{2}"
_UNIT = "day|week|month|quarter|year"
_LINK = r"(?:to|until|till|through|and|or|-|–|vs\.?|versus|against|compared (?:to|with))"
_YEAR = re.compile(r"(?:19|20)\d\d")
_YEARS = r"(?:19|20)\d\d"
_ORDINAL = r"\d{1,2}(?:st|nd|rd|th)?"
_NAMED_QUARTER = "(?:the )?(?:first|second|third|fourth)[ -]quarter"
_COUNTED = r"\s*(?:%|€|\$|eur|usd|gbp|chf|dollar|pound|day|row|item|unit)"
_PARTS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("day", rf"\b{_DAY}\b"),
        ("day", rf"\b{_ORDINAL}\.? (?:of )?(?:{MONTH})\.? \d{{4}}\b"),
        ("day", rf"\b(?:{MONTH})\.? {_ORDINAL},? \d{{4}}\b"),
        ("month", rf"\b(?:{MONTH})\.?,? (?:of )?{_YEARS}\b"),
        ("month", rf"\b{_YEARS}-(?:0[1-9]|1[0-2])\b(?!-)"),
        ("month", rf"\b(?:0[1-9]|1[0-2])/{_YEARS}\b"),
        ("month", rf"\b(?:{MONTH})\b(?= {_LINK} (?:{MONTH})\.? {_YEARS})"),
        ("quarter", rf"\bQ[1-4]\b(?= {_LINK} Q[1-4],? {_YEARS})"),
        ("half", rf"\bH[12][ ,]?(?:of )?{_YEARS}\b|\b(?:first|second) half of {_YEARS}\b"),
        ("quarter", rf"\b(?:Q[1-4]|[1-4]Q|{_NAMED_QUARTER}),?[ '’]?(?:of )?{_YEARS}\b"),
        ("quarter", rf"\b{_YEARS}[ -]?Q[1-4]\b"),
        ("relative", r"\b(?:today|yesterday|year to date|ytd)\b"),
        ("relative", rf"\b(?:this|last|previous|current) (?:{_UNIT})\b"),
        ("relative", rf"\b(?:last|past|previous) \d{{1,3}} (?:{_UNIT})s?\b"),
        ("year", rf"(?<![\w.,$€£/-]){_YEARS}(?![\w/]|[.,-]\d|{_COUNTED})"),
    )
)
_FISCAL = re.compile(r"\b(?:fiscal|FY ?'?\d|financial year)", re.IGNORECASE)
_FROM = re.compile(r"\b(?:since|from|starting)(?: in| on)?\s*\Z", re.IGNORECASE)
_BETWEEN = re.compile(r"\bbetween\s*\Z", re.IGNORECASE)
_COMPARING = re.compile(r"\b(?:compar|differ)\w*\b", re.IGNORECASE)
"""Behind these, `between 2025 and 2026` are two stretches."""
_BEFORE = re.compile(r"\b(?:before|prior to)\s*\Z", re.IGNORECASE)
_AFTER = re.compile(r"\bafter\s*\Z", re.IGNORECASE)
_UNTIL = re.compile(r"\b(?:until|till|up to|through)(?: the end of)?\s*\Z", re.IGNORECASE)
_TO = re.compile(r"\s*(?:to|until|till|through|and|-|–)\s*\Z", re.IGNORECASE)

_LEADING = frozenset({"in", "on", "of", "the", "during", "within", "for", "whole", "all", "year"})


@dataclass(frozen=True, slots=True)
class Interval:
    """Days from `start` on and before `end`; None for no bound."""

    start: date | None = None
    end: date | None = None

    def __str__(self) -> str:
        """Both days as people say them, the last one included."""
        last = (self.end - timedelta(days=1)).isoformat() if self.end else ""
        if self.start and last:
            return self.start.isoformat() if self.start.isoformat() == last else f"{self.start.isoformat()} to {last}"
        return f"since {self.start.isoformat()}" if self.start else f"until {last}" if last else "at all times"

    @property
    def is_backward(self) -> bool:
        """True if it ends before it begins, or as it begins: no day is in it."""
        return self.start is not None and self.end is not None and self.end <= self.start


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A stretch of time and where the text names it: characters from `begin` to `finish`, the latter excluded."""

    interval: Interval
    begin: int
    finish: int


def intervals_in(text: str, today: date, *, are_compared: bool = False) -> tuple[TimeSpan, ...] | None:
    """The stretches that the text names, in order; None if it speaks of fiscal time, which nothing here defines.

    Args:
        text: A question.
        today: What `last month` is told from.
        are_compared: `From 2025 to 2026` is two stretches, and not all that lies between them.
    """
    if _FISCAL.search(text):
        return None
    found = sorted(_single(text, today), key=lambda it: it.begin)
    return tuple(_joined(text, found, are_compared=are_compared))


def unread_in(text: str, spans: Sequence[TimeSpan]) -> list[str]:
    """The words of the text that belong to none of the stretches, but for words that only lead to one (`in`, `the`)."""
    words = (match for match in re.finditer(r"[^\s,;]+", text) if match[0].lower() not in _LEADING)
    return [it[0] for it in words if not any(span.begin <= it.start() and it.end() <= span.finish for span in spans)]


def _single(text: str, today: date) -> Iterator[TimeSpan]:
    """Every stretch that is named by itself; of those that overlap the one found by the narrower pattern."""
    taken: list[tuple[int, int]] = []
    for kind, pattern in _PARTS:
        for match in pattern.finditer(text):
            if any(match.start() < end and begin < match.end() for begin, end in taken):
                continue
            later = "" if kind in ("day", "relative") or _YEAR.search(match[0]) else _year_after(text, match.end())
            interval = _interval(kind, f"{match[0]} {later}".strip(), today)
            if interval is not None:
                taken.append(match.span())
                yield TimeSpan(interval, *match.span())


def _joined(text: str, spans: list[TimeSpan], *, are_compared: bool) -> Iterator[TimeSpan]:
    """Two ends of one range become one stretch, or two if they are compared; a word before one may open it at one side."""
    place = 0
    while place < len(spans):
        span = spans[place]
        before = text[: span.begin]
        follows = spans[place + 1] if place + 1 < len(spans) else None
        opens = _FROM.search(before) or (None if _COMPARING.search(before) else _BETWEEN.search(before))
        if follows is not None and opens and _TO.fullmatch(text[span.finish : follows.begin]):
            range_ = TimeSpan(Interval(span.interval.start, follows.interval.end), opens.start(), follows.finish)
            yield from (span, follows) if are_compared else (range_,)
            place += 2
            continue
        yield _opened(text, span)
        place += 1


def _opened(text: str, span: TimeSpan) -> TimeSpan:
    before = text[: span.begin]
    for pattern, interval in (
        (_FROM, Interval(span.interval.start, None)),
        (_AFTER, Interval(span.interval.end, None)),
        (_BEFORE, Interval(None, span.interval.start)),
        (_UNTIL, Interval(None, span.interval.end)),
    ):
        if match := pattern.search(before):
            return TimeSpan(interval, match.start(), span.finish)
    return span


def _interval(kind: str, words: str, today: date) -> Interval | None:
    lowered = words.lower()
    if kind == "relative":
        return _relative(lowered, today)
    try:
        if kind == "day":
            day = _day(lowered)
            return Interval(day, day + timedelta(days=1))
        years = _YEAR.search(words)
        year = int(years[0]) if years else 0
        if kind == "month":
            named = re.match(r"[a-z]{3}", lowered)
            month = _month(named[0]) if named else int(re.sub(r"(?:19|20)\d\d|\D", "", words))
            return _months(year, month, 1)
        if kind == "half":
            return _months(year, 7 if "h2" in lowered or "second" in lowered else 1, 6)
        if kind == "quarter":
            (quarter,) = periods_in(words.replace("of ", "")).quarters
            return _months(year, 3 * quarter - 2, 3)
        return _months(year, 1, 12)
    except ValueError:
        return None


def _year_after(text: str, place: int) -> str:
    """The year that the next name of a stretch has, for one that shares it (`Q1 and Q2 2026`)."""
    found = _YEAR.search(text, place)
    return found[0] if found else ""


def _day(words: str) -> date:
    if re.fullmatch(_DAY, words):
        return date.fromisoformat(words)
    month = re.search("[a-z]{3}", re.sub(r"(\d)(?:st|nd|rd|th)", r"\1", words).replace("of ", ""))
    numbers = [int(it) for it in re.findall(r"\d+", words)]
    return date(numbers[-1], _month(month[0]) if month else 0, numbers[0])


def _month(word: str) -> int:
    return MONTHS[word[:3]]


def _months(year: int, month: int, count: int) -> Interval:
    return Interval(date(year, month, 1), _shifted(date(year, month, 1), count))


def _shifted(first: date, months: int) -> date:
    """The first of the month that many months on."""
    total = first.year * 12 + first.month - 1 + months
    return date(total // 12, total % 12 + 1, 1)


def _relative(words: str, today: date) -> Interval:
    if words == "today":
        return Interval(today, today + timedelta(days=1))
    if words == "yesterday":
        return Interval(today - timedelta(days=1), today)
    if words in ("year to date", "ytd"):
        return Interval(date(today.year, 1, 1), today + timedelta(days=1))
    unit = re.sub(r"s\Z", "", words.rpartition(" ")[2])
    number = re.search(r"\d+", words)
    if number and unit in ("day", "week"):
        return Interval(today - timedelta(days=int(number[0]) * (7 if unit == "week" else 1)), today + timedelta(days=1))
    start = _start(unit, today)
    if number:
        return Interval(_back(unit, start, int(number[0])), start)
    if words.startswith(("this", "current")):
        return Interval(start, _back(unit, start, -1))
    return Interval(_back(unit, start, 1), start)


def _start(unit: str, today: date) -> date:
    if unit == "day":
        return today
    if unit == "week":
        return today - timedelta(days=today.weekday())
    month = {"month": today.month, "quarter": (today.month - 1) // 3 * 3 + 1, "year": 1}[unit]
    return date(today.year, month, 1)


def _back(unit: str, start: date, count: int) -> date:
    if unit in ("day", "week"):
        return start - timedelta(days=count * (7 if unit == "week" else 1))
    return _shifted(start, -count * {"month": 1, "quarter": 3, "year": 12}[unit])
