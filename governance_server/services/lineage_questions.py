"""What is asked of the lineage graph: from which nodes, over which state of the mesh, and what of the answer its caller may know.

A question that goes on (a page token) is asked of the very graph its first page was of, whatever was published meanwhile. Knows
nothing of messages.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock

from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.policy.lineage_sight import LineageSight
from governance_server.policy.projection import Facts, PolicyProjection, denied
from governance_server.rules.errors import Invalid, NotFound
from governance_server.rules.lineage_graph import Graph
from mesh_core.dataset_names import dataset_node, is_outside, parse_node
from mesh_core.lineage import Subtype, TransformationType
from mesh_core.names import check_column, column_object, parse_port

__all__ = ["Asking", "LineageQuestions", "node_named"]

_KEPT = 8
_TYPES = frozenset({*map(str, TransformationType), *map(str, Subtype)})


@dataclass(frozen=True, slots=True)
class Asking:
    """One caller's view of the graph at one revision."""

    facts: Facts
    revision: int
    sights: tuple[LineageSight, ...]

    @property
    def graph(self) -> Graph:
        """The graph; it does not change."""
        return self.facts.graph

    def sees(self, node: str) -> bool:
        """True if the caller may know the node, now and at that revision."""
        return all(sight.sees(node) for sight in self.sights)

    def require(self, node: str) -> None:
        """Returns if the node exists and the caller may know it. Raises: AccessDenied, NotFound.

        Of datasets outside the mesh there are as many as anybody names.
        """
        if not self.sees(node):
            raise denied("discover", node)
        name, _, column = node.partition("#")
        if is_outside(name):
            return
        columns = self._columns(name)
        if columns is None:
            raise denied("discover", node)
        if column and column not in columns:
            raise NotFound(f"{name} has no column {column!r}: see its columns with `mesh show {name}`.", resource=name)

    def starts(self, node: str, *, is_dataset_level: bool, is_column_level: bool) -> list[int]:
        """The numbers to walk from: the node itself, its port, or all columns of the port, by what level is wanted."""
        name, mark, column = node.partition("#")
        nodes = self.graph.nodes
        port = nodes.port(name)
        if is_dataset_level or not (mark or is_column_level):
            return [port]
        if mark:
            return [nodes.column(port, column)]
        names = [*(self._columns(name) or ()), *nodes.columns(port)]
        return [nodes.column(port, known) for known in dict.fromkeys(names) if known] or [port]

    def kinds(self, types: Iterable[str]) -> frozenset[int] | None:
        """The kinds of edge to follow, None for all. Raises: Invalid."""
        wanted = frozenset(types)
        if wanted - _TYPES:
            raise Invalid(f"{', '.join(sorted(wanted - _TYPES))} is no type of transformation: use {', '.join(sorted(_TYPES))}.")
        return self.graph.kinds.matching(wanted) if wanted else None

    def _columns(self, port: str) -> list[str] | None:
        product = self.facts.products.get(port.rpartition(".")[0])
        found = next((known for known in product.ports if known.name == port), None) if product else None
        return [column.name for column in found.columns] if found else None


class LineageQuestions:
    """Gives callers the graph as it is, as it was, or as it was when they began to ask."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._kept: OrderedDict[int, PolicyProjection] = OrderedDict()
        self._keeping = Lock()

    def ask(self, caller: Caller, *, as_of: int = 0, begun_at: int = 0) -> Asking:
        """The graph now, at a revision, or as it was at the revision at which paging began. Raises: Invalid."""
        policy = self._policy(as_of, begun_at)
        with policy.pinned() as revision:
            facts = policy.facts()
        now = LineageSight(self._backend.policy, caller)
        return Asking(facts, revision, (now, LineageSight(policy, caller)) if as_of else (now,))

    def _policy(self, as_of: int, begun_at: int) -> PolicyProjection:
        if as_of:
            return self._backend.policy_at(as_of)
        with self._keeping:
            kept = self._kept.get(begun_at)
        if kept is not None:
            return kept
        if begun_at:  # of another replica's, or long ago
            return self._backend.policy_at(begun_at)
        policy = self._backend.policy.snapshot()
        with policy.pinned() as revision, self._keeping:
            self._kept[revision] = policy
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return policy


def node_named(name: str, facts: Facts) -> str:
    """The graph's node: `a.b.c` is a port, `a.b.c.col` and `a.b.c#col` are columns. Raises: InvalidName.

    A dataset outside the mesh is written `namespace|name`, its column `namespace|name#col`; it may turn out to be a port.
    """
    if is_outside(name):
        node, mark, column = name.partition("#")
        return f"{facts.observed.port_of(dataset_node(*parse_node(node)))}{mark}{column}"
    if "#" in name:
        port, _, column = name.partition("#")
        return column_object(str(parse_port(port)), check_column(column))
    parts = name.split(".", 3)
    port = str(parse_port(".".join(parts[:3])))
    return column_object(port, check_column(parts[3])) if len(parts) == 4 else port
