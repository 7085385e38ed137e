"""Whether a sentence holds the kind of thing that a question asks for: a time, a number of something, a sum, a date, somebody.

Words of form only, English. `How many visits` is answered by a number of visits, not by whatever else has digits: times of the
day, dates and years are no counts. Lengths of time (`how many days`) are not of this kind: they are said in other units, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mesh_core.answers.money_words import SUM
from mesh_core.answers.number_words import COUNT, MONTH
from mesh_core.answers.people_words import SOMEBODY
from mesh_core.answers.wording import STOP_WORDS, stem, wording_of

__all__ = ["answers_kind", "is_cost_of_another", "lacks_amount", "lacks_count"]

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_LEAD = r"\A\W*(?:(?:and|or|so|but|also|then|if so|(?:if|when|once|after|before)\b[^,?]*,)\s*)*"
_BEFORE = r"(?:(?:for|in|at|on|to|after|from|by|within|until|till|since|above|below|over|under|up to|with|as of)\s+)?"
_UNIT = r"(?:day|week|month|year|hour|minute|second|night|quarter)s?\b"
_MEASURE = r"(?:[ckm]?m|(?:kilo)?met(?:er|re)s?|feet|foot|inch(?:es)?|miles?|yards?|characters?|letters?|digits?|words?|pages?)\b"
_OTHER_UNIT = rf"(?:{_UNIT}|{_MEASURE}|k?g\b|kilos?\b|lit(?:er|re)s?\b|people\b|times\b)"
_REPEATED = r"\b(?:every|each|daily|weekly|monthly|quarterly|annual\w*|yearly|always|never)\b"
_SUMS = (
    r"(?:price|cost|rate|fee|cap|limit|amount|salary|allowance|budget|percentage|share|value|sum|threshold|maximum|minimum|pay|wage|"
    r"bonus|rent|turnover|revenue|deposit|discount|fine|penalty|excess|surcharge)\b"
    r"(?=\s*\W*\Z|,|\s+(?:of|for|per|in|on|at|to|from|with|by|when|if|that|which|who|a|an|each|every|we|i|you|is|are|was|were|do|does|can)\b)"
)
"""What is counted in money or percent, where it is asked for itself and not for something about it: no `salary review`."""
_DAYS = rf"\b(?:(?:{MONTH})|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b"
_MOMENTS = r"\b(?:before|after|until|once|when|soon|beginning|end|start|within|prior|during|upon|immediately)\b"
_PREPOSITIONS = "in|at|on|to|from|via|into|beside|behind|near|under|inside|outside|opposite|between|next to"
_CLOCK = r"\d{1,2}[:.]\d\d|\d\s?[ap]\.?m\b|\b(?:noon|midnight|o['’]clock)\b"
_AGE_UNIT = r"(?:day|week|month|year)s?\b"
_AMOUNTS = (
    (
        r"how old\b|what age\b",
        rf"(?i){COUNT}[\s-]+(?:\w+\s)?{_AGE_UNIT}|\b(?:age|aged|over|under|above|below|from|until|between) {COUNT}|\bborn\b|"
        rf"\b(?:older|younger|newer) than (?:{COUNT}|an?)[\s-]+(?:\w+\s)?{_UNIT}|{COUNT}[\s-]+(?:\w+\s)?{_UNIT}[\s-]+old\b|"
        rf"\b(?:age|{_AGE_UNIT})[^;:]{{0,20}}: {COUNT}|"
        rf"\b(?:be|is|are|turns?) (?:at least |only )?{COUNT}(?:\W*\Z|[,;]| (?:or|and|to|when)\b)",
    ),
    (
        rf"how (?:long|soon|quickly|late|early)\b|(?:how many|what number of) {_UNIT}|"
        r"(?:what|which)(?:['’]s)?(?: \w+){0,4}? (?:period|length|duration|age)\b",
        rf"(?i)(?:{COUNT}[\s-]+(?:\w+(?:['’]s)?[\s-]+){{0,2}}|\ban? )[(\[]?(?:{_UNIT}|{_MEASURE})|{_CLOCK}|"
        rf"\b{_UNIT}[^;:]{{0,20}}: {COUNT}|\b(?:until|till|as long as|immediately)\b",
    ),
    (r"how often\b", rf"(?i)\b(?:once|twice)\b|{COUNT} times\b|{_REPEATED}|(?:\ban? |\bper |{COUNT}-){_UNIT}|{_DAYS}"),
    (r"how (?:many|fast|heavy|far|tall|wide|deep|hot|cold)\b", rf"(?i){COUNT}|{_REPEATED}"),
    (
        r"how much\b[^,?]*\b(?:cost|charged?)\b|what (?:do|does|did|will|would)\b[^,?]*\bcost\b",
        rf"(?i){SUM}|: {COUNT}(?:;|\Z)|"
        rf"\b(?:costs?|pays?|paid|charged?|prices?|fees?)\b[^.;:]{{0,30}}(?<!\w)\d[\d.,]*(?!\d|[\s-]*(?:\w+[\s-])?{_OTHER_UNIT})|"
        r"\b(?:percent|free|half|nothing|no (?:charge|cost|fee))\b",
    ),
    (
        rf"how (?:much|large|big|high)\b|(?:what|which)(?:['’]s)?(?: \w+){{0,3}}? {_SUMS}",
        rf"(?i){COUNT}|%|\b(?:percent|free|nothing|all|full)\b|\ban? {_UNIT}",
    ),
    (r"who(?:['’]s| is| are| was| were) (?:the|our|my|your|its|their)\b", SOMEBODY),
    (r"(?:what|which) time\b", rf"(?i){_CLOCK}|{_MOMENTS}"),
)
_KINDS = (
    *_AMOUNTS,
    (r"when\b|(?:what|which) (?:date|day|month|months|year|time)\b", rf"(?i)\d|{_DAYS}|{_MOMENTS}|{_REPEATED}"),
    (r"where\b", rf"(?i)@|://|\b(?:{_PREPOSITIONS}) (?:(?:the|an?|our|your|his|her|their) )?(?!{_DAYS})[a-z]"),
    (r"who(?:m|se)?\b", SOMEBODY),
)
"""What is asked, and what the sentence must have."""
_COMPILED = tuple((re.compile(_LEAD + _BEFORE + asks, re.IGNORECASE), re.compile(has)) for asks, has in _KINDS)
_PLACES = re.compile(
    r"\b(?:day|week|month|year|step|page|section|clause|chapter|grade|level|version|part|phase|band|no\.) \d+\b|"
    r"\bonce (?!an?\b|per\b|every\b|in\b)",
    re.IGNORECASE,
)
"""Numbers that say which, and not how much; and `once` where it is no number."""
_HOW_MANY = re.compile(
    r"\A\W*(?:(?:and|or|so|but|also|then)\s+)*(?:(?:in|for|at|on|to|from|with)\s+)?"
    r"(?:how many|what(?:['’]s| is| was)? the number of|what number of)\s+(?P<thing>[^?,;]*)",
    re.IGNORECASE,
)
_LENGTH = re.compile(rf"(?:business |working |calendar )?{_UNIT}", re.IGNORECASE)
_NO_COUNT = re.compile(
    rf"\b\d{{1,2}}[:.]\d\d\b(?:\s?[ap]\.?m\b\.?)?|\b\d{{1,2}}\s?[ap]\.?m\b\.?|\b\d{{1,2}}\s?o['’]clock\b|"
    rf"\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}\b|"
    rf"\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{MONTH})\b\.?(?:,? \d{{4}})?|"
    rf"\b(?:{MONTH})\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}})?|"
    rf"\b(?:in|of|since|until|by) (?:19|20)\d\d\b",
    re.IGNORECASE,
)
_FOR_A_TIME = re.compile(
    rf"\b(?:for|after|before|within|in|at|every|until|since|during)\s+(?:(?:at|up|the|about|only)\s+(?:least|most|to|first|last)?\s*)?"
    rf"{COUNT}[\s-]+(?:\w+\s)?{_UNIT}",
    re.IGNORECASE,
)
"""A number that says how long or when something is, and counts nothing else (`for four weeks`)."""
_ASKS_COST = re.compile(r"\bhow much (?:is|are|was|were)\b|\b(?:costs?|prices?|fees?|charged?)\b", re.IGNORECASE)
_COSTS = frozenset(map(stem, ("cost", "price", "fee", "charge", "much", "pay")))
_NAME = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(COUNT, re.IGNORECASE)
_WORD = re.compile(r"\d[\d,.]*|[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_WHATEVER = frozenset(map(stem, ("thing", "item", "piece")))
_BESIDE = 4
"""A number is beside a thing if there are at most so many words from the one to the other."""


def answers_kind(question: str, sentence: str) -> bool:
    """True if the sentence holds the kind of thing that the question asks for: a time, a number, a sum, a date, somebody.

    Also if the question asks for none of these.
    """
    return _has(question, sentence, _COMPILED)


def lacks_amount(question: str, sentence: str) -> bool:
    """True if the question asks for a time, a number, a sum or who somebody is, and sentence and items hold none."""
    return not _has(question, sentence, _COMPILED[: len(_AMOUNTS)])


def is_cost_of_another(question: str, row: str) -> bool:
    """True if the question asks what something costs, and the row of a table names nothing of it."""
    last = _last(question)
    asked = wording_of(last)
    things = (asked.words | asked.numbers) - _COSTS
    if _ASKS_COST.search(last) is None or not things:
        return False
    told = wording_of(row)
    return things.isdisjoint(told.words | told.numbers)


def _has(question: str, sentence: str, kinds: Sequence[tuple[re.Pattern[str], re.Pattern[str]]]) -> bool:
    last = _last(question)
    has = next((has for asks, has in kinds if asks.search(last)), None)
    told = _PLACES.sub(" ", sentence)
    if has is not None and has.pattern == SOMEBODY:
        asked = set(_NAME.findall(last.lower()))  # who is sought is not whom the question names
        told = _NAME.sub(lambda it: " " if it[0].lower() in asked else it[0], told)
    return has is None or has.search(told) is not None


def lacks_count(question: str, sentence: str, around: str = "") -> bool:
    """True if the question asks how many of something there are, and the sentence holds no number beside it.

    Args:
        question: One part of what is asked.
        sentence: As it is said.
        around: What a row of a table stands under, whose headings name the thing; empty for other sentences.
    """
    asked = _HOW_MANY.match(_last(question))
    if asked is None or _LENGTH.match(asked["thing"]):
        return False
    things = _things(asked["thing"]) - _WHATEVER
    is_of_time = any(_LENGTH.fullmatch(word) for word in asked["thing"].split())
    told = _NO_COUNT.sub(" ; ", sentence if is_of_time else _FOR_A_TIME.sub(" ; ", sentence))
    words = _WORD.findall(told)
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


def _last(question: str) -> str:
    """The sentence that asks; what is told stands before it."""
    return _SENTENCE.split(question.strip())[-1]
