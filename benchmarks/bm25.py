"""Okapi BM25 over a list of texts: the plain keyword search that retrieval is compared with."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

__all__ = ["Bm25", "plain_words", "stemmed_words"]

_WORD = re.compile(r"\w+")
_K1, _B = 1.2, 0.75
_ENDING = re.compile(r"(?:ies|es|s|ing|ed|y)$")
_SAYING_NOTHING = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "how",
        "if",
        "in",
        "is",
        "it",
        "its",
        "of",
        "on",
        "or",
        "that",
        "the",
        "their",
        "there",
        "these",
        "this",
        "to",
        "was",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "would",
    ]
)


class Bm25:
    """An index of texts, k1 = 1.2, b = 0.75. Source: Robertson and Zaragoza, The Probabilistic Relevance Framework (2009)."""

    def __init__(self, texts: Sequence[str], words: Callable[[str], list[str]] | None = None) -> None:
        self._words = words or plain_words
        counts = [Counter(self._words(text)) for text in texts]
        self._lengths = [sum(count.values()) for count in counts]
        self._mean = sum(self._lengths) / max(1, len(counts))
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for row, count in enumerate(counts):
            for word, times in count.items():
                self._postings[word].append((row, times))

    def best(self, question: str, limit: int) -> list[int]:
        """Rows of the texts that score highest, best first; fewer if fewer share a word."""
        scores: dict[int, float] = defaultdict(float)
        for word in set(self._words(question)):
            found = self._postings.get(word, [])
            weight = math.log(1 + (len(self._lengths) - len(found) + 0.5) / (len(found) + 0.5))
            for row, times in found:
                norm = _K1 * (1 - _B + _B * self._lengths[row] / self._mean)
                scores[row] += weight * times * (_K1 + 1) / (times + norm)
        return sorted(scores, key=lambda row: (-scores[row], row))[:limit]


def plain_words(text: str) -> list[str]:
    """The words as they stand, whatever their case."""
    return _WORD.findall(text.casefold())


def stemmed_words(text: str) -> list[str]:
    """The words that say something, without the endings of plurals and verb forms."""
    return [_ENDING.sub("", word) if len(word) > 4 else word for word in plain_words(text) if word not in _SAYING_NOTHING]
