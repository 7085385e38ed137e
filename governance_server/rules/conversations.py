"""Products that hold conversations, by their contract's custom property `conversations`, or what people prefer (`preferences`).

Opt-in, and never without an end. Pure. Recorded for the former are the question, the answer and what its asker thinks of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from governance_server.rules.retention import retention_of

if TYPE_CHECKING:
    from mesh_core.contract import Contract

__all__ = ["ASKED_AT", "CONVERSATIONS", "TURN_COLUMNS", "conversation_problems", "ending_table", "holds_conversations"]

CONVERSATIONS = "conversations"
TURN_COLUMNS = ("answer", "asked_at", "asker", "question", "text")
"""What the table `turns` of such a product has at least."""

PREFERENCES = "preferences"
ASKED_AT = "asked_at"
"""The column by which rows of either end."""


def ending_table(custom_properties: Mapping[str, Any]) -> str:
    """The table whose rows end `retentionDays` after they were asked; empty if the product is of neither kind."""
    if holds_conversations(custom_properties):
        return "turns"
    return "pairs" if custom_properties.get(PREFERENCES) in (True, "true") else ""


def holds_conversations(custom_properties: Mapping[str, Any]) -> bool:
    """True if the contract takes in conversations."""
    return custom_properties.get(CONVERSATIONS) in (True, "true")


def conversation_problems(contract: Contract) -> list[str]:
    """What is wrong with a contract that takes in conversations; empty if nothing is, or if it takes in none."""
    if ending_table(contract.custom_properties) == "pairs":
        return _preference_problems(contract)
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


def _preference_problems(contract: Contract) -> list[str]:
    columns = {column.name for port in contract.ports if port.name == "pairs" for column in port.columns}
    problems = []
    if retention_of(contract.custom_properties).days is None:
        problems.append(f"{PREFERENCES} needs retentionDays: say for how many days what people asked is kept.")
    if ASKED_AT not in columns:
        problems.append(f"{PREFERENCES} needs a table `pairs` with the column {ASKED_AT}, by which its rows end.")
    return problems
