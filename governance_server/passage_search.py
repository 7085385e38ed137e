"""A question put to a collection within a reader's scope: its implied words, its vector, and the order of what was found.

The scope is a filter in front of every search. What is ordered here has passed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mesh_core.expressions.binding import conjoin
from mesh_core.expressions.tree import Column, In, Literal
from mesh_core.retrieval.arranging import arranged, named_documents
from mesh_core.retrieval.expansion import expanded
from mesh_core.retrieval.pasted import as_typed

if TYPE_CHECKING:
    from governance_server.vector_access import VectorAccess
    from mesh_core.vectors.passages import Candidate, Hit
    from mesh_core.vectors.store import AllowedScope, Published

__all__ = ["Question", "find_passages"]

_MOST_NAMED = 50
"""A question that names more documents than these names none: they are not looked into once more."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how many passages are wanted."""

    text: str
    limit: int
    weight_of_meaning: float
    """The dense part of the fused score: 0 asks by words alone, 1 by vectors alone."""
    has_labels: bool = True
    """False if the asker may not see documents' names and titles: then these must not decide the order either."""
    asker: str = ""
    """Who asks: whose questions are remembered together."""


class _Arranger:
    """Orders candidates, and remembers the documents that the question names, and whether most candidates are on pages."""

    def __init__(self, question: Question) -> None:
        self._question = question.text
        self._has_labels = question.has_labels
        self.named: tuple[str, ...] = ()
        self.unknown: frozenset[str] = frozenset()
        self.has_pages = False

    def __call__(self, candidates: Sequence[Candidate]) -> list[int]:
        self.has_pages = 2 * sum(it.page is not None for it in candidates) > len(candidates)
        if not self._has_labels:
            return list(range(len(candidates)))
        named = named_documents(self._question, candidates)
        if len(named.agreement) <= _MOST_NAMED:
            self.named, self.unknown = tuple(sorted(named.agreement)), named.unknown
        return arranged(self._question, candidates, named=named)


def find_passages(
    vectors: VectorAccess,
    port: str,
    question: Question,
    *,
    version: int,
    scope: AllowedScope,
    published: Published | None = None,
) -> list[Hit]:
    """The passages that answer best, in order, of those inside the scope; `published` as `VectorStore.search` has it.

    Documents that the question names, and reports with pages, are searched once more in the words that the question implies:
    lines of statements. Elsewhere such words only lead astray.

    Raises:
        VectorStoreError: as `VectorStore.search` does.
    """
    asked = replace(question, text=as_typed(question.text))

    def search(text: str, within: AllowedScope) -> tuple[list[Hit], _Arranger]:
        arranger = _Arranger(asked)
        vector = vectors.question_vector(text, asker=question.asker)
        hits = vectors.store.search(
            port, text=text, vector=vector, version=version, scope=within, limit=question.limit,
            arrange=arranger, alpha=question.weight_of_meaning, published=published,
        )  # fmt: skip
        return hits, arranger

    hits, arranger = search(asked.text, scope)
    if not (arranger.named or arranger.has_pages):
        return hits
    implied = expanded(asked.text)
    if not arranger.named:
        return search(implied, scope)[0] if implied != asked.text else hits
    named = In(Column("document"), tuple(Literal(name) for name in arranger.named))
    closer, _ = search(implied, replace(scope, filter=conjoin([scope.filter, named])))
    seen = {hit.passage.id for hit in closer}
    first = [hit for hit in hits if hit.passage.document not in arranger.unknown]
    both = iter([*closer, *(hit for hit in first if hit.passage.id not in seen)])
    best = [hit if hit.passage.document in arranger.unknown else next(both) for hit in hits]
    return [replace(hit, rank=rank) for rank, hit in enumerate([*best, *both][: question.limit], start=1)]
