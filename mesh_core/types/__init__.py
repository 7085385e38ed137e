"""Data types: what a contract's types are stored as, and frames brought to those types exactly or not at all.

Owns the way from ODCS logical and physical types to Delta storage types, and the table of which frame type may become which.
A value is never changed silently: where the Delta writer would turn `1.5` into `1` or `"7"` into `7`, this package reports. Knows
nothing of quality rules, storage locations or policy. Imports polars: import it on first use.
"""

from __future__ import annotations

from mesh_core.types.normalise import Normalised, TypePlan, TypeProblem, normalise, plan_types
from mesh_core.types.storage import UnknownType, storage_schema
from mesh_core.types.target import Target, target_of

__all__ = [
    "Normalised",
    "Target",
    "TypePlan",
    "TypeProblem",
    "UnknownType",
    "normalise",
    "plan_types",
    "storage_schema",
    "target_of",
]
