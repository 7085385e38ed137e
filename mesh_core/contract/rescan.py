"""What a contract says a column is free of, though it is derived from columns that are not: to be shown by a rescan.

ODCS has no word for it: the custom property `rescan` of a property names the tags. Knows nothing of how values are scanned.
"""

from __future__ import annotations

from collections.abc import Iterator

from mesh_core.contract.model import Column, Contract, Port, PortKind

__all__ = ["rescan_problems", "rescan_tags"]

PROPERTY = "rescan"
_SHOWABLE = ("pii.card", "pii.email", "pii.iban", "pii.ip", "pii.phone")


def rescan_tags(column: Column) -> tuple[str, ...]:
    """The tags that the column is to be shown free of, sorted; none where the property is malformed."""
    value = column.custom_properties.get(PROPERTY, ())
    named = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(sorted({tag for tag in named if tag in _SHOWABLE}))


def rescan_problems(contract: Contract) -> Iterator[tuple[str, str]]:
    """Each place where a contract asks for a rescan that nobody can do, by path, and why."""
    for number, port in enumerate(contract.ports):
        for place, column in enumerate(() if port.quarantine_of else port.columns):
            for problem in _problems(port, column):
                yield f"$.schema[{number}].properties[{place}].customProperties", problem


def _problems(port: Port, column: Column) -> Iterator[str]:
    if PROPERTY not in column.custom_properties:
        return
    value = column.custom_properties[PROPERTY]
    named = [value] if isinstance(value, str) else value
    if not isinstance(named, list) or not named or not all(isinstance(tag, str) for tag in named):
        yield f"`{PROPERTY}` names the tags that the column is free of, like [pii.email]"
        return
    if port.kind is not PortKind.TABLE:
        yield f"`{PROPERTY}` is for columns of tables: passages are searched for personal data one by one"
    unknown = sorted(set(named) - set(_SHOWABLE))
    if unknown:
        yield f"no scan can show that values hold no {', '.join(unknown)}: `{PROPERTY}` takes {', '.join(_SHOWABLE)}"
    declared = sorted(set(named) & set(column.tags))
    if declared:
        yield f"the column is tagged {', '.join(declared)} and said to be free of it: drop one of the two"
