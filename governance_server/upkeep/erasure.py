"""Erasure of a data subject: from the version served, by one that does not hold it; from older ones, by their end; from storage.

A version never changes what it holds, so what held the subject is retired and goes with the next step: files, statistics in the
log, passages with their index, the cache of governed files, samples of quality checks, answers that speak of it, mentions of its
records, hashes of its values in memory. The journal
keeps a receipt with no value. Every step may be repeated; until the receipt says complete, repeat the command.
"""

from __future__ import annotations

from datetime import timedelta

from domainmesh.v1 import erasure_pb2, product_pb2
from domainmesh.v1 import maintenance_service_pb2 as pb
from governance_server.backend import Backend, Reader, read, stamp, store
from governance_server.caller import Caller
from governance_server.journal.command import Outcome, Transaction
from governance_server.keyring import MASKS
from governance_server.publishing.known_people import KnownPeople
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, Invalid
from governance_server.upkeep.erased_mentions import mentions_without, note_records
from governance_server.upkeep.erased_releases import released_without, retired_with
from governance_server.upkeep.journal_traces import traces, without_traces
from governance_server.upkeep.subject_storage import SubjectStorage
from governance_server.upkeep.subject_survey import Subject, Survey, is_carried, nothing_tagged, survey
from governance_server.upkeep.upkeep import Upkeep
from governance_server.upkeep.whole_collections import collections_of, corrected_counts, counts_after, uncounted
from governance_server.vector_access import VectorAccess
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.layout import Warehouse

__all__ = ["Eraser"]

_LONGEST_REASON, _LONGEST_VALUE, _MOST_VALUES = 1000, 1000, 1000


class Eraser:
    """Erases data subjects."""

    def __init__(
        self, backend: Backend, *, warehouse: Warehouse, vectors: VectorAccess, upkeep: Upkeep, people: KnownPeople
    ) -> None:
        self._backend = backend
        self._people = people
        self._warehouse = warehouse
        self._vectors = vectors
        self._upkeep = upkeep
        self._storage = SubjectStorage(backend, warehouse, vectors)

    def erase(self, request: pb.EraseSubjectRequest, caller: Caller) -> pb.EraseSubjectResponse:
        """A receipt for each product, and what was searched; a preview changes nothing.

        Raises:
            AccessDenied: the caller administers none of the products, or none at all.
            Invalid: too little is said, or nothing that the caller administers carries the tag.
            Conflict, StorageUnavailable: a product is half published, or cannot be read.
        """
        products = self._products(request, caller)
        subject = _checked(request)
        if not is_carried(self._backend, products, subject):
            raise nothing_tagged(self._backend, products, subject.tag)
        erasure_id = f"e-{self._backend.new_id()}"
        receipts: list[erasure_pb2.Erasure] = []
        searched: list[str] = []
        for product in products:
            if request.validate_only:
                found = self._survey(product, subject)
                receipts += [found.receipt(subject)] if found.is_relevant else []
            else:
                with self._upkeep.alone(product):
                    found = self._survey(product, subject)
                    receipts += self._erase(found, subject, (erasure_id, request.reason.strip()), caller)
            searched += found.searched
        if not searched:
            raise nothing_tagged(self._backend, products, subject.tag)
        return pb.EraseSubjectResponse(erasures=receipts, searched=searched)

    def _products(self, request: pb.EraseSubjectRequest, caller: Caller) -> list[str]:
        policy = self._backend.policy
        for product in request.products:
            policy.authorise(caller, "administer", product)
        if request.products:
            return sorted(set(request.products))
        known = policy.facts().products
        own = [name for name in sorted(known) if known[name].version and policy.check(caller, "administer", name).allowed]
        if not own:
            raise AccessDenied("You administer no product that is published: ask who administers them to erase.")
        return own

    def _survey(self, product: str, subject: Subject) -> Survey:
        return survey(self._backend, self._warehouse, self._vectors, product, subject)

    def _erase(self, found: Survey, subject: Subject, said: tuple[str, str], caller: Caller) -> list[erasure_pb2.Erasure]:
        """The receipts of the product that are complete now."""
        product = found.product.name
        if not found.ports:
            return []
        if found.is_relevant:
            with self._upkeep.rewriting(product):
                self._begin(found, subject, said, caller)
                self._replace_served(found, subject, said[0], caller)
                fault_point("erase.recorded")
        self._upkeep.clear(product, grace=timedelta())
        fault_point("erase.vacuumed")
        self._storage.clear(found, subject)
        self._people.forget()
        fault_point("erase.cleared")
        receipts = self._complete(found, subject, caller)
        fault_point("erase.completed")
        self._backend.database.driver.forget()
        return receipts

    def _begin(self, found: Survey, subject: Subject, said: tuple[str, str], caller: Caller) -> None:
        """The receipt is in the journal, and the number of the version that may follow is taken."""
        key_id, digests = self._hashes(subject)
        receipt = found.receipt(subject)
        receipt.id, receipt.reason, receipt.principal = said[0], said[1], caller.name
        receipt.subject_hash, receipt.key_id = digests[0], key_id
        receipt.subject_hashes.extend(digests)
        receipt.retired_versions.extend(found.holding)

        def run(tx: Transaction) -> Outcome:
            self._backend.policy.authorise(caller, "administer", found.product.name)
            product = read(tx, kinds.PRODUCT, found.product.name, product_pb2.Product)
            receipt.erase_time.CopyFrom(stamp(tx.time))
            if found.product.version in found.holding:
                product.last_version += 1
                receipt.version = product.last_version
            writes = (_kept(receipt), store(kinds.PRODUCT, product.name, product))
            return Outcome("subject.erasing", product.name, writes, b"")

        self._backend.journal_as(caller.name, run)
        fault_point("erase.begun")

    def _replace_served(self, found: Survey, subject: Subject, erasure_id: str, caller: Caller) -> None:
        """A version without the subject is served, and those that held it are retired."""
        name = kinds.versioned_name(found.product.name, found.product.version)
        receipt = read(self._backend.catalog, kinds.SUBJECT_ERASURE, f"{found.product.name}/{erasure_id}", erasure_pb2.Erasure)
        release = read(self._backend.catalog, kinds.RELEASE, name, product_pb2.Release)
        contract = read(self._backend.catalog, kinds.CONTRACT, name, product_pb2.Contract)
        for port in found.ports if receipt.version else ():
            if rows := port.rows.get(found.product.version, 0):
                written = self._storage.write_without(port, subject, rows, (erasure_id, receipt.version))
                for released in [it for it in release.ports if it.port == port.port]:
                    released.delta_version, released.row_count = written, released.row_count - rows
                    released.mode = product_pb2.WRITE_MODE_OVERWRITE
                fault_point("erase.port_written")
        fault_point("erase.written")

        holding = set(found.holding)
        kept = frozenset(kinds.versioned_name(it.product, it.version) for it in found.releases if it.version not in holding)
        gone = self._storage.gone(found, subject)
        told = traces(self._backend, found.product.name, subject, kept)

        def run(tx: Transaction) -> Outcome:
            note_records(tx, receipt, gone)
            writes = [*retired_with(tx, found, subject, f"erasure {erasure_id}"), *mentions_without(tx, gone), _kept(receipt)]
            if receipt.version:
                writes += released_without(tx, release, contract, (receipt.version, caller.name))
            writes, erases = without_traces(tx, told, writes, subject)
            return Outcome("subject.erased", found.product.name, tuple(writes), b"", erases)

        self._backend.journal_as(caller.name, run)

    def _complete(self, found: Survey, subject: Subject, caller: Caller) -> list[erasure_pb2.Erasure]:
        """The receipts that are complete now; releases have as many passages as they are left with. Only within `alone`."""
        product = found.product.name
        receipts = uncounted(self._backend.catalog, f"{product}/")
        counts = counts_after(self._backend.catalog, self._vectors, collections_of(receipts), receipts)
        done: list[erasure_pb2.Erasure] = []

        def run(tx: Transaction) -> Outcome:
            entry = read(tx, kinds.PRODUCT, product, product_pb2.Product)
            for receipt in self._begun(tx, product, subject):
                receipt.is_complete = True
                if receipt.version and tx.get(kinds.RELEASE, kinds.versioned_name(product, receipt.version)) is None:
                    receipt.version = entry.version  # it broke off before
                done.append(receipt)
            writes = (*map(_kept, done), *corrected_counts(tx, entry, counts))
            return Outcome("subject.erasure_completed", product, writes, b"")

        self._backend.journal_as(caller.name, run)
        return done

    def _begun(self, reader: Reader, product: str, subject: Subject) -> list[erasure_pb2.Erasure]:
        """The subject's receipts that are not complete."""
        digests = set(self._hashes(subject)[1])
        theirs = (it for it in _incomplete(reader, product) if {*it.subject_hashes, it.subject_hash} <= digests)
        return [it for it in theirs if it.tag == subject.tag]

    def _hashes(self, subject: Subject) -> tuple[str, list[str]]:
        """The key, and a digest of each value."""
        made = [self._backend.keys.hmac(MASKS, f"erasure\0{value.strip(' ').lower()}".encode()) for value in subject.values]
        return made[0][0], [digest.hex() for _, digest in made]


def _checked(request: pb.EraseSubjectRequest) -> Subject:
    values = tuple(dict.fromkeys([*([request.value] if request.value else []), *request.values]))
    if not request.tag.strip() or not values or not all(0 < len(it.strip(" ")) <= _LONGEST_VALUE for it in values):
        raise Invalid(f"Name the tag of the columns, and each subject's value in them of 1 to {_LONGEST_VALUE} characters.")
    if len(values) > _MOST_VALUES:
        raise Invalid(f"{len(values)} values are too many for one erasure: name at most {_MOST_VALUES}.")
    if not request.validate_only and not 0 < len(request.reason.strip()) <= _LONGEST_REASON:
        raise Invalid(f"A reason of 1 to {_LONGEST_REASON} characters is needed: it stays in the journal.")
    return Subject(request.tag.strip(), values)


def _incomplete(reader: Reader, product: str) -> list[erasure_pb2.Erasure]:
    """The product's receipts that are not complete, of whichever subject."""
    receipts = (erasure_pb2.Erasure.FromString(body) for _, body in reader.list(kinds.SUBJECT_ERASURE, prefix=f"{product}/"))
    return [it for it in receipts if not it.is_complete]


def _kept(receipt: erasure_pb2.Erasure) -> ResourceWrite:
    return store(kinds.SUBJECT_ERASURE, f"{receipt.product}/{receipt.id}", receipt)
