"""The order in which candidates are given: documents that the question names first, one passage of each page before a second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mesh_core.retrieval.routing import Label, Route, label_of, route
from mesh_core.retrieval.siblings import marked_first
from mesh_core.retrieval.statements import statement_of, statements_asked
from mesh_core.vectors.passages import Candidate

__all__ = ["arranged", "named_documents"]

_PLACES_OF_AGREEMENT = 20
"""How many places a full agreement of the period is worth."""
_PLACES_OF_STATEMENT = 20
"""How many places a financial statement goes up that holds what is asked."""
_OTHER_PERIOD = 0.5
"""A document that agrees so much less than the best is of another period: its statements stay where they are."""
_PLACES_OF_REPETITION = 10
"""How many places each further passage of a document without pages is put back."""
_MOST_SILENT = 0.4
"""If more documents than this share of them say nothing of themselves, their names and periods name none of them."""
ABOUT = "about"
"""The attribute in which a publisher says what a document is: organisations, form, period."""


def named_documents(question: str, candidates: Sequence[Candidate]) -> Route:
    """Which of the candidates' documents the question names."""
    documents = {it.document: it for it in candidates}
    silent = sum(map(_is_silent, documents.values()))
    if silent > _MOST_SILENT * len(documents):
        return Route({})
    return route(question, {name: _label(it) for name, it in documents.items()})


def _is_silent(candidate: Candidate) -> bool:
    """Whether its document cannot be named, as it says nothing of itself: a note or a mail, unlike a report."""
    return candidate.page is None and not candidate.attributes.get(ABOUT)


def _label(candidate: Candidate) -> Label:
    """Reports have pages and are named by their files; titles of web pages and notes are topics, which every question shares."""
    about = str(candidate.attributes.get(ABOUT, ""))
    if candidate.page is None:
        return label_of("", title="", about=about)
    return label_of(candidate.document, title=candidate.title, about=about)


def arranged(question: str, candidates: Sequence[Candidate], *, named: Route | None = None) -> list[int]:
    """The positions of all candidates, best first; `named` is what `named_documents` says of them, if it was asked.

    Documents that the question names come before others, but those of which nobody knows whether they are meant stay where the
    search has them. Among the named a passage goes up by how well its period agrees, and if it is of a financial statement that
    holds what is asked. Of documents with the same name those come first whose day or version the question names; where a word of
    it names them, they go up twenty places, for their periods count, too. Of passages on one page of a document the best comes
    first, the others behind the best of all other pages. Without pages, each further passage of a document goes ten places back.
    """
    known = named or named_documents(question, candidates)
    order = marked_first(
        question, _by_name(question, candidates, known), [(it.document, it.title) for it in candidates],
        places=_PLACES_OF_AGREEMENT if known.is_by_name else len(candidates),
    )  # fmt: skip
    times: Counter[tuple[str, int]] = Counter()
    keys: dict[int, tuple[bool, int]] = {}
    for rank, position in enumerate(order):
        page = candidates[position].page
        spot = (candidates[position].document, page or 0)
        keys[position] = (page is not None and times[spot] > 0, rank + _PLACES_OF_REPETITION * times[spot] * (page is None))
        times[spot] += 1
    return sorted(order, key=lambda position: keys[position])


def _by_name(question: str, candidates: Sequence[Candidate], route: Route) -> list[int]:
    """The positions in the order of what the question names; that of the search if it names no document."""
    named = route.agreement
    if not named:
        return list(range(len(candidates)))
    statements, best = statements_asked(question), max(named.values())

    def place(position: int) -> tuple[bool, float, int]:
        it = candidates[position]
        agreement = named.get(it.document, 0.0)
        ahead = _PLACES_OF_AGREEMENT * agreement
        if statements and it.page is not None and agreement > best - _OTHER_PERIOD:
            ahead += _PLACES_OF_STATEMENT * (statement_of(str(it.attributes.get("heading", ""))) in statements)
        return (it.document not in named, position - ahead, position)

    stay = [it.document in route.unknown for it in candidates]
    others = iter(sorted((it for it in range(len(candidates)) if not stay[it]), key=place))
    return [position if stay[position] else next(others) for position in range(len(candidates))]
