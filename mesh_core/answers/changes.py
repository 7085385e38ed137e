"""Whether a clause asks for what lies between two figures: `how much did … grow`, `the difference in …`, `how much more …`.

The words count in these forms alone, around the name of the figure: they are ordinary words elsewhere, as in `how many orders
were changed`. English. Which two figures are meant, and whether there are two, is told by periods and values (`sides_of`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from mesh_core.answers.clauses import Clause
from mesh_core.answers.intervals import Interval
from mesh_core.answers.keys import Given
from mesh_core.answers.measure_sql import MeasureQuery
from mesh_core.answers.row_conditions import Values
from mesh_core.answers.terms import Match

__all__ = ["NO_TWO", "Sides", "asks_change", "names_three", "says_change", "sides_of"]

_VERB = (
    r"\b(?:grow[ns]?|grew|ris(?:e|es|en)|rose|fall(?:s|en)?|fell|increase[sd]?|decrease[sd]?|change[sd]?|drop(?:s|ped)?|"
    r"differ(?:s|ed)?)\b"
)
_PERCENT = r"percent(?:age)?|per cent"
_ASKED = rf"(?:\A\W*|\b(?:how(?: much| many (?:{_PERCENT}))?|what (?:{_PERCENT}))\s+)(?:did|do|does|has|have|had)\b[^,;?!]*"
_NOUNS = "difference|growth|change|increase|decrease|rise|fall|drop"
_NOUN = rf"\b(?P<noun>{_NOUNS})\s+(?:in|of|between)\b"
_SIZE = "higher|lower|larger|smaller|greater|bigger"
_FORMS = tuple(
    (re.compile(before, re.IGNORECASE), re.compile(behind, re.IGNORECASE))
    for before, behind in (
        (rf"{_ASKED}\Z", rf"(?P<said>{_VERB})"),
        (_NOUN, ""),
        (rf"\bhow (?:much (?:more|less|{_SIZE})|many (?:more|less|fewer))\b", r"\bthan\b"),
    )
)
"""What stands before the name of a figure, and what behind it."""
_NOUN_BEHIND = re.compile(rf"\s+(?P<noun>{_NOUNS})\b", re.IGNORECASE)
"""Directly behind the name of a figure: `revenue growth`."""
_SAYS = re.compile(rf"{_ASKED}{_VERB}|{_NOUN}", re.IGNORECASE)
_JOINED = re.compile(r",\s+(?:and\b)?|\band\b", re.IGNORECASE)
_SAID_PERCENT = re.compile(rf"%|\b(?:{_PERCENT})\b", re.IGNORECASE)
NO_TWO = "A difference is between two: name two periods, like “from 2025 to 2026”, or two values of one column."
_DAY = timedelta(days=1)
_LONGER = 1.2
"""How much longer the one of two periods may be: months, quarters and years are not all of one length."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Two queries that differ in one thing; `is_change` is true if that is their period, the earlier one first."""

    first: MeasureQuery
    second: MeasureQuery
    is_change: bool

    @property
    def both(self) -> tuple[MeasureQuery, MeasureQuery]:
        """The first and the second."""
        return self.first, self.second

    def not_over(self, today: date) -> list[str]:
        """That the later of two periods has not ended, in a sentence; none if it has."""
        period = self.second.period if self.is_change else None
        is_over = period is None or period.end is None or period.end <= today
        return [] if is_over else [f"{period} is not over yet: its figure may still change."]


def asks_change(clause: Clause, figures: Sequence[Match]) -> bool:
    """True if the clause asks for what lies between two figures; the words that say so are taken then."""
    begin, finish = clause.words[figures[0].first].begin, clause.words[figures[-1].last - 1].finish
    pairs = ((one.search(clause.text, 0, begin), two.search(clause.text, finish)) for one, two in _FORMS)
    found = next(((one, two) for one, two in pairs if one and two), None)
    is_noun = found is None or "noun" in found[0].groupdict()
    if found is None and (behind := _NOUN_BEHIND.match(clause.text, finish)):
        found = behind, behind
    if found is None:
        return False
    clause.is_loose = clause.is_loose or is_noun
    for match in found:
        for name in match.groupdict():
            clause.take_text(*match.span(name))
    for match in _SAID_PERCENT.finditer(clause.text) if len(clause.apart or ()) > 1 else ():
        clause.take_text(*match.span())
    return True


def says_change(question: str) -> bool:
    """True if words of the question would ask for a change, if a figure stood between them."""
    return _SAYS.search(question) is not None


def sides_of(query: MeasureQuery, periods: Sequence[Interval]) -> Sides | str:
    """The two figures between which something lies, or why there are no two.

    Args:
        query: What is asked of all periods; its groups are those of the values that are compared, if it has any.
        periods: The times that are named, in order.
    """
    if len(query.measures) != 1:
        return "A difference is between two values of one figure: ask for the figures one by one."
    several = [it for it in query.only if isinstance(it, Values) and not it.is_excluded and len(it.values) > 1]
    if set(query.by) - {it.name for it in several} or query.top:
        return "Differences are not computed by groups: ask for one of the groups at a time."
    if len(periods) == 2 and not several:
        return _of_times(replace(query, by=()), periods)
    if len(periods) < 2 and len(several) == 1 and len(several[0].values) == 2:
        one, two = (_with_value(query, several[0], value, periods) for value in several[0].values)
        return Sides(one, two, is_change=False)
    return NO_TWO


def names_three(clause: Clause, given: Sequence[Given]) -> bool:
    """True if more than two things stand behind `between`, up to the last of the values: `between all and EMEA and APAC`."""
    begin = next((at for at, it in enumerate(clause.words) if it.folded == "between"), None)
    listed = [it for it in given if begin is not None and it.first > begin]
    if begin is None or not listed:
        return False
    said = clause.text[clause.words[begin].finish : clause.words[max(it.last for it in listed) - 1].finish]
    within = {value.casefold() for it in listed for value in it.values}
    return len(_JOINED.findall(said)) - sum(len(_JOINED.findall(it)) for it in within) > 1


def _of_times(query: MeasureQuery, periods: Sequence[Interval]) -> Sides | str:
    one, two = periods
    if one.start is None or two.start is None or one.end is None or two.end is None:
        return f"What lies between {one} and {two} is not computed: both need a beginning and an end."
    if one.end - one.start == two.end - two.start == _DAY and abs(one.start - two.start) > _DAY:
        return f"{one.start} and {two.start} are single days and lie apart: name two periods, like “from 2025 to 2026”."
    first, second = (one, two) if one.start < two.start else (two, one)
    lengths = sorted((one.end - one.start, two.end - two.start))
    if max(one.start, two.start) < min(one.end, two.end) or lengths[0] * _LONGER < lengths[1]:
        return f"{first} and {second} are not compared: they overlap, or one is longer than the other."
    return Sides(replace(query, period=first), replace(query, period=second), is_change=True)


def _with_value(query: MeasureQuery, column: Values, value: str, periods: Sequence[Interval]) -> MeasureQuery:
    only = tuple(replace(it, values=(value,)) if it is column else it for it in query.only)
    return replace(query, by=(), only=only, period=periods[0] if periods else None)
