"""Which documents a question names: by their names, organisations, forms and periods, against the candidates of a search.

Only labels of candidates are compared, and those have passed the reader's filter: a hidden document changes nothing here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mesh_core.retrieval.expansion import is_term
from mesh_core.retrieval.periods import Periods, periods_in

__all__ = ["Label", "Route", "label_of", "route"]

_RARE = 0.5
"""A name tells documents apart if at most this share of them carries it."""
_CLOSE = 0.6
_WORD = re.compile(r"[A-Za-z]&[A-Za-z]|\w+")
_FORM = re.compile(r"\bForm ([A-Z\d]{1,4}-[A-Z\d]{1,4}(?:/A)?)(?![\w/])", re.IGNORECASE)
_ASKED_FORM = re.compile(r"\b\w+(?:-\w+)?(?:/A\b)?", re.IGNORECASE)
_FORMS_IN_WORDS = {
    "10k": re.compile(r"\bannual reports?\b", re.IGNORECASE),
    "10q": re.compile(r"\bquarterly reports?\b", re.IGNORECASE),
    "8k": re.compile(r"\bcurrent reports?\b", re.IGNORECASE),
}
_AMENDED = re.compile(
    r"\b(?:amended|amendment (?:no\.? ?\d+ )?(?:of|to) (?:the|its|their)?)(?: \w+){0,2} ?(?:reports?|filings?|form|\d+-[a-z])\b",
    re.IGNORECASE,
)
_AMENDMENT = "/a"
_QUARTERLY = "10q"
"""The form that no fourth quarter has: its figures stand in the annual report and in a release."""
_POSSESSIVE = re.compile(r"['’]s\b")
_COMMON = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "co", "company", "corp", "corporation", "did", "do", "does",
    "for", "form", "from", "has", "have", "how", "if", "in", "inc", "is", "it", "limited", "llc", "ltd", "of", "on", "or",
    "plc", "report", "reports", "s", "than", "that", "the", "this", "to", "was", "were", "what", "when", "where", "which",
    "who", "why", "will", "with",
})  # fmt: skip
"""Words that name nothing, though they stand in names."""
_LEADING = frozenset({"about", "at", "by", "did", "does", "for", "from", "has", "is", "of", "was", "were"})
"""Words behind which a name stands without an article."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a document is called: keys that may name it, its forms, and the periods it is of."""

    names: frozenset[str]
    short: frozenset[str]
    """Short forms of names of two words (`J&J`, `JnJ`), were these joined by `and`: names of files leave it out."""
    own: frozenset[str]
    """What organisations that it names are called in short: the first word of each, and the first two joined."""
    forms: frozenset[str]
    periods: Periods
    near: frozenset[int]
    """Every year that its label speaks of."""
    months: frozenset[tuple[int, int]]
    """Every month that its label speaks of."""
    is_of_quarter: bool


@dataclass(frozen=True, slots=True)
class Route:
    """Documents that the question names, with how well their period and form agree.

    All of them, if it names none and only their periods tell them apart; none, if nothing does.
    """

    agreement: Mapping[str, float]
    unknown: frozenset[str] = frozenset()
    """Documents that say nothing by which they could have been named: whether they are meant, nobody knows."""
    is_by_name: bool = False
    """Whether a word of the question names them, and not their periods alone."""


def label_of(document: str, *, title: str, about: str) -> Label:
    """The label of a document: of its file's name first, then its title, then what it says of itself."""
    stem = re.sub(r"[_\-]+", " ", document.rpartition("/")[2].rpartition(".")[0] or document)
    own = next((found for text in (stem, title, about) if (found := periods_in(text)).years), Periods())
    forms = frozenset(_key(found) for found in _FORM.findall(f"{title}\n{about}"))
    called = (stem, title, *(part for part in about.split("; ") if not periods_in(part).years))
    names = {key for text in called for key in _keys(text)}
    short = {key for text in called for key in _short_forms(text)}
    first = {key for text in called[2:] if not _is_symbol(text) for key in _first_keys(text)}
    every = periods_in(f"{stem} {title} {about}")
    return Label(
        names=frozenset(names - forms), short=frozenset(short), own=frozenset(first - forms), forms=forms,
        periods=own, near=every.years, months=every.months, is_of_quarter=every.is_of_quarter,
    )  # fmt: skip


def route(question: str, labels: Mapping[str, Label]) -> Route:
    """The documents, of those labelled, that the question names by what tells them apart from the others."""
    names = _named(_called(question, labels), labels)
    best = max(names.values(), default=0.0)
    named = {document for document, weight in names.items() if weight >= _CLOSE * best}
    periods, forms = periods_in(question), _forms_in(question)
    agreement = {document: _agreement(labels[document], periods, forms) for document in named}
    if not (best or len(set(agreement.values())) > 1):
        return Route({})
    unknown = frozenset(document for document, label in labels.items() if not label.names)
    return Route(agreement, unknown - named, is_by_name=best > 0)


def _called(question: str, labels: Mapping[str, Label]) -> list[list[str]]:
    """The documents that are called by a word of the question, of every word by which any is.

    In a question without any capital those words count that organisations are called by and that stand where a name does.
    """
    if question == question.lower():
        is_of_document = bool(periods_in(question).years or any(_forms_in(question) & label.forms for label in labels.values()))
        small = _in_small_letters(question, is_of_document=is_of_document)
        called = [[document for document, label in labels.items() if word in label.own] for word in small]
    else:
        called = [[document for document, label in labels.items() if _is_called(label, word)] for word in _asked(question)]
    return [documents for documents in called if documents]


def _named(called: Iterable[Sequence[str]], labels: Mapping[str, Label]) -> dict[str, float]:
    """What the best of the words is worth by which each document is called."""
    names = dict.fromkeys(labels, 0.0)
    for documents in called:
        for document in documents:
            names[document] = max(names[document], _weight(len(documents), len(labels)))
    return names


def _is_called(label: Label, word: str) -> bool:
    return word in label.short or any(_is_named(key, word) for key in label.names)


def _weight(called: int, documents: int) -> float:
    """What a word of the question is worth that so many of the documents are called by: the more, the fewer they are."""
    return math.log(1 + (documents - called + 0.5) / (called + 0.5)) if called <= _RARE * documents else 0.0


def _agreement(label: Label, asked: Periods, forms: set[str]) -> float:
    own, score = label.periods, 0.0
    if asked.years:
        score += 1.0 * (max(asked.years) in own.years) + 0.25 * bool(asked.years & (own.years | label.near))
    if asked.quarters & own.quarters:
        score += 0.5
    elif asked.is_of_quarter:
        is_possible = not (asked.quarters and own.quarters) and not (asked.quarters == {4} and _QUARTERLY in label.forms)
        score += 0.25 * (label.is_of_quarter and is_possible)
        score += 0.25 * bool(label.is_of_quarter and not own.quarters and asked.ends & label.months)
    elif label.is_of_quarter and 4 not in own.quarters:
        score -= 0.25  # a question that names no quarter is of a year
    if label.is_of_quarter >= asked.is_of_quarter:
        score += 0.25 * bool(asked.months & label.months)
    if any(form.endswith(_AMENDMENT) for form in label.forms - forms):
        score -= 0.25  # an amendment is for who asks for it
    return score + 0.5 * bool(forms & label.forms)


def _forms_in(question: str) -> set[str]:
    """Keys of the forms that the question names, among keys of other words; of their amendments, if it asks for amended ones."""
    forms = {_key(word) for word in _ASKED_FORM.findall(question)}
    forms |= {form for form, words in _FORMS_IN_WORDS.items() if words.search(question)}
    return {f"{form}{_AMENDMENT}" for form in forms} if _AMENDED.search(question) else forms


def _asked(question: str) -> set[str]:
    """Keys of the words that look like names (a capital or a digit and a letter), alone and joined with their neighbour."""
    words = _WORD.findall(_POSSESSIVE.sub("", question))
    keys = {_key(word) for word in words if _looks_like_name(word)}
    joined = {_key(a + b) for a, b in pairwise(words) if _looks_like_name(a) and _looks_like_name(b)}
    return keys | joined


def _in_small_letters(question: str, *, is_of_document: bool) -> set[str]:
    """Keys of the words, alone and joined with the next, that may be names though they are written small.

    That is in doubt of each, and who is taken for named hides all others: a name begins the question or stands behind a word that
    leads to one, never behind an article, and it has a possessive or stands where a period or form is asked for.
    """
    words = list(_WORD.finditer(question))
    first = [it for it, word in enumerate(words) if it == 0 or words[it - 1][0] in _LEADING]
    spans = [words[it : it + size] for it in first for size in (1, 2) if it + size <= len(words)]
    return {
        "".join(word[0] for word in span) for span in spans
        if (is_of_document or _POSSESSIVE.match(question, span[-1].end()))
        and _COMMON.isdisjoint(word[0] for word in span) and not (len(span) == 1 and is_term(span[0][0]))
    }  # fmt: skip


def _looks_like_name(word: str) -> bool:
    return word.lower() not in _COMMON and any(c.isupper() for c in word) and not word.isdigit() and not _is_period(word)


def _is_named(key: str, word: str) -> bool:
    return key == word or (len(word) >= 3 and len(key) >= len(word) + 3 and key.startswith(word))


def _is_period(word: str) -> bool:
    found = periods_in(word)
    return bool(found.years or found.quarters)


def _keys(text: str) -> set[str]:
    """The words of a name, neighbours joined, and the short forms of two words joined by `and` (`J&J`, `JnJ`)."""
    words = _words(text)
    keys = {word for word in words if word not in _COMMON and len(word) > 1 and not word.isdigit()}
    keys |= {one + other for one, other in pairwise(words)}
    joined = re.findall(r"(\w+) (?:&|and) (?=(\w+))", text, re.IGNORECASE)
    return keys | {key for one, other in joined for key in _short_form(one.lower(), other.lower())}


def _first_keys(name: str) -> set[str]:
    words = _words(name)
    return {key for key in (*words[:1], "".join(words[:2])) if key not in _COMMON and len(key) > 1}


def _is_symbol(name: str) -> bool:
    """Whether it may be a ticker symbol: many are words (`ALL`, `NOW`)."""
    return name.isupper() and " " not in name


def _short_forms(text: str) -> set[str]:
    return {key for one, other in pairwise(_words(text)) for key in _short_form(one, other)}


def _short_form(one: str, other: str) -> set[str]:
    return {f"{one[0]}&{other[0]}", f"{one[0]}n{other[0]}"} if one.isalpha() and other.isalpha() else set()


def _words(text: str) -> list[str]:
    return [word.lower() for word in re.findall(r"\w+", text) if word.lower() != "and" and not _is_period(word)]


def _key(word: str) -> str:
    return word.lower().replace("-", "")
