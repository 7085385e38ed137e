"""The lineage graph as text."""

from __future__ import annotations

from domain_sdk.lineage import LineageEdge, LineageGraph, LineageNode


def _node(id: str, *tags: str, is_hidden: bool = False) -> LineageNode:
    return LineageNode(id, is_hidden, "" if is_hidden else "table", tags)


def _edge(source: str, target: str, subtype: str = "", *, is_masking: bool = False) -> LineageEdge:
    return LineageEdge(source, target, "DIRECT" if subtype else "", subtype, is_masking)


def test_sources_stand_before_what_was_made_and_hidden_nodes_have_no_name() -> None:
    graph = LineageGraph(
        nodes=(_node("b", "pii"), _node("a"), _node("x1", is_hidden=True), _node("c")),
        edges=(_edge("a", "b", "AGGREGATION", is_masking=True), _edge("x1", "a"), _edge("b", "c")),
        is_complete=False,
    )
    assert graph.tree().splitlines() == [
        "b [pii]",
        "  <- a (aggregation, masked)",
        "    <- (hidden)",
        "  -> c",
        "(cut: ask with a greater depth)",
    ]


def test_what_lies_below_a_node_is_shown_once() -> None:
    graph = LineageGraph(
        nodes=tuple(map(_node, "dbca")),
        edges=(_edge("b", "d"), _edge("c", "d"), _edge("a", "b"), _edge("a", "c"), _edge("z", "a")),
        is_complete=True,
    )
    assert graph.tree().splitlines() == ["d", "  <- b", "    <- a", "      <- z", "  <- c", "    <- a …"]


def test_a_cycle_ends() -> None:
    graph = LineageGraph(nodes=(_node("a"), _node("b")), edges=(_edge("a", "b"), _edge("b", "a")), is_complete=True)
    assert graph.tree().splitlines() == ["a", "  <- b", "    <- a …", "  -> b", "    -> a …"]


def test_a_chain_deeper_than_the_interpreters_stack_is_drawn() -> None:
    names = [f"n{i}" for i in range(5000)]
    edges = tuple(_edge(source, target) for source, target in zip(names[1:], names, strict=False))
    graph = LineageGraph(nodes=tuple(map(_node, names)), edges=edges, is_complete=True)
    assert len(graph.tree().splitlines()) == 5000


def test_an_empty_graph_has_no_lines() -> None:
    assert LineageGraph((), (), is_complete=True).tree() == ""


def test_drawings_without_a_node_say_that_nothing_lies_between() -> None:
    graph = LineageGraph((), (), is_complete=False)
    assert graph.to_mermaid().splitlines() == ["flowchart LR", "  %% nothing lies between", "  %% cut: ask with a greater depth"]
    assert '  label="nothing lies between; cut: ask with a greater depth";' in graph.to_dot().splitlines()


ODD = 'a.b.c#na"me\n<b> & `x` #1 ]--> end'


def _odd() -> LineageGraph:
    return LineageGraph(
        nodes=(_node(ODD, "pii.email"), _node("d.e.f#g"), _node("x1", is_hidden=True)),
        edges=(
            LineageEdge("d.e.f#g", ODD, "DIRECT", "AGGREGATION", True),
            LineageEdge("x1", ODD, "INDIRECT", "FILTER", False),
            _edge("z", ODD),
        ),
        is_complete=False,
    )


def test_a_mermaid_drawing_quotes_every_name_and_shows_no_hidden_one() -> None:
    assert _odd().to_mermaid().splitlines() == [
        "flowchart LR",
        '  n0["a.b.c#35;na#quot;me<br/>#lt;b#gt; #amp; #96;x#96; #35;1 ]--#gt; end<br/>pii.email"]',
        '  n1["d.e.f#35;g"]',
        '  n2["(hidden)"]',
        '  n1 -->|"aggregation, masked"| n0',
        '  n2 -.->|"filter"| n0',
        "  style n0 stroke-width:3px",
        "  %% cut: ask with a greater depth",
    ]


def test_a_dot_drawing_quotes_every_name_and_shows_no_hidden_one() -> None:
    assert _odd().to_dot().splitlines() == [
        "digraph lineage {",
        "  rankdir=LR;",
        '  node [shape=box, fontname="sans-serif"];',
        '  n0 [label="a.b.c#na\\"me\\n<b> & `x` #1 ]--> end\\npii.email", style=bold];',
        '  n1 [label="d.e.f#g"];',
        '  n2 [label="(hidden)", style=dashed];',
        '  n1 -> n0 [label="aggregation, masked"];',
        '  n2 -> n0 [label="filter", style=dashed];',
        '  label="cut: ask with a greater depth";',
        "}",
    ]
