"""What rules say of a case: sentences of retrieved passages, whose conditions are held against the facts of looked-up rows.

General mechanics, no domain's rules: bounds of time and money, values that contracts list, and words of the question. A condition
that cannot be compared leaves its rule open, and what it wants for is said. Nothing is weighed: rules that apply are given, the
more special ones first. English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from mesh_core.answers.answer import Citation, Finding, Recommendation, Sentence, Verdict
from mesh_core.answers.comparing import Case, Compared, Standing, compare
from mesh_core.answers.conditions import Condition, conditions_in, quantities_in
from mesh_core.answers.facts import Fact
from mesh_core.answers.lacking import lacking
from mesh_core.answers.sentences import said, sentences_of
from mesh_core.answers.wording import STOP_WORDS, stem, wording_of

__all__ = ["asks_for_recommendation", "recommend", "relevant_documents", "states_reached"]

_ASKS = re.compile(
    r"\b(?:may|can|could|should|must|shall|allowed|permit(?:ted|s)?|permission|permissible|entitled|eligible|owed|owe|obliged|ought|"
    r"ha(?:ve|s) to|right to|resolve|decide|decision|recommend|approve|accept|grant|yes or no|what (?:do|now|to do)|"
    r"(?:is|are|was|be) (?:\S+ ){0,4}due|do (?:we|i|they) (?!know\b|have (?!to\b))\w+)\b",
    re.IGNORECASE,
)
_RULES = re.compile(
    r"\b(?:may|can|cannot|must|shall|should|needs?|requires?|required|entitled|eligible|allowed|permitted|approves?|approved|"
    r"granted|refused|refunded|paid|nothing|not|never|only|gets?|have|has|period is|limit is|deadline is|is due|are due)\b",
    re.IGNORECASE,
)
_DEMANDS = re.compile(r"\b(?:must|only|needs?|requires?|required|not|never|nothing|no|unless|except)\b", re.IGNORECASE)
_UNLESS = re.compile(r"\b(?:unless|except)\b[^.;]*", re.IGNORECASE)
_QUALIFIED = re.compile(
    r"(?:\A|,\s)(?:for|if|when|where|in case of|once)\s+(?P<what>.+?)(?=,|\s(?:the|a)\s(?:period|limit|deadline|window|term)\b|"
    r"\s(?:may|can|must|we|have|has|gets?)\b|\Z)",
    re.IGNORECASE,
)
_GENERIC = frozenset(map(stem, ("goods", "items", "products", "things", "cases", "customers")))
"""Words for whatever a case is about."""
_TIMES = frozenset(map(stem, ("day", "week", "month", "year", "date", "time")))
_MOST_OPEN = 6


@dataclass(slots=True)
class _Rule:
    """A sentence that may be a rule, with its conditions."""

    text: str
    citation: Citation
    conditions: list[Condition]
    standing: Standing


@dataclass(slots=True)
class _Judged:
    rule: _Rule
    finding: Finding
    missing: list[str]
    is_special: bool = False


@dataclass(slots=True)
class _Reading:
    case: Case
    judged: list[_Judged] = field(default_factory=list)
    demands: list[_Rule] = field(default_factory=list)


def asks_for_recommendation(question: str, citations: Sequence[Citation], facts: Sequence[Fact]) -> bool:
    """True if the question is about what may or should be done, or about a matter on which a rule of the passages speaks.

    The matter are its words that neither say what the looked-up rows are called, nor name a column of them: who asks for a
    column wants its value.
    """
    if _ASKS.search(question):
        return True
    known = {word for fact in facts for word in fact.rows} | _TIMES | _GENERIC
    known |= {stem(word) for fact in facts if fact.is_own for word in fact.name.split("_")}
    matter = wording_of(question).words - known
    return any(matter & wording_of(text).words for it in citations for text in _sentences(it) if _is_rule(text))


def _sentences(citation: Citation) -> Iterator[str]:
    return (said(citation.text[span.start : span.end]) for span in sentences_of(citation.text))


def _is_rule(text: str) -> bool:
    return bool(_RULES.search(text)) and len(text.split()) >= 3


def states_reached(question: str, facts: Sequence[Fact]) -> list[Sentence]:
    """What the question asks for and its row is already, by a value that the contract lists: `status is already refunded`."""
    asked = wording_of(question).words
    reached = [it for it in facts if it.is_own and it.text and it.choices and not (it.is_masked or it.is_several)]
    said = [(it, f"{it.row}: {it.name.replace('_', ' ')} is already {it.text}.") for it in reached if stem(it.text) in asked]
    return [Sentence(f"{text[:1].upper()}{text[1:]}", (it.figure,)) for it, text in said]


def relevant_documents(question: str, citations: Sequence[Citation]) -> list[tuple[str, str]]:
    """Port and name of the documents whose rules may decide: the best, and those whose headings share words with the question."""
    asked = wording_of(question).words
    found = [
        (it.port, it.document)
        for place, it in enumerate(citations)
        if it.document and (not place or asked & wording_of(f"{it.title} {it.section}").words)
    ]
    return list(dict.fromkeys(found))


def recommend(
    question: str, citations: Sequence[Citation], facts: Sequence[Fact], *, today: date, missing: Sequence[str] = ()
) -> Recommendation | None:
    """What the passages' rules say of the case; None if they say nothing of it.

    Args:
        question: What is asked.
        citations: Passages of the documents that may decide.
        facts: Of the looked-up rows.
        today: What ages are told from.
        missing: What could not be looked up, in sentences.
    """
    if not facts or not asks_for_recommendation(question, citations, facts):
        return None
    reading = _Reading(Case(question, tuple(facts), tuple(quantities_in(question)), today))
    for place, document in enumerate(relevant_documents(question, citations)):
        _read([it for it in citations if (it.port, it.document) == document], reading, is_best=not place)
    if not reading.judged:
        return None
    order = {Verdict.APPLIES: 0, Verdict.OPEN: 1, Verdict.FAILS: 2}
    judged = sorted(reading.judged, key=lambda it: (order[it.finding.verdict], not it.is_special))
    wanting = [text for it in judged if it.finding.verdict is not Verdict.FAILS for text in it.missing]
    alive = {it.rule.citation.document for it in judged if it.finding.verdict is not Verdict.FAILS}
    demands = [it.text for it in reading.demands if it.citation.document in alive]
    open_demands = [f"Not on record, to be checked: “{text}”" for text in demands]
    told = [*missing, *lacking(reading.case, citations), *wanting, *open_demands[:_MOST_OPEN]]
    return Recommendation(tuple(it.finding for it in judged), tuple(dict.fromkeys(told)))


def _read(citations: Sequence[Citation], reading: _Reading, *, is_best: bool) -> None:
    """The rules of one document, from its beginning: what a time is counted from holds until another is named."""
    nouns = frozenset(noun for fact in reading.case.facts for noun in fact.rows)
    asked = wording_of(reading.case.question).words - nouns
    anchor: frozenset[str] = frozenset()
    seen: set[str] = set()
    for citation in sorted(citations, key=lambda it: it.span.start):
        for text in _sentences(citation):
            if text in seen or not _is_rule(text):
                continue
            seen.add(text)
            near = bool(asked & wording_of(f"{citation.title} {citation.section} {text}").words)
            rule = _Rule(text, citation, conditions_in(text), Standing(near, near or is_best, anchor))
            judged = _judged(rule, reading.case)
            if judged is not None:
                reading.judged.append(judged)
            elif rule.standing.is_expected and _DEMANDS.search(text) and not rule.conditions:
                reading.demands.append(rule)
            anchor = next((it.about for it in rule.conditions if it.about and it.bound.is_time), anchor)


def _judged(rule: _Rule, case: Case) -> _Judged | None:
    """How the rule stands to the case; None if it has no condition that the case could be held against."""
    compared = [compare(it, case, rule.standing) for it in rule.conditions]
    compared += _choices(rule, case)
    if not compared or not any(it.holds is not None or it.is_wanting for it in compared):
        return None
    open_words = _unmet_words(rule, case)
    missing = [it.text for it in compared if it.is_wanting]
    if open_words:
        missing.append(f"Whether this is a case of “{open_words}”: then “{rule.text}”")
    if exception := _UNLESS.search(rule.text):
        missing.append(f"Whether the exception of “{rule.text}” holds: “{exception[0].strip()}”.")
    if any(it.holds is False for it in compared):
        verdict = Verdict.FAILS
    elif open_words or any(it.holds is None for it in compared):
        verdict = Verdict.OPEN
    else:
        verdict = Verdict.APPLIES
    because = "; ".join(it.text for it in compared if it.text and not it.is_wanting) or "it cannot be compared"
    figures = tuple(sorted({it.figure for it in compared if it.figure}))
    is_special = bool(_qualifier(rule.text)) or any(it.is_choice for it in compared)
    return _Judged(rule, Finding(rule.text, rule.citation.number, verdict, because, figures), missing, is_special)


def _choices(rule: _Rule, case: Case) -> Iterator[Compared]:
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


def _unmet_words(rule: _Rule, case: Case) -> str:
    """The words of the rule's own case that neither the question nor a fact says; empty if all are said."""
    qualifier = _qualifier(rule.text)
    if not qualifier or conditions_in(qualifier):
        return ""
    known = wording_of(case.question).words | {stem(word) for fact in case.facts for word in fact.text.split()}
    known |= {noun for fact in case.facts for noun in (*fact.rows, *fact.about)} | _GENERIC
    wanted = {stem(word) for word in re.findall(r"[A-Za-z]+", qualifier.lower()) if word not in STOP_WORDS}
    return qualifier if wanted - known else ""


def _qualifier(text: str) -> str:
    found = _QUALIFIED.search(text)
    return found["what"].strip() if found else ""
