"""Tables that a question is about and that are withheld, as far as the asker may know of them, and the purpose that opens them.

As `explain` tells it (`policy/ways.py`): a purpose is named only if the policy, asked for it, shows more. Of tables that the
asker may not know of nothing is said, whoever may read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from governance_server.asking.evidence import Evidence
from governance_server.asking.scope import look, unread_tables
from governance_server.policy.audience import Audience
from governance_server.policy.ways import purpose_to_state
from mesh_core.answers.tables import TableModel

if TYPE_CHECKING:
    from mesh_core.contract import Port

__all__ = ["how_to_read", "opened_by_purposes"]

_MOST_TOLD = 8


def how_to_read(evidence: Evidence, port: str) -> str:
    """What to do to read a table that is withheld, in a sentence: to state a purpose that is held, or to ask for it."""
    if found := _purpose_for(evidence, port):
        return f"State the purpose {found}, which is held: `--purpose {found}`"
    return f"Ask for it: mesh request {port.rpartition('.')[0]}"


def opened_by_purposes(evidence: Evidence) -> list[str]:
    """What the question asks of tables that a purpose of the asker's opens: a sentence for each such purpose."""
    asking = evidence.asking
    unread = unread_tables(
        evidence.readers.backend, asking.caller, evidence.scope, purpose=asking.purpose, question=asking.question
    )
    opened: dict[str, list[str]] = {}
    for port, basis in _asked(evidence, unread):
        if purpose := _purpose_for(evidence, port):
            opened.setdefault(purpose, []).append(basis)
    return [
        f"Withheld {_for(asking.purpose)}: {'; '.join(bases[:_MOST_TOLD])}. State the purpose {purpose}, which is held: "
        f"`--purpose {purpose}`."
        for purpose, bases in opened.items()
    ]


def _asked(evidence: Evidence, unread: Mapping[str, Port]) -> Iterator[tuple[str, str]]:
    """What would be looked up in each table and, if nothing else gives a figure, computed of it; in words."""
    from mesh_core.answers.figures import plan_figures

    has_figures = bool(evidence.sources.figures)
    for name, port in unread.items():
        plan = plan_figures(evidence.asking.question, [TableModel(name, 0, port)], today=evidence.readers.backend.now().date())
        yield from ((name, it.basis) for it in plan.queries if it.look_up is not None or not has_figures)


def _purpose_for(evidence: Evidence, port: str) -> str:
    """A purpose that the asker may state and that opens the port to answers; empty if there is none."""
    backend, asking = evidence.readers.backend, evidence.asking
    audience = Audience(backend.policy.snapshot())
    audience.adopt(asking.caller)
    way = purpose_to_state(audience, asking.caller.name, port, asking.purpose)
    return way.purpose if way and way.purpose and look(backend, asking.caller, port, way.purpose) else ""


def _for(purpose: str) -> str:
    return f"for the purpose {purpose}" if purpose else "without a purpose"
