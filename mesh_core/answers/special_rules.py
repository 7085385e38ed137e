"""The case that a rule names as its own (`damaged goods`, `software that was opened`), and which rule goes before which.

Words alone: what the question says of the case, and what it denies (`not opened`). A rule for a case of its own goes before the
general ones on the same matter, and one that says so itself (`instead`, `regardless`) before both. English.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mesh_core.answers.facts import Fact
from mesh_core.answers.wording import STOP_WORDS, stem, wording_of

__all__ = ["GENERIC", "OwnCase", "are_stated", "goes_first", "matter_of", "own_case", "says_it_goes_first"]

GENERIC = frozenset(map(stem, ("goods", "items", "products", "things", "cases", "customers", "other", "such")))
"""Words for whatever a case is about."""
_VERB = (
    r"(?:may|can|cannot|must|shall|should|needs?|requires?|will|is|are|was|were|gets?|have|has|do|does)\b(?!\s+(?:been|to be)\b)"
)
_SUBJECT = re.compile(
    rf"\A\W*(?:(?:the|an?|all|any|every|each)\s+)?(?P<what>(?:[A-Za-z][\w-]*\s+){{0,3}}?[A-Za-z][\w-]*)"
    rf"(?:\s+(?:that|which|who)\s+(?:(?:is|are|was|were|has|have|been)\s+)*(?P<that>[^.,;:]{{1,60}}?))?\s+"
    rf"(?={_VERB}|(?:for|within|up to|above|below|over|under|of)\b)",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"\b(?:no|not|never|nothing|cannot)\b[^.;]*?\s(?:for|on|if|when|once)\s+(?P<what>[^.,;]+?)\W*\Z", re.IGNORECASE
)
_DENIED = re.compile(
    r"\b(?:not|never|neither|nor|isn['’]t|wasn['’]t|aren['’]t|weren['’]t|hasn['’]t|haven['’]t|without)\s+"
    r"(?:(?:yet|been|be|at all|even|being|the|a|any)\s+)*(?P<what>\w+)",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"\b(?:instead|regardless|irrespective|notwithstanding|even (?:after|if|when|though)|in any case|takes? precedence|"
    r"overrides?)\b",
    re.IGNORECASE,
)
_ADDS = re.compile(r"\b(?:must|needs?|requires?|required|should|shall)\b", re.IGNORECASE)
_NEGATED = re.compile(r"\b(?:no|not|never|nothing|cannot)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OwnCase:
    """What a rule names as its own case, in its words.

    `is_met` if the question says all of it, `is_denied` if it denies a word of it; neither if it says nothing.
    """

    words: str
    is_met: bool
    is_denied: bool
    is_narrower: bool
    """A kind of what the case is about (`damaged goods`); else another thing, of which the rule may speak in passing."""


def own_case(text: str, question: str, facts: Sequence[Fact]) -> OwnCase | None:
    """What the rule names as its own case; None if it names nothing but what every such case is about, or what facts tell."""
    nouns = GENERIC | {noun for fact in facts for noun in fact.rows}
    known = nouns | {word for fact in facts for word in fact.about}
    known |= {stem(word) for fact in facts for choice in fact.choices for word in choice.split()}
    subject = _SUBJECT.match(text)
    if subject:
        phrase = subject["what"] if subject["that"] is None else f"{subject['what']} that is {subject['that']}"
        words = subject["what"].split()
        is_name = not wording_of(phrase).turning and not any(it.lower() in STOP_WORDS for it in words)
        wanted = wording_of(phrase).words - known
        if is_name and wanted and len(wording_of(phrase).words) > 1:
            return _met(phrase, wanted, question, is_narrower=stem(words[-1]) in nouns or subject["that"] is not None)
    refused = _REFUSED.search(text)
    if refused and not re.search(r"\d", refused["what"]) and (wanted := wording_of(refused["what"]).words - known):
        return _met(refused["what"], wanted, question, is_narrower=False)
    return None


def are_stated(text: str, question: str, nouns: frozenset[str]) -> bool:
    """True if the question says every word of the text that says something, and denies none."""
    wanted = wording_of(text).words - nouns - GENERIC
    return bool(wanted) and _met(text, wanted, question, is_narrower=False).is_met


def says_it_goes_first(text: str) -> bool:
    """True if the rule says itself that it goes before others."""
    return bool(_FIRST.search(text))


def matter_of(text: str, nouns: frozenset[str]) -> frozenset[str]:
    """What a rule is about, beside the things of the case."""
    return wording_of(text).words - nouns - GENERIC - frozenset(map(stem, ("day", "week", "month", "year")))


def goes_first(special: str, general: str, nouns: frozenset[str], *, in_one_section: bool) -> bool:
    """True if the special rule decides what the general one speaks of: not if it only demands something more."""
    if _ADDS.search(special) and not (_NEGATED.search(special) or says_it_goes_first(special)):
        return False
    return in_one_section or bool(matter_of(special, nouns) & matter_of(general, nouns))


def _met(phrase: str, wanted: frozenset[str], question: str, *, is_narrower: bool) -> OwnCase:
    denied = {stem(it["what"]) for it in _DENIED.finditer(question)}
    said = wording_of(question).words - denied
    return OwnCase(phrase, wanted <= said, bool(wanted & denied), is_narrower)
