"""What no rule can tell of a case: words of the question of which none speaks, and sums in a currency that is on no record.

Said so that nobody takes a recommendation for an answer to what the rules do not know. Pure words, English.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mesh_core.answers.answer import Citation
from mesh_core.answers.asked_things import strange_stems
from mesh_core.answers.comparing import Case
from mesh_core.answers.terms import words_of
from mesh_core.answers.wording import stem, wording_of

__all__ = ["lacking"]

_MOST_WORDS = 5


def lacking(case: Case, citations: Sequence[Citation]) -> Iterator[str]:
    """Sentences on what the question says and neither rules nor records know."""
    units = sorted({it.unit for it in case.facts if it.kind in ("number", "integer") and it.unit and it.is_own})
    for stated in case.stated:
        if not stated.is_time and units and stated.unit not in units:
            yield f"{stated} as asked: the sums on record are in {' or '.join(units)}, and no rate is known between them."
    if unknown := _unspoken(case, citations)[:_MOST_WORDS]:
        listed = ", ".join(f"“{it}”" for it in unknown)
        yield f"No rule that was found speaks of {listed}: whether that changes the case is not told."


def _unspoken(case: Case, citations: Sequence[Citation]) -> list[str]:
    """The words of the question that stand neither in a passage nor in what is known of the rows, once each."""
    known = {word for it in citations for word in wording_of(f"{it.title}\n{it.section}\n{it.text}").words}
    known |= {word for fact in case.facts for word in (*fact.about, *fact.rows, *wording_of(fact.text).words)}
    strange = strange_stems(case.question, frozenset(known))
    amounts = [(it.begin, it.finish) for it in case.stated]
    said = {
        stem(it.folded): it.text
        for it in words_of(case.question)
        if stem(it.folded) in strange and not any(begin <= it.begin < finish for begin, finish in amounts)
    }
    return list(said.values())
