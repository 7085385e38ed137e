"""Counts in passages: a question like `how many visits` is answered by a number of visits, not by whatever else has digits.

Words of form only, English. Times of the day, dates and years are no counts. Lengths of time (`how many days`) are not of this
kind: they are said in other units, too.
"""

from __future__ import annotations

import re

from mesh_core.answers.number_words import COUNT, MONTH
from mesh_core.answers.wording import STOP_WORDS, stem

__all__ = ["lacks_count"]

_HOW_MANY = re.compile(
    r"\A\W*(?:(?:and|or|so|but|also|then)\s+)*(?:(?:in|for|at|on|to|from|with)\s+)?"
    r"(?:how many|what(?:['’]s| is| was)? the number of|what number of)\s+(?P<thing>[^?,;]*)",
    re.IGNORECASE,
)
_UNIT = re.compile(r"(?:business |working |calendar )?(?:day|week|month|year|hour|minute|quarter)s?\b", re.IGNORECASE)
_NO_COUNT = re.compile(
    rf"\b\d{{1,2}}[:.]\d\d\b(?:\s?[ap]\.?m\b\.?)?|\b\d{{1,2}}\s?[ap]\.?m\b\.?|\b\d{{1,2}}\s?o['’]clock\b|"
    rf"\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}\b|"
    rf"\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{MONTH})\b\.?(?:,? \d{{4}})?|"
    rf"\b(?:{MONTH})\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}})?|"
    rf"\b(?:in|of|since|until|by) (?:19|20)\d\d\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(COUNT, re.IGNORECASE)
_WORD = re.compile(r"\d[\d,.]*|[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_BESIDE = 4
"""A number is beside a thing if there are at most so many words from the one to the other."""


def lacks_count(question: str, sentence: str, around: str = "") -> bool:
    """True if the question asks how many of something there are, and the sentence holds no number beside it.

    Args:
        question: One part of what is asked.
        sentence: As it is said.
        around: What a row of a table stands under, whose headings name the thing; empty for other sentences.
    """
    asked = _HOW_MANY.match(question)
    if asked is None or _UNIT.match(asked["thing"]):
        return False
    things = _things(asked["thing"])
    words = _WORD.findall(_NO_COUNT.sub(" ; ", sentence))
    numbers = [place for place, word in enumerate(words) if _NUMBER.fullmatch(word)]
    if not things or not numbers:
        return not numbers
    named = [place for place, word in enumerate(words) if stem(word) in things]
    if around and things & {stem(word) for word in _WORD.findall(around)}:
        return False
    return not any(abs(number - place) <= _BESIDE for number in numbers for place in named)


def _things(text: str) -> set[str]:
    """The stems of the words up to the first that is only of form: of `visits are there`, `visit`."""
    found: set[str] = set()
    for word in _WORD.findall(text):
        if word.lower() in STOP_WORDS and found:
            break
        if word.lower() not in STOP_WORDS:
            found.add(stem(word))
    return found
