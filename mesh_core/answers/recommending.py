"""What rules say of a case: sentences of retrieved passages, whose conditions are held against the facts of looked-up rows.

General mechanics, no domain's rules: bounds of time and money, values that contracts list, and words of the question. A condition
that cannot be compared leaves its rule open, and what it wants for is said. Nothing is weighed: rules that apply are given, the
more special ones first. English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from mesh_core.answers.answer import Citation, Recommendation, Sentence, Verdict
from mesh_core.answers.comparing import Case, Standing
from mesh_core.answers.conditions import CURRENCY_WORDS, conditions_in, quantities_in
from mesh_core.answers.facts import Fact
from mesh_core.answers.judging import Judged, Rule, judged
from mesh_core.answers.lacking import lacking
from mesh_core.answers.promises import is_time_asked_for
from mesh_core.answers.sentences import said, sentences_of
from mesh_core.answers.special_rules import GENERIC, goes_first
from mesh_core.answers.wording import stem, wording_of

__all__ = ["asks_for_recommendation", "asks_of_several", "recommend", "relevant_documents", "states_reached"]

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
_DEMANDS = re.compile(r"\b(?:must|only|needs?|requires?|required|not|never|nothing|no|cannot|unless|except)\b", re.IGNORECASE)
_TIMES = frozenset(map(stem, ("day", "week", "month", "year", "date", "time")))
_MOST_OPEN = 6


@dataclass(slots=True)
class _Reading:
    case: Case
    judged: list[Judged] = field(default_factory=list)
    demands: list[Rule] = field(default_factory=list)


def asks_for_recommendation(question: str, citations: Sequence[Citation], facts: Sequence[Fact]) -> bool:
    """True if the question is about what may or should be done, or about a matter on which a rule of the passages speaks.

    The matter are its words that neither say what the looked-up rows are called, nor name a column of them: who asks for a
    column wants its value.
    """
    if _ASKS.search(question) or any(is_time_asked_for(text, question, facts) for it in citations for text in _sentences(it)):
        return True
    known = {word for fact in facts for word in fact.rows} | _TIMES | GENERIC
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


def asks_of_several(facts: Sequence[Fact]) -> list[Sentence]:
    """That the question names several rows of a table, which are no case together."""
    several = dict.fromkeys(re.split(r"\s(?=\S*\d)", it.row)[0] for it in facts if it.is_several and it.is_own)
    told = (f"This asks about several {it}: rules are held against one at a time, so ask for each by itself." for it in several)
    return [Sentence(text, ()) for text in told]


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
    _put_first(reading)
    ordered = sorted(reading.judged, key=lambda it: (order[it.finding.verdict], -it.rank))
    wanting = [text for it in ordered if it.finding.verdict is not Verdict.FAILS for text in it.missing]
    alive = {it.rule.citation.document for it in ordered if it.finding.verdict is not Verdict.FAILS}
    demands = [it.text for it in reading.demands if it.citation.document in alive]
    open_demands = [f"Not on record, to be checked: “{text}”" for text in demands]
    told = [*missing, *lacking(reading.case, citations), *wanting, *open_demands[:_MOST_OPEN]]
    return Recommendation(tuple(it.finding for it in ordered), tuple(dict.fromkeys(told)))


def _read(citations: Sequence[Citation], reading: _Reading, *, is_best: bool) -> None:
    """The rules of one document, from its beginning: what a time is counted from holds until another is named."""
    nouns = frozenset(noun for fact in reading.case.facts for noun in fact.rows)
    asked = wording_of(reading.case.question).words - nouns - CURRENCY_WORDS
    anchor: frozenset[str] = frozenset()
    seen: set[str] = set()
    for citation in sorted(citations, key=lambda it: it.span.start):
        for text in _sentences(citation):
            if text in seen or not _is_rule(text):
                continue
            seen.add(text)
            near = bool(asked & wording_of(f"{citation.title} {citation.section} {text}").words)
            rule = Rule(text, citation, conditions_in(text), Standing(near, near or is_best, anchor, wording_of(text).words))
            found = judged(rule, reading.case)
            if found is not None:
                reading.judged.append(found)
            elif rule.standing.is_expected and _DEMANDS.search(text) and not rule.conditions:
                reading.demands.append(rule)
            anchor = next((it.about for it in rule.conditions if it.about and it.bound.is_time), anchor)


def _put_first(reading: _Reading) -> None:
    """General rules that a more special one goes before are no more told to apply, but that they would."""
    nouns = frozenset(noun for fact in reading.case.facts for noun in fact.rows)
    firsts = [it for it in reading.judged if (it.is_its_case or it.rank > 1) and it.finding.verdict is not Verdict.OPEN]
    for it in reading.judged:
        other = next((first for first in firsts if it.finding.verdict is Verdict.APPLIES and _is_before(first, it, nouns)), None)
        if other is not None:
            how = "goes first" if other.finding.verdict is Verdict.APPLIES else "is for this case, and does not hold"
            because = f"would apply, but “{other.rule.text}” {how} ({it.finding.because})"
            it.finding = replace(it.finding, verdict=Verdict.OPEN, because=because)


def _is_before(first: Judged, other: Judged, nouns: frozenset[str]) -> bool:
    one, two = first.rule, other.rule
    if first.rank <= other.rank or one.citation.document != two.citation.document:
        return False
    if first.finding.verdict is Verdict.FAILS:  # by its own bounds, of the kind that the other has
        kinds = [{it.bound.is_time for it in rule.conditions} for rule in (one, two)]
        if not first.is_its_case or not kinds[0] & kinds[1]:
            return False
    return goes_first(one.text, two.text, nouns, in_one_section=one.citation.section == two.citation.section)
