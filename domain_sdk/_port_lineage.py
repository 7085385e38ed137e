"""Where each published port came from: read from its query plan, declared by the publisher, or said to be unknown; never guessed.

Imports polars: loaded on first use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from domain_sdk._made_frames import recall
from domain_sdk._polars_plan.lineage import Source, column_lineage
from domain_sdk._polars_plan.traversal import UnreadablePlan
from domain_sdk.errors import InvalidRequest
from domain_sdk.read import ScanFrame, governed_scans
from mesh_core.lineage import ColumnEdge, InputVersion, PortLineage, Subtype, Transformation
from mesh_core.names import InvalidName, parse_port

__all__ = ["DeclaredColumns", "declared_lineage", "planned_lineage", "with_late_reads"]

DeclaredColumns = Mapping[str, Sequence[str]]
"""Column → the source columns it is made of, like `sales.orders.orders.amount` or `sales.orders.orders#amount`."""


def planned_lineage(
    given: Any,  # noqa: ANN401 # any kind of rows
    *,
    port: str,
    scans: Sequence[ScanFrame],
    inputs: Sequence[str],
    is_cautious: bool = False,
) -> PortLineage:
    """The lineage of a lazy frame by its plan, of a query's result by the query; of anything else only which ports it is from.

    Args:
        given: What the port is made from.
        port: Three-part name of the port.
        scans: Every source that was handed to the function that made it; others of this SDK are found in the plan.
        inputs: Ports the publisher says it was made of besides.
        is_cautious: True if Python functions in the plan may have read what they were not handed.
    """
    known = {scan.scan.port: scan.scan.planned().version for scan in scans}
    found = _from_plan(given, port=port, scans=scans, is_cautious=is_cautious) if isinstance(given, pl.LazyFrame) else None
    if isinstance(given, pl.DataFrame) and (made := recall(given)) is not None:
        found = replace(made, target_port=port)
    if found is None:
        versions = tuple(InputVersion(source, version) for source, version in sorted(known.items()))
        found = PortLineage(target_port=port, inputs=versions, edges=(), unknown_inputs=tuple(sorted(known)))
    return replace(found, unknown_inputs=tuple(sorted({*found.unknown_inputs, *inputs})))


def _from_plan(frame: pl.LazyFrame, *, port: str, scans: Sequence[ScanFrame], is_cautious: bool) -> PortLineage | None:
    """None if this frame's plan cannot be read."""
    try:
        handed = {id(scan.scan) for scan in scans}
        used = [*scans, *(scan for scan in governed_scans(frame) if id(scan.scan) not in handed)]
        sources = [_source(scan) for scan in used]
        return column_lineage(frame, target_port=port, sources=sources, is_cautious=is_cautious)
    except UnreadablePlan:
        return None


def with_late_reads(
    lineage: Sequence[PortLineage], cautious: Sequence[PortLineage], scans: Sequence[ScanFrame]
) -> list[PortLineage]:
    """The lineage once all rows are made; `cautious` if a source was read that no plan shows, as a Python function can."""
    shown = {edge.source_port for found in lineage for edge in found.dataset_edges}
    late = {it.scan.port: it.scan.planned().version for it in scans if it.scan.was_read and it.scan.port not in shown}
    if not late:
        return list(lineage)
    versions = {InputVersion(port, version) for port, version in late.items()}
    return [
        replace(
            found,
            inputs=tuple(sorted({*found.inputs, *versions})),
            unknown_inputs=tuple(sorted({*found.unknown_inputs, *late})),
        )
        for found in cautious
    ]


def _source(scan: ScanFrame) -> Source:
    planned = scan.scan.planned()
    return Source(
        port=scan.scan.port,
        version=planned.version,
        frame=scan.frame,
        was_collected=scan.scan.was_read,
        masked_columns=planned.masked_columns,
    )


def declared_lineage(columns: DeclaredColumns, *, port: str, inputs: Sequence[str]) -> PortLineage:
    """The lineage as the publisher states it: every named column as a direct transformation of its sources.

    Raises:
        InvalidRequest: a source is not a column of a port.
    """
    step = Transformation.of(Subtype.TRANSFORMATION)
    edges = [ColumnEdge(*_column(source), column, step) for column, sources in columns.items() for source in sources]
    return PortLineage(target_port=port, inputs=(), edges=tuple(sorted(set(edges))), unknown_inputs=tuple(sorted(set(inputs))))


def _column(name: str) -> tuple[str, str]:
    port, separator, column = name.partition("#")
    if not separator:
        parts = name.split(".", 3)
        port, column = ".".join(parts[:3]), parts[3] if len(parts) == 4 else ""
    try:
        parse_port(port)
    except InvalidName as error:
        raise InvalidRequest(f"{name!r} is no source column: write it as domain.product.port.column.") from error
    if not column:
        raise InvalidRequest(f"{name!r} names no column: write it as domain.product.port.column.")
    return port, column
