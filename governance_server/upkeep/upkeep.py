"""The upkeep of products: retiring what has expired, compacting, vacuuming. Each under the product's lease, so beside no commit.

What is done may be lost at any point and done again: compaction writes a Delta version that the catalog names afterwards, vacuum
removes only what no version needs that may be read.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

from domainmesh.v1 import maintenance_service_pb2 as pb
from domainmesh.v1 import product_pb2, publication_pb2
from governance_server.backend import Backend, read, store
from governance_server.contracts import parse_contract
from governance_server.journal.command import Outcome, Transaction
from governance_server.publishing.lease import product_lease
from governance_server.publishing.rewrites import Rewrites
from governance_server.rules import kinds
from governance_server.rules.errors import Conflict, Invalid, Precondition, Unavailable
from governance_server.rules.retention import expired, retention_of
from governance_server.storage.leases import Leases
from governance_server.upkeep.broken_erasures import BrokenErasures
from governance_server.upkeep.versions import find_release, kept_releases, kept_times, retire
from governance_server.upkeep.whole_collections import lacking
from governance_server.vector_access import VectorAccess
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.layout import CHANGE_FOLDER, Warehouse
from mesh_core.contract import Contract, Port

__all__ = ["DEFAULT_GRACE", "UPKEEP", "Upkeep"]

UPKEEP = "service:upkeep"
"""In whose name the journal has what happens by itself."""
DEFAULT_GRACE = timedelta(hours=1)
_PATIENCE_SECONDS = 10.0
_COMMITTING = publication_pb2.PUBLICATION_STATE_COMMITTING


class Upkeep:
    """Does the upkeep of products."""

    def __init__(self, backend: Backend, warehouse: Warehouse, vectors: VectorAccess) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._vectors = vectors
        self._leases = Leases(backend.database, clock=backend.now)
        self._rewrites = Rewrites(backend, warehouse)
        self.erased = BrokenErasures(backend, vectors, UPKEEP)

    def maintain(self, product: str, principal: str = UPKEEP) -> pb.MaintainProductResponse:
        """What has expired is retired, tables are compacted, what nobody needs is gone. Raises: Conflict, StorageUnavailable."""
        with self.alone(product):
            retired = self._retire_expired(product, principal)
            compacted = self._compact(product, principal, port="", z_order=())
            vacuumed = self._vacuum(product, DEFAULT_GRACE, dry_run=False)
        return pb.MaintainProductResponse(retired_versions=retired, compacted=compacted, vacuumed=vacuumed)

    def compact(self, request: pb.CompactProductRequest, principal: str) -> pb.CompactProductResponse:
        """The served version's tables lie in few files. Raises: Invalid, Conflict, StorageUnavailable."""
        with self.alone(request.product):
            compacted = self._compact(request.product, principal, port=request.port, z_order=request.z_order)
        return pb.CompactProductResponse(compacted=compacted)

    def vacuum(self, request: pb.VacuumProductRequest) -> pb.VacuumProductResponse:
        """What no version needs that may be read is gone. Raises: Conflict, StorageUnavailable."""
        grace = timedelta(hours=request.grace_hours) if request.HasField("grace_hours") else DEFAULT_GRACE
        with self.alone(request.product):
            return pb.VacuumProductResponse(vacuumed=self._vacuum(request.product, grace, dry_run=request.validate_only))

    def reindex(self, request: pb.ReindexProductRequest) -> pb.ReindexProductResponse:
        """The product's collections have new search indexes, of all that was published.

        Raises:
            Invalid, Conflict, Unavailable: nothing, or not all, was indexed.
            Precondition: a version is still not as it was published.
        """
        from mesh_core.vectors.store import CollectionMissing, VectorStoreError

        entry = self.product(request.product)
        collections = [
            port.name
            for port in entry.ports
            if port.kind == product_pb2.PORT_KIND_COLLECTION and entry.version and request.port in ("", port.name)
        ]
        if request.port and not collections:
            hint = f"name one by its three parts, as `mesh show {request.product}` does"
            raise Invalid(f"{request.port!r} is no published collection of {request.product}: {hint}.", resource=request.product)
        response = pb.ReindexProductResponse()
        lacks: list[str] = []
        with self.alone(request.product):
            for name in collections:
                try:
                    response.reindexed.add(port=name, passages=self._vectors.store.rebuild(name))
                    self.erased.count(request.product)
                    lacks += lacking(self._backend.catalog, self._vectors, name)
                except CollectionMissing:
                    lacks.append(f"{name} is not there at all")
                except VectorStoreError as error:
                    raise Unavailable(f"{name} could not be indexed anew: {error}", resource=name) from error
        if lacks:
            raise Precondition(
                f"Indexed anew, but {'; '.join(lacks)}: the vector store lost some, or is from an older backup than the journal. "
                f"Restore both from one backup, or publish {request.product} again and retire those versions.",
                resource=request.product,
            )
        return response

    def clear(self, product: str, *, grace: timedelta) -> None:
        """What no version needs that may be read is gone. Only within `alone`. Raises: StorageUnavailable."""
        self._vacuum(product, grace, dry_run=False)

    @contextmanager
    def alone(self, product: str) -> Iterator[None]:
        """Within the block nobody publishes the product, and nothing of it is half published. Raises: Conflict, Overloaded."""
        with product_lease(self._leases, product, secrets.token_hex(8), patience_seconds=_PATIENCE_SECONDS):
            for publication_id in self.product(product).open_publications:
                publication = read(self._backend.catalog, kinds.PUBLICATION, publication_id, publication_pb2.Publication)
                if publication.state == _COMMITTING:
                    raise Conflict(f"{product} is being published: end that with `mesh repair {product}`.", resource=product)
            self._rewrites.undo(product)
            yield

    def rewriting(self, product: str) -> AbstractContextManager[None]:
        """Within the block, which is within `alone`, tables are rewritten and the journal is told; else that is undone later."""
        return self._rewrites.noted(product)

    def product(self, name: str) -> product_pb2.Product:
        """The product now. Raises: NotFound."""
        return read(self._backend.catalog, kinds.PRODUCT, name, product_pb2.Product)

    def _retire_expired(self, product: str, principal: str) -> list[int]:
        entry = self.product(product)
        if not entry.version:
            return []
        retention = retention_of(self._contract(entry).custom_properties)
        kept = kept_times(kept_releases(self._backend.catalog, product))
        over = expired(kept, entry.version, retention, self._backend.now())
        for version in over:

            def run(tx: Transaction, version: int = version) -> Outcome:
                return retire(tx, read(tx, kinds.PRODUCT, product, product_pb2.Product), version, "its retention is over")

            self._backend.journal_as(principal, run)
        return over

    def _contract(self, product: product_pb2.Product) -> Contract:
        name = kinds.versioned_name(product.name, product.version)
        return parse_contract(read(self._backend.catalog, kinds.CONTRACT, name, product_pb2.Contract).text)

    def _compact(self, product: str, principal: str, *, port: str, z_order: Sequence[str]) -> list[pb.CompactedPort]:
        from governance_server.warehouse.table_care import compact

        entry = self.product(product)
        tables = [it for it in entry.ports if it.kind == product_pb2.PORT_KIND_TABLE and port in ("", it.name)]
        if port and not tables:
            raise Invalid(f"{port} is no table of {product}.", resource=product)
        if not entry.version:
            return []
        ports = {it.name: it for it in self._contract(entry).ports}
        done = []
        for table in tables:
            columns = _z_order(ports[table.name.rpartition(".")[2]], z_order)
            root, scratch = self._warehouse.port_location(table.name), self._backend.settings.scratch
            with self.rewriting(product):
                compacted = compact(root, table.delta_version, z_order=columns, scratch=scratch)
                fault_point("compact.written")
                if compacted is not None and compacted.delta_version != table.delta_version:
                    self._pin(entry, table.name, compacted.delta_version, principal)
                    done.append(
                        pb.CompactedPort(port=table.name, files_before=compacted.files_before, files_after=compacted.files_after)
                    )
                    fault_point("compact.recorded")
        return done

    def _pin(self, product: product_pb2.Product, port: str, delta_version: int, principal: str) -> None:
        """Readers of the served version find its rows in this Delta version."""

        def run(tx: Transaction) -> Outcome:
            current = read(tx, kinds.PRODUCT, product.name, product_pb2.Product)
            release = find_release(tx, product.name, product.version)
            for entry in [it for it in current.ports if it.name == port and current.version == product.version]:
                entry.delta_version = delta_version
            for released in [it for it in release.ports if it.port == port]:
                released.delta_version = delta_version
            name = kinds.versioned_name(product.name, product.version)
            writes = (store(kinds.PRODUCT, product.name, current), store(kinds.RELEASE, name, release))
            return Outcome("product.compacted", product.name, writes, b"")

        self._backend.journal_as(principal, run)

    def _vacuum(self, product: str, grace: timedelta, *, dry_run: bool) -> list[pb.VacuumedPort]:
        from governance_server.warehouse.table_care import clear_files, vacuum

        kept: dict[str, list[int]] = {}
        collections: dict[str, list[int]] = {}
        changes: dict[str, set[str]] = {}
        for _, body in self._backend.catalog.list(kinds.RELEASE, prefix=f"{product}/"):
            release = product_pb2.Release.FromString(body)
            for port in release.ports:
                is_table = port.kind == product_pb2.PORT_KIND_TABLE
                versions = (kept if is_table else collections).setdefault(port.port, [])
                if not release.HasField("retire_time"):
                    versions.append(port.delta_version if is_table else release.version)
                    if port.HasField("changes"):
                        versions.append(port.changes.delta_version)
                        changes.setdefault(port.port, set()).update(port.changes.replaced_files)
        counts: dict[str, int] = {}
        for name, versions in kept.items():
            counts[name] = vacuum(self._warehouse.port_location(name), versions, grace=grace, dry_run=dry_run)
            fault_point("vacuum.table")
        for name in kept:
            aside = self._warehouse.port_location(name).inside(CHANGE_FOLDER)
            counts[name] += clear_files(aside, changes.get(name, set()), now=self._backend.now(), grace=grace, dry_run=dry_run)
            fault_point("vacuum.changes")
        for name, versions in collections.items():
            counts[name] = self._vectors.store.prune(name, versions, dry_run=dry_run)
            fault_point("vacuum.collection")
        return [pb.VacuumedPort(port=name, count=count) for name, count in sorted(counts.items())]


def _z_order(port: Port, asked: Sequence[str]) -> list[str]:
    """The columns to sort by: those asked for, else those of the port's custom property `zOrder`. Raises: Invalid."""
    said = port.custom_properties.get("zOrder") or ()
    columns = list(asked) or ([said] if isinstance(said, str) else [str(name) for name in said])
    known = {column.name for column in port.columns}
    if missing := [name for name in columns if name not in known]:
        raise Invalid(f"{port.name} has no column {', '.join(missing)} to sort by.", resource=port.name)
    return columns
