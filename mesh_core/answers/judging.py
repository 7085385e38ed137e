"""One rule held against a case: its bounds, the kinds that it is for, its own case and its exceptions.

What cannot be told leaves the rule open. English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mesh_core.answers.answer import Citation, Finding, Verdict
from mesh_core.answers.comparing import Case, Compared, Standing, compare
from mesh_core.answers.conditions import Condition, conditions_in
from mesh_core.answers.promises import is_time_asked_for
from mesh_core.answers.special_rules import GENERIC, are_stated, own_case, says_it_goes_first
from mesh_core.answers.wording import STOP_WORDS, stem, wording_of

__all__ = ["Judged", "Rule", "judged"]

_UNLESS = re.compile(r"\b(?:unless|except)\b[^.;]*", re.IGNORECASE)
_QUALIFIED = re.compile(
    r"(?:\A|,\s)(?:for|if|when|where|in case of|once)\s+(?P<what>.+?)(?=,|\s(?:the|a)\s(?:period|limit|deadline|window|term)\b|"
    r"\s(?:may|can|must|we|have|has|gets?)\b|\Z)",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Rule:
    """A sentence that may be a rule, with its conditions."""

    text: str
    citation: Citation
    conditions: list[Condition]
    standing: Standing


@dataclass(slots=True)
class Judged:
    """How a rule stands to the case, and what it wants for."""

    rule: Rule
    finding: Finding
    missing: list[str]
    rank: int = 0
    """0 of a general rule, 1 of one for a case of its own, 2 of one that says itself that it goes first."""
    is_its_case: bool = False
    """Its own case is this one, whatever its bounds say."""


def judged(rule: Rule, case: Case) -> Judged | None:
    """How the rule stands to the case; None if it has no condition that the case could be held against."""
    is_asked = is_time_asked_for(rule.text, case.question, case.facts)
    bounds = [
        Compared(True, f"“{it.words}” is the time that is asked for")
        if is_asked and it.bound.is_time
        else compare(it, case, rule.standing)
        for it in rule.conditions
    ]
    choices = list(_choices(rule, case))
    compared, is_its_case = [*bounds, *choices], bool(choices) and all(it.holds for it in choices)
    own = own_case(rule.text, case.question, case.facts)
    if own is not None and (own.is_met or own.is_denied) and (rule.standing.is_expected or bounds):
        compared.append(Compared(own.is_met, f"“{own.words}” {'as asked' if own.is_met else 'is denied in the question'}"))
        is_its_case = own.is_met and all(it.holds for it in choices)
    if not compared or not any(it.holds is not None or it.is_wanting for it in compared):
        return None
    open_words = _unmet_words(rule, case) or (own.words if own and own.is_narrower and not (own.is_met or own.is_denied) else "")
    missing = [it.text for it in compared if it.is_wanting]
    if open_words:
        missing.append(f"Whether this is a case of “{open_words}”: then “{rule.text}”")
    if exception := _UNLESS.search(rule.text):
        if are_stated(exception[0].partition(" ")[2], case.question, frozenset(it for fact in case.facts for it in fact.rows)):
            compared.append(Compared(False, f"its exception “{exception[0].strip()}” as asked"))
        else:
            missing.append(f"Whether the exception of “{rule.text}” holds: “{exception[0].strip()}”.")
    because = "; ".join(it.text for it in compared if it.text and not it.is_wanting) or "it cannot be compared"
    figures = tuple(sorted({it.figure for it in compared if it.figure}))
    finding = Finding(rule.text, rule.citation.number, _verdict(compared, open_words), because, figures)
    qualifier = _qualifier(rule.text)
    is_its_case |= bool(qualifier) and not conditions_in(qualifier) and not open_words
    rank = 2 if says_it_goes_first(rule.text) else 1 if own or qualifier or any(it.is_choice for it in compared) else 0
    return Judged(rule, finding, missing, rank, is_its_case)


def _verdict(compared: Sequence[Compared], open_words: str) -> Verdict:
    if any(it.holds is False for it in compared):
        return Verdict.FAILS
    return Verdict.OPEN if open_words or any(it.holds is None for it in compared) else Verdict.APPLIES


def _choices(rule: Rule, case: Case) -> Iterator[Compared]:
    """Values of a contract's list that the rule is about: one stands right beside what has it (`gold customers`, `tier gold`)."""
    words = [word.casefold() for word in re.findall(r"[\w-]+", rule.text)]
    for fact in case.facts:
        nouns = fact.rows | fact.about
        beside = {
            word
            for place, word in enumerate(words)
            if any(stem(other) in nouns for other in (words[place - 1] if place else "", *words[place + 1 : place + 2]))
        }
        named = [it for it in fact.choices if it.casefold() in beside]
        if not named:
            continue
        name = f"{fact.name.replace('_', ' ')} of {fact.row}"
        if fact.is_several:
            yield Compared(None, f"Which of several {fact.row}: “{rule.text}” is about “{named[0]}”.", is_wanting=True)
        elif not fact.text or fact.is_masked:
            yield Compared(None, f"The {name} is not known, and “{rule.text}” is about “{named[0]}”.", is_wanting=True)
        else:
            yield Compared(fact.text in named, f"the {name} is {fact.text}", fact.figure, is_choice=True)


def _unmet_words(rule: Rule, case: Case) -> str:
    """The words of the rule's own case that neither the question nor a fact says; empty if all are said."""
    qualifier = _qualifier(rule.text)
    if not qualifier or conditions_in(qualifier):
        return ""
    known = wording_of(case.question).words | {stem(word) for fact in case.facts for word in fact.text.split()}
    known |= {noun for fact in case.facts for noun in (*fact.rows, *fact.about)} | GENERIC
    wanted = {stem(word) for word in re.findall(r"[A-Za-z]+", qualifier.lower()) if word not in STOP_WORDS}
    return qualifier if wanted - known else ""


def _qualifier(text: str) -> str:
    found = _QUALIFIED.search(text)
    return found["what"].strip() if found else ""
