"""Rules of several documents that say the same with other numbers, so that one lets a case pass and the other does not.

Which of them is in force no comparing can tell: an older text may be replaced, or be for somebody else. Pure words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from mesh_core.answers.answer import Citation, Finding, Sentence
from mesh_core.answers.wording import wording_of

__all__ = ["disagreements"]

_MOST = 3


def disagreements(findings: Sequence[Finding], citations: Mapping[int, Citation]) -> list[Sentence]:
    """A sentence for each two findings of different verdicts whose rules differ in their numbers alone, and in their documents.

    Args:
        findings: The findings of one case.
        citations: The passages that they are from, by number.
    """
    told = []
    for one, other in combinations(findings, 2):
        first, second = citations[one.source], citations[other.source]
        if one.verdict == other.verdict or (first.port, first.document) == (second.port, second.document):
            continue
        mine, theirs = wording_of(one.rule), wording_of(other.rule)
        same = (mine.words, mine.turning, mine.is_negated) == (theirs.words, theirs.turning, theirs.is_negated)
        if same and mine.numbers != theirs.numbers:
            rules = " and ".join(f"“{it.rule}”{_place(of)}" for it, of in ((one, first), (other, second)))
            told.append(
                Sentence(f"Documents do not agree: {rules}. Find out which of them is in force.", (one.source, other.source))
            )
    return told[:_MOST]


def _place(citation: Citation) -> str:
    """Where a rule stands, as far as the asker may see it."""
    name = citation.title or citation.document
    return f" ({name})" if name else ""
