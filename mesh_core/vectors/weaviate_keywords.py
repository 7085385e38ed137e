"""Weaviate's keyword query, in which every word is repeated until it weighs what it does among the permitted passages.

Weaviate knows no boost of a word, but multiplies a word's weight by how often the query says it. Source: Weaviate 1.35
`TokenizeAndCountDuplicates`; its tokenisation WORD and its English stop words, which it leaves out of every query.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from weaviate.classes.query import Filter
from weaviate.collections.classes.filters import _FilterAnd, _FilterNot, _FilterOr, _FilterValue

from mesh_core.vectors.word_weights import Weight

__all__ = ["WeaviateScope", "count_of", "in_full", "repeated", "words_of"]

_PROPERTY = "indexed_text"
_WORD = re.compile(r"[^\W_]+")
_STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of", "on", "or",
    "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
})  # fmt: skip
_STEPS = 64
"""Into how many steps the weight of the question's heaviest word is divided, at least, if words enough may be said."""
_MOST_SAID = 4_000
"""Words that a query may have, repetitions included."""


def words_of(text: str) -> Counter[str]:
    """How often a text says each word, as Weaviate cuts and counts words."""
    return Counter(word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS)


def repeated(counts: Mapping[str, int], weights: Mapping[str, Weight]) -> str:
    """A query of the words that permitted passages hold, each said as often as its weight asks for, and once at least."""
    held = {word: times for word, times in counts.items() if weights[word].is_held}
    if not held:
        return " ".join(counts)
    heaviest = max(times * weights[word].permitted for word, times in held.items())
    coarsest = max(weights[word].everywhere for word in held)
    wanted = {word: times * weights[word].boost for word, times in held.items()}
    steps = min(_STEPS * coarsest / heaviest, _MOST_SAID / sum(wanted.values()))
    return " ".join(" ".join([word] * max(1, round(times * steps))) for word, times in wanted.items())


def in_full(where: Any) -> str:  # noqa: ANN401
    """The whole filter in words: filters that differ in anything have different ones."""
    match where:
        case _FilterAnd() | _FilterOr():
            return f"{type(where).__name__}({', '.join(map(in_full, where.filters))})"
        case _FilterNot():
            return f"_FilterNot({in_full(where.filters[0])})"
        case _FilterValue():
            return repr(where)
    raise TypeError(f"{type(where).__name__} is no filter that this store makes.")


def count_of(collection: Any, where: Any = None) -> int:  # noqa: ANN401
    """How many objects a filter permits; all, without one."""
    return int(collection.aggregate.over_all(filters=where, total_count=True).total_count or 0)


class WeaviateScope:
    """The objects that a filter permits, counted by the server."""

    def __init__(self, collection: Any, where: Any, total: int) -> None:  # noqa: ANN401
        self._collection = collection
        self._where = where
        self.sizes = count_of(collection, where), total

    def holding(self, word: str, /) -> tuple[int, int]:
        """See CountedScope."""
        holds = Filter.by_property(_PROPERTY).equal(word)
        everywhere = count_of(self._collection, holds)
        return (count_of(self._collection, self._where & holds) if everywhere else 0), everywhere
