"""The lineage of one plan node from the lineage of its inputs: projections, filters, groups, unions, reshapes.

A step returns None where it does not know the node; the caller then claims only that everything below may flow in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from domain_sdk._polars_plan.expressions import ExpressionWalk
from domain_sdk._polars_plan.joins import joined
from domain_sdk._polars_plan.traversal import PlanNode, PlanReader, View
from mesh_core.frame_lineage import TRANSFORMATION, Dependencies, FrameLineage, indirect, through
from mesh_core.lineage import Subtype

__all__ = ["step"]

_Step = Callable[[PlanNode, FrameLineage, ExpressionWalk], FrameLineage | None]


def step(reader: PlanReader, node: PlanNode, inputs: Sequence[FrameLineage], collected: frozenset[str]) -> FrameLineage | None:
    """The node's lineage, or None if its kind is unknown or its output columns are not the ones polars says."""
    result = _computed(reader, node, inputs, collected)
    if result is None or set(result.columns) != set(node.names):
        return None
    return replace(result, columns={name: result.columns[name] for name in node.names})


def _computed(
    reader: PlanReader, node: PlanNode, inputs: Sequence[FrameLineage], collected: frozenset[str]
) -> FrameLineage | None:
    if node.kind in _ONE_INPUT and len(inputs) == 1:
        return _ONE_INPUT[node.kind](node, inputs[0], ExpressionWalk(reader, inputs[0], collected=collected))
    if node.kind == "Join" and len(inputs) == 2:
        return joined(reader, node, (inputs[0], inputs[1]), collected=collected)
    if node.kind in {"Union", "MergeSorted"}:
        return _stacked(node, inputs)
    if node.kind == "HConcat":
        columns = {name: found for i in inputs for name, found in i.columns.items()}
        return FrameLineage(columns, _rows(inputs), _ports(inputs))
    if node.kind == "Gather" and len(inputs) == 2:
        frame, positions = inputs
        chosen = frozenset(d for found in positions.columns.values() for d in indirect(Subtype.FILTER, found))
        return FrameLineage(frame.columns, _rows(inputs) | chosen, _ports(inputs))
    return None


def _rows(inputs: Sequence[FrameLineage]) -> Dependencies:
    return frozenset(d for i in inputs for d in i.rows)


def _ports(inputs: Sequence[FrameLineage]) -> frozenset[str]:
    return frozenset(port for i in inputs for port in i.ports)


def _stacked(node: PlanNode, inputs: Sequence[FrameLineage]) -> FrameLineage | None:
    if any(set(i.columns) != set(node.names) for i in inputs):
        return None
    columns = {name: frozenset(d for i in inputs for d in i.columns[name]) for name in node.names}
    keys = node.view.key if node.kind == "MergeSorted" else []
    sort = frozenset(d for name in keys for d in indirect(Subtype.SORT, columns[name]))
    return FrameLineage(columns, _rows(inputs) | sort, _ports(inputs))


def _same(node: PlanNode, frame: FrameLineage, _: ExpressionWalk) -> FrameLineage | None:
    return frame


def _projected(node: PlanNode, frame: FrameLineage, _: ExpressionWalk) -> FrameLineage | None:
    return replace(frame, columns={name: frame.columns[name] for name in node.names})


def _selected(node: PlanNode, frame: FrameLineage, walk: ExpressionWalk) -> FrameLineage | None:
    expressions = node.view.expr if node.kind == "Select" else node.view.exprs
    columns = {e.output_name: walk.dependencies(e.node) for e in expressions}
    rows = frozenset(d for e in expressions for d in walk.resizing(e.node))
    return replace(frame, columns=columns, rows=frame.rows | rows)


def _extended(node: PlanNode, frame: FrameLineage, walk: ExpressionWalk) -> FrameLineage | None:
    return replace(frame, columns={**frame.columns, **{e.output_name: walk.dependencies(e.node) for e in node.view.exprs}})


def _filtered(node: PlanNode, frame: FrameLineage, walk: ExpressionWalk) -> FrameLineage | None:
    return replace(frame, rows=frame.rows | indirect(Subtype.FILTER, walk.dependencies(node.view.predicate.node)))


def _sorted(node: PlanNode, frame: FrameLineage, walk: ExpressionWalk) -> FrameLineage | None:
    keys = frozenset(d for e in node.view.by_column for d in indirect(Subtype.SORT, walk.dependencies(e.node)))
    return replace(frame, rows=frame.rows | keys)


def _distinct(node: PlanNode, frame: FrameLineage, _: ExpressionWalk) -> FrameLineage | None:
    subset = node.view.options[1]
    names = frame.columns if subset is None else subset
    keys = frozenset(d for name in names for d in indirect(Subtype.GROUP_BY, frame.columns[name]))
    return replace(frame, rows=frame.rows | keys)


def _grouped(node: PlanNode, frame: FrameLineage, walk: ExpressionWalk) -> FrameLineage | None:
    keys = {e.output_name: walk.dependencies(e.node) for e in node.view.keys}
    window = node.view.options.dynamic or node.view.options.rolling
    if window is not None:
        index = through(TRANSFORMATION, frame.columns[window.index_column])
        has_boundaries = getattr(window, "include_boundaries", False)
        bounds = ("_lower_boundary", "_upper_boundary") if has_boundaries else ()
        keys |= dict.fromkeys((window.index_column, *bounds), index)
    rows = frozenset(d for key in keys.values() for d in indirect(Subtype.GROUP_BY, key))
    aggregated = {e.output_name: walk.dependencies(e.node) for e in node.view.aggs}
    return replace(frame, columns={**keys, **aggregated}, rows=frame.rows | rows)


def _mapped(node: PlanNode, frame: FrameLineage, _: ExpressionWalk) -> FrameLineage | None:
    """Of a named frame function; polars gives (name, arguments...)."""
    name, *arguments = node.view.function
    if name in {"rechunk", "hint_sorted"}:
        return frame
    if name == "row_index":
        return replace(frame, columns={arguments[0]: frozenset(), **frame.columns})
    if name == "explode":
        exploded = {column: through(TRANSFORMATION, frame.columns[column]) for column in arguments[0]}
        lengths = frozenset(d for found in exploded.values() for d in indirect(Subtype.JOIN, found))
        return replace(frame, columns={**frame.columns, **exploded}, rows=frame.rows | lengths)
    if name == "unnest":
        return _unnested(node, frame, arguments)
    return _unpivoted(frame, arguments) if name == "unpivot" else None


def _unnested(node: PlanNode, frame: FrameLineage, arguments: list[View]) -> FrameLineage:
    """Fields are new names; with several structs any of them may be a field's home."""
    kept = {name: found for name, found in frame.columns.items() if name not in arguments[0]}
    structs = frozenset(d for column in arguments[0] for d in through(TRANSFORMATION, frame.columns[column]))
    return replace(frame, columns={name: kept.get(name, structs) for name in node.names})


def _unpivoted(frame: FrameLineage, arguments: list[View]) -> FrameLineage:
    index, on, variable, value = arguments
    values = frozenset(d for column in on for d in through(TRANSFORMATION, frame.columns[column]))
    return replace(frame, columns={**{name: frame.columns[name] for name in index}, variable: frozenset(), value: values})


_ONE_INPUT: dict[str, _Step] = {
    "SimpleProjection": _projected,
    "Select": _selected,
    "Reduce": _selected,
    "HStack": _extended,
    "Filter": _filtered,
    "Sort": _sorted,
    "Distinct": _distinct,
    "GroupBy": _grouped,
    "Slice": _same,
    "Cache": _same,
    "MapFunction": _mapped,
}
