"""The clauses of a question for figures: their words, which of these are understood, and what was made of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mesh_core.answers.intervals import TimeSpan
from mesh_core.answers.keys import Given
from mesh_core.answers.terms import Match, Word
from mesh_core.contract.model import Port

if TYPE_CHECKING:
    from mesh_core.answers.asked_figures import AskedMeasures
    from mesh_core.answers.joins import Join

__all__ = ["FILLERS", "Clause", "clauses_of"]

_ASKS = "what|how|which|who|when|why|where|may|can|must|should|do|does|is|are"
_CLAUSE = re.compile(rf"[;?!]|(?<!\bvs)\.(?=\s|\Z)|,?\s+and\s+(?=(?:{_ASKS})\b)", re.IGNORECASE)
FILLERS = frozenset({
    "a", "across", "all", "altogether", "amount", "an", "and", "are", "at", "be", "been", "between", "broken", "by",
    "calculate", "compare", "compute", "did", "do", "does", "down", "during", "each", "every", "figure", "figures", "following",
    "for", "from", "give", "grouped", "had", "has", "have", "how", "i", "in", "including", "is", "it", "its", "just",
    "list", "made", "make", "many", "me", "much", "my", "number", "of", "on", "ones", "only", "or", "our", "over", "overall",
    "per",
    "please", "report", "show", "so", "split", "sum", "tell", "than", "that", "the", "their", "them", "there", "these", "this",
    "those", "to", "together", "total", "us", "value", "was", "we", "we'd", "were", "what", "what's", "where", "which",
    "will", "with", "within", "would", "you", "your",
})  # fmt: skip
"""Words that change nothing in a question for figures."""


@dataclass(slots=True)
class Clause:
    """One clause of a question, and which of its words are understood."""

    text: str
    words: list[Word]
    spans: tuple[TimeSpan, ...] | None
    """The times that it names; None if one of them is fiscal."""
    ports: Mapping[str, Port]
    apart: tuple[TimeSpan, ...] | None = ()
    """The times if they are compared: `from 2025 to 2026` is two of them."""
    joins: Mapping[str, Sequence[Join]] = field(default_factory=dict)
    """What the ports refer to, and have columns of."""
    used: set[int] = field(default_factory=set)
    figures: set[int] = field(default_factory=set)
    """The words that name measures."""
    given: dict[str, list[Given]] = field(default_factory=dict)
    """Keys and listed values that are named, by the port whose they are."""
    found: list[AskedMeasures] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)
    """Why nothing is computed of a clause that only perhaps asks for figures."""
    is_loose: bool = False
    """Its form alone asks for figures: if words are left over, it asks for something else."""
    is_change: bool = False
    """The clause asks for what lies between two figures."""
    is_ratio: bool = False
    """The clause asks for one figure by another."""
    tables: set[int] = field(default_factory=set)
    """The words that name tables, of columns of which something is said."""

    def take(self, first: int, last: int) -> None:
        """The words have a meaning."""
        self.used.update(range(first, last))

    def take_text(self, begin: int, end: int) -> None:
        """The words that begin between the characters have a meaning."""
        self.used.update(at for at, word in enumerate(self.words) if begin <= word.begin < end)

    def is_free(self, match: Match) -> bool:
        """True if no word of the name has a meaning yet."""
        return not self.used & set(range(match.first, match.last))

    def before(self, place: int) -> str:
        """The word before the place, in lower case; empty at the beginning."""
        return self.words[place - 1].folded if place else ""

    def left(self) -> list[Word]:
        """The words that have no meaning yet and would change something."""
        return [word for at, word in enumerate(self.words) if at not in self.used and word.folded not in FILLERS]


def clauses_of(question: str) -> Iterator[str]:
    """The clauses; what stands in quotes is in one of them, whole."""
    begin = 0
    for match in _CLAUSE.finditer(question):
        if question.count('"', 0, match.start()) % 2 == 0:
            yield question[begin : match.start()].strip()
            begin = match.end()
    yield question[begin:].strip()
