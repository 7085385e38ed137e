"""A lineage graph as a drawing in text: Mermaid for Markdown pages, DOT for Graphviz.

Names come from others, so every one is quoted as its language wants it, and nodes are told apart by numbers of their own. Hidden
nodes keep their place and show no name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain_sdk.lineage import LineageEdge, LineageGraph, LineageNode

__all__ = ["to_dot", "to_mermaid"]

_MERMAID = {"&": "#amp;", "<": "#lt;", ">": "#gt;", '"': "#quot;", "#": "#35;", "`": "#96;", "\n": "<br/>"}
_CUT = "cut: ask with a greater depth"
_EMPTY = "nothing lies between"


def to_mermaid(graph: LineageGraph) -> str:
    """A Mermaid flowchart, left to right: direct edges are solid, indirect ones dotted, the node asked for is emphasised."""
    numbers = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR", *(f'  {numbers[node.id]}["{_mermaid_text(_words(node))}"]' for node in graph.nodes)]
    for source, target, edge in _edges(graph, numbers):
        arrow = "-.->" if edge.type == "INDIRECT" else "-->"
        words = _how(edge)
        lines.append(f'  {source} {arrow}|"{_mermaid_text(words)}"| {target}' if words else f"  {source} {arrow} {target}")
    lines.append("  style n0 stroke-width:3px" if graph.nodes else f"  %% {_EMPTY}")
    return "\n".join(lines if graph.is_complete else [*lines, f"  %% {_CUT}"])


def to_dot(graph: LineageGraph) -> str:
    """A directed graph for Graphviz, left to right: indirect edges are dashed, the node asked for is bold."""
    numbers = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for number, node in enumerate(graph.nodes):
        style = ", style=bold" if number == 0 else ", style=dashed" if node.is_hidden else ""
        lines.append(f'  {numbers[node.id]} [label="{_dot_text(_words(node))}"{style}];')
    for source, target, edge in _edges(graph, numbers):
        marks = [f'label="{_dot_text(words)}"'] if (words := _how(edge)) else []
        marks += ["style=dashed"] if edge.type == "INDIRECT" else []
        attributes = f" [{', '.join(marks)}]" if marks else ""
        lines.append(f"  {source} -> {target}{attributes};")
    remarks = [*([] if graph.nodes else [_EMPTY]), *([] if graph.is_complete else [_CUT])]
    return "\n".join([*lines, *([f'  label="{"; ".join(remarks)}";'] if remarks else []), "}"])


def _edges(graph: LineageGraph, numbers: dict[str, str]) -> Iterator[tuple[str, str, LineageEdge]]:
    return ((numbers[it.source], numbers[it.target], it) for it in graph.edges if it.source in numbers and it.target in numbers)


def _words(node: LineageNode) -> str:
    if node.is_hidden:
        return "(hidden)"
    return f"{node.id}\n{', '.join(node.tags)}" if node.tags else node.id


def _how(edge: LineageEdge) -> str:
    return ", ".join(word.lower() for word in (edge.subtype or edge.type, "masked" if edge.is_masking else "") if word)


def _mermaid_text(text: str) -> str:
    """Mermaid reads `#name;` as a character, in quotes too, and a label as HTML."""
    return "".join(_MERMAID.get(character, character) for character in text)


def _dot_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
