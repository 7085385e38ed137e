"""Conditions in a rule as people write it: `within 30 days of delivery`, `above EUR 1,000`, `between day 31 and day 60`.

A condition has bounds of time or money and, where the text says it, what they are counted from or are of. English; what is not
recognised is no condition, so a rule without one is never taken for decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from mesh_core.answers.number_words import SPELT
from mesh_core.answers.wording import stem, wording_of

__all__ = ["CURRENCY_WORDS", "Condition", "Quantity", "conditions_in", "currencies_in", "quantities_in"]

_NUMBER = rf"(?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?|{'|'.join(SPELT)})"
_CURRENCIES = {
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD",
    "£": "GBP", "gbp": "GBP", "pound": "GBP", "pounds": "GBP", "chf": "CHF", "franc": "CHF", "francs": "CHF",
}  # fmt: skip
CURRENCY_WORDS = frozenset(map(stem, (*_CURRENCIES, "money")))
"""Stems of words for currencies, which say nothing of what a sum is of."""
_MONEY_WORD = "|".join(re.escape(word) for word in sorted(_CURRENCIES, key=len, reverse=True))
_NAMED_MONEY = re.compile(rf"(?<![^\W\d_])(?:{_MONEY_WORD})(?![^\W\d_])", re.IGNORECASE)
_QUANTITY = re.compile(
    rf"(?<![\w.])(?<![\s(][-−])(?:(?P<unit>day|week|month|year) (?P<place>{_NUMBER})"
    rf"|(?P<count>{_NUMBER})[ -](?P<kind>working |business |calendar )?(?P<units>day|week|month|year)s?"
    rf"|(?P<front>{_MONEY_WORD}) ?(?P<amount>{_NUMBER})|(?P<sum>{_NUMBER}) ?(?P<back>{_MONEY_WORD}))(?!\w)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(rf"\b(?:between|from) (?:the )?(?P<low>{_NUMBER}) (?:and|to) \Z", re.IGNORECASE)
_PAIR = re.compile(r" (?:and|to) ", re.IGNORECASE)
_PAIRED = re.compile(r"\b(?:between|from) (?:the )?\Z", re.IGNORECASE)
_AT_MOST = (
    "within", "within the first", "in the first", "up to", "no more than", "not more than", "at most", "a maximum of",
    "maximum of", "not later than", "no later than", "until", "by", "not exceeding", "no longer than", "for up to", "≤",
    "(?:have|has|is given|get|gets)", r"(?:period|limit|deadline|window|term)\w* (?:is|of|:)",
)  # fmt: skip
_LESS = ("less than", "under", "below", "fewer than", "younger than", "<")
_MORE = (
    "more than", "above", "over", "exceeding", "exceeds", "exceed", "after", "later than", "beyond", "older than",
    "greater than", ">",
)  # fmt: skip
_AT_LEAST = ("at least", "no less than", "not less than", "a minimum of", "minimum of", "starting at", "from", "≥")
_BOUNDS = tuple(
    (re.compile(rf"(?:(?<=\s)|\A)(?:{words})(?: the| a| an)?\s*\Z", re.IGNORECASE), name)
    for name, every in (("at most", _AT_MOST), ("at least", _AT_LEAST), ("less", _LESS), ("more", _MORE))
    for words in sorted(every, key=len, reverse=True)
)
_OR_MORE = re.compile(r"\s*(?:or|and) (?P<which>more|older|later|above|over|less|fewer|under|below|younger)\b", re.IGNORECASE)
_WINDOW = re.compile(r"[ -](?:\w+ )?(?:period|window|limit|deadline|guarantee|warranty)\b", re.IGNORECASE)
_FROM = re.compile(
    r"\s*(?:of|after|from|since|following|upon|past) (?:the |its |their |a |an |his |her )?(?P<anchor>[^.,;:()]{2,60})",
    re.IGNORECASE,
)
_ENDS = re.compile(
    r"\b(?:and|or|may|must|can|is|are|gets?|needs?|we|for|if|unless|but|with|in|at|to|by|nothing|no)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount: of days, weeks, months or years, or of a currency (`EUR`)."""

    value: Decimal
    unit: str
    is_working: bool
    """Counted in working days."""
    begin: int
    finish: int

    @property
    def is_time(self) -> bool:
        """True if it is a length of time."""
        return self.unit in ("day", "week", "month", "year")

    def __str__(self) -> str:
        """Like `30 days`, `1,000 EUR`."""
        number = f"{self.value:,}"
        return f"{number} {self.unit}{'' if self.value == 1 else 's'}" if self.is_time else f"{number} {self.unit}"


@dataclass(frozen=True, slots=True)
class Condition:
    """Bounds in a rule; None for no bound.

    `about` are stems of what it is counted from or is of; empty if the rule does not say. `words` is the condition as written.
    """

    low: Quantity | None
    high: Quantity | None
    includes_low: bool
    includes_high: bool
    about: frozenset[str]
    words: str

    @property
    def bound(self) -> Quantity:
        """One of its bounds."""
        found = self.high or self.low
        assert found is not None
        return found


def quantities_in(text: str) -> list[Quantity]:
    """The amounts of time and money in the text, in order."""
    return [found for match in _QUANTITY.finditer(text) if (found := _quantity(match)) is not None]


def currencies_in(text: str) -> frozenset[str]:
    """The currencies that the text names, like `EUR`, whatever is in them."""
    return frozenset(_CURRENCIES[it.group().lower()] for it in _NAMED_MONEY.finditer(text))


def conditions_in(sentence: str) -> list[Condition]:
    """The conditions of the sentence, in order."""
    return list(_conditions(sentence, quantities_in(sentence)))


def _conditions(sentence: str, found: list[Quantity]) -> Iterator[Condition]:
    place = 0
    while place < len(found):
        one = found[place]
        before, behind = sentence[: one.begin], sentence[one.finish :]
        other = found[place + 1] if place + 1 < len(found) else None
        if other and _PAIRED.search(before) and _PAIR.fullmatch(sentence[one.finish : other.begin]):
            yield _condition(sentence, one, other, (True, True))
            place += 2
            continue
        place += 1
        if bounds := _BETWEEN.search(before):
            low = Quantity(_value(bounds["low"]), one.unit, one.is_working, bounds.start(), one.finish)
            yield _condition(sentence, low, one, (True, True))
            continue
        kind = next((name for pattern, name in _BOUNDS if pattern.search(before)), "")
        if suffix := _OR_MORE.match(behind):
            kind = "at least" if suffix["which"].lower() in ("more", "older", "later", "above", "over") else "at most"
        if not kind and _WINDOW.match(behind):
            kind = "at most"
        if kind:
            is_upper = kind in ("at most", "less")
            includes = kind in ("at most", "at least")
            yield _condition(sentence, None if is_upper else one, one if is_upper else None, (includes, includes))


def _condition(sentence: str, low: Quantity | None, high: Quantity | None, includes: tuple[bool, bool]) -> Condition:
    last = high or low
    assert last is not None
    first = low or last
    anchor = _FROM.match(sentence, last.finish)
    about = _ENDS.split(anchor["anchor"])[0] if anchor else ""
    begin = max(sentence.rfind(mark, 0, first.begin) for mark in (",", ";", ":", ".", "("))
    if not about and not last.is_time:
        about = sentence[begin + 1 : first.begin]
    end = last.finish + (len(anchor[0][: anchor[0].find(about) + len(about)]) if anchor and about else 0)
    words = " ".join(re.split(r"\s", sentence[begin + 1 : end])[-12 - len(about.split()) :]).strip()
    return Condition(low, high, *includes, wording_of(about).words, words)


def _quantity(match: re.Match[str]) -> Quantity | None:
    parts = match.groupdict()
    number = parts["place"] or parts["count"] or parts["amount"] or parts["sum"]
    unit = (parts["unit"] or parts["units"] or "").lower() or _CURRENCIES[(parts["front"] or parts["back"]).lower()]
    is_working = (parts["kind"] or "").strip().lower() in ("working", "business")
    return Quantity(_value(number), unit, is_working, *match.span())


def _value(text: str) -> Decimal:
    return Decimal(SPELT.get(text.lower(), 0)) or Decimal(text.replace(",", ""))
