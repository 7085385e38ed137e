"""Emitting: every publication leaves one OpenLineage event per port in the event stream.

An event is appended before the publication becomes visible and may be appended again after a crash; its run id is the
publication's, so
whoever folds the stream sees one run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from domainmesh.v1 import product_pb2, publication_pb2

from governance_server.storage.events import EventLog
from mesh_core.lineage import PortLineage
from mesh_core.lineage_wire import lineage_from_wire

__all__ = ["LineageEmitter"]


class LineageEmitter:
    """Appends OpenLineage events of the mesh's own publications."""

    def __init__(self, events: EventLog, now: Callable[[], datetime]) -> None:
        self._events = events
        self._now = now

    def emit(self, publication: publication_pb2.Publication, entry: product_pb2.Product, release: product_pb2.Release) -> None:
        """The publication's run is in the event stream."""
        from governance_server.lineage.run_events import OutputPort, run_event

        lineages = {lineage.port: lineage_from_wire(lineage) for lineage in publication.lineage}
        rows = {port.port: (port.row_count, port.size_bytes) for port in release.ports}
        outputs = [
            OutputPort(
                lineage=lineages.get(port.name, PortLineage(port.name, (), ())),
                columns=tuple((column.name, column.logical_type) for column in port.columns),
                version=publication.version,
                rows=rows[port.name][0],
                size_bytes=rows[port.name][1],
            )
            for port in entry.ports
        ]
        job = next((lineage.job for lineage in publication.lineage if lineage.job), publication.product)
        event = run_event(job=job, run_id=publication.id, time=self._now(), outputs=outputs)
        self._events.append_events([json.dumps(event).encode()])
