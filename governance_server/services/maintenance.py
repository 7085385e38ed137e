"""MaintenanceService: the upkeep of products on the wire."""

from __future__ import annotations

import grpc

from domainmesh.v1 import maintenance_service_pb2 as pb
from domainmesh.v1 import maintenance_service_pb2_grpc, product_pb2
from governance_server.backend import Backend, read
from governance_server.caller import Caller, current_caller
from governance_server.journal.command import Outcome, Transaction
from governance_server.rules import kinds
from governance_server.rules.errors import Invalid
from governance_server.services.publications import understood_storage
from governance_server.upkeep.erasure import Eraser
from governance_server.upkeep.upkeep import Upkeep
from governance_server.upkeep.versions import retire
from governance_server.warehouse.faults import fault_point

__all__ = ["MaintenanceService"]

_LONGEST_REASON = 1000


class MaintenanceService(maintenance_service_pb2_grpc.MaintenanceServiceServicer):
    """Serves upkeep."""

    def __init__(self, backend: Backend, upkeep: Upkeep, eraser: Eraser) -> None:
        self._backend = backend
        self._upkeep = upkeep
        self._eraser = eraser

    def MaintainProduct(self, request: pb.MaintainProductRequest, context: grpc.ServicerContext) -> pb.MaintainProductResponse:
        """Retires what has expired, compacts tables and removes what no version needs."""
        caller = self._authorised(request.product)
        with understood_storage(request.product):
            return self._upkeep.maintain(request.product, caller.name)

    def CompactProduct(self, request: pb.CompactProductRequest, context: grpc.ServicerContext) -> pb.CompactProductResponse:
        """Puts the rows of each table's served version into fewer, or better sorted, files."""
        caller = self._authorised(request.product)
        with understood_storage(request.product):
            return self._upkeep.compact(request, caller.name)

    def VacuumProduct(self, request: pb.VacuumProductRequest, context: grpc.ServicerContext) -> pb.VacuumProductResponse:
        """Removes files and passages that no version needs which may be read."""
        self._authorised(request.product)
        with understood_storage(request.product):
            return self._upkeep.vacuum(request)

    def ReindexProduct(self, request: pb.ReindexProductRequest, context: grpc.ServicerContext) -> pb.ReindexProductResponse:
        """Builds the search indexes of a product's collections anew from what they hold."""
        self._authorised(request.product)
        return self._upkeep.reindex(request)

    def RetireVersion(self, request: pb.RetireVersionRequest, context: grpc.ServicerContext) -> product_pb2.Release:
        """Ends a version that is not the one served."""
        reason = request.reason.strip()

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "administer", request.product)
            if not reason or len(reason) > _LONGEST_REASON:
                raise Invalid(f"A reason of 1 to {_LONGEST_REASON} characters is needed: readers are told it.")
            product = read(tx, kinds.PRODUCT, request.product, product_pb2.Product)
            outcome = retire(tx, product, request.version, reason)
            fault_point("retire.decided")
            return outcome

        receipt = self._backend.submit(request, request.request_id, run)
        fault_point("retire.recorded")
        return product_pb2.Release.FromString(receipt.reply)

    def EraseSubject(self, request: pb.EraseSubjectRequest, context: grpc.ServicerContext) -> pb.EraseSubjectResponse:
        """Removes a data subject from every version, file and passage of products, or says what would be removed."""
        with understood_storage(", ".join(request.products)):
            return self._eraser.erase(request, current_caller())

    def _authorised(self, product: str) -> Caller:
        caller = current_caller()
        self._backend.policy.authorise(caller, "administer", product)
        return caller
