"""QualityService: what checks found, release by release, and what is late or suspicious now."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from domainmesh.v1 import product_pb2, quality_service_pb2_grpc
from domainmesh.v1 import quality_service_pb2 as pb
from governance_server.backend import Backend, Page
from governance_server.caller import current_caller
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.ages import product_warnings
from governance_server.services.seen_releases import DOCUMENTS, seen_release
from mesh_core.names import parse_product

__all__ = ["QualityService"]


class QualityService(quality_service_pb2_grpc.QualityServiceServicer):
    """Serves results and warnings."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def ListQualityHistory(
        self, request: pb.ListQualityHistoryRequest, context: grpc.ServicerContext
    ) -> pb.ListQualityHistoryResponse:
        """Lists what the checks of a product found, newest release first."""
        parse_product(request.product)
        self._backend.policy.authorise(current_caller(), "discover", request.product)
        if self._backend.catalog.get(kinds.PRODUCT, request.product) is None:
            raise denied("discover", request.product)
        page = Page.of(request.page_size, request.page_token)
        rows = self._backend.catalog.list(
            kinds.RELEASE, prefix=f"{request.product}/", limit=page.size + 1, after_name=page.after, is_descending=True
        )
        records = [_record(seen_release(self._backend, body), request) for _, body in list(rows)[: page.size]]
        more = Page.token(list(rows)[page.size - 1][0]) if len(list(rows)) > page.size else ""
        return pb.ListQualityHistoryResponse(records=records, next_page_token=more)

    def ListQualityWarnings(
        self, request: pb.ListQualityWarningsRequest, context: grpc.ServicerContext
    ) -> pb.ListQualityWarningsResponse:
        """Lists what is late or suspicious of what the caller may discover."""
        visible = self._backend.policy.visibility(current_caller())
        names = [request.product] if request.product else None
        rows = self._backend.catalog.list(kinds.PRODUCT, domain=request.domain or None, limit=None) if names is None else []
        bodies = [body for _, body in rows] + [self._backend.catalog.get(kinds.PRODUCT, name) or b"" for name in names or ()]
        response = pb.ListQualityWarningsResponse()
        for body in bodies:
            product = product_pb2.Product.FromString(body)
            kept = [port for port in product.ports if visible.allows(port.name)]
            if product.version and (kept or visible.allows(product.name)):
                del product.ports[:]
                product.ports.extend(kept)
                response.warnings.extend(self._warnings(product))
        return response

    def _warnings(self, product: product_pb2.Product) -> Iterator[product_pb2.QualityWarning]:
        may_write = self._backend.policy.check(current_caller(), "write", product.name).allowed
        for warning in product_warnings(product, self._backend.now()):
            if warning.kind == DOCUMENTS and not may_write:
                message = f"files were left out: who may write {product.name} is told which."
                yield product_pb2.QualityWarning(resource=warning.resource, kind=warning.kind, message=message)
            else:
                yield warning


def _record(release: product_pb2.Release, request: pb.ListQualityHistoryRequest) -> pb.QualityRecord:
    record = pb.QualityRecord(version=release.version, publish_time=release.publish_time)
    for port in release.ports:
        if request.port in ("", port.port):
            record.row_counts[port.port] = port.row_count
    wanted = (it for it in release.quality if request.port in ("", it.port) and request.check in ("", it.check))
    record.results.extend(wanted)
    return record
