"""Measures and dimensions of a port: what can be computed of its columns, and what they are grouped and filtered by.

ODCS makes them properties. `semanticType: measure` is no stored column: its `transformLogic` is an aggregate over the port's
columns (`SUM(amount) FILTER (WHERE status = 'placed')`). A `dimension` is a stored column, or, where its `transformLogic` says
something else than its own name, an expression over some (`date_trunc('month', ordered_on)`). Two custom properties say what the
standard has no word for: `unit` (of measures and columns) and `timeDimension` (of measures: what a period is compared with).
Source: ODCS 3.2 `semanticType` (RFC 0034) and `synonyms` (RFC 0041).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh_core.contract.older import custom_of

__all__ = ["Dimension", "Measure", "dimensions_of", "is_stored", "measures_of", "synonyms_of"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure that a port defines.

    Attributes:
        expression: The aggregate, as SQL (DuckDB's dialect); empty if the contract gives none.
        time_dimension: The column or dimension that a period is compared with, as the contract names it; empty if it names none.
        unit: What it is counted in, like `EUR`; empty if the contract does not say.
        position: Of its property, from 0; -1 for a figure that no property defines.
    """

    name: str
    expression: str
    title: str = ""
    description: str = ""
    synonyms: tuple[str, ...] = ()
    unit: str = ""
    time_dimension: str = ""
    position: int = 0


@dataclass(frozen=True, slots=True)
class Dimension:
    """What figures of a port are grouped and filtered by.

    Attributes:
        expression: As SQL; empty for a dimension that is a column of the same name.
        logical_type: ODCS `logicalType`; empty if the contract does not say.
        position: Of its property, from 0.
    """

    name: str
    expression: str = ""
    logical_type: str = ""
    title: str = ""
    description: str = ""
    synonyms: tuple[str, ...] = ()
    position: int = 0


def is_stored(entry: Mapping[str, Any]) -> bool:
    """Whether the property is a column of the stored table: neither a measure nor a dimension made of others."""
    kind = entry.get("semanticType")
    return kind != "measure" and not (kind == "dimension" and _logic(entry))


def measures_of(entries: Iterable[Mapping[str, Any]]) -> tuple[Measure, ...]:
    """The measures among a schema object's properties, in their order."""
    return tuple(
        Measure(
            name=entry["name"],
            expression=str(entry.get("transformLogic") or "").strip(),
            unit=_custom(entry, "unit"),
            time_dimension=_custom(entry, "timeDimension"),
            **_words(entry),
            position=position,
        )
        for position, entry in _of_kind(entries, "measure")
    )


def dimensions_of(entries: Iterable[Mapping[str, Any]]) -> tuple[Dimension, ...]:
    """The dimensions among a schema object's properties, in their order."""
    return tuple(
        Dimension(
            name=entry["name"],
            expression=_logic(entry),
            logical_type=str(entry.get("logicalType") or ""),
            **_words(entry),
            position=position,
        )
        for position, entry in _of_kind(entries, "dimension")
    )


def synonyms_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The synonyms of a schema object or property, each once."""
    return tuple(dict.fromkeys(str(it["synonym"]).strip() for it in entry.get("synonyms") or () if str(it["synonym"]).strip()))


def _of_kind(entries: Iterable[Mapping[str, Any]], kind: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    return ((position, entry) for position, entry in enumerate(entries) if entry.get("semanticType") == kind)


def _logic(entry: Mapping[str, Any]) -> str:
    """What a dimension is made of; empty for a column, which may name itself."""
    written = str(entry.get("transformLogic") or "").strip()
    return "" if written.strip('"').casefold() == str(entry.get("name", "")).casefold() else written


def _words(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": str(entry.get("businessName") or ""),
        "description": str(entry.get("description") or ""),
        "synonyms": synonyms_of(entry),
    }


def _custom(entry: Mapping[str, Any], name: str) -> str:
    return str(custom_of(entry).get(name, "")).strip()
