"""How much meaning counts beside words: by what a collection's documents are, and by whether the model reads the question."""

from __future__ import annotations

import unicodedata

from mesh_core.vectors.store import DEFAULT_ALPHA

__all__ = ["weight_for", "weight_of_meaning"]

_OF_TABLES = 0.35
"""Best on TAT-QA, where a document is a table with its paragraphs; on prose (a handbook) the default is better."""
_TABLES_A_DOCUMENT = 0.5


_UNREAD = 0.35
_ENGLISH_MODELS = ("all-MiniLM-",)
"""Their vectors of other scripts are of single letters."""


def weight_for(question: str, model: str, weight: float) -> float:
    """The weight, or less of it where the model was not taught to read what most letters of the question are."""
    letters = [it for it in question if it.isalpha()]
    latin = sum(unicodedata.name(it, "").startswith("LATIN") for it in letters)
    return min(weight, _UNREAD) if model.startswith(_ENGLISH_MODELS) and 2 * latin < len(letters) else weight


def weight_of_meaning(*, documents: int, pages: int, tables: int) -> float:
    """The dense part of the fused score, 0 to 1, for a collection of so many documents, pages and tables.

    Tables are asked about in the words of their rows and columns, prose in other words than it has. Reports with pages have
    tables too, but most of their questions are about what a line means.
    """
    if documents and not pages and tables >= _TABLES_A_DOCUMENT * documents:
        return _OF_TABLES
    return DEFAULT_ALPHA
