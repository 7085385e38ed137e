"""Which documents a question names: by their names, organisations, forms and periods, against the candidates of a search.

Only labels of candidates are compared, and those have passed the reader's filter: a hidden document changes nothing here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from mesh_core.retrieval.periods import Periods, periods_in

__all__ = ["Label", "Route", "label_of", "route"]

_RARE = 0.5
"""A name tells documents apart if at most this share of them carries it."""
_CLOSE = 0.6
_WORD = re.compile(r"[A-Za-z]&[A-Za-z]|\w+")
_FORM = re.compile(r"\bForm ([A-Z\d]{1,4}-[A-Z\d]{1,4})\b", re.IGNORECASE)
_POSSESSIVE = re.compile(r"['’]s\b")
_COMMON = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "co", "company", "corp", "corporation", "did", "do", "does",
    "for", "form", "from", "has", "have", "how", "if", "in", "inc", "is", "it", "limited", "llc", "ltd", "of", "on", "or",
    "plc", "report", "reports", "s", "than", "that", "the", "this", "to", "was", "were", "what", "when", "where", "which",
    "who", "why", "will", "with",
})  # fmt: skip
"""Words that name nothing, though they stand in names."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a document is called: keys that may name it, its forms, and the periods it is of."""

    names: frozenset[str]
    forms: frozenset[str]
    periods: Periods
    near: frozenset[int]
    """Every year that its label speaks of."""


@dataclass(frozen=True, slots=True)
class Route:
    """Documents that the question names, with how well their period and form agree.

    All of them, if it names none and only their periods tell them apart; none, if nothing does.
    """

    agreement: Mapping[str, float]


def label_of(document: str, *, title: str, about: str) -> Label:
    """The label of a document: of its file's name first, then its title, then what it says of itself."""
    stem = re.sub(r"[_\-]+", " ", document.rpartition("/")[2].rpartition(".")[0] or document)
    own = next((found for text in (stem, title, about) if (found := periods_in(text)).years), Periods())
    forms = frozenset(_key(found) for found in _FORM.findall(f"{title}\n{about}"))
    names = {key for text in (stem, title, *about.split("; ")) for key in _keys(text)}
    return Label(frozenset(names - forms), forms, own, periods_in(f"{stem} {title} {about}").years)


def route(question: str, labels: Mapping[str, Label]) -> Route:
    """The documents, of those labelled, that the question names by what tells them apart from the others."""
    asked = _asked(question)
    names = dict.fromkeys(labels, 0.0)
    for word in asked:
        called = [document for document, label in labels.items() if any(_is_named(key, word) for key in label.names)]
        for document in called:
            names[document] = max(names[document], _weight(len(called), len(labels)))
    best = max(names.values(), default=0.0)
    named = {document for document, weight in names.items() if weight >= _CLOSE * best}
    periods, forms = periods_in(question), {_key(word) for word in re.findall(r"\b\w+-\w+\b|\w+", question)}
    agreement = {document: _agreement(labels[document], periods, forms) for document in named}
    return Route(agreement if best or len(set(agreement.values())) > 1 else {})


def _weight(called: int, documents: int) -> float:
    """What a word of the question is worth that so many of the documents are called by: the more, the fewer they are."""
    return math.log(1 + (documents - called + 0.5) / (called + 0.5)) if called <= _RARE * documents else 0.0


def _agreement(label: Label, asked: Periods, forms: set[str]) -> float:
    score = 0.0
    if asked.years:
        score += 1.0 * (max(asked.years) in label.periods.years) + 0.25 * bool(asked.years & (label.periods.years | label.near))
    if asked.quarters:
        score += 0.5 * bool(asked.quarters & label.periods.quarters)
    elif label.periods.quarters and 4 not in label.periods.quarters:
        score -= 0.25  # a question that names no quarter is of a year
    return score + 0.5 * bool(forms & label.forms)


def _asked(question: str) -> set[str]:
    """Keys of the words that look like names (a capital or a digit and a letter), alone and joined with their neighbour."""
    words = _WORD.findall(_POSSESSIVE.sub("", question))
    keys = {_key(word) for word in words if _looks_like_name(word)}
    joined = {_key(a + b) for a, b in pairwise(words) if _looks_like_name(a) and _looks_like_name(b)}
    return keys | joined


def _looks_like_name(word: str) -> bool:
    return word.lower() not in _COMMON and any(c.isupper() for c in word) and not word.isdigit() and not periods_in(word).years


def _is_named(key: str, word: str) -> bool:
    return key == word or (len(word) >= 3 and len(key) >= len(word) + 3 and key.startswith(word))


def _keys(text: str) -> set[str]:
    """The words of a name, neighbours joined, and the short forms people make of two words joined by `and` (`J&J`, `JnJ`)."""
    words = [word.lower() for word in re.findall(r"\w+", text) if word.lower() != "and" and not periods_in(word).years]
    keys = {word for word in words if word not in _COMMON and len(word) > 1 and not word.isdigit()}
    for one, other in pairwise(words):
        keys.add(one + other)
        if one.isalpha() and other.isalpha():
            keys |= {f"{one[0]}&{other[0]}", f"{one[0]}n{other[0]}"}
    return keys


def _key(word: str) -> str:
    return word.lower().replace("-", "")
