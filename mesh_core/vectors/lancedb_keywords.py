"""LanceDB's keyword query, in which every word is boosted to what it weighs among the permitted passages; and which these are."""

from __future__ import annotations

import re
import threading
from collections import Counter, OrderedDict
from typing import Any

import lancedb.query
import numpy as np
from lancedb.query import BooleanQuery, Occur

from mesh_core.vectors.kept_vectors import RowIds
from mesh_core.vectors.word_pairs import with_word_pairs
from mesh_core.vectors.word_weights import WordWeights

__all__ = ["LanceScope", "LanceScopes", "keyword_query"]

_COLUMN = "indexed_text"
_MOST_SCOPES = 32
_WORD = re.compile(r"\w+")
_match_query: Any = lancedb.query.MatchQuery  # its type names every defaulted argument as required


class LanceScope:
    """The rows that a filter permits at one commit."""

    def __init__(self, table: Any, where: str) -> None:  # noqa: ANN401
        rows = table.search().where(where).select(["valid_from"]).with_row_id(True).to_arrow()
        self.row_ids: RowIds = np.sort(rows["_rowid"].to_numpy())
        self._table = table
        self.sizes = len(self.row_ids), int(table.count_rows())

    def holding(self, word: str, /) -> tuple[int, int]:
        """See CountedScope: counted against the row ids of those that hold the word."""
        query = self._table.search(_match_query(word, _COLUMN), query_type="fts").select(["_score"])
        holding = query.limit(max(1, self.sizes[1])).with_row_id(True).to_arrow()["_rowid"].to_numpy()
        return int(np.isin(holding, self.row_ids, assume_unique=True).sum()), len(holding)


class LanceScopes:
    """The rows of the newest filters, by collection, commit and the whole filter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, int, str], LanceScope] = OrderedDict()

    def of(self, table: Any, *, at: tuple[str, int, str]) -> LanceScope:  # noqa: ANN401
        """What a filter permits of the table, which is checked out at a commit; `at` is collection, commit and filter."""
        with self._lock:
            if at in self._known:
                return self._known[at]
        scope = LanceScope(table, at[-1])
        with self._lock:
            self._known[at] = scope
            while len(self._known) > _MOST_SCOPES:
                self._known.popitem(last=False)
        return scope

    def forget(self, collection: str) -> None:
        """Nothing of the collection is known."""
        with self._lock:
            for key in [key for key in self._known if key[0] == collection]:
                del self._known[key]


def keyword_query(text: str, *, at: tuple[str, int, str], scope: LanceScope | None, weights: WordWeights) -> Any:  # noqa: ANN401
    """The query of a question. A scope changes the weights of words; its filter is the caller's to add.

    `at` is collection, commit and filter: what the weights are remembered by.
    """
    asked = with_word_pairs(text)
    counts = Counter(_WORD.findall(asked.casefold()))
    if scope is None or not counts:
        return _match_query(asked, _COLUMN)
    known = weights.weights(counts, at=at, count=lambda: scope)
    if not known:
        return _match_query(asked, _COLUMN)
    words = [(Occur.SHOULD, _match_query(it, _COLUMN, boost=times * known[it].boost)) for it, times in counts.items()]
    return BooleanQuery(words)
