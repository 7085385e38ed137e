"""What a column of an intermediate table depends on: the values that walks over plans and queries compute with.

Knows neither polars nor SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mesh_core.lineage import ANY_COLUMN, Subtype, Transformation

__all__ = ["IDENTITY", "TRANSFORMATION", "Dependencies", "Dependency", "FrameLineage", "indirect", "through", "unknown"]

IDENTITY = Transformation.of(Subtype.IDENTITY)
TRANSFORMATION = Transformation.of(Subtype.TRANSFORMATION)


@dataclass(frozen=True, slots=True)
class Dependency:
    """On one column of a source port; ANY_COLUMN if the plan does not tell which."""

    port: str
    column: str
    transformation: Transformation


Dependencies = frozenset[Dependency]


@dataclass(frozen=True, slots=True)
class FrameLineage:
    """Of a frame: its columns' dependencies, what decides about its rows (all indirect), and every source port below it."""

    columns: Mapping[str, Dependencies]
    rows: Dependencies
    ports: frozenset[str]


def through(step: Transformation, dependencies: Iterable[Dependency]) -> Dependencies:
    """The dependencies after one more step."""
    return frozenset(Dependency(d.port, d.column, step.after(d.transformation)) for d in dependencies)


def indirect(subtype: Subtype, dependencies: Iterable[Dependency]) -> Dependencies:
    """The dependencies when their values only decide."""
    return through(Transformation.of(subtype), dependencies)


def unknown(ports: Iterable[str]) -> Dependencies:
    """Values of these ports flow in, of columns nobody can tell."""
    return frozenset(Dependency(port, ANY_COLUMN, TRANSFORMATION) for port in ports)
