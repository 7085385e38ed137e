"""What a publisher says of a collection's documents: bounded before it enters the catalog, and shown while it is true."""

from __future__ import annotations

import math

from domainmesh.v1 import product_pb2, publication_pb2
from governance_server.rules.errors import Invalid, Problem

__all__ = ["checked_facets", "outdate_facets", "shown_facets"]

_MOST_WORDS, _LONGEST_WORD = 200, 200
_COUNTS = ("media_types", "languages", "organisations", "places", "currencies", "personal")


def checked_facets(delivered: publication_pb2.DeliveredPort) -> product_pb2.CollectionFacets:
    """The facets of a delivered collection. Raises: Invalid if a list or a word is too long, or a number is none."""
    facets = delivered.facets
    facets.is_withheld = facets.is_outdated = False
    problems: list[Problem] = []
    for name in _COUNTS:
        counts = getattr(facets, name)
        if len(counts) > _MOST_WORDS or any(not it.value or len(it.value) > _LONGEST_WORD for it in counts):
            problems.append(Problem(f"{delivered.port}.facets.{name}", f"more than {_MOST_WORDS} words, or one that is too long"))
    if len(facets.not_covered) > _MOST_WORDS or any(len(it) > _LONGEST_WORD for it in facets.not_covered):
        problems.append(Problem(f"{delivered.port}.facets.not_covered", "too many words"))
    if (
        not math.isfinite(facets.seconds)
        or not 0 <= facets.lowest_recognition <= 100
        or max(map(len, (facets.first_day, facets.last_day))) > 10
    ):
        problems.append(Problem(f"{delivered.port}.facets", "a number or day that is none"))
    if problems:
        raise Invalid("What is said of the documents cannot be kept.", resource=delivered.port, problems=problems)
    return facets


def outdate_facets(port: product_pb2.Port) -> None:
    """The entry names nothing that its documents are about: some were erased, and nobody knows what only they held.

    How large it is stays, for searches go by it; the catalog does not show it.
    """
    if port.HasField("facets"):
        was = port.facets
        port.facets.CopyFrom(
            product_pb2.CollectionFacets(
                documents=was.documents, pages=was.pages, tables=was.tables, not_covered=was.not_covered, is_outdated=True
            )
        )


def shown_facets(facets: product_pb2.CollectionFacets, *, is_whole: bool) -> product_pb2.CollectionFacets:
    """What is told to who may find every passage (`is_whole`) or not: else they speak of hidden documents, too."""
    if is_whole and not facets.is_outdated:
        return facets
    return product_pb2.CollectionFacets(not_covered=facets.not_covered, is_withheld=not is_whole, is_outdated=is_whole)
