"""Rules that say when something happens (`refunds are paid within five working days`), as an answer to who asks when.

Apart from limits (`may be returned within 30 days`), which are held against a case. English.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mesh_core.answers.conditions import conditions_in
from mesh_core.answers.facts import Fact
from mesh_core.answers.wording import stem, wording_of

__all__ = ["is_time_asked_for"]

_WHEN = re.compile(
    r"(?:(?:\A|[.:;?!,]\s+|\b(?:and|or|by|until|know|me)\s+)when|\bby what (?:date|day|time)|\bhow (?:long|soon|fast|quickly))\b"
    r"[^?.;]*?\b(?:will|shall|do|does|can|should|take|until)\b",
    re.IGNORECASE,
)
_HAPPENS = re.compile(r"\b(?:is|are|will|gets?|takes?|arrives?|receives?|pays?|we \w+)\b", re.IGNORECASE)
_LIMITS = re.compile(r"\b(?:may|can|cannot|must|should|needs?|requires?|only|no|not|never|nothing|have|has)\b", re.IGNORECASE)
_MONEY = frozenset(
    map(stem, ("money", "refund", "refunded", "pay", "paid", "payment", "payout", "credit", "reimbursed", "repaid"))
)
"""Words for money that somebody gets: one of them asks for any other."""


def is_time_asked_for(text: str, question: str, facts: Sequence[Fact]) -> bool:
    """True if the question asks when, and the rule says of what it asks how long it takes."""
    if not _WHEN.search(question) or _LIMITS.search(text) or not _HAPPENS.search(text):
        return False
    if not any(it.bound.is_time and it.high for it in conditions_in(text)):
        return False
    asked = wording_of(question).words - {noun for fact in facts for noun in fact.rows}
    return bool((asked | (_MONEY if asked & _MONEY else frozenset())) & wording_of(text).words)
