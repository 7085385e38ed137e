"""What a question asks the other way round than a sentence says: the least where it says the most, by the week where by the day.

Such a sentence is about the very thing and holds the very kind of number, so neither meaning nor kind tells it from an answer.
What only one of the two says contrasts with nothing. Words of form only, English.
"""

from __future__ import annotations

import re

__all__ = ["is_contrary"]

_UNITS = "hour|day|night|week|month|quarter|year"
_BEHIND = r"(?=\s*(?:[^\w\s]|\Z|(?:and|as|at|but|by|for|from|if|in|is|are|may|of|on|or|plus|to|unless|when|with|without)\b))"
"""What may follow `a day`: before a noun it names the noun, as in a day pass."""
_SUMS = r"(?:allowance|amount|charge|cost|fee|instalment|interest|limit|payment|price|rate|rent|salary|subscription|wage)s?"
_RATE = re.compile(
    rf"\b(?:(?:an?|per|every|each) (?:(?:business|working|calendar|single) )?(?P<unit>{_UNITS})\b{_BEHIND}|"
    rf"(?P<spoken>hourly|daily|nightly|weekly|monthly|quarterly|yearly|annual) {_SUMS}\b|(?P<annum>p\. ?a\.|per annum\b))",
    re.IGNORECASE,
)
_SPOKEN = {"daily": "day", "annual": "year"}
_ASKS_RATE = re.compile(rf"\bhow much\b|\b(?:pay|{_SUMS})\b", re.IGNORECASE)
_ASKS_TIMES = re.compile(r"\bhow (?:often|many)\b", re.IGNORECASE)
_LEAST = re.compile(
    r"\bat (?:the )?(?:very )?least\b|\bminimum\b|\b(?:no|not) (?:less|fewer) than\b|\bor more\b(?! \w+ly\b)|"
    r"\b(?:lowest|smallest|shortest)\b",
    re.IGNORECASE,
)
_MOST = re.compile(
    r"\bat (?:the )?(?:very )?most\b|\bmaximum\b|\b(?:no|not) (?:more|longer|later) than\b|\bup to\b|\bexceeds?\b|\bcapped\b|"
    r"\b(?:highest|largest|longest)\b",
    re.IGNORECASE,
)


def is_contrary(question: str, sentence: str) -> bool:
    """True if the question asks for a least and the sentence gives a most only, or the other way round, or for another rate."""
    return _is_other_bound(question, sentence) or _is_other_rate(question, sentence)


def _is_other_bound(question: str, sentence: str) -> bool:
    asked, told = _bounds(question), _bounds(sentence)
    return len(asked) == 1 and bool(told) and asked.isdisjoint(told)


def _bounds(text: str) -> set[str]:
    return {name for name, pattern in (("least", _LEAST), ("most", _MOST)) if pattern.search(text)}


def _is_other_rate(question: str, sentence: str) -> bool:
    if not _ASKS_RATE.search(question) or _ASKS_TIMES.search(question):
        return False
    asked, told = _rates(question), _rates(sentence)
    return bool(asked and told) and asked.isdisjoint(told)


def _rates(text: str) -> set[str]:
    return {"year" if it["annum"] else (it["unit"] or _unit(it["spoken"])).lower() for it in _RATE.finditer(text)}


def _unit(spoken: str) -> str:
    return _SPOKEN.get(spoken.lower(), spoken.removesuffix("ly"))
