"""Where the columns of a query's result come from, for whoever publishes it: read from the query and what its ports show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domainmesh.v1 import lineage_pb2
from mesh_core.lineage import InputVersion, PortLineage
from mesh_core.lineage_wire import lineage_to_wire

__all__ = ["ReadTable", "result_lineage"]


@dataclass(frozen=True, slots=True)
class ReadTable:
    """A port as a query sees it."""

    port: str
    version: int
    columns: tuple[str, ...]
    masked: frozenset[str]
    """Columns of which no row shows the raw value."""


def result_lineage(sql: str, tables: Mapping[str, ReadTable], names: Sequence[str], *, dialect: str) -> lineage_pb2.PortLineage:
    """The lineage of the result with these columns; the target has no name. What cannot be told makes the ports unknown inputs.

    `tables`: by the name the query knows each by.
    """
    from mesh_core.sql_lineage.queries import query_lineage, to_port_lineage
    from mesh_core.sql_lineage.relations import Relation, of_table
    from mesh_core.sql_text import SqlNotUnderstood

    def table(parts: tuple[str, ...]) -> Relation:
        found = tables.get(parts[-1])
        return of_table(found.port, found.columns, found.masked) if found else Relation(None)

    inputs = tuple(sorted({InputVersion(it.port, it.version) for it in tables.values()}))
    try:
        found = to_port_lineage(query_lineage(sql, dialect=dialect, table=table), target_port="", names=names)
    except SqlNotUnderstood:
        found = PortLineage("", (), (), tuple(sorted({it.port for it in tables.values()})))
    return lineage_to_wire(replace(found, inputs=inputs))
