"""`product.upkeep`: what keeps a product's storage in order: compaction, vacuum, and the end of old versions.

Needs `administer` on the product. Nothing here changes what a version that may be read holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain_sdk._arguments import checked_names, checked_text

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domain_sdk.release import Release

__all__ = ["Compaction", "Maintained", "Reindexed", "Removal", "Upkeep"]

_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Compaction:
    """A table whose served version lies in other files now."""

    port: str
    files_before: int
    files_after: int


@dataclass(frozen=True, slots=True)
class Removal:
    """What a vacuum removed of a port."""

    port: str
    count: int
    """Files of a table, or passages of a collection."""


@dataclass(frozen=True, slots=True)
class Reindexed:
    """A collection whose search indexes were made anew."""

    port: str
    passages: int
    """Those it holds, over all versions."""


@dataclass(frozen=True, slots=True)
class Maintained:
    """What the upkeep of a product did."""

    retired_versions: tuple[int, ...]
    compacted: tuple[Compaction, ...]
    removed: tuple[Removal, ...]


class Upkeep:
    """The upkeep of one product."""

    def __init__(self, transport: Transport, product: str) -> None:
        self._transport = transport
        self._product = product

    def maintain(self) -> Maintained:
        """Versions whose time is over by the contract are retired, tables compacted, files that no version needs removed.

        Raises:
            Conflict: the product is half published.
            Overloaded: it is being published just now.
        """
        from domainmesh.v1 import maintenance_service_pb2 as pb
        from domainmesh.v1.maintenance_service_pb2_grpc import MaintenanceServiceStub

        method = self._transport.control(MaintenanceServiceStub).MaintainProduct
        done = self._transport.call(method, pb.MaintainProductRequest(product=self._product), timeout_seconds=_SECONDS)
        compacted = tuple(Compaction(it.port, it.files_before, it.files_after) for it in done.compacted)
        return Maintained(tuple(done.retired_versions), compacted, tuple(Removal(it.port, it.count) for it in done.vacuumed))

    def compact(self, *, port: str = "", z_order: Sequence[str] = ()) -> list[Compaction]:
        """The served version of each table lies in few files, or sorted along a Z-curve of columns; its rows are the same.

        Args:
            port: Only this one, by its three-part name.
            z_order: Columns that readers filter by; those of the port's custom property `zOrder` when left out.

        Raises:
            InvalidRequest: there is no such table or column.
            Conflict: the product is half published.
            Overloaded: it is being published just now.
        """
        from domainmesh.v1 import maintenance_service_pb2 as pb
        from domainmesh.v1.maintenance_service_pb2_grpc import MaintenanceServiceStub

        request = pb.CompactProductRequest(product=self._product, port=port, z_order=checked_names(z_order, "z_order"))
        method = self._transport.control(MaintenanceServiceStub).CompactProduct
        done = self._transport.call(method, request, timeout_seconds=_SECONDS)
        return [Compaction(it.port, it.files_before, it.files_after) for it in done.compacted]

    def vacuum(self, *, grace_hours: int = 1, dry_run: bool = False) -> list[Removal]:
        """Files and passages that no version needs which may be read are gone; with `dry_run` they are only counted.

        What was in use within `grace_hours` stays, for reads that run.

        Raises:
            Conflict: the product is half published.
            Overloaded: it is being published just now.
        """
        from domainmesh.v1 import maintenance_service_pb2 as pb
        from domainmesh.v1.maintenance_service_pb2_grpc import MaintenanceServiceStub

        request = pb.VacuumProductRequest(product=self._product, grace_hours=grace_hours, validate_only=dry_run)
        method = self._transport.control(MaintenanceServiceStub).VacuumProduct
        done = self._transport.call(method, request, timeout_seconds=_SECONDS)
        return [Removal(it.port, it.count) for it in done.vacuumed]

    def reindex(self, *, port: str = "") -> list[Reindexed]:
        """The search indexes of the product's collections are made anew from what they hold, as after a restore.

        Who searches meanwhile is answered from the old indexes; the new ones take their place in one step.

        Args:
            port: Only this collection, by its three-part name.

        Raises:
            InvalidRequest: there is no such collection.
            Conflict: the product is half published.
            Overloaded: it is being published just now.
            StorageUnavailable: the vector store failed; the old indexes are in use.
            WrongState: there are new indexes, and a version is not as it was published, or an erasure is not complete, so that
                nothing was compared; the message says what to do.
        """
        from domainmesh.v1 import maintenance_service_pb2 as pb
        from domainmesh.v1.maintenance_service_pb2_grpc import MaintenanceServiceStub

        request = pb.ReindexProductRequest(product=self._product, port=port)
        method = self._transport.control(MaintenanceServiceStub).ReindexProduct
        done = self._transport.call(method, request, timeout_seconds=_SECONDS)
        return [Reindexed(it.port, it.passages) for it in done.reindexed]

    def retire(self, version: int, *, reason: str) -> Release:
        """The version can be read no more; the next vacuum removes what only it needed. There is no way back.

        Raises:
            NotFound: there is no such version.
            WrongState: it is the one served.
        """
        from domain_sdk._catalog_calls import to_release
        from domainmesh.v1 import maintenance_service_pb2 as pb
        from domainmesh.v1.maintenance_service_pb2_grpc import MaintenanceServiceStub

        said = checked_text(reason, "reason")
        request = pb.RetireVersionRequest(product=self._product, version=version, reason=said)
        return to_release(self._transport.call(self._transport.control(MaintenanceServiceStub).RetireVersion, request))
