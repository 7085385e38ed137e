"""Keyword search in LanceDB that weighs words by how many permitted passages hold them.

BM25's weight of a word is taken from the whole index, hidden passages and those of other versions included. Here every word is
asked with a boost that makes its weight what an index of only the permitted rows would give it. Source: Lucene's BM25 idf,
which LanceDB uses. The mean length of a passage stays the whole index's.
"""

from __future__ import annotations

import math
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import lancedb.query
import numpy as np
import numpy.typing as npt
from lancedb.query import BooleanQuery, Occur

from mesh_core.vectors.word_pairs import with_word_pairs

__all__ = ["KeywordQueries", "Mapper"]

_COLUMN = "indexed_text"
_WORD = re.compile(r"\w+")
_MOST_SCOPES, _MOST_WORDS = 32, 2_000
_match_query: Any = lancedb.query.MatchQuery  # its type names every defaulted argument as required


class Mapper(Protocol):
    """Calls a function on many values, perhaps several at a time; results in order."""

    def __call__(self, call: Callable[[str], float], values: Sequence[str], /) -> Iterable[float]:
        """The results."""


@dataclass(slots=True)
class _Scope:
    """The rows that a filter permits at a commit, and what is known of words there."""

    row_ids: npt.NDArray[np.uint64]
    """Sorted."""
    total: int
    """How many rows the table has."""
    boosts: OrderedDict[str, float] = field(default_factory=OrderedDict)


class KeywordQueries:
    """Makes the keyword query of a question within a scope; remembers counts of words for the newest scopes."""

    def __init__(self) -> None:
        self._scopes: OrderedDict[tuple[str, int, str], _Scope] = OrderedDict()

    def query(self, text: str, *, collection: str, table: Any, where: Sequence[str], each: Mapper) -> Any:  # noqa: ANN401
        """The query. A filter in force changes the weights of words; the filter itself is the caller's to add.

        `table` is checked out at a commit; what is remembered is of that commit.
        """
        asked = with_word_pairs(text)
        counts = Counter(_WORD.findall(asked.casefold()))
        if not where or not counts:
            return _match_query(asked, _COLUMN)
        scope = self._scope(collection, table, " and ".join(where))
        new = [word for word in counts if word not in scope.boosts]
        found = dict(zip(new, each(lambda word: _boost(word, table, scope), new), strict=True))
        boosts = {word: found.get(word, scope.boosts.get(word, 1.0)) for word in counts}
        scope.boosts.update(found)
        while len(scope.boosts) > _MOST_WORDS:
            scope.boosts.popitem(last=False)
        return BooleanQuery(
            [(Occur.SHOULD, _match_query(word, _COLUMN, boost=times * boosts[word])) for word, times in counts.items()]
        )

    def forget(self, collection: str) -> None:
        """Nothing of the collection is remembered."""
        for key in [key for key in list(self._scopes) if key[0] == collection]:
            self._scopes.pop(key, None)

    def _scope(self, collection: str, table: Any, where: str) -> _Scope:  # noqa: ANN401
        key = (collection, table.version, where)
        known = self._scopes.get(key)
        if known is None:
            rows = table.search().where(where).select(["valid_from"]).with_row_id(True).to_arrow()
            known = self._scopes[key] = _Scope(np.sort(rows["_rowid"].to_numpy()), table.count_rows())
            while len(self._scopes) > _MOST_SCOPES:
                self._scopes.popitem(last=False)
        return known


def _boost(word: str, table: Any, scope: _Scope) -> float:  # noqa: ANN401
    """What the weight of the word in the whole index must be multiplied by."""
    query = table.search(_match_query(word, _COLUMN), query_type="fts").select(["_score"])
    holding = query.limit(max(1, scope.total)).with_row_id(True).to_arrow()["_rowid"].to_numpy()
    permitted = int(np.isin(holding, scope.row_ids, assume_unique=True).sum())
    return _weight(len(scope.row_ids), permitted) / _weight(scope.total, len(holding))


def _weight(passages: int, holding: int) -> float:
    return math.log1p((passages - holding + 0.5) / (holding + 0.5))
