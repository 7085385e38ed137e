"""The search of a LanceDB table at one commit: by words and by vectors side by side, and their fusion.

LanceDB's own hybrid knows no relative scores. Knows nothing of policies: the filter is made elsewhere. Loaded only with the
LanceDB store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from mesh_core.vectors.fusion import CANDIDATES, fused_order
from mesh_core.vectors.kept_vectors import KeptVectors, nearest
from mesh_core.vectors.labels import MOST_CHARACTERS, MOST_LABELS, Label
from mesh_core.vectors.lancedb_keywords import LanceScope, LanceScopes, keyword_query
from mesh_core.vectors.lancedb_rows import RETURNED, LanceRows, stored_passage
from mesh_core.vectors.passages import Candidate, StoredPassage, check_vector
from mesh_core.vectors.state_memory import StateMemory
from mesh_core.vectors.store import Arrange, AskedVector, awaited
from mesh_core.vectors.word_weights import WordWeights

__all__ = ["LanceQuery", "LanceSearch"]

_LABEL = ("key", "valid_from", "document", "title", "page", "attributes")
"""What is known of every candidate: texts only of those that are given."""
_BESIDE = 4
"""Searches for words at work beside those for vectors, in callers' own threads; others wait. As many counts of words."""

_Scores = dict[int, float]
"""Row id → score of the best of one search; higher is better."""


@dataclass(frozen=True, slots=True)
class LanceQuery:
    """What is asked of one collection."""

    collection: str
    table: Any
    """Checked out at a commit: row ids mean something within it only."""
    commit: int
    where: Sequence[str]
    """Conditions that keep what the reader may find at the version; none if that is all."""
    version: int
    text: str
    vector: AskedVector
    alpha: float
    limit: int

    @property
    def at(self) -> tuple[str, int, str]:
        """Collection, commit and the whole filter."""
        return self.collection, self.commit, " and ".join(self.where)

    @property
    def most(self) -> int:
        """How many candidates of each search are wanted."""
        return max(CANDIDATES, self.limit)


class LanceSearch:
    """Searches, and what is remembered: weights of words, permitted rows, vectors, labels, and passages given."""

    def __init__(self) -> None:
        self._beside = ThreadPoolExecutor(_BESIDE, thread_name_prefix="lancedb")  # a thread a search would cost more
        self._counting = ThreadPoolExecutor(_BESIDE, thread_name_prefix="counting")  # the searches wait for its results
        self._weights = WordWeights(self._counting.map)
        self._scopes = LanceScopes()
        self._vectors = KeptVectors()
        self._labels = StateMemory[Label](MOST_LABELS)
        self._given = StateMemory[StoredPassage](MOST_CHARACTERS, size=lambda passage: len(passage.text))

    def best(self, query: LanceQuery, arrange: Arrange | None) -> list[StoredPassage]:
        """The best, best first, in the order that `arrange` puts candidates into, if it is given.

        Raises:
            InvalidPassage: the vector has other dimensions or is not finite.
        """
        rows = LanceRows(query.table, None)
        permitted = self._scopes.of(query.table, at=query.at) if query.where else None
        has_words = bool(query.alpha < 1 and query.text.strip())
        # the search for words leaves Python, so it runs while the question is embedded
        beside = self._beside.submit(self._by_words, query, permitted) if has_words else None
        asked = check_vector(awaited(query.vector), dimensions=rows.dimensions, what="the question")
        dense = self._by_vectors(query, rows, asked, permitted) if query.alpha > 0 or not has_words else {}
        sparse = beside.result() if beside else {}
        found = list(map(str, {**dense, **sparse}))
        labels = self._labels.of(found, at=query.at[:2], read=partial(_read_labels, rows))
        best = _fused(dense, sparse, labels, alpha=query.alpha)
        if arrange:
            best = [best[place] for place in arrange([label.candidate for label in best])]
        return self._given.of([it.id for it in best[: query.limit]], at=query.at[:2], read=partial(_read_passages, rows))

    def forget(self, collection: str) -> None:
        """Nothing of the collection is remembered."""
        for memory in (self._weights, self._scopes, self._vectors, self._labels, self._given):
            memory.forget(collection)

    def close(self) -> None:
        """No search runs any more."""
        self._beside.shutdown()
        self._counting.shutdown()

    def _by_words(self, query: LanceQuery, permitted: LanceScope | None) -> _Scores:
        words = keyword_query(query.text, at=query.at, scope=permitted, weights=self._weights)
        return _ranked(query, query.table.search(words, query_type="fts"), score="_score")

    def _by_vectors(self, query: LanceQuery, rows: LanceRows, asked: Any, permitted: LanceScope | None) -> _Scores:  # noqa: ANN401
        kept = self._vectors.of(query.collection, query.commit, rows.all_vectors)
        if kept is not None:
            return nearest(kept, asked, permitted=None if permitted is None else permitted.row_ids, limit=query.most)
        search = query.table.search(asked, query_type="vector", vector_column_name="vector").distance_type("cosine")
        return _ranked(query, search.bypass_vector_index(), score="_distance")


def _ranked(query: LanceQuery, search: Any, *, score: str) -> _Scores:  # noqa: ANN401
    """Of the best candidates the score alone: what else is known of them costs more than finding them."""
    filtered = search.where(query.at[-1], prefilter=True) if query.where else search
    table = filtered.select([score]).limit(query.most).with_row_id(True).to_arrow()
    sign = -1 if score == "_distance" else 1
    return dict(zip(table["_rowid"].to_pylist(), (sign * it for it in table[score].to_pylist()), strict=True))


def _read_labels(rows: LanceRows, ids: Sequence[str]) -> Mapping[str, Label]:
    def label(row_id: str, row: Mapping[str, Any]) -> Label:
        candidate = Candidate(row["document"], row["title"], row["page"], json.loads(row["attributes"]))
        return Label(row_id, row["key"], row["valid_from"], candidate)

    return {row_id: label(row_id, row) for row_id, row in zip(ids, rows.at(list(map(int, ids)), _LABEL), strict=True)}


def _read_passages(rows: LanceRows, ids: Sequence[str]) -> Mapping[str, StoredPassage]:
    return dict(zip(ids, map(stored_passage, rows.at(list(map(int, ids)), RETURNED)), strict=True))


def _fused(dense: _Scores, sparse: _Scores, labels: Iterable[Label], *, alpha: float) -> list[Label]:
    """The labels of what both searches found, best first."""
    of = {label.key: label for label in labels}
    rows = {key: int(label.id) for key, label in of.items()}
    scores = ({key: found[row] for key, row in rows.items() if row in found} for found in (dense, sparse))
    return [of[key] for key in fused_order(*scores, alpha=alpha)]
