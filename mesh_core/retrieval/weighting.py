"""How much meaning counts beside words in a collection: by what its documents are."""

from __future__ import annotations

from mesh_core.vectors.store import DEFAULT_ALPHA

__all__ = ["weight_of_meaning"]

_OF_TABLES = 0.35
"""Best on TAT-QA, where a document is a table with its paragraphs; on prose (a handbook) the default is better."""
_TABLES_A_DOCUMENT = 0.5


def weight_of_meaning(*, documents: int, pages: int, tables: int) -> float:
    """The dense part of the fused score, 0 to 1, for a collection of so many documents, pages and tables.

    Tables are asked about in the words of their rows and columns, prose in other words than it has. Reports with pages have
    tables too, but most of their questions are about what a line means.
    """
    if documents and not pages and tables >= _TABLES_A_DOCUMENT * documents:
        return _OF_TABLES
    return DEFAULT_ALPHA
