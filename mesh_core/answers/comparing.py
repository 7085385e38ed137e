"""A condition held against the facts of a case: which fact it is about, and whether its bounds hold."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from mesh_core.answers.conditions import Condition, Quantity
from mesh_core.answers.facts import Fact
from mesh_core.answers.wording import STOP_WORDS, stem, wording_of
from mesh_core.contract.model import DATED

__all__ = ["Case", "Compared", "Standing", "compare"]

_SUM_OF = re.compile(r"\b(?P<what>[^\W\d_]+)\s+(?:(?:of|over|for|worth|at|about)\s+)?\Z")
_SUM_ON = re.compile(r"\s+(?:(?:of|as|in)\s+)?(?:(?:a|an|the)\s+)?(?P<what>[^\W\d_]+)")
_LIGHT = frozenset(
    map(stem, ("pay", "paid", "payment", "approve", "grant", "offer", "allow", "decide", "sign", "clerk", "sum", "total"))
)
"""What is done with any sum."""


@dataclass(frozen=True, slots=True)
class Case:
    """A question, the facts of its rows, the amounts that it states itself, and the day on which it is asked."""

    question: str
    facts: tuple[Fact, ...]
    stated: tuple[Quantity, ...]
    today: date


@dataclass(frozen=True, slots=True)
class Standing:
    """How near a rule is to the question.

    Attributes:
        shares_words: It, or what stands above it, shares words with the question: the only fact of its kind may be meant.
        is_expected: It does, or stands in the document that fits the question best: what it wants for is missing.
        anchor: Stems of what its document counts time from, for a condition that does not say it.
        words: Stems of what it says.
    """

    shares_words: bool
    is_expected: bool
    anchor: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Compared:
    """Whether a condition holds (None: not to be told), why, and by which figure (0: by none).

    `is_wanting` if something is missing that the condition is about: `text` then says what.
    """

    holds: bool | None
    text: str
    figure: int = 0
    is_wanting: bool = False
    is_choice: bool = False


def compare(condition: Condition, case: Case, standing: Standing) -> Compared:
    """The condition of a rule against the case."""
    if condition.bound.is_time:
        return _compare_time(condition, case, standing)
    return _compare_money(condition, case, standing)


def _compare_time(condition: Condition, case: Case, standing: Standing) -> Compared:
    about = condition.about or standing.anchor
    if condition.bound.is_working:
        text = f"“{condition.words}” counts working days, which are on no record."
        return Compared(None, text, is_wanting=standing.is_expected)
    stated = [it for it in case.stated if it.is_time]
    if stated and standing.is_expected:
        began = _moved(case.today, stated[0], -1)
        return Compared(_holds_time(condition, began, case.today), f"{stated[0]} as asked, against “{condition.words}”")
    dated = [it for it in case.facts if it.kind in DATED]
    found = _meant(about, dated) if about else dated if standing.shares_words else []
    if which := _which(found, condition):
        return which
    known = [it for it in found if it.day is not None and not it.is_masked]
    if len({it.day for it in known}) == 1:
        fact = known[0]
        assert fact.day is not None
        text = f"{_named(fact)} {fact.day.isoformat()}, {(case.today - fact.day).days} days ago, against “{condition.words}”"
        return Compared(_holds_time(condition, fact.day, case.today), text, fact.figure)
    if not standing.is_expected and not found:
        return Compared(None, "")
    if len(known) > 1:
        return Compared(None, f"“{condition.words}” may count from {_listed(known)}.", is_wanting=True)
    if found:
        how = "is masked for you" if found[0].is_masked else "has no value"
        return Compared(None, f"{_named(found[0])} {how}: nothing to count “{condition.words}” from.", is_wanting=True)
    return Compared(None, f"Nothing on record says what “{condition.words}” counts from.", is_wanting=True)


def _compare_money(condition: Condition, case: Case, standing: Standing) -> Compared:
    unit = condition.bound.unit
    stated = [it for it in case.stated if it.unit == unit]
    if stated and _is_sum_of(condition, stated[0], case, standing):
        return Compared(_holds(condition, stated[0].value), f"{stated[0]} as asked, against “{condition.words}”")
    sums = [it for it in case.facts if it.unit == unit and it.kind in ("number", "integer")]
    found = _meant(condition.about, sums)
    if not found and standing.shares_words:
        found = _only_sum(condition.about, sums)
    if which := _which(found, condition):
        return which
    known = [it for it in found if it.amount is not None and not it.is_masked]
    if len(known) == 1:
        amount = known[0].amount
        assert amount is not None
        text = f"{_named(known[0])} {amount:,} {unit}, against “{condition.words}”"
        return Compared(_holds(condition, amount), text, known[0].figure)
    if not standing.is_expected:
        return Compared(None, "")
    if len(known) > 1:
        return Compared(None, f"“{condition.words}” may be of {_listed(known)}.", is_wanting=True)
    if found:
        how = "is masked for you" if found[0].is_masked else "has no value"
        return Compared(None, f"{_named(found[0])} {how}, to hold against “{condition.words}”.", is_wanting=True)
    return Compared(None, f"No sum in {unit} on record to hold against “{condition.words}”.", is_wanting=True)


def _is_sum_of(condition: Condition, stated: Quantity, case: Case, standing: Standing) -> bool:
    """True if the condition is of what the question states the sum of: `goodwill of 1,200 euro`, `1,200 euro goodwill`.

    Where it does not say of what, the question must name what the condition is of.
    """
    question = case.question
    before, behind = _SUM_OF.search(question[: stated.begin]), _SUM_ON.match(question, stated.finish)
    own = {stem(it["what"]) for it in (before, behind) if it and it["what"].lower() not in STOP_WORDS} - _LIGHT
    nouns = frozenset(noun for fact in case.facts for noun in fact.rows)
    about = condition.about - nouns - _LIGHT
    if own and not own <= nouns:
        return _meet(frozenset(own), about or standing.words)
    return _meet(wording_of(question).words, about) if about else standing.shares_words


def _meant(about: frozenset[str], facts: Sequence[Fact]) -> list[Fact]:
    """The facts that the words are about: called so in full, else in part if the question names their row; its rows go first."""
    called = [it for it in facts if any(all(_meet(about, frozenset({stem})) for stem in name) for name in it.names)]
    found = called or [it for it in facts if it.is_own and _meet(about, it.about)]
    return [it for it in found if it.is_own] or found


def _only_sum(about: frozenset[str], sums: Sequence[Fact]) -> list[Fact]:
    """The one sum of the rows that the words name; of rows that the question names, if there are no words."""
    found = [it for it in sums if (about <= it.rows if about else it.is_own or it.is_several)]
    return found if len(found) == 1 else []


def _which(found: Sequence[Fact], condition: Condition) -> Compared | None:
    """That one of several rows must be named first; None if the facts are of one row each."""
    some = next((it for it in found if it.is_several), None)
    if some is None:
        return None
    text = f"Which of several {some.row}: their {some.name.replace('_', ' ')} is held against “{condition.words}” one at a time."
    return Compared(None, text, is_wanting=True)


def _meet(some: frozenset[str], others: frozenset[str]) -> bool:
    """True if they share a stem, or one is the beginning of another (`deliver`, `deliveri`)."""
    return bool(some & others) or any(
        len(a) >= 5 and len(b) >= 5 and (a.startswith(b) or b.startswith(a)) for a in some for b in others
    )


def _holds(condition: Condition, value: Decimal) -> bool:
    low, high = condition.low, condition.high
    above = low is None or value > low.value or (condition.includes_low and value == low.value)
    below = high is None or value < high.value or (condition.includes_high and value == high.value)
    return above and below


def _holds_time(condition: Condition, began: date, today: date) -> bool:
    """The n-th day after `began` is still within n days of it."""
    low = _moved(began, condition.low, 1) if condition.low else None
    high = _moved(began, condition.high, 1) if condition.high else None
    above = low is None or today > low or (condition.includes_low and today == low)
    below = high is None or today < high or (condition.includes_high and today == high)
    return above and below


def _moved(day: date, by: Quantity, direction: int) -> date:
    """The day so much later, or earlier; a month without that day ends earlier, and the calendar ends where dates do."""
    try:
        return _shifted(day, by, direction)
    except (OverflowError, ValueError):
        return date.max if direction > 0 else date.min


def _shifted(day: date, by: Quantity, direction: int) -> date:
    count = int(by.value) * direction
    if by.unit in ("day", "week"):
        return day + timedelta(days=count * (7 if by.unit == "week" else 1))
    total = day.year * 12 + day.month - 1 + count * (12 if by.unit == "year" else 1)
    year, month = divmod(total, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _named(fact: Fact) -> str:
    return f"{fact.row}: {fact.name.replace('_', ' ')}"


def _listed(facts: Sequence[Fact]) -> str:
    return " or ".join(_named(it) for it in facts)
