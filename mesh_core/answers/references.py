"""What a column's values refer to, by the contract's `relationships`: the one place where answers read them.

Nothing refers to anything because names look alike. Source: ODCS 3.1 "Relationships".
"""

from __future__ import annotations

from mesh_core.contract.model import Column

__all__ = ["identities", "targets"]


def targets(column: Column, port: str) -> list[str]:
    """The columns that a column refers to, in four parts; what is written shorter is of its own product, or domain."""
    domain, product, _ = port.split(".")
    own = {2: [domain, product], 3: [domain], 4: []}
    parts = [str(it["to"]).split(".") for it in column.relationships if isinstance(it.get("to"), str)]
    return [".".join([*own[len(it)], *it]) for it in parts if len(it) in own]


def identities(column: Column, port: str) -> frozenset[str]:
    """The column and those that it refers to: two columns that share one hold values of one key."""
    return frozenset((f"{port}.{column.name}", *targets(column, port)))
