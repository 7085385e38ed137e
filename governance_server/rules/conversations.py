"""Products that hold conversations, by their contract's custom property `conversations`: opt-in, and never without an end.

Pure. What is recorded for such a product is the question, the answer and what its asker thinks of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from governance_server.rules.retention import retention_of

if TYPE_CHECKING:
    from mesh_core.contract import Contract

__all__ = ["CONVERSATIONS", "TURN_COLUMNS", "conversation_problems", "holds_conversations"]

CONVERSATIONS = "conversations"
TURN_COLUMNS = ("answer", "asked_at", "asker", "question", "text")
"""What the table `turns` of such a product has at least."""


def holds_conversations(custom_properties: Mapping[str, Any]) -> bool:
    """True if the contract takes in conversations."""
    return custom_properties.get(CONVERSATIONS) in (True, "true")


def conversation_problems(contract: Contract) -> list[str]:
    """What is wrong with a contract that takes in conversations; empty if nothing is, or if it takes in none."""
    stated = contract.custom_properties.get(CONVERSATIONS, False)
    if stated in (False, "false"):
        return []
    if not holds_conversations(contract.custom_properties):
        return [f"{CONVERSATIONS} is {str(stated)[:40]!r}: write true or false."]
    problems = []
    if retention_of(contract.custom_properties).days is None:
        problems.append(f"{CONVERSATIONS} needs retentionDays: say for how many days what people asked is kept.")
    turns = next((port for port in contract.ports if port.name == "turns"), None)
    missing = [name for name in TURN_COLUMNS if turns is None or name not in {column.name for column in turns.columns}]
    if missing:
        problems.append(f"{CONVERSATIONS} needs a table `turns` with the columns {', '.join(missing)}.")
    elif turns is not None and [column.name for column in turns.primary_key] != ["answer"]:
        problems.append(f"{CONVERSATIONS} needs `answer` as the primary key of `turns`: a turn is there once.")
    return problems
