"""What checks found of a product, release by release, and what is late or suspicious now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from domain_sdk.release import QualityResult

if TYPE_CHECKING:
    from domain_sdk._transport import Transport

__all__ = ["QualityRecord", "QualityWarning", "quality_history", "quality_warnings"]


@dataclass(frozen=True, slots=True)
class QualityRecord:
    """What the checks of one release found."""

    version: int
    publish_time: datetime | None
    row_counts: dict[str, int]
    """Three-part port → its rows or passages."""
    results: tuple[QualityResult, ...]


@dataclass(frozen=True, slots=True)
class QualityWarning:
    """One thing that is late or suspicious."""

    resource: str
    """The product or port."""
    kind: str
    """`freshness` (older than promised), `overdue`, or the check of the last release that warned."""
    message: str


def quality_history(
    transport: Transport, product: str, *, port: str = "", check: str = "", limit: int | None = None
) -> list[QualityRecord]:
    """The records, newest release first, of one port and one check if they are given."""
    from domain_sdk._catalog_calls import to_quality
    from domain_sdk._paging import all_items
    from domain_sdk._times import from_timestamp
    from domainmesh.v1.quality_service_pb2 import ListQualityHistoryRequest
    from domainmesh.v1.quality_service_pb2_grpc import QualityServiceStub

    request = ListQualityHistoryRequest(product=product, port=port, check=check)
    method = transport.control(QualityServiceStub).ListQualityHistory
    return [
        QualityRecord(
            version=it.version,
            publish_time=from_timestamp(it, "publish_time"),
            row_counts=dict(it.row_counts),
            results=tuple(to_quality(result) for result in it.results),
        )
        for it in all_items(transport, method, request, field="records", limit=limit)
    ]


def quality_warnings(transport: Transport, *, product: str = "", domain: str = "") -> list[QualityWarning]:
    """What is late or suspicious of what the caller may discover."""
    from domainmesh.v1.quality_service_pb2 import ListQualityWarningsRequest
    from domainmesh.v1.quality_service_pb2_grpc import QualityServiceStub

    request = ListQualityWarningsRequest(product=product, domain=domain)
    response = transport.call(transport.control(QualityServiceStub).ListQualityWarnings, request)
    return [QualityWarning(it.resource, it.kind, it.message) for it in response.warnings]
