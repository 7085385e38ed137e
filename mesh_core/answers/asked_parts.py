"""The parts of a question, each a question by itself.

`I missed my flight. Whom do I call, and is there a fee?` asks two things about one case. Words of form only, English.
"""

from __future__ import annotations

import re

from mesh_core.answers.asked_things import strange_stems

__all__ = ["asked_parts", "parts_by_ask", "told_and_asked"]

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_ASKS = (
    r"(?:how|what|which|who|whom|whose|when|where|why|may|can|could|must|should|shall|do|does|did|is|are|am|was|were|will|would|"
    r"have|has|had)\b"
)
_JOINT = re.compile(rf",?\s+(?:and|or|but)\s+(?:also\s+|if so,?\s+)?(?={_ASKS})|[,;]\s+(?={_ASKS})", re.IGNORECASE)
_LEAST_WORDS, _LEAST_WEIGHTY = 4, 2
_MOST_PARTS = 5


def asked_parts(question: str) -> list[str]:
    """The question as a whole, then each of its parts if there are several, at most five, with what is told before they ask.

    A part is a sentence or clause that asks; sentences that tell something stand before each part.
    """
    return list(dict.fromkeys([question, *(part for parts in parts_by_ask(question).values() for part in parts)]))


def parts_by_ask(question: str) -> dict[str, list[str]]:
    """Each thing that is asked, as it stands, and how it is looked for; empty if the question asks one thing."""
    told: list[str] = []
    asks: list[str] = []
    for sentence in _SENTENCE.split(question.strip()):
        clauses = [it.strip(" ,;") for it in _JOINT.split(sentence)]
        is_question = sentence.rstrip().endswith("?")
        if not is_question:
            told.append(sentence)
            continue
        asks += [f"{it.rstrip('?')}?" for it in clauses if it]
    if len(asks) < 2 and not (asks and told):
        return {}
    before = " ".join(told)
    return {it: _with(before, it) for it in asks[:_MOST_PARTS]}


def _with(before: str, part: str) -> list[str]:
    is_whole = len(part.split()) >= _LEAST_WORDS and len(strange_stems(part, frozenset())) >= _LEAST_WEIGHTY
    alone = [part] if is_whole else []  # `how do I get it` asks nothing without what stands before it
    return [f"{before} {part}", *alone] if before else alone


def told_and_asked(part: str) -> tuple[str, str]:
    """What the part tells first, empty if nothing, and the sentence that asks."""
    *told, asks = _SENTENCE.split(part.strip())
    return " ".join(told), asks
