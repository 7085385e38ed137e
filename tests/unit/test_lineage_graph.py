"""The lineage graph: what walks reach, that they end, what is hidden and what is cut."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from governance_server.rules.lineage_graph import Graph
from governance_server.rules.lineage_walk import Direction, GraphEdge, Page, Subgraph, walk
from mesh_core.lineage import ANY_COLUMN, ColumnEdge, InputVersion, PortLineage, RowEdge, Subtype, Transformation
from mesh_core.lineage_wire import lineage_to_wire

IDENTITY = Transformation.of(Subtype.IDENTITY)
FILTER = Transformation.of(Subtype.FILTER)


def _made(
    target: str, *edges: tuple[str, str, str], unknown: tuple[str, ...] = (), rows: tuple[tuple[str, str], ...] = ()
) -> PortLineage:
    """A port made of (source port, source column, target column) edges."""
    inputs = sorted({InputVersion(port, 1) for port, _, _ in edges})
    return PortLineage(
        target_port=target,
        inputs=tuple(inputs),
        edges=tuple(ColumnEdge(*edge, IDENTITY) for edge in edges),
        unknown_inputs=unknown,
        row_edges=tuple(RowEdge(port, column, FILTER) for port, column in rows),
    )


CHAIN = [
    _made("m.p.b", ("m.p.a", "x", "x"), ("m.p.a", "y", "y")),
    _made("m.p.c", ("m.p.b", "x", "z"), rows=(("m.p.b", "y"),)),
    _made("m.p.d", ("m.p.c", "z", "z")),
]


def _upstream(graph: Graph, node: str, depth: int) -> Subgraph:
    return walk(graph, node, Direction.UPSTREAM, depth=depth, is_visible=lambda _: True)


def _downstream(graph: Graph, node: str, depth: int) -> Subgraph:
    return walk(graph, node, Direction.DOWNSTREAM, depth=depth, is_visible=lambda _: True)


def _put(graph: Graph, lineage: PortLineage) -> None:
    graph.put(lineage_to_wire(lineage))


def _ids(subgraph) -> list[str]:
    return [node.id for node in subgraph.nodes]


def test_a_port_is_followed_by_ports_nearest_first():
    found = _downstream(Graph(CHAIN), "m.p.a", 10)
    assert [(node.id, node.distance) for node in found.nodes] == [("m.p.a", 0), ("m.p.b", 1), ("m.p.c", 2), ("m.p.d", 3)]
    assert found.edges == tuple(GraphEdge(f"m.p.{s}", f"m.p.{t}", None) for s, t in ("ab", "bc", "cd"))
    assert found.is_complete


def test_a_column_is_followed_by_columns():
    assert _ids(_downstream(Graph(CHAIN), "m.p.a#x", 10)) == ["m.p.a#x", "m.p.b#x", "m.p.c#z", "m.p.d#z"]


def test_a_column_that_decides_rows_reaches_the_whole_port():
    assert _ids(_downstream(Graph(CHAIN), "m.p.a#y", 10)) == ["m.p.a#y", "m.p.b#y", "m.p.c", "m.p.d"]


def test_upstream_of_a_column_has_what_decided_its_rows():
    found = _upstream(Graph(CHAIN), "m.p.d#z", 10)
    assert set(_ids(found)) == {"m.p.d#z", "m.p.c#z", "m.p.b#x", "m.p.b#y", "m.p.a#x", "m.p.a#y"}
    assert GraphEdge("m.p.b#y", "m.p.c#z", FILTER) in found.edges


def test_a_column_of_unknown_origin_leads_to_the_unknown_ports():
    graph = Graph([*CHAIN, _made("m.p.e", ("m.p.a", "x", "k"), unknown=("m.p.c",), rows=(("m.p.d", ANY_COLUMN),))])
    assert set(_ids(_upstream(graph, "m.p.e#free", 1))) == {"m.p.e#free", "m.p.c", "m.p.d"}
    assert set(_ids(_upstream(graph, "m.p.e#k", 1))) == {"m.p.e#k", "m.p.a#x", "m.p.d"}
    assert "m.p.e" in _ids(_downstream(graph, "m.p.c#z", 1))
    assert "m.p.e" in _ids(_downstream(graph, "m.p.d#z", 1))


def test_a_walk_cut_by_depth_says_so():
    found = _downstream(Graph(CHAIN), "m.p.a", 2)
    assert _ids(found) == ["m.p.a", "m.p.b", "m.p.c"]
    assert not found.is_complete
    assert _downstream(Graph(CHAIN), "m.p.a", 3).is_complete


def test_a_cycle_ends():
    graph = Graph([_made("m.p.a", ("m.p.b", "x", "x")), _made("m.p.b", ("m.p.a", "x", "x")), _made("m.p.c", ("m.p.c", "x", "x"))])
    assert _ids(_downstream(graph, "m.p.a#x", 100)) == ["m.p.a#x", "m.p.b#x"]
    assert _upstream(graph, "m.p.c", 100).edges == (GraphEdge("m.p.c", "m.p.c", None),)


def test_a_node_that_is_not_visible_keeps_its_place_and_loses_its_name():
    found = walk(Graph(CHAIN), "m.p.a#x", Direction.DOWNSTREAM, depth=9, is_visible=lambda node: not node.startswith("m.p.b"))
    assert [(node.id, node.is_hidden) for node in found.nodes] == [
        ("m.p.a#x", False), ("hidden:1", True), ("m.p.c#z", False), ("m.p.d#z", False),
    ]  # fmt: skip
    assert GraphEdge("hidden:1", "m.p.c#z", IDENTITY) in found.edges
    assert "m.p.b" not in repr(found)


def test_a_replaced_lineage_leaves_nothing_behind():
    graph = Graph(CHAIN)
    _put(graph, _made("m.p.c", ("m.p.q", "x", "z")))
    assert _ids(_downstream(graph, "m.p.a", 9)) == ["m.p.a", "m.p.b"]
    assert _ids(_downstream(graph, "m.p.a#y", 9)) == ["m.p.a#y", "m.p.b#y"]
    assert _ids(_upstream(graph, "m.p.d#z", 9)) == ["m.p.d#z", "m.p.c#z", "m.p.q#x"]
    graph.remove("m.p.c")
    assert _ids(_upstream(graph, "m.p.d", 9)) == ["m.p.d", "m.p.c"]


def test_twenty_thousand_nodes_are_walked_completely_in_time():
    ports = [[f"m.p.n{level}x{i}" for i in range(4_000)] for level in range(5)]
    lineages = [
        _made(port, (ports[level][i], "c", "c"), (ports[level][(i * 7 + 1) % 4_000], "c", "c"))
        for level in range(4)
        for i, port in enumerate(ports[level + 1])
    ] + [_made(port, ("m.p.root", "c", "c")) for port in ports[0]]
    graph = Graph(lineages)
    started = time.process_time()
    found = _downstream(graph, "m.p.root#c", 10)
    elapsed_seconds = time.process_time() - started
    assert len(found.nodes) == 20_001
    assert found.is_complete
    assert elapsed_seconds < 20  # the bar of 0.2 s for 100,000 is held by the benchmark, on a quiet machine


_NODES = st.integers(0, 5)
_EDGES = st.lists(st.tuples(_NODES, st.sampled_from("xy"), _NODES, st.sampled_from("xy")), max_size=14)


def _graph_of(edges: list[tuple[int, str, int, str]]) -> Graph:
    return Graph(_lineages_of(edges))


def _lineages_of(edges: list[tuple[int, str, int, str]]) -> list[PortLineage]:
    targets = sorted({t for _, _, t, _ in edges})
    return [_made(f"m.p.n{t}", *sorted({(f"m.p.n{s}", sc, tc) for s, sc, other, tc in edges if other == t})) for t in targets]


def _closure(edges: set[tuple[str, str]], nodes: set[str]) -> set[tuple[str, str]]:
    """Reachability by Warshall's algorithm."""
    reach = {(n, n) for n in nodes} | edges
    for k in sorted(nodes):
        reach |= {(a, b) for a in nodes for b in nodes if (a, k) in reach and (k, b) in reach}
    return reach


@settings(max_examples=40)
@given(_EDGES)
def test_a_walk_reaches_exactly_the_transitive_closure_both_ways(edges):
    graph = _graph_of(edges)
    pairs = {(f"m.p.n{s}#{sc}", f"m.p.n{t}#{tc}") for s, sc, t, tc in edges}
    nodes = {f"m.p.n{n}#{c}" for n in range(6) for c in "xy"}
    reach = _closure(pairs, nodes)
    for node in nodes:
        down, up = _downstream(graph, node, 100), _upstream(graph, node, 100)
        assert set(_ids(down)) == {b for a, b in reach if a == node}
        assert set(_ids(up)) == {a for a, b in reach if b == node}
        assert {(e.source, e.target) for e in down.edges} == {(a, b) for a, b in pairs if (node, a) in reach}
        assert down.is_complete


@settings(max_examples=40)
@given(_EDGES, st.integers(1, 4))
def test_pages_together_are_the_whole_walk(edges, limit):
    graph = _graph_of(edges)
    whole = _downstream(graph, "m.p.n0#x", 100)
    nodes: list[object] = []
    walked: list[object] = []
    offset: int | None = 0
    while offset is not None:
        page = walk(graph, "m.p.n0#x", Direction.DOWNSTREAM, depth=100, is_visible=lambda _: True, page=Page(offset, limit))
        assert page.is_complete == (len(whole.nodes) <= limit)
        nodes += page.nodes
        walked += page.edges
        offset = page.next_offset
    assert nodes == list(whole.nodes)
    assert sorted(map(repr, walked)) == sorted(map(repr, whole.edges))


@settings(max_examples=40)
@given(_EDGES, st.randoms())
def test_the_order_of_publication_does_not_matter(edges, random):
    lineages = _lineages_of(edges)
    shuffled = random.sample(lineages, len(lineages))
    for node in ("m.p.n0#x", "m.p.n1"):
        assert _downstream(Graph(lineages), node, 9) == _downstream(Graph(shuffled), node, 9)
