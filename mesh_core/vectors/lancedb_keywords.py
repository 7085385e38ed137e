"""LanceDB's keyword query, in which every word is boosted to what it weighs among the permitted passages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import lancedb.query
import numpy as np
from lancedb.query import BooleanQuery, Occur

from mesh_core.vectors.word_pairs import with_word_pairs
from mesh_core.vectors.word_weights import WordWeights

__all__ = ["keyword_query"]

_COLUMN = "indexed_text"
_WORD = re.compile(r"\w+")
_match_query: Any = lancedb.query.MatchQuery  # its type names every defaulted argument as required


def keyword_query(text: str, *, collection: str, table: Any, where: Sequence[str], weights: WordWeights) -> Any:  # noqa: ANN401
    """The query of a question. A filter in force changes the weights of words; the filter itself is the caller's to add.

    `table` is checked out at a commit; what is remembered is of that commit.
    """
    asked = with_word_pairs(text)
    counts = Counter(_WORD.findall(asked.casefold()))
    if not where or not counts:
        return _match_query(asked, _COLUMN)
    condition = " and ".join(where)
    known = weights.weights(counts, at=(collection, table.version, condition), count=lambda: _LanceScope(table, condition))
    if not known:
        return _match_query(asked, _COLUMN)
    words = [(Occur.SHOULD, _match_query(it, _COLUMN, boost=times * known[it].boost)) for it, times in counts.items()]
    return BooleanQuery(words)


class _LanceScope:
    """The rows that a filter permits, counted against the row ids of those that hold a word."""

    def __init__(self, table: Any, where: str) -> None:  # noqa: ANN401
        rows = table.search().where(where).select(["valid_from"]).with_row_id(True).to_arrow()
        self._row_ids = np.sort(rows["_rowid"].to_numpy())
        self._table = table
        self.sizes = len(self._row_ids), int(table.count_rows())

    def holding(self, word: str, /) -> tuple[int, int]:
        """See CountedScope."""
        query = self._table.search(_match_query(word, _COLUMN), query_type="fts").select(["_score"])
        holding = query.limit(max(1, self.sizes[1])).with_row_id(True).to_arrow()["_rowid"].to_numpy()
        return int(np.isin(holding, self._row_ids, assume_unique=True).sum()), len(holding)
