"""Documents of the same name but for a day or a version, and their order among each other where a question names one of these.

Only the places of siblings change hands: a day or a number in a question says nothing of documents that have none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mesh_core.retrieval.marks import marks_asked, marks_of, may_ask_marks, without_marks

__all__ = ["marked_first", "siblings"]

_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z\d]*\Z")


def siblings(called: Mapping[str, Sequence[str]]) -> list[tuple[frozenset[str], set[str]]]:
    """The documents that share a name but for their marks, with the words of that name; `called` says how each is called."""
    families: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for document, names in called.items():
        if marked := next((name for name in names if marks_of(name)), None):
            families[without_marks(_EXTENSION.sub("", marked))].add(document)
    return [(frozenset(name), documents) for name, documents in families.items() if len(documents) > 1]


def marked_first(question: str, order: Sequence[int], names: Sequence[Sequence[str]], *, places: float) -> list[int]:
    """The order, where siblings whose mark the question names go up so many places, over other siblings alone.

    `names` says for every position what its document is called, the document itself first.
    """
    arranged = list(order)
    if not may_ask_marks(question):
        return arranged
    called = {it[0]: it for it in names}
    for words, documents in siblings(called):
        asked = marks_asked(question, behind=words)
        marked = {it for it in documents if asked & marks_of(*called[it])}
        ranks = [rank for rank, position in enumerate(arranged) if names[position][0] in documents]
        lead = {rank: places * (names[arranged[rank]][0] in marked) for rank in ranks} if marked else {}
        best = [arranged[rank] for rank in sorted(lead, key=lambda rank: (rank - lead[rank], rank))]
        for rank, position in zip(lead, best, strict=True):
            arranged[rank] = position
    return arranged
