"""The parts of one search of a LanceDB table: what is asked, the scores of the best, and what is known of them.

Knows nothing of versions or scopes: these come as conditions. Loaded only with the LanceDB store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from mesh_core.vectors.fusion import fused_order
from mesh_core.vectors.labels import Label
from mesh_core.vectors.lancedb_rows import LanceRows
from mesh_core.vectors.passages import Candidate
from mesh_core.vectors.store import AllowedScope, AskedVector

__all__ = ["Query", "Scores", "fused", "labels_of", "ranked"]

_LABEL = ("key", "valid_from", "document", "title", "page", "attributes")
"""What is known of every candidate: texts only of those that are given."""
Scores = dict[int, float]
"""Row id → score of the best of one search; higher is better."""


class Query(NamedTuple):
    """What `VectorStore.search` is asked."""

    collection: str
    text: str
    vector: AskedVector
    version: int
    scope: AllowedScope
    limit: int
    alpha: float


def ranked(query: Any, *, score: str, where: Sequence[str], limit: int) -> Scores:  # noqa: ANN401
    """Of the best candidates the score alone: what else is known of them costs more than finding them."""
    filtered = query.where(" and ".join(where), prefilter=True) if where else query
    table = filtered.select([score]).limit(limit).with_row_id(True).to_arrow()
    sign = -1 if score == "_distance" else 1
    return dict(zip(table["_rowid"].to_pylist(), (sign * it for it in table[score].to_pylist()), strict=True))


def labels_of(rows: LanceRows, ids: Sequence[str]) -> Iterator[Label]:
    """What is known of the rows of these ids, in their order."""
    for row_id, row in zip(ids, rows.at(list(map(int, ids)), _LABEL), strict=True):
        candidate = Candidate(row["document"], row["title"], row["page"], json.loads(row["attributes"]))
        yield Label(row_id, row["key"], row["valid_from"], candidate)


def fused(dense: Scores, sparse: Scores, labels: Iterable[Label], *, alpha: float) -> list[Label]:
    """The labels of what both searches found, best first."""
    of = {label.key: label for label in labels}
    rows = {key: int(label.id) for key, label in of.items()}
    scores = ({key: found[row] for key, row in rows.items() if row in found} for found in (dense, sparse))
    return [of[key] for key in fused_order(*scores, alpha=alpha)]
