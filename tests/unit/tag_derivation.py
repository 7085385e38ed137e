"""The derived tags of a graph that is told of everything at once, for the tests of tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from governance_server.rules.lineage_graph import Graph
from governance_server.rules.tag_flow import TagFlow, Tagged
from mesh_core.dataset_names import is_outside
from mesh_core.lineage import PortLineage

__all__ = ["derived_tags"]


def derived_tags(
    declared: Mapping[str, frozenset[str]],
    lineages: Sequence[PortLineage],
    *,
    columns: Mapping[str, Sequence[str]],
    rescanned: Mapping[str, frozenset[str]] | None = None,
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Column object → tag → path."""
    graph = Graph(lineages)
    flow = TagFlow(graph, lambda port: ("",) if is_outside(port) else columns.get(port, ()))
    for port in {*(lineage.target_port for lineage in lineages), *columns}:
        flow.touch(graph.nodes.port(port))
    for told, tags_of in ((flow.declare, declared), (flow.clear, rescanned or {})):
        for port in {obj.partition("#")[0] for obj in tags_of}:
            told(port, {obj.partition("#")[2]: tags for obj, tags in tags_of.items() if obj.partition("#")[0] == port})
    flow.settle()
    return {obj: dict(paths) for obj, paths in Tagged(graph, flow).items()}
