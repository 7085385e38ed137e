"""Recommendations: documents whose rules may decide are read whole and held against looked-up rows, all as the asker.

What the asker may know of and may not read is named as missing; of what it may not know of nothing is said.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from governance_server.asking.evidence import Evidence
from governance_server.asking.scope import unread_tables
from governance_server.asking.withheld import how_to_read
from governance_server.rules.errors import GovernanceError
from mesh_core.answers.answer import Citation, Recommendation
from mesh_core.answers.disagreements import disagreements
from mesh_core.answers.facts import Fact, facts_of_all, facts_of_some, unknown_choices
from mesh_core.answers.recommending import asks_for_recommendation, asks_of_several, recommend, relevant_documents, states_reached
from mesh_core.expressions.tree import Column, Compare, Literal

if TYPE_CHECKING:
    from mesh_core.contract import Port

__all__ = ["recommended"]

_LOG = logging.getLogger(__name__)
_MOST_DOCUMENTS = 3
_MOST_PASSAGES = 50
"""Of one document."""


def recommended(evidence: Evidence) -> Recommendation | None:
    """What rules say of the case that the question is about; None if it is about none, or no rule speaks of it."""
    asking, backend = evidence.asking, evidence.readers.backend
    if not evidence.looked_up:
        return None
    facts = list(_facts(evidence))
    if not asks_for_recommendation(asking.question, evidence.sources.citations, facts):
        return None
    evidence.caveats += [*asks_of_several(facts), *states_reached(asking.question, facts)]
    columns = {
        it.name
        for query, _ in evidence.looked_up
        for it in (query.look_up.definition.columns if query.look_up else ())
        if it.primary_key_position or it.relationships
    }
    unread = unread_tables(backend, asking.caller, evidence.scope, purpose=asking.purpose, columns=columns)
    known = [it.definition for it in evidence.scope.models(backend)]
    passages = _whole_documents(evidence)
    found = recommend(
        asking.question,
        passages,
        [*facts, *unknown_choices([*known, *unread.values()], facts)] if facts else [],
        today=backend.now().date(),
        missing=list(_missing(evidence, unread)),
    )
    if found is not None:
        evidence.caveats += disagreements(found.findings, {it.number: it for it in passages})
    return found


def _facts(evidence: Evidence) -> Iterator[Fact]:
    """What the looked-up rows say."""
    yield from facts_of_all([(it.look_up, figure) for it, figure in evidence.looked_up if it.look_up and figure])
    for query, figure in evidence.looked_up:
        if figure is None and query.look_up is not None and query.sql in evidence.crowded:
            yield from facts_of_some(query.look_up)


def _whole_documents(evidence: Evidence) -> list[Citation]:
    """Every passage of the documents that may decide, as the asker sees them; the best documents first."""
    question, found = evidence.asking.question, list(evidence.sources.citations)
    shelves = {it.port.name: it for it in evidence.scope.collections}
    for port, document in relevant_documents(question, found)[:_MOST_DOCUMENTS]:
        within = Compare("=", Column("document"), Literal(document))
        try:
            evidence.passages(shelves[port], question, limit=_MOST_PASSAGES, within=within)
        except GovernanceError as error:
            _LOG.info("document not read whole port=%s reason=%s", port, type(error).__name__)
    return list(evidence.sources.citations)


def _missing(evidence: Evidence, unread: Mapping[str, Port]) -> Iterator[str]:
    """What could not be looked up."""
    from mesh_core.answers.look_ups import matching_ports

    for query, figure in evidence.looked_up:
        if figure is None:
            some = f"more than {query.most_rows} rows: name one" if query.sql in evidence.crowded else "no row that you may read"
            yield f"{query.basis}: {some}."
    asking = evidence.asking
    purpose = f" for the purpose {asking.purpose}" if asking.purpose else " without a purpose"
    for words in matching_ports(asking.question, unread):
        yield f"{words}: you may not read it{purpose}. {how_to_read(evidence, words.split(' ')[0])}"
