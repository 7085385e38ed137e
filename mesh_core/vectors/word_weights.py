"""What words weigh in a reader's scope: BM25's weight as an index of only the permitted passages would give it.

Keyword indexes weigh a word by how many of all their passages hold it, hidden ones and those of other versions included. Each
store is asked so that the weight becomes that among the permitted. Owns the rule and what is remembered of counts; the stores
count, and say weights in their own words. Counts never leave: they decide ranks. The mean length of a passage stays the whole
index's. Source: Lucene's BM25 idf, which both stores use.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

__all__ = ["CountedScope", "Mapper", "Weight", "WordWeights"]

_MOST_SCOPES, _MOST_WORDS = 32, 2_000


class Weight(NamedTuple):
    """What a word weighs."""

    permitted: float
    """Among the permitted passages."""
    everywhere: float
    """In the whole index, as the store weighs it by itself; above 0."""
    is_held: bool
    """Whether any permitted passage holds it."""

    @property
    def boost(self) -> float:
        """What the store's own weight must be multiplied by."""
        return self.permitted / self.everywhere


class CountedScope(Protocol):
    """The passages that a filter permits, at one state of a collection."""

    @property
    def sizes(self) -> tuple[int, int]:
        """How many passages are permitted, and how many there are."""

    def holding(self, word: str, /) -> tuple[int, int]:
        """How many permitted passages hold the word, and how many of all."""


class Mapper(Protocol):
    """Calls a function on many values, perhaps several at a time; results in order."""

    def __call__(self, call: Callable[[str], Weight], values: Sequence[str], /) -> Iterable[Weight]:
        """The results."""


@dataclass(slots=True)
class _Known:
    scope: CountedScope
    weights: OrderedDict[str, Weight] = field(default_factory=OrderedDict)


class WordWeights:
    """Remembers the weights of words for the newest scopes, by collection, its state, and the whole filter.

    `each` counts the words that are new to a scope.
    """

    def __init__(self, each: Mapper) -> None:
        self._each = each
        self._scopes: OrderedDict[tuple[str, int, str], _Known] = OrderedDict()

    def weights(
        self, words: Collection[str], *, at: tuple[str, int, str], count: Callable[[], CountedScope]
    ) -> Mapping[str, Weight]:
        """The weight of every word; none if all passages are permitted: then the store's own weights are right.

        Args:
            words: As the store's index has them.
            at: Collection; its state, which any write changes; the filter in full, so that no other scope's counts are taken.
            count: The scope, for the first question in it.
        """
        known = self._scopes.get(at)
        if known is None:
            known = self._scopes[at] = _Known(count())
            while len(self._scopes) > _MOST_SCOPES:
                self._scopes.popitem(last=False)
        counted = known
        if counted.scope.sizes[0] == counted.scope.sizes[1]:
            return {}
        new = [word for word in words if word not in counted.weights]
        found = dict(zip(new, self._each(lambda word: _weight(word, counted.scope), new), strict=True))
        weights = {word: found.get(word) or counted.weights.get(word) or _weight(word, counted.scope) for word in words}
        counted.weights.update(found)
        while len(counted.weights) > _MOST_WORDS:
            counted.weights.popitem(last=False)
        return weights

    def forget(self, collection: str) -> None:
        """Nothing of the collection is remembered."""
        for key in [key for key in list(self._scopes) if key[0] == collection]:
            self._scopes.pop(key, None)


def _weight(word: str, scope: CountedScope) -> Weight:
    (permitted, total), (permitted_holding, holding) = scope.sizes, scope.holding(word)
    return Weight(_idf(permitted, permitted_holding), _idf(total, holding), permitted_holding > 0)


def _idf(passages: int, holding: int) -> float:
    return math.log1p((max(passages, holding) - holding + 0.5) / (holding + 0.5))
