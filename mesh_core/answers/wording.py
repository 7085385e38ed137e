"""What a text says, as far as it can be compared: its content words, numbers and dates, names, and words that turn its meaning.

Numbers and dates are brought to one form: `$1,000.50` and `1000.5`; `31 December 2026`, `12/31/2026` and `2026-12-31`. Texts are
taken to be English. Comparing is by form, not by meaning: a synonym is another word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from mesh_core.answers.number_words import MONTH, MONTHS, SCALES, SPELT

__all__ = ["STOP_WORDS", "Wording", "number_at", "stem", "wording_of"]

_LISTED = re.compile(r"\w+")
STOP_WORDS = frozenset(
    _LISTED.findall(
        """a an and are as at be been being but by can could did do does doing each either for from get gets given got had has
        have having he her here hers him his how i if in into is it its itself just let may me might mine my of off on one
        onto or our ours out own per she should so some such than that the their theirs them then there these they this those
        to too us was we were what when where which while who whom whose why will with would you your yours also any about yet
        via please tell am dont doesnt cant must need want much many make made makes take takes use uses used using
        go goes going know"""
    )
)
_SHORTENED = re.compile(r"(?:i|you|we|he|she|it|they|that|there|here|what|who|where|how)'(?:m|ve|ll|d|re|s)")
"""A word of form with another one: `I'm`, `we've`."""
_NEGATIONS = frozenset(_LISTED.findall("no not never none nothing neither nor without cannot nobody nowhere"))
_TURNING = frozenset(
    _LISTED.findall(
        """always all every only must more less fewer most least before after above below over under within beyond until unless
        except exceed exceeds minimum maximum up increase increased decrease decreased rose fell higher lower"""
    )
)
"""Words that change what a sentence claims without being content: a claim may use one only if its source does."""
_DATE = re.compile(
    rf"\b(?:(?P<iso>\d{{4}}-\d\d-\d\d)(?!\d)|(?P<us>\d{{1,2}}/\d{{1,2}}/\d{{4}})(?!\d)"
    rf"|(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{MONTH})\.?,? (?P<year>\d{{4}})"
    rf"|(?P<month2>{MONTH})\.? (?P<day2>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year2>\d{{4}}))\b",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z\d]+(?:[-_][A-Za-z\d]+)*\b")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)", re.IGNORECASE)
_SCALED = re.compile(r"\d+(?:k|m|bn)", re.IGNORECASE)
_NUMBER = re.compile(rf"(?<![\w.])-?\d+(?:,\d{{3}})*(?:\.\d+)?(?: ?(?P<scale>{'|'.join(SCALES)})\b)?", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_ENDINGS = ("ations", "ation", "ments", "ment", "ings", "ing", "ied", "ies", "edly", "ed", "ers", "er", "ly", "es", "s", "e")


@dataclass(frozen=True, slots=True)
class Wording:
    """What can be compared of a text."""

    words: frozenset[str]
    """Stems of its content words, names included."""
    numbers: frozenset[str]
    """Numbers, dates and identifiers (`O-004711`), each in one form."""
    names: frozenset[str]
    """Stems of words with a capital that do not begin a sentence, and of words in capitals."""
    turning: frozenset[str]
    """Words that turn a meaning: `only`, `before`, `more`."""
    is_negated: bool
    """True if it has a word like `not`, `never`, `nothing`."""


def wording_of(text: str) -> Wording:
    """What the text says."""
    numbers, rest = _taken(text)
    words, names, turning, is_negated = set(), set(), set(), False
    for word, is_name in _words_of(rest):
        lowered = word.lower().replace("’", "'")
        if _SHORTENED.fullmatch(lowered):
            continue
        if lowered in _NEGATIONS or lowered.endswith("n't"):
            is_negated = True
        elif lowered in _TURNING:
            turning.add(stem(lowered))
        elif lowered in SPELT and lowered != "one":  # which also stands for a thing that was named
            numbers.add(str(SPELT[lowered]))
        elif is_name and lowered not in STOP_WORDS:
            names.add(stem(lowered))
            words.add(stem(lowered))
        elif lowered not in STOP_WORDS and len(lowered) > 1:
            words.add(stem(lowered))
    return Wording(frozenset(words), frozenset(numbers), frozenset(names), frozenset(turning), is_negated)


def number_at(text: str, place: int) -> str:
    """The date or number that begins at the place, in the form that `wording_of` gives it; empty if none does."""
    if (date_there := _DATE.match(text, place)) and (day := _day(date_there)):
        return day
    if number := _NUMBER.match(text, place):
        return _number(number)
    word = _WORD.match(text, place)
    return str(SPELT.get(word[0].lower(), "")) if word else ""


def stem(word: str) -> str:
    """The word without a common English ending, in lower case: `refunded`, `refunds` and `refund` are one."""
    bare = word.lower().removesuffix("'s")
    for ending in _ENDINGS:
        if bare.endswith(ending) and len(bare) - len(ending) >= 3:
            cut = bare[: -len(ending)]
            if ending in ("ied", "ies"):
                return f"{cut}i"
            if ending == "s" and bare.endswith("ss"):
                return bare
            return cut[:-1] if len(cut) > 3 and cut[-1] == cut[-2] and cut[-1] not in "ls" else _with_i(cut.removesuffix("e"))
    return _with_i(bare)


def _with_i(word: str) -> str:
    """The word with `i` for a `y` at its end, if a consonant stands before it, as endings have it: `duties`, but `delays`."""
    return f"{word[:-1]}i" if len(word) > 3 and word[-1] == "y" and word[-2] not in "aeiou" else word


def _taken(text: str) -> tuple[set[str], str]:
    """Dates, identifiers and numbers, and the text without them."""
    found: set[str] = set()

    def take_date(match: re.Match[str]) -> str:
        day = _day(match)
        if day is None:
            return match.group()
        found.add(day)
        return " "

    def take_identifier(match: re.Match[str]) -> str:
        word = match.group()
        if _ORDINAL.fullmatch(word):
            found.add(re.sub(r"\D", "", word))
        elif _SCALED.fullmatch(word):
            return word
        else:
            found.add(word.lower())
        return " "

    def take_number(match: re.Match[str]) -> str:
        found.add(_number(match))
        return " "

    rest = _NUMBER.sub(take_number, _IDENTIFIER.sub(take_identifier, _DATE.sub(take_date, text)))
    return found, rest


def _day(match: re.Match[str]) -> str | None:
    """The date in ISO 8601, None if there is no such day."""
    parts = match.groupdict()
    try:
        if parts["iso"]:
            return date.fromisoformat(parts["iso"]).isoformat()
        if parts["us"]:
            month, day, year = map(int, parts["us"].split("/"))
        else:
            month = MONTHS[(parts["month"] or parts["month2"]).lower()]
            day, year = int(parts["day"] or parts["day2"]), int(parts["year"] or parts["year2"])
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _number(match: re.Match[str]) -> str:
    scale = match.group("scale")
    text = match.group()[: match.start("scale") - match.start()] if scale else match.group()
    try:
        value = Decimal(text.replace(",", "").strip()) * SCALES.get((scale or "").lower(), 1)
    except InvalidOperation:
        return text
    return f"{value.normalize():f}"


def _words_of(text: str) -> Iterator[tuple[str, bool]]:
    """Each word, and whether it looks like a name: in capitals, or with one where no sentence begins."""
    begins = True
    last = 0
    for match in _WORD.finditer(text):
        between = text[last : match.start()]
        begins = begins or any(mark in between for mark in ".!?:\n•|") or '"' in between
        word = match.group()
        yield word, len(word) > 1 and (word.isupper() or (word[0].isupper() and not begins))
        begins, last = False, match.end()
