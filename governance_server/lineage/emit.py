"""Emitting: every publication leaves one OpenLineage event per port in the event stream.

An event is appended before the publication becomes visible and may be appended again after a crash; its run id is the
publication's, so
whoever folds the stream sees one run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from domainmesh.v1 import product_pb2, publication_pb2
from governance_server.lineage.intake import LineageIntake
from mesh_core.lineage_wire import lineage_from_wire

if TYPE_CHECKING:
    from governance_server.lineage.run_events import OutputPort

__all__ = ["LineageEmitter"]


class LineageEmitter:
    """Appends OpenLineage events of the mesh's own publications."""

    def __init__(self, intake: LineageIntake, now: Callable[[], datetime]) -> None:
        self._intake = intake
        self._now = now

    def emit(self, publication: publication_pb2.Publication, entry: product_pb2.Product, release: product_pb2.Release) -> None:
        """The publication's run is in the event stream."""
        from governance_server.lineage.run_events import Publication, run_event

        job = next((lineage.job for lineage in publication.lineage if lineage.job), publication.product)
        event = run_event(
            Publication(
                job=job,
                run_id=UUID(publication.id),
                version=publication.version,
                event_time=self._now(),
                outputs=tuple(_output(port, release, publication) for port in entry.ports),
                lineages=tuple(lineage_from_wire(lineage) for lineage in publication.lineage),
            )
        )
        self._intake.take_own(json.dumps(event).encode(), publication.principal, publication.product.partition(".")[0])


def _output(port: product_pb2.Port, release: product_pb2.Release, publication: publication_pb2.Publication) -> OutputPort:
    from governance_server.lineage.run_events import Assertion, OutputPort

    released = next(it for it in release.ports if it.port == port.name)
    return OutputPort(
        port=port.name,
        columns=tuple((column.name, column.physical_type or column.logical_type) for column in port.columns),
        row_count=released.row_count,
        size_bytes=released.size_bytes,
        null_counts=tuple(sorted(_null_counts(port.name, publication).items())),
        assertions=tuple(
            Assertion(rule=it.check, has_passed=it.status == product_pb2.QUALITY_STATUS_PASSED, column=it.column)
            for it in release.quality
            if it.port == port.name and it.status in (product_pb2.QUALITY_STATUS_PASSED, product_pb2.QUALITY_STATUS_FAILED)
        ),
    )


def _null_counts(port: str, publication: publication_pb2.Publication) -> dict[str, int]:
    """Nulls by column, from the statistics of the port's files; only of columns that every file tells it of."""
    verified = [file for it in publication.verified_ports if it.port == port for file in it.files]
    files = [json.loads(file.stats or "{}").get("nullCount", {}) for file in verified]
    known = set.intersection(*(set(counts) for counts in files)) if files else set()
    return {column: sum(int(counts[column]) for counts in files) for column in known}
