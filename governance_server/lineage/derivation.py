"""Which lineage a run's facets say, by the specification's precedence, and never more than they say.

The facet `lineage` of a job is complete where it is present; without it an output's `columnLineage` counts; without that the
job's query where it explains the run (INFERRED, see `inference`); else the output has every input at the level of datasets and
its columns are unknown (PRODUCT, OpenLineage's own reading). Inputs and outputs alone never make an edge between columns.
Source: OpenLineage explicit-lineage guide, precedence rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from governance_server.lineage.inference import inferred_lineage
from governance_server.lineage.run_state import JOB, NAMES, DatasetState, RunState, target_of
from mesh_core.dataset_names import dataset_node, is_outside, job_node
from mesh_core.lineage import (
    ANY_COLUMN,
    Basis,
    ColumnEdge,
    InputVersion,
    PortLineage,
    RowEdge,
    Subtype,
    Transformation,
    TransformationType,
)
from mesh_core.lineage_wire import lineage_to_wire

__all__ = ["REPLACING", "digest_of", "job_as_node", "lineages_of"]

REPLACING = frozenset({"CREATE", "OVERWRITE", "TRUNCATE", "DROP"})
"""Lifecycle changes after which nothing of what a dataset held before is in it."""

_UNKNOWN = Transformation.of(Subtype.TRANSFORMATION)


def job_as_node(namespace: str, name: str) -> str:
    """The node of a job where one stands in the graph, as in explicit lineage from job to job."""
    return JOB + job_node(namespace, name)


def lineages_of(state: RunState) -> dict[str, PortLineage]:
    """The lineage of each target that the state says something about, by target; without source."""
    if state.has_entries:
        found = _explicit([_parsed(entry) for entry in sorted(state.entries)])
    else:
        found = {target: lineage for target in state.outputs if (lineage := _of_output(state, target)) is not None}
    told = {target: lineage for target, lineage in found.items() if lineage.dataset_edges or lineage.basis is Basis.EXPLICIT}
    return {**_names(state), **told}


def _names(state: RunState) -> dict[str, PortLineage]:
    """Other names of inputs and outputs. One that is itself an output of the run, or another of its inputs, is no mere name."""
    said: dict[str, set[str]] = {}
    for target, facets in state.outputs.items():
        for namespace, name in _value(facets, "symlinks") or ():
            said.setdefault(dataset_node(namespace, name), set()).add(target)
    for node, facets in state.inputs.items():
        for name, of in _value(facets, NAMES) or ():
            if name == node or name not in state.inputs:
                said.setdefault(name, set()).add(of)
    return {
        name: PortLineage(name, tuple(InputVersion(it, 0) for it in sorted(datasets)), (), basis=Basis.SYMLINK)
        for name, datasets in said.items()
        if name not in state.outputs and is_outside(name)
    }


def digest_of(lineage: PortLineage) -> str:
    """Equal for equal lineages, whatever run told them."""
    return hashlib.sha256(lineage_to_wire(lineage).SerializeToString(deterministic=True)).hexdigest()[:24]


def _of_output(state: RunState, target: str) -> PortLineage | None:
    facets = state.outputs[target]
    declared = _value(facets, "lineage") if state.is_declared else None
    if declared is not None:
        return _entry(target, _parsed(declared))
    columns = _value(facets, "columnLineage")
    if columns is not None:
        return _of_columns(state, target, _parsed(columns))
    if (inferred := inferred_lineage(state, target)) is not None:
        return inferred
    inputs = tuple(sorted(state.inputs))
    versions = tuple(InputVersion(node, 0) for node in inputs)
    return PortLineage(target, versions, (), unknown_inputs=inputs, basis=Basis.PRODUCT) if inputs else None


def _of_columns(state: RunState, target: str, facet: Mapping[str, Any]) -> PortLineage:
    edges: set[ColumnEdge] = set()
    for column, told in facet["fields"].items():
        for source in told["inputFields"]:
            node = dataset_node(source["namespace"], source["name"])
            for step in _steps(source.get("transformations"), told.get("transformationType")):
                edges.add(ColumnEdge(node, source["field"], column, step))
    rows = {
        RowEdge(dataset_node(it["namespace"], it["name"]), it["field"], step)
        for it in facet.get("dataset") or ()
        for step in _steps(it.get("transformations"), None, default=TransformationType.INDIRECT)
    }
    schema = _value(state.outputs[target], "schema")
    told_columns = _parsed(schema) if schema is not None else []
    is_partial = any(column not in facet["fields"] for column in told_columns)
    sources = {*state.inputs, *(edge.source_port for edge in edges)}
    return PortLineage(
        target,
        tuple(InputVersion(node, 0) for node in sorted(sources | {row.source_port for row in rows})),
        tuple(sorted(edges)),
        unknown_inputs=tuple(sorted(sources)) if is_partial else (),
        row_edges=tuple(sorted(rows)),
        basis=Basis.COLUMNS,
    )


def _explicit(entries: Iterable[Mapping[str, Any]]) -> dict[str, PortLineage]:
    """The entries' lineage; those of one target add up. An entry about the event's own job only adds detail, no edge."""
    found: dict[str, PortLineage] = {}
    for entry in entries:
        target = target_of(entry)
        if not target:
            continue
        told = _entry(target, entry)
        known = found.get(target)
        found[target] = told if known is None else _added(known, told)
    return found


def _entry(target: str, entry: Mapping[str, Any]) -> PortLineage:
    edges: set[ColumnEdge] = set()
    rows: set[RowEdge] = set()
    unknown: set[str] = set()
    for source in entry.get("inputs") or ():
        node = _source(source)
        if node is None:
            continue
        if "field" in source:
            steps = _steps(source.get("transformations"), None, default=TransformationType.INDIRECT)
            rows.update(RowEdge(node, source["field"], step) for step in steps)
        else:
            unknown.add(node)
    for column, told in (entry.get("fields") or {}).items():
        for source in told["inputs"]:
            node = _source(source)
            if node is not None:
                steps = _steps(source.get("transformations"), None)
                edges.update(ColumnEdge(node, source.get("field", ANY_COLUMN), column, step) for step in steps)
    nodes = unknown | {edge.source_port for edge in edges} | {row.source_port for row in rows}
    return PortLineage(
        target,
        tuple(InputVersion(node, 0) for node in sorted(nodes)),
        tuple(sorted(edges)),
        unknown_inputs=tuple(sorted(unknown)),
        row_edges=tuple(sorted(rows)),
        basis=Basis.EXPLICIT,
    )


def _source(source: Mapping[str, Any]) -> str | None:
    """The node of a source; None for the event's own job, which only says how."""
    if source["type"] == "JOB":
        return job_as_node(source["namespace"], source["name"]) if "name" in source else None
    return dataset_node(source["namespace"], source["name"])


def _added(one: PortLineage, other: PortLineage) -> PortLineage:
    return PortLineage(
        one.target_port,
        tuple(sorted({*one.inputs, *other.inputs})),
        tuple(sorted({*one.edges, *other.edges})),
        unknown_inputs=tuple(sorted({*one.unknown_inputs, *other.unknown_inputs})),
        row_edges=tuple(sorted({*one.row_edges, *other.row_edges})),
        basis=one.basis,
    )


def _steps(
    told: Iterable[Mapping[str, Any]] | None, legacy: str | None, *, default: TransformationType = TransformationType.DIRECT
) -> Iterator[Transformation]:
    """The transformations as told; a type that is no word of the specification counts as direct, the cautious reading."""
    is_empty = True
    for step in told or ():
        is_empty = False
        kind = TransformationType.INDIRECT if step["type"].upper() == "INDIRECT" else TransformationType.DIRECT
        yield Transformation(kind, (step.get("subtype") or "")[:200].upper(), "", bool(step.get("masking", False)))
    if is_empty and default is TransformationType.INDIRECT:
        yield Transformation(default, "")
    elif is_empty and legacy == "IDENTITY":
        yield Transformation.of(Subtype.IDENTITY)
    elif is_empty:
        yield Transformation(_UNKNOWN.type, _UNKNOWN.subtype, "", legacy == "MASKED")


def _parsed(text: str) -> Any:  # noqa: ANN401  # JSON
    import orjson

    return orjson.loads(text)


def _value(facets: DatasetState, name: str) -> Any:  # noqa: ANN401  # JSON
    held = facets.get(name)
    return None if held is None else held.value
