"""Completion: a verified publication becomes visible, or is given up; what crashed publishers and servers left is ended.

From the intent on a publication needs nothing of its publisher any more. Runs under the product's lease (ADR 0001).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC

from domainmesh.v1 import lineage_pb2, product_pb2, publication_pb2
from governance_server.backend import Backend, Reader, read, stamp, store
from governance_server.journal.command import Outcome, Transaction
from governance_server.lineage.emit import LineageEmitter
from governance_server.publishing.collection_entries import Staged, describe_collections
from governance_server.publishing.contract_gate import ContractGate
from governance_server.publishing.datasets import name_datasets
from governance_server.publishing.entries import described, released_lineages, settle, without_delivery
from governance_server.publishing.expectations import Expectations
from governance_server.publishing.kept_mentions import former_mentions, found_mentions, given_up_mentions
from governance_server.publishing.lease import product_lease
from governance_server.publishing.passages import PassageIndexer
from governance_server.publishing.port_writing import PortWriter
from governance_server.publishing.release_history import date_ports, note_history, past_releases
from governance_server.publishing.rescans import note_rescans
from governance_server.publishing.rewrites import Rewrites
from governance_server.publishing.tag_consent import carried_write
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import Conflict
from governance_server.storage.leases import Leases
from governance_server.warehouse.errors import DeliveryRejected, VersionConflict
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.layout import Warehouse
from mesh_core.contract import Contract
from mesh_core.contract.coverage import not_enforced

__all__ = ["PATIENCE_SECONDS", "Completion", "product_of"]

_LOG = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0
"""How long one publication of a product waits for another."""

_OPEN = publication_pb2.PUBLICATION_STATE_OPEN
_COMMITTING = publication_pb2.PUBLICATION_STATE_COMMITTING
_COMMITTED = publication_pb2.PUBLICATION_STATE_COMMITTED
_ABORTED = publication_pb2.PUBLICATION_STATE_ABORTED


def product_of(source: Reader, name: str) -> product_pb2.Product:
    """The product as it is; one without a version if it was never published."""
    body = source.get(kinds.PRODUCT, name)
    return product_pb2.Product.FromString(body) if body is not None else product_pb2.Product(name=name)


class Completion:
    """Ends publications, one way or the other."""

    def __init__(
        self,
        backend: Backend,
        *,
        warehouse: Warehouse,
        passages: PassageIndexer,
        emitter: LineageEmitter,
        parse: Callable[[str], Contract],
    ) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._passages = passages
        self._emitter = emitter
        self._port_writer = PortWriter(backend, warehouse, passages)
        self._parse = parse
        self._gate = ContractGate(backend, parse)
        self._expectations = Expectations(backend)
        self._leases = Leases(backend.database, clock=backend.now)
        self._rewrites = Rewrites(backend, warehouse)

    def complete(self, publication: publication_pb2.Publication) -> product_pb2.Release:
        """The publication is visible, or given up because it never can be: nothing of it ever was then. Raises: Conflict."""
        try:
            return self._roll_forward(publication)
        except (VersionConflict, DeliveryRejected) as error:
            _LOG.exception("publication cannot be completed publication=%s product=%s", publication.id, publication.product)
            self._passages.unstage(publication)
            self.give_up(publication, "it could not be completed.")
            message = f"Publication {publication.id} could not be completed: {error}"
            raise Conflict(message, resource=publication.product) from error

    def _roll_forward(self, publication: publication_pb2.Publication) -> product_pb2.Release:
        """A verified publication is visible; may be repeated after a crash at any point."""
        contract = self._parse(publication.contract_text)
        entry = described(product_pb2.Product(name=publication.product), contract)
        release = product_pb2.Release(
            product=publication.product, version=publication.version, contract_version=contract.version,
            quality=publication.quality, expectations=publication.expectations,
            principal=publication.principal, publication=publication.id,
            not_enforced=[*not_enforced(contract.document), *contract.uncomputed],
        )  # fmt: skip
        staged: dict[str, Staged] = {}
        for port, verified in zip(contract.ports, publication.verified_ports, strict=True):
            written = self._port_writer.write(publication, port, verified)
            release.ports.append(written.released)
            if written.staged is not None:
                staged[verified.port] = written.staged
            fault_point("publish.port_written")
        served = product_of(self._backend.catalog, publication.product)
        describe_collections(entry, served, publication, staged)
        note_rescans(entry, contract, publication)
        date_ports(entry, publication.verified_ports, served)
        past = past_releases(self._backend.catalog, publication.product, publication.version)
        note_history(entry, release, past, self._backend.now())
        self._emitter.emit(publication, entry, release)
        self._backend.journal_as(publication.principal, lambda tx: _mentions(tx, publication))
        fault_point("publish.before_final")
        receipt = self._backend.journal_as(
            publication.principal, lambda tx: self._finish(tx, publication, contract, entry, release)
        )
        fault_point("publish.final")
        self._warehouse.discard(publication.id)
        return product_pb2.Release.FromString(receipt.reply)

    def _finish(
        self,
        tx: Transaction,
        publication: publication_pb2.Publication,
        contract: Contract,
        entry: product_pb2.Product,
        release: product_pb2.Release,
    ) -> Outcome:
        product = product_of(tx, publication.product)
        name = kinds.versioned_name(product.name, publication.version)
        if publication.id not in product.open_publications:
            return Outcome(
                "publication.committed", product.name, (), read(tx, kinds.RELEASE, name, product_pb2.Release).SerializeToString()
            )
        previous = {
            lineage_name: lineage_pb2.PortLineage.FromString(body)
            for lineage_name, body in tx.list(kinds.LINEAGE, prefix=f"{product.name}.")
        }
        carried = carried_write(tx, product, entry)
        ended = self._gate.ending_writes(tx, product, contract)
        told = self._expectations.writes(tx, publication.expectations, publication.version)
        settle(product, entry, contract, release, stamp(tx.time))
        self._name_datasets(product, contract)
        product.open_publications.remove(publication.id)
        publication.state = _COMMITTED
        release.publish_time.CopyFrom(stamp(tx.time))
        text = product_pb2.Contract(
            product=product.name, version=contract.version, api_version=contract.api_version, text=publication.contract_text
        )
        lineages = {lineage.port: lineage for lineage in released_lineages(publication, previous)}
        writes = [
            store(kinds.PRODUCT, product.name, product), store(kinds.RELEASE, name, release), store(kinds.CONTRACT, name, text),
            store(kinds.PUBLICATION, publication.id, without_delivery(publication)), carried, *ended, *told,
            *(store(kinds.LINEAGE, port, lineage) for port, lineage in lineages.items()),
            *(ResourceWrite(kinds.LINEAGE, port, None) for port in sorted(set(previous) - set(lineages))),
            *former_mentions(tx, publication),
        ]  # fmt: skip
        return Outcome("publication.committed", product.name, tuple(writes), release.SerializeToString())

    def repair(self, product: str = "") -> tuple[list[str], list[str]]:
        """Ids of publications rolled forward and given up: COMMITTING ones, and OPEN ones past their time.

        Rewrites of tables that broke off are undone.
        """
        committed: list[str] = []
        aborted: list[str] = []
        for publication in self._unfinished(product):
            with product_lease(self._leases, publication.product, secrets.token_hex(8), patience_seconds=PATIENCE_SECONDS):
                current = read(self._backend.catalog, kinds.PUBLICATION, publication.id, publication_pb2.Publication)
                if current.state == _COMMITTING:
                    (committed if self._ends_committed(current) else aborted).append(current.id)
                elif current.state == _OPEN and current.expire_time.ToDatetime(tzinfo=UTC) <= self._backend.now():
                    self.give_up(current, "its time ran out.")
                    aborted.append(current.id)
        for name in self._rewrites.broken_off(product):
            with product_lease(self._leases, name, secrets.token_hex(8), patience_seconds=PATIENCE_SECONDS):
                self.undo_rewrites(name)
        self._sweep()
        return committed, aborted

    def _sweep(self) -> None:
        """Publications that ended have no files left, even if the server died before it could remove them."""
        for publication_id in self._warehouse.publications():
            body = self._backend.catalog.get(kinds.PUBLICATION, publication_id)
            if body is not None and publication_pb2.Publication.FromString(body).state in (_COMMITTED, _ABORTED):
                self._warehouse.discard(publication_id)

    def roll_forward_others(self, publication: publication_pb2.Publication) -> None:
        """No other publication of the product is half done."""
        for other in self._unfinished(publication.product):
            if other.id != publication.id and other.state == _COMMITTING:
                _LOG.warning("rolling forward publication=%s product=%s", other.id, other.product)
                self._ends_committed(other)

    def version_to_be(self, source: Reader, product: product_pb2.Product) -> int:
        """The version that is served once what was verified and broke off is ended, as the next commit does first."""
        kept = (read(source, kinds.PUBLICATION, it, publication_pb2.Publication) for it in product.open_publications)
        return max([product.version, *(it.version for it in kept if it.state == _COMMITTING)])

    def undo_rewrites(self, product: str) -> None:
        """Tables hold what is served, and nothing that upkeep broke off. Only under the product's lease."""
        if not self._rewrites.broken_off(product):
            return
        if not any(publication.state == _COMMITTING for publication in self._unfinished(product)):
            self._rewrites.undo(product)

    def _ends_committed(self, publication: publication_pb2.Publication) -> bool:
        """True if the publication is visible now, False if it had to be given up; either way it stands in nobody's way."""
        try:
            self.complete(publication)
        except Conflict:
            return False
        return True

    def _unfinished(self, product: str) -> Iterator[publication_pb2.Publication]:
        for name, entry in list(self._backend.policy.facts().products.items()):
            if product in ("", name):
                for publication_id in list(entry.open_publications):
                    yield read(self._backend.catalog, kinds.PUBLICATION, publication_id, publication_pb2.Publication)

    def give_up(self, publication: publication_pb2.Publication, reason: str) -> None:
        """The publication is aborted and its files are gone."""
        self._backend.journal_as(publication.principal, lambda tx: self.aborted(tx, publication, reason))
        self._warehouse.discard(publication.id)

    def aborted(self, tx: Transaction, publication: publication_pb2.Publication, reason: str) -> Outcome:
        """What journals that the publication is aborted."""
        if publication.state == _ABORTED:
            return Outcome("publication.aborted", publication.product, (), publication.SerializeToString())
        product = product_of(tx, publication.product)
        publication.state, publication.abort_reason = _ABORTED, reason
        if publication.id in product.open_publications:
            product.open_publications.remove(publication.id)
        entries = store(kinds.PUBLICATION, publication.id, publication), store(kinds.PRODUCT, product.name, product)
        writes = (*entries, *given_up_mentions(tx, publication))
        return Outcome("publication.aborted", publication.product, writes, publication.SerializeToString())

    def _name_datasets(self, product: product_pb2.Product, contract: Contract) -> None:
        owners = self._backend.policy.facts().owners
        vectors = self._backend.settings.vectors_url
        name_datasets(product, contract, owners, place=lambda port: str(self._warehouse.port_location(port)), vectors=vectors)


def _mentions(tx: Transaction, publication: publication_pb2.Publication) -> Outcome:
    return Outcome("publication.mentions", publication.product, tuple(found_mentions(tx, publication)), b"")
