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

__all__ = [
    "Direction",
    "Level",
    "LineageEdge",
    "LineageGraph",
    "LineageNode",
    "LineageOrigin",
    "LineageQuestion",
    "LineageReach",
    "fetch_lineage",
    "fetch_reach",
]

Level = Literal["", "dataset", "column"]
_LEVELS = ("", "dataset", "column")
_MOST_IN_PAGE = 10_000
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
    """`table`, `collection`, `dataset` (outside the mesh) or `column`; empty if hidden."""
    tags: tuple[str, ...]
    """Declared and derived tags of a column."""
    distance: int = 0
    """How many steps it is away from what was asked for."""


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
class LineageOrigin:
    """By which run a port or dataset was last made, by whose word."""

    port: str
    version: int
    """The version that was made; 0 outside the mesh."""
    job: str
    run_id: str
    inputs: tuple[tuple[str, int], ...]
    """What the run read, in which versions; the name of a hidden one is empty."""
    basis: str
    """`EXPLICIT`, `COLUMNS`, `INFERRED` or `PRODUCT` if OpenLineage events say so; empty for a publication's own word."""


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """The graph around one port or column, or what lies between two."""

    nodes: tuple[LineageNode, ...]
    """The one asked for is first; empty if nothing lies between two."""
    edges: tuple[LineageEdge, ...]
    is_complete: bool
    """False if the graph was cut by depth or size."""
    origins: tuple[LineageOrigin, ...] = ()
    """By which runs its ports and datasets were made."""
    more: str = ""
    """Goes on where this was cut by size (`after=`), over the same graph; empty if it was not."""

    @property
    def root(self) -> LineageNode:
        """The node that was asked for. There must be one: `nodes` is empty if nothing lies between two."""
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


@dataclass(frozen=True, slots=True)
class LineageQuestion:
    """What is asked of the lineage graph."""

    name: str
    direction: Direction = "both"
    depth: int = 5
    as_of: int = 0
    level: Level = ""
    types: tuple[str, ...] = ()
    between: str = ""

    def __post_init__(self) -> None:
        """Raises: InvalidRequest."""
        if self.direction not in _DIRECTIONS:
            raise InvalidRequest(f"{self.direction!r} is no direction: use both, upstream or downstream.", resource=self.name)
        if self.level not in _LEVELS:
            raise InvalidRequest(f"{self.level!r} is no level: use dataset or column.", resource=self.name)


def fetch_lineage(transport: Transport, question: LineageQuestion, *, limit: int, after: str = "") -> LineageGraph:
    """The graph, up to so many nodes; what is left can be asked for with its `more`.

    Raises:
        InvalidRequest: a direction, level or type is unknown, or `after` is of another question.
    """
    from domainmesh.v1.lineage_service_pb2 import GetLineageRequest, LineageDirection, LineageLevel
    from domainmesh.v1.lineage_service_pb2_grpc import LineageServiceStub

    request = GetLineageRequest(
        name=question.name, depth=question.depth, as_of=question.as_of, types=question.types, to=question.between,
        direction=LineageDirection.Value(f"LINEAGE_DIRECTION_{_way(question.direction)}"),
        level=LineageLevel.Value(f"LINEAGE_LEVEL_{question.level.upper() or 'UNSPECIFIED'}"), page_token=after,
    )  # fmt: skip
    pages: list[GetLineageResponse] = []
    left = limit
    while left > 0:
        request.page_size = min(left, _MOST_IN_PAGE)
        pages.append(transport.call(transport.control(LineageServiceStub).GetLineage, request))
        left -= len(pages[-1].nodes)
        request.page_token = pages[-1].next_page_token
        if not request.page_token:
            break
    return _graph(pages, is_whole=not after)


@dataclass(frozen=True, slots=True)
class LineageReach:
    """Everything upstream or downstream of something, nearest first; what was asked for comes first, at distance 0."""

    names: tuple[str, ...]
    """Ports, datasets and column objects (`finance.ledger.entries#amount`); empty for what is hidden."""
    distances: tuple[int, ...]
    """How many steps each is away."""
    is_complete: bool
    """False if something lies beyond the depth."""

    @property
    def hidden_count(self) -> int:
        """How many there are that the caller may not know."""
        return self.names.count("")


def fetch_reach(transport: Transport, question: LineageQuestion) -> LineageReach:
    """Everything within the depth, whole. Raises: InvalidRequest."""
    from domainmesh.v1.lineage_service_pb2 import LineageDirection, LineageLevel, ListReachRequest
    from domainmesh.v1.lineage_service_pb2_grpc import LineageServiceStub

    request = ListReachRequest(
        name=question.name, depth=question.depth, as_of=question.as_of, types=question.types,
        direction=LineageDirection.Value(f"LINEAGE_DIRECTION_{_way(question.direction)}"),
        level=LineageLevel.Value(f"LINEAGE_LEVEL_{question.level.upper() or 'UNSPECIFIED'}"),
    )  # fmt: skip
    names: list[str] = []
    distances: list[int] = []
    is_cut = False
    for part in transport.stream(transport.control(LineageServiceStub).ListReach, request):
        ports = list(part.ports)
        found = zip(part.port_places, part.columns, strict=True)
        names += [f"{ports[place]}#{column}" if column else ports[place] for place, column in found]
        distances += part.distances
        is_cut |= part.is_cut_by_depth
    return LineageReach(tuple(names), tuple(distances), not is_cut)


def _way(direction: Direction) -> str:
    return "UNSPECIFIED" if direction == "both" else direction.upper()


def _graph(pages: list[GetLineageResponse], *, is_whole: bool) -> LineageGraph:
    nodes = {it.id: LineageNode(it.id, it.is_hidden, it.kind, tuple(it.tags), it.distance) for page in pages for it in page.nodes}
    edges = [LineageEdge(it.source, it.target, _type(it.type), it.subtype, it.is_masking) for page in pages for it in page.edges]
    origins = [
        LineageOrigin(it.port, it.version, it.job, it.run_id, tuple((i.port, i.version) for i in it.inputs), it.basis)
        for page in pages
        for it in page.origins
    ]
    more = pages[-1].next_page_token if pages else ""
    is_cut = any(page.is_cut_by_depth for page in pages)
    return LineageGraph(
        nodes=tuple(nodes.values()),
        edges=tuple(sorted(dict.fromkeys(edges), key=lambda it: (it.source, it.target, it.type, it.subtype))),
        is_complete=is_whole and not more and not is_cut,
        origins=tuple(dict.fromkeys(origins)),
        more=more,
    )


def _type(number: int) -> str:
    return _TYPES[number] if number < len(_TYPES) else ""
