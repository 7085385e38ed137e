"""Which tags flow down lineage into which columns, and along which path: computed from scratch, to hold the incremental one to.

Tags flow along DIRECT edges, whatever the tag, and stop at a breaker with evidence (design §5): an edge that was masked, a count,
a sum or a mean, or a rescan of the column that found nothing. INDIRECT edges carry no tags. From an unknown input every tag of
every column flows into every target column without a DIRECT edge: nobody can show that it is not in there. Through a dataset
outside the mesh, whose columns nobody declares, such tags pass as those of `<dataset>#`, and on with every edge out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from mesh_core.dataset_names import is_outside
from mesh_core.lineage import ANY_COLUMN, ColumnEdge, PortLineage
from mesh_core.names import column_object

__all__ = ["Path", "propagate"]

Path = tuple[str, ...]
"""Column objects from the one that declares the tag to the one that inherits it."""

_Flows = Mapping[str, frozenset[str]]
_NOTHING: Mapping[str, frozenset[str]] = MappingProxyType({})


def propagate(
    declared: Mapping[str, frozenset[str]],
    lineages: Iterable[PortLineage],
    *,
    columns: Mapping[str, Sequence[str]],
    rescanned: Mapping[str, frozenset[str]] = _NOTHING,
) -> Mapping[str, Mapping[str, Path]]:
    """The derived tags of each column object that has some, each with its path: the shortest, of equals the first by name.

    Args:
        declared: the tags each column object declares; these are not repeated as derived.
        lineages: the current lineage of each port, in any order.
        columns: the columns of each port; those without any edge are known from here only.
        rescanned: tags that a rescan of a column's own values found no trace of: they neither stay nor pass on.
    """
    flows = _flows(list(lineages), columns)
    derived: dict[str, dict[str, Path]] = {}
    for tag in sorted({tag for tags in declared.values() for tag in tags}):
        origins = {column for column, tags in declared.items() if tag in tags}
        cleared = {column for column, tags in rescanned.items() if tag in tags} - origins
        for column, path in _paths(origins, cleared, flows).items():
            derived.setdefault(column, {})[tag] = path
    return derived


def _flows(lineages: Sequence[PortLineage], columns: Mapping[str, Sequence[str]]) -> _Flows:
    """Where the tags of a column flow, and those of a whole port (under the port's name)."""
    flows: dict[str, set[str]] = {}
    for lineage in lineages:
        direct = {e.target_column for e in lineage.edges if e.transformation.is_direct}
        for edge in lineage.edges:
            if edge.transformation.is_direct and not edge.transformation.is_breaker:
                target = column_object(lineage.target_port, edge.target_column)
                flows.setdefault(_edge_source(edge), set()).add(target)
                if is_outside(edge.source_port):  # what came into it by an unknown way may be in any column
                    flows.setdefault(column_object(edge.source_port, ANY_COLUMN), set()).add(target)
        loose = {column_object(lineage.target_port, c) for c in columns.get(lineage.target_port, ()) if c not in direct}
        if is_outside(lineage.target_port):  # nobody knows all of its columns
            loose.add(column_object(lineage.target_port, ANY_COLUMN))
        for port in lineage.unknown_inputs:
            flows.setdefault(port, set()).update(loose)
    return {source: frozenset(targets) for source, targets in flows.items()}


def _paths(origins: set[str], cleared: set[str], flows: _Flows) -> dict[str, Path]:
    """The best path to every column reached from an origin, level by level; origins themselves are not reached."""
    found: dict[str, Path] = {}
    level: dict[str, Path] = {column: (column,) for column in origins}
    none: frozenset[str] = frozenset()
    while level:
        following: dict[str, Path] = {}
        for column, path in level.items():
            for target in flows.get(column, none) | flows.get(column.partition("#")[0], none):
                if target not in found and target not in origins and target not in cleared:
                    following[target] = min(following.get(target, (*path, target)), (*path, target))
        found |= following
        level = following
    return found


def _edge_source(edge: ColumnEdge) -> str:
    return edge.source_port if edge.source_column == ANY_COLUMN else column_object(edge.source_port, edge.source_column)
