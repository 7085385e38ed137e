"""What a column's values refer to: the one place where answers read it.

Nothing refers to anything because names look alike. Ports come with their references resolved (`with_references`).
"""

from __future__ import annotations

from mesh_core.contract.model import Column

__all__ = ["identities", "targets"]


def targets(column: Column) -> list[str]:
    """The columns that a column refers to, in four parts."""
    return [str(it["to"]) for it in column.relationships]


def identities(column: Column, port: str) -> frozenset[str]:
    """The column and those that it refers to: two columns that share one hold values of one key."""
    return frozenset((f"{port}.{column.name}", *targets(column)))
