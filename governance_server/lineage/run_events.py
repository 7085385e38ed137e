"""OpenLineage run events of the mesh's own publications.

Ports are datasets of the namespace `mesh`, by their three-part names; where their data lies stays with the server. Imports
openlineage inside the functions: it costs a third of a second and only a publication needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mesh_core.lineage import ANY_COLUMN, PortLineage, Transformation

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.generated.column_lineage_dataset import ColumnLineageDatasetFacet, Fields, InputField
    from openlineage.client.generated.data_quality_assertions_dataset import DataQualityAssertionsDatasetFacet
    from openlineage.client.generated.data_quality_metrics_dataset import DataQualityMetricsDatasetFacet

__all__ = ["NAMESPACE", "PRODUCER", "Assertion", "OutputPort", "Publication", "run_event"]

NAMESPACE = "mesh"
"""The namespace of every dataset and job we report."""

PRODUCER = "https://github.com/domain-mesh/domain-mesh"
"""Who made the event, as OpenLineage wants it: a URI."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """The result of one quality rule; `column` is empty for a rule on the whole port."""

    rule: str
    has_passed: bool
    column: str = ""


@dataclass(frozen=True, slots=True)
class OutputPort:
    """One port of a publication.

    Attributes:
        port: its three-part name.
        columns: (name, type as the contract says) in order.
        row_count: rows it has in this version; None if not counted.
        size_bytes: bytes of its data files; None if not known.
        assertions: results of the quality rules that ran on it.
        null_counts: nulls by column, where that is counted.
    """

    port: str
    columns: tuple[tuple[str, str], ...]
    row_count: int | None = None
    size_bytes: int | None = None
    assertions: tuple[Assertion, ...] = ()
    null_counts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Publication:
    """What a run event is made of.

    Attributes:
        job: the product or transform that ran, like `finance.ledger`.
        run_id: the publication's id.
        version: the product version it made.
        event_time: when it was committed; UTC-aware.
        outputs: every port of the publication.
        lineages: lineage of those of them that were made of other ports.
    """

    job: str
    run_id: UUID
    version: int
    event_time: datetime
    outputs: tuple[OutputPort, ...]
    lineages: tuple[PortLineage, ...]


def run_event(publication: Publication) -> dict[str, Any]:
    """The COMPLETE run event of a publication, ready for JSON. Source: OpenLineage 2-0-2 and its facets."""
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
    from openlineage.client.generated.job_type_job import JobTypeJobFacet
    from openlineage.client.serde import Serde

    kind = JobTypeJobFacet("BATCH", "DOMAIN_MESH", jobType="PUBLICATION", producer=PRODUCER)
    lineages = {lineage.target_port: lineage for lineage in publication.lineages}
    event = RunEvent(
        eventTime=publication.event_time.isoformat(),
        eventType=RunState.COMPLETE,
        run=Run(runId=str(publication.run_id)),
        job=Job(namespace=NAMESPACE, name=publication.job, facets={"jobType": kind}),
        inputs=_inputs(publication.lineages),
        outputs=[_output(port, lineages.get(port.port), publication.version) for port in publication.outputs],
        producer=PRODUCER,
    )
    return Serde.to_dict(event)


def _inputs(lineages: Sequence[PortLineage]) -> list[InputDataset]:
    """Every port that was read, once per version."""
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet

    found = sorted({i for lineage in lineages for i in lineage.inputs})
    return [
        InputDataset(
            namespace=NAMESPACE,
            name=i.port,
            facets={"version": DatasetVersionDatasetFacet(str(i.version), producer=PRODUCER)},
        )
        for i in found
    ]


def _output(port: OutputPort, lineage: PortLineage | None, version: int) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
    from openlineage.client.generated.output_statistics_output_dataset import OutputStatisticsOutputDatasetFacet
    from openlineage.client.generated.schema_dataset import SchemaDatasetFacet, SchemaDatasetFacetFields

    fields = [
        SchemaDatasetFacetFields(name, type=kind, ordinal_position=position)
        for position, (name, kind) in enumerate(port.columns, start=1)
    ]
    facets: dict[str, Any] = {
        "schema": SchemaDatasetFacet(fields, producer=PRODUCER),
        "version": DatasetVersionDatasetFacet(str(version), producer=PRODUCER),
    }
    if lineage is not None and (lineage.edges or lineage.row_edges):
        facets["columnLineage"] = _column_lineage(lineage)
    if port.assertions:
        facets["dataQualityAssertions"] = _assertions(port.assertions)
    if port.row_count is not None:
        facets["dataQualityMetrics"] = _metrics(port)
    statistics = OutputStatisticsOutputDatasetFacet(rowCount=port.row_count, size=port.size_bytes, producer=PRODUCER)
    has_statistics = port.row_count is not None or port.size_bytes is not None
    return OutputDataset(
        namespace=NAMESPACE,
        name=port.port,
        facets=facets,
        outputFacets={"outputStatistics": statistics} if has_statistics else {},
    )


def _column_lineage(lineage: PortLineage) -> ColumnLineageDatasetFacet:
    """Edges per target column; what decides the rows under `dataset`. Sources whose column is unknown are inputs only."""
    from openlineage.client.generated.column_lineage_dataset import ColumnLineageDatasetFacet, Fields

    steps: dict[str, dict[tuple[str, str], list[Transformation]]] = {}
    for edge in lineage.edges:
        steps.setdefault(edge.target_column, {}).setdefault((edge.source_port, edge.source_column), []).append(
            edge.transformation
        )
    rows: dict[tuple[str, str], list[Transformation]] = {}
    for row_edge in lineage.row_edges:
        if row_edge.source_column != ANY_COLUMN:
            rows.setdefault((row_edge.source_port, row_edge.source_column), []).append(row_edge.transformation)
    fields: dict[str, Fields] = {target: Fields(inputFields=_input_fields(sources)) for target, sources in sorted(steps.items())}
    return ColumnLineageDatasetFacet(fields=fields, dataset=_input_fields(rows), producer=PRODUCER)


def _input_fields(sources: Mapping[tuple[str, str], Sequence[Transformation]]) -> list[InputField]:
    from openlineage.client.generated.column_lineage_dataset import InputField
    from openlineage.client.generated.column_lineage_dataset import Transformation as Step

    return [
        InputField(
            namespace=NAMESPACE,
            name=port,
            field=column,
            transformations=[
                Step(type=t.type.value, subtype=str(t.subtype) or None, description=t.function or "", masking=t.masking)
                for t in steps
            ],
        )
        for (port, column), steps in sorted(sources.items())
    ]


def _metrics(port: OutputPort) -> DataQualityMetricsDatasetFacet:
    from openlineage.client.generated.data_quality_metrics_dataset import ColumnMetrics, DataQualityMetricsDatasetFacet

    columns = {name: ColumnMetrics(nullCount=count) for name, count in port.null_counts}
    return DataQualityMetricsDatasetFacet(columns, rowCount=port.row_count, bytes=port.size_bytes, producer=PRODUCER)


def _assertions(assertions: Sequence[Assertion]) -> DataQualityAssertionsDatasetFacet:
    from openlineage.client.generated.data_quality_assertions_dataset import Assertion as Result
    from openlineage.client.generated.data_quality_assertions_dataset import DataQualityAssertionsDatasetFacet

    results = [Result(a.rule, a.has_passed, column=a.column or None) for a in assertions]
    return DataQualityAssertionsDatasetFacet(results, producer=PRODUCER)
