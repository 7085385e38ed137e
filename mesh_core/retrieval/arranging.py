"""The order in which candidates are given: documents that the question names first, one passage of each page before a second."""

from __future__ import annotations

from collections.abc import Sequence

from mesh_core.retrieval.routing import Route, label_of, route
from mesh_core.vectors.passages import Candidate

__all__ = ["arranged", "named_documents"]

_PLACES_OF_AGREEMENT = 20
"""How many places a full agreement of the period is worth."""
ABOUT = "about"
"""The attribute in which a publisher says what a document is: organisations, form, period."""


def named_documents(question: str, candidates: Sequence[Candidate]) -> Route:
    """Which of the candidates' documents the question names."""
    labels = {
        it.document: label_of(it.document, title=it.title, about=str(it.attributes.get(ABOUT, "")))
        for it in {it.document: it for it in candidates}.values()
    }
    return route(question, labels)


def arranged(question: str, candidates: Sequence[Candidate]) -> list[int]:
    """The positions of all candidates, best first.

    Documents that the question names come before others; among them a passage goes up by how well its period agrees. Of passages
    on one page of a document the best comes first, the others behind the best of all other pages. Without pages: as ranked.
    """
    named = named_documents(question, candidates).agreement

    def place(position: int) -> tuple[bool, float, int]:
        document = candidates[position].document
        return (bool(named) and document not in named, position - _PLACES_OF_AGREEMENT * named.get(document, 0.0), position)

    order = sorted(range(len(candidates)), key=place)
    first: list[int] = []
    others: list[int] = []
    seen: set[tuple[str, int]] = set()
    for position in order:
        page = candidates[position].page
        spot = (candidates[position].document, page or 0)
        (others if page is not None and spot in seen else first).append(position)
        seen.add(spot)
    return [*first, *others]
