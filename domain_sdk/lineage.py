"""Where data comes from and where it goes: the graph around a port or column, and as a tree of text lines.

Owns the graph as a value. Knows nothing of query plans (`_polars_plan`) or rendering.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from domain_sdk.errors import InvalidRequest

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domainmesh.v1.lineage_service_pb2 import GetLineageResponse

__all__ = ["Direction", "LineageEdge", "LineageGraph", "LineageNode", "fetch_lineage"]

Direction = Literal["both", "upstream", "downstream"]
_DIRECTIONS = ("both", "upstream", "downstream")
_TYPES = ("", "DIRECT", "INDIRECT")


@dataclass(frozen=True, slots=True)
class LineageNode:
    """A port or column of the graph."""

    id: str
    """`finance.ledger.entries` or `finance.ledger.entries#amount`; opaque when hidden."""
    is_hidden: bool
    """True if the caller may not discover it."""
    kind: str
    """`table`, `collection` or `column`; empty if hidden."""
    tags: tuple[str, ...]
    """Declared and derived tags of a column."""


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """A dependency, from source to target."""

    source: str
    target: str
    type: str
    """`DIRECT` or `INDIRECT` as in OpenLineage; empty between ports."""
    subtype: str
    """Like `IDENTITY` or `AGGREGATION`; empty between ports."""
    is_masking: bool
    """True if the value was masked on the way."""


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """The graph around one port or column."""

    nodes: tuple[LineageNode, ...]
    """The one asked for is first."""
    edges: tuple[LineageEdge, ...]
    is_complete: bool
    """False if the graph was cut by depth or size."""

    @property
    def root(self) -> LineageNode:
        """The node that was asked for."""
        return self.nodes[0]

    def upstream(self, id: str | None = None) -> tuple[LineageEdge, ...]:
        """The edges that end at the node; at the root when None."""
        return tuple(edge for edge in self.edges if edge.target == (id or self.root.id))

    def downstream(self, id: str | None = None) -> tuple[LineageEdge, ...]:
        """The edges that start at the node; at the root when None."""
        return tuple(edge for edge in self.edges if edge.source == (id or self.root.id))

    def tree(self) -> str:
        """The graph as indented lines: sources (`<-`), then what was made of it (`->`). What lies below a node is shown once."""
        if not self.nodes:
            return ""
        lines = [self._labels()[self.root.id], *self._branch("<-"), *self._branch("->")]
        return "\n".join(lines if self.is_complete else [*lines, "(cut: ask with a greater depth)"])

    def to_mermaid(self) -> str:
        """The graph as a Mermaid flowchart, for a Markdown page."""
        from domain_sdk._lineage_drawings import to_mermaid

        return to_mermaid(self)

    def to_dot(self) -> str:
        """The graph in Graphviz' language, for `dot -Tsvg`."""
        from domain_sdk._lineage_drawings import to_dot

        return to_dot(self)

    def _branch(self, arrow: str) -> Iterator[str]:
        """Iterative, because a lineage may be deeper than the interpreter's stack."""
        labels, steps = self._labels(), self._steps(arrow)
        seen = {self.root.id}
        waiting = [(other, edge, "  ") for other, edge in reversed(steps[self.root.id])]
        while waiting:
            other, edge, margin = waiting.pop()
            is_repeated = other in seen
            seen.add(other)
            yield f"{margin}{arrow} {labels.get(other, other)}{_how(edge)}{' …' if is_repeated and steps[other] else ''}"
            if not is_repeated:
                waiting += [(further, step, f"{margin}  ") for further, step in reversed(steps[other])]

    def _steps(self, arrow: str) -> Mapping[str, list[tuple[str, LineageEdge]]]:
        found: defaultdict[str, list[tuple[str, LineageEdge]]] = defaultdict(list)
        for edge in self.edges:
            near, far = (edge.target, edge.source) if arrow == "<-" else (edge.source, edge.target)
            found[near].append((far, edge))
        return found

    def _labels(self) -> dict[str, str]:
        return {node.id: _label(node) for node in self.nodes}


def _label(node: LineageNode) -> str:
    if node.is_hidden:
        return "(hidden)"
    return f"{node.id} [{', '.join(node.tags)}]" if node.tags else node.id


def _how(edge: LineageEdge) -> str:
    words = [word for word in (edge.subtype or edge.type, "masked" if edge.is_masking else "") if word]
    return f" ({', '.join(words).lower()})" if words else ""


def fetch_lineage(
    transport: Transport, name: str, *, direction: Direction = "both", depth: int = 5, as_of: int = 0
) -> LineageGraph:
    """The graph around the port or column.

    Raises:
        InvalidRequest: the direction is none of both, upstream and downstream.
    """
    from domainmesh.v1.lineage_service_pb2 import GetLineageRequest, LineageDirection
    from domainmesh.v1.lineage_service_pb2_grpc import LineageServiceStub

    if direction not in _DIRECTIONS:
        raise InvalidRequest(f"{direction!r} is no direction: use both, upstream or downstream.", resource=name)
    word = "UNSPECIFIED" if direction == "both" else direction.upper()
    way = LineageDirection.Value(f"LINEAGE_DIRECTION_{word}")
    request = GetLineageRequest(name=name, depth=depth, direction=way, as_of=as_of)
    return _graph(transport.call(transport.control(LineageServiceStub).GetLineage, request))


def _graph(message: GetLineageResponse) -> LineageGraph:
    return LineageGraph(
        nodes=tuple(LineageNode(it.id, it.is_hidden, it.kind, tuple(it.tags)) for it in message.nodes),
        edges=tuple(LineageEdge(it.source, it.target, _type(it.type), it.subtype, it.is_masking) for it in message.edges),
        is_complete=message.is_complete,
    )


def _type(number: int) -> str:
    return _TYPES[number] if number < len(_TYPES) else ""
