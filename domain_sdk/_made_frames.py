"""Where frames that the SDK handed out came from, as long as they are what they were.

A frame carries its lineage with itself, beside its data; what polars makes of a frame is another object and carries nothing. A
frame that was changed in place has values nobody knows the origin of: its ports are unknown inputs then, and tags flow. Imports
polars: loaded on first use.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from mesh_core.lineage import PortLineage

__all__ = ["recall", "remember"]

_NOTE = "_domain_mesh_made"


def remember(frame: pl.DataFrame, lineage: PortLineage) -> None:
    """`recall` gives the lineage for this very frame. Nothing is copied: the frame as it is now shares its columns."""
    vars(frame)[_NOTE] = (frame.clone(), lineage)


def recall(frame: pl.DataFrame) -> PortLineage | None:
    """The lineage of a frame that was handed out; of one changed since, that its ports are in it somehow. None of any other."""
    note: tuple[pl.DataFrame, PortLineage] | None = vars(frame).get(_NOTE)
    if note is None:
        return None
    made, lineage = note
    if made.schema == frame.schema and made.equals(frame):
        return lineage
    ports = {it.port for it in lineage.inputs} | set(lineage.unknown_inputs)
    return replace(lineage, edges=(), row_edges=(), unknown_inputs=tuple(sorted(ports)))
