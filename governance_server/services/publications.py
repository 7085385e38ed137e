"""PublicationService: the publication protocol on the wire."""

from __future__ import annotations

import grpc

from domainmesh.v1 import product_pb2, publication_pb2, publication_service_pb2_grpc
from domainmesh.v1 import publication_service_pb2 as pb
from governance_server.backend import Backend
from governance_server.caller import current_caller
from governance_server.publishing.expectations import shown_results
from governance_server.publishing.publisher import Publisher
from governance_server.rules.errors import GovernanceError, Unavailable
from governance_server.warehouse.errors import WarehouseError
from mesh_core.names import MESH

__all__ = ["PublicationService", "understood_storage"]


class PublicationService(publication_service_pb2_grpc.PublicationServiceServicer):
    """Serves publications."""

    def __init__(self, backend: Backend, publisher: Publisher) -> None:
        self._backend = backend
        self._publisher = publisher

    def BeginPublication(self, request: pb.BeginPublicationRequest, context: grpc.ServicerContext) -> publication_pb2.Publication:
        """Opens a publication and hands out write locations."""
        with understood_storage(request.product):
            return self._publisher.begin(request)

    def SignUploads(self, request: pb.SignUploadsRequest, context: grpc.ServicerContext) -> pb.SignUploadsResponse:
        """Returns a request for each file that puts exactly this file where it is to be delivered."""
        with understood_storage(request.id):
            return self._publisher.sign_uploads(request, current_caller())

    def CommitPublication(self, request: pb.CommitPublicationRequest, context: grpc.ServicerContext) -> product_pb2.Release:
        """Verifies what was delivered and makes all ports visible together, or none."""
        with understood_storage(request.id):
            release = self._publisher.commit(request, current_caller())
        shown = shown_results(self._backend, release.expectations, current_caller())
        del release.expectations[:]
        release.expectations.extend(shown)
        return release

    def AbortPublication(self, request: pb.AbortPublicationRequest, context: grpc.ServicerContext) -> publication_pb2.Publication:
        """Gives a publication up and removes its files."""
        with understood_storage(request.id):
            return self._publisher.abort(request, current_caller())

    def GetPublication(self, request: pb.GetPublicationRequest, context: grpc.ServicerContext) -> publication_pb2.Publication:
        """Returns one publication."""
        return self._publisher.get(request.id, current_caller(), action="write")

    def RepairPublications(
        self, request: pb.RepairPublicationsRequest, context: grpc.ServicerContext
    ) -> pb.RepairPublicationsResponse:
        """Ends what crashed publishers and servers left behind."""
        self._backend.policy.authorise(current_caller(), "administer", MESH)
        with understood_storage(request.product):
            committed, aborted = self._publisher.repair(request.product)
        return pb.RepairPublicationsResponse(committed=committed, aborted=aborted)


class understood_storage:  # reads as a word in `with understood_storage(name):`
    """Turns what the warehouse and the vector store raise into the server's errors."""

    def __init__(self, resource: str) -> None:
        self._resource = resource

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, WarehouseError):
            raise Unavailable(str(error), resource=self._resource) from error
        if error is None or isinstance(error, GovernanceError):
            return
        from mesh_core.vectors.store import VectorStoreError

        if isinstance(error, VectorStoreError):
            raise Unavailable(f"{str(error).rstrip('.')}. Repeat the command.", resource=self._resource) from error
