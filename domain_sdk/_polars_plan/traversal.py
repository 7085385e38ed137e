"""Typed access to polars' `NodeTraverser`: the only module that calls it.

Plans are taken unoptimised, so that a filter, a sort or a column that the optimiser would drop is still seen. Type coercion has
happened: literals have the type they are compared in, casts are explicit. Pinned to the interface version below; another version
is refused, so that a change upstream cannot silently mean something else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

__all__ = ["SUPPORTED_VERSION", "PlanNode", "PlanReader", "UnreadablePlan", "View", "scan_functions", "scanned_paths"]

View = Any
"""One of polars' own node objects, untyped upstream."""

SUPPORTED_VERSION = (16, 0)
"""The `NodeTraverser` interface of polars 2.1."""


class UnreadablePlan(Exception):
    """A node or expression that polars does not show."""


@dataclass(frozen=True, slots=True)
class PlanNode:
    """One step of a plan.

    Attributes:
        kind: polars' name of the node, empty if polars does not show this kind.
        view: polars' own object, None if polars does not show this kind.
        names: the output columns in order.
        inputs: ids of the nodes it reads.
    """

    kind: str
    view: View
    names: tuple[str, ...]
    inputs: tuple[int, ...]


class PlanReader:
    """Reads the plan of one frame, node by node and expression by expression, by their ids."""

    def __init__(self, frame: pl.LazyFrame, *, flags: pl.QueryOptFlags | None = None) -> None:
        """The plan is ready to read.

        Raises:
            UnreadablePlan: this polars has another plan interface than the one supported.
        """
        chosen = pl.QueryOptFlags.none() if flags is None else flags
        self._traverser: Any = frame._ldf.with_optimizations(chosen._pyoptflags).visit()
        version = tuple(self._traverser.version())
        if version != SUPPORTED_VERSION:
            raise UnreadablePlan(f"polars plan interface {version} is not {SUPPORTED_VERSION}: install polars 2.1.")
        self.root: int = self._traverser.get_node()

    def node(self, node_id: int) -> PlanNode:
        """The node, without a view if polars does not show its kind."""
        self._traverser.set_node(node_id)
        names = tuple(self._traverser.get_schema())
        inputs = tuple(self._traverser.get_inputs())
        try:
            view = self._traverser.view_current_node()
        except NotImplementedError:
            return PlanNode("", None, names, inputs)
        return PlanNode(type(view).__name__, view, names, inputs)

    def expression(self, expression_id: int) -> View:
        """Polars' own view of one expression node of the node read last.

        Raises:
            UnreadablePlan: polars does not show this kind of expression.
        """
        try:
            return self._traverser.view_expression(expression_id)
        except NotImplementedError as error:
            raise UnreadablePlan(f"polars does not show the expression {error}") from error

    def order(self) -> list[int]:
        """Every node's id once, inputs before their consumers."""
        done: dict[int, None] = {}
        stack = [(self.root, False)]
        while stack:
            node_id, is_expanded = stack.pop()
            if is_expanded:
                done[node_id] = None
            elif node_id not in done:
                stack.append((node_id, True))
                stack.extend((i, False) for i in self.node(node_id).inputs)
        return list(done)


def scan_functions(frame: pl.LazyFrame) -> list[Callable[..., object]]:
    """The scan functions of the IO sources a frame reads: their identity is the identity of the source."""
    reader = PlanReader(frame)
    nodes = [reader.node(node_id) for node_id in reader.order()]
    return [node.view.options[0] for node in nodes if node.kind == "PythonScan"]


def scanned_paths(frame: pl.LazyFrame) -> list[str]:
    """Every path or URL that the frame's plan scans, once, in no particular order."""
    reader = PlanReader(frame)
    nodes = [reader.node(node_id) for node_id in reader.order()]
    return list(dict.fromkeys(str(path) for node in nodes if node.kind == "Scan" for path in node.view.paths))
