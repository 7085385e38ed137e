"""What a question asks for: its parts, each a question by itself, and the kind of thing that would answer one.

`I missed my flight. Whom do I call, and is there a fee?` asks two things about one case. Words of form only, English.
"""

from __future__ import annotations

import re

from mesh_core.answers.number_words import COUNT, MONTH

__all__ = ["answers_kind", "asked_parts", "parts_by_ask"]

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_ASKS = (
    r"(?:how|what|which|who|whom|whose|when|where|why|may|can|could|must|should|shall|do|does|did|is|are|am|was|were|will|would|"
    r"have|has|had)\b"
)
_JOINT = re.compile(rf",?\s+(?:and|or|but)\s+(?:also\s+|if so,?\s+)?(?={_ASKS})|[,;]\s+(?={_ASKS})", re.IGNORECASE)
_LEAD = r"\A\W*(?:(?:and|or|so|but|also|then|if so|(?:if|when|once|after|before)\b[^,?]*,)\s*)*"
_BEFORE = r"(?:(?:for|in|at|on|to|after|from|by|within|until|till|since|above|below|over|under|up to|with|as of)\s+)?"
_LEAST_WORDS = 4
_MOST_PARTS = 5
_UNIT = r"(?:day|week|month|year|hour|minute|quarter)s?\b"
_REPEATED = r"\b(?:every|each|daily|weekly|monthly|quarterly|annual\w*|yearly|always|never)\b"
_SUMS = r"price|cost|rate|fee|cap|limit|amount|salary|allowance|budget|percentage|share|value|sum|threshold|maximum|minimum"
_DAYS = rf"\b(?:(?:{MONTH})|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b"
_MOMENTS = r"\b(?:before|after|until|once|when|soon|beginning|end|start|within|prior|during|upon|immediately)\b"
_SOMEBODY = r"\b(?:you|anyone|everyone|people|staff|team|\w+(?:er|or|ors|ers|ee|ees|ist|ian|ant|ent))\b"
_KINDS = (
    (
        rf"how (?:long|old|soon|fast|quickly|late|early)\b|(?:how many|what number of) {_UNIT}",
        rf"(?i){COUNT}[\s-]+(?:\w+[\s-]+){{0,2}}{_UNIT}",
    ),
    (r"how (?:many|often)\b", rf"(?i){COUNT}|{_REPEATED}"),
    (
        rf"how (?:much|large|big|high)\b|(?:what|which)(?:['’]s)?(?: \w+){{0,3}}? (?:{_SUMS})\b",
        rf"(?i){COUNT}|%|\b(?:percent|free|nothing)\b",
    ),
    (r"when\b|(?:what|which) (?:date|day|month|months|year|time)\b", rf"(?i)\d|{_DAYS}|{_MOMENTS}|{_REPEATED}"),
    (r"who(?:m|se)?\b", rf"(?<=[a-z,;:(] )[A-Z][a-z]+|\b[A-Z]{{2,}}\b|@|{_SOMEBODY}"),
)
"""What is asked, and what the sentence must have."""
_COMPILED = tuple((re.compile(_LEAD + _BEFORE + asks, re.IGNORECASE), re.compile(has)) for asks, has in _KINDS)


def asked_parts(question: str) -> list[str]:
    """The question as a whole, then each of its parts if there are several, at most five, with what is told before they ask.

    A part is a sentence or clause that asks; sentences that tell something stand before each part.
    """
    return list(dict.fromkeys([question, *(part for parts in parts_by_ask(question).values() for part in parts)]))


def parts_by_ask(question: str) -> dict[str, list[str]]:
    """Each thing that is asked, as it stands, and how it is looked for; empty if the question asks one thing."""
    told: list[str] = []
    asks: list[str] = []
    for sentence in _SENTENCE.split(question.strip()):
        clauses = [it.strip(" ,;") for it in _JOINT.split(sentence)]
        is_question = sentence.rstrip().endswith("?")
        if not is_question:
            told.append(sentence)
            continue
        asks += [f"{it.rstrip('?')}?" for it in clauses if it]
    if len(asks) < 2 and not (asks and told):
        return {}
    before = " ".join(told)
    return {it: _with(before, it) for it in asks[:_MOST_PARTS]}


def _with(before: str, part: str) -> list[str]:
    alone = [part] if len(part.split()) >= _LEAST_WORDS else []
    return [f"{before} {part}", *alone] if before else alone


def answers_kind(question: str, sentence: str) -> bool:
    """True if the sentence holds the kind of thing that the question asks for: a time, a number, a sum, a date, somebody.

    Also if the question asks for none of these.
    """
    last = _SENTENCE.split(question.strip())[-1]
    for asks, has in _COMPILED:
        if asks.search(last):
            return has.search(sentence) is not None
    return True
