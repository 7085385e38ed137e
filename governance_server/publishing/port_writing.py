"""Writing one port of a publication that is going to be visible: files into the table, one log entry; or passages into the store.

May be repeated after a crash at any point. Whether anything is visible is the journal's matter.
"""

from __future__ import annotations

from dataclasses import dataclass

from domainmesh.v1 import product_pb2, publication_pb2
from governance_server.backend import Backend
from governance_server.publishing.collection_entries import Staged, is_delivered
from governance_server.publishing.delivery import storage_schema_of, verified_files
from governance_server.publishing.modes import KEEP, OVERWRITE, REPLACE_PARTITIONS
from governance_server.publishing.passages import PassageIndexer
from governance_server.rules import kinds
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.layout import CHANGE_FOLDER, Warehouse
from mesh_core.contract import Port

__all__ = ["PortWriter", "WrittenPort"]


@dataclass(frozen=True, slots=True)
class WrittenPort:
    """A port as a publication has written it."""

    released: product_pb2.ReleasedPort
    """What the release says of it."""
    staged: Staged | None = None
    """What was found of the passages of a collection that was delivered."""


class PortWriter:
    """Writes ports."""

    def __init__(self, backend: Backend, warehouse: Warehouse, passages: PassageIndexer) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._passages = passages

    def write(self, publication: publication_pb2.Publication, port: Port, verified: publication_pb2.VerifiedPort) -> WrittenPort:
        """The port holds what the publication makes of it; readers of other versions see no change."""
        mode = verified.mode or OVERWRITE
        released = product_pb2.ReleasedPort(
            port=verified.port, kind=verified.kind, delta_version=-1, row_count=verified.row_count,
            size_bytes=verified.size_bytes, mode=mode,
        )  # fmt: skip
        before = self._before(publication.product, verified.port)
        if verified.kind == product_pb2.PORT_KIND_COLLECTION:
            return WrittenPort(released, self._write_collection(publication, verified, released))
        if mode == KEEP:
            released.delta_version = before.delta_version
        else:
            self._write_table(publication, port, verified, released, before)
        return WrittenPort(released)

    def _write_collection(
        self,
        publication: publication_pb2.Publication,
        verified: publication_pb2.VerifiedPort,
        released: product_pb2.ReleasedPort,
    ) -> Staged | None:
        """The version holds what was delivered, or what it held; how many passages are its newest is known from now on."""
        before = self._released_before(publication.product, verified.port)
        staged = self._passages.stage(publication.id, verified, publication.version) if is_delivered(verified) else None
        newest = publication.version if staged is not None and staged.added else before.newest_version
        if newest:
            released.newest_version = newest
            released.newest_count = before.newest_count
            if staged is not None:
                released.newest_count = self._passages.count_since(verified.port, publication.version, newest)
        return staged

    def _released_before(self, product: str, port: str) -> product_pb2.ReleasedPort:
        body = self._backend.catalog.get(kinds.PRODUCT, product)
        served = product_pb2.Product.FromString(body or b"").version
        release = self._backend.catalog.get(kinds.RELEASE, kinds.versioned_name(product, served)) if served else None
        ports = product_pb2.Release.FromString(release or b"").ports
        return next((it for it in ports if it.port == port), product_pb2.ReleasedPort(port=port))

    def _before(self, product: str, port: str) -> product_pb2.Port:
        body = self._backend.catalog.get(kinds.PRODUCT, product)
        known = product_pb2.Product.FromString(body or b"")
        ports = known.ports if known.version else ()
        return next((it for it in ports if it.name == port), product_pb2.Port(name=port, delta_version=-1))

    def _write_table(
        self,
        publication: publication_pb2.Publication,
        port: Port,
        verified: publication_pb2.VerifiedPort,
        released: product_pb2.ReleasedPort,
        before: product_pb2.Port,
    ) -> None:
        from governance_server.warehouse.delta_log import TableChange, commit_version, take_over

        incoming = self._warehouse.incoming_folder(publication.id, port.name)
        table = self._warehouse.port_location(verified.port)
        taken = take_over(incoming, verified_files(verified.files, port), table, publication.id)
        aside = take_over(incoming, verified_files(verified.replaced_files, port), table.inside(CHANGE_FOLDER), publication.id)
        fault_point("publish.taken_over")
        is_whole = released.mode == OVERWRITE or before.delta_version < 0
        change = TableChange(
            taken,
            storage_schema_of(port),
            mode="overwrite" if is_whole else "append",
            removed=tuple(verified.removed_files),
            partition_by=tuple(column.name for column in port.partition_key),
            base=before.delta_version,
        )
        released.delta_version = commit_version(
            table, change, publication_id=publication.id, version=publication.version, tables=self._warehouse.tables
        )
        changes = released.changes
        changes.delta_version = released.delta_version
        changes.replaced_version = before.delta_version if is_whole else -1
        changes.inserted_files.extend(file.name for file in taken[: verified.delivered_count])
        changes.replaced_files.extend(file.name for file in aside)
        if released.mode == REPLACE_PARTITIONS:
            changes.deleted_files.extend(verified.removed_files)
