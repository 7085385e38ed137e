"""Walks over links: closures that end in cycles, chain lengths, and the containment that names alone imply.

Plain and slow on purpose: the specification engine uses it; the index has its own cached closures.
"""

from __future__ import annotations

from collections.abc import Iterable

from governance_server.rules.policy_rows import Link
from mesh_core.names import parents

__all__ = ["chain_depth", "close_over", "implied_links"]


def implied_links(objects: Iterable[str]) -> set[Link]:
    """The g2 links that the names of the objects imply, up to `mesh` or the widest tag."""
    links: set[Link] = set()
    todo = list(objects)
    while todo:
        child = todo.pop()
        fresh = {Link("g2", child, parent) for parent in parents(child)} - links
        links |= fresh
        todo += [link.parent for link in fresh]
    return links


def close_over(start: str, links: Iterable[Link]) -> frozenset[str]:
    """Everything reachable from the start, itself included; cycles end."""
    above = _above(links)
    seen = {start}
    todo = [start]
    while todo:
        fresh = above.get(todo.pop(), set()) - seen
        seen |= fresh
        todo += fresh
    return frozenset(seen)


def chain_depth(links: Iterable[Link]) -> int:
    """The number of links of the longest of all shortest chains: how far a walk must go to miss nothing."""
    above = _above(links)
    deepest = 0
    for start in above:
        seen, level, depth = {start}, {start}, 0
        while level := {name for known in level for name in above.get(known, ())} - seen:
            seen |= level
            depth += 1
        deepest = max(deepest, depth)
    return deepest


def _above(links: Iterable[Link]) -> dict[str, set[str]]:
    above: dict[str, set[str]] = {}
    for link in links:
        above.setdefault(link.child, set()).add(link.parent)
    return above
