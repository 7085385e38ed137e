"""Quarantine: a port whose contract says so is published without its bad rows, which go to a port beside it with the reasons.

Owns the name and the shape of that port. ODCS has no word for it: the custom property `quarantine: true` of a schema object asks
for it. Knows nothing of how rows are told apart.
"""

from __future__ import annotations

from dataclasses import replace

from mesh_core.contract.model import Column, Port, PortKind

__all__ = ["REASONS", "is_quarantining", "quarantine_port"]

SUFFIX = "__quarantine"
REASONS = "_reasons"
"""The column of the reasons: names of the broken checks, separated by `; `."""

_TYPING = frozenset({"timezone", "elementType"})
"""Options that decide how a value is stored and promise nothing of it."""


def is_quarantining(port: Port) -> bool:
    """Whether bad rows of the port are set aside instead of stopping the publication."""
    return port.kind is PortKind.TABLE and bool(port.columns) and port.custom_properties.get("quarantine") is True


def quarantine_port(port: Port) -> Port:
    """The port that holds the bad rows: the same columns and tags, no promises, and the reasons."""
    reasons = Column(REASONS, logical_type="string", description="The checks that the row breaks.", required=True)
    return Port(
        name=f"{port.name}{SUFFIX}",
        description=f"Rows of {port.name} that break its contract, with the reasons, as of the same release.",
        columns=(*(_bare(column) for column in port.columns), reasons),
        tags=port.tags,
        quarantine_of=port.name,
    )


def _bare(column: Column) -> Column:
    """The column with its type and tags, and without any promise."""
    is_number = column.logical_type in ("integer", "number")
    is_bytes = column.logical_type == "string" and column.options.get("format") == "binary"
    kept = _TYPING | {"format"} if is_number or is_bytes else _TYPING
    return replace(
        column,
        required=False,
        unique=False,
        primary_key_position=None,
        partition_position=None,
        enum=(),
        quality=(),
        relationships=(),
        options={name: value for name, value in column.options.items() if name in kept},
        columns=tuple(_bare(part) for part in column.columns),
        items=_bare(column.items) if column.items else None,
        map_key=_bare(column.map_key) if column.map_key else None,
        map_value=_bare(column.map_value) if column.map_value else None,
    )
