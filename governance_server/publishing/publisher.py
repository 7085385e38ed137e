"""Publications: each step of the protocol, and rolling a half-done one forward.

A publication is OPEN until its delivery is verified, COMMITTING once the intent is journaled (from then on it is rolled
forward whatever happens), COMMITTED when all ports became visible in one change. Readers are pinned by the catalog and see none
of this (ADR 0001).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from functools import lru_cache

from domainmesh.v1 import lineage_pb2, product_pb2, publication_pb2
from domainmesh.v1 import publication_service_pb2 as pb
from domainmesh.v1.expectation_pb2 import ExpectationResult
from governance_server.backend import Backend, Reader, read, stamp, store
from governance_server.caller import Caller, current_caller
from governance_server.contracts import parse_contract
from governance_server.journal.command import Outcome, Transaction
from governance_server.lineage.emit import LineageEmitter
from governance_server.policy.projection import denied
from governance_server.publishing.approver_changes import refuse_new_approvers, warm
from governance_server.publishing.candidate import CandidateChecks
from governance_server.publishing.candidate_files import candidate_of
from governance_server.publishing.contract_gate import ContractGate
from governance_server.publishing.datasets import name_datasets
from governance_server.publishing.delivery import check_lineage, check_quality, verify_delivery
from governance_server.publishing.entries import (
    check_servable,
    described,
    released_lineages,
    settle,
    without_delivery,
)
from governance_server.publishing.expectations import Expectations, expectations_on
from governance_server.publishing.judging import Judge, failed_key
from governance_server.publishing.known_people import mention_writes
from governance_server.publishing.lease import product_lease
from governance_server.publishing.modes import put_on_top, refuse_overtaken, wanted_modes
from governance_server.publishing.passages import PassageIndexer
from governance_server.publishing.port_writing import PortWriter
from governance_server.publishing.release_history import date_ports, note_history, past_releases
from governance_server.publishing.runs import begun_before, check_run_id, run_write
from governance_server.publishing.tag_consent import carried_write, refuse_lost_tags
from governance_server.publishing.uploads import sign_uploads, write_location
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import Conflict, ContractViolated, Precondition
from governance_server.storage.leases import Leases
from governance_server.warehouse.errors import DeliveryRejected, VersionConflict
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.layout import Warehouse
from mesh_core.contract import Contract
from mesh_core.contract.coverage import not_enforced
from mesh_core.names import parse_product

__all__ = ["Publisher"]

_LOG = logging.getLogger(__name__)
_PATIENCE_SECONDS = 10.0
_CONTRACTS_KEPT = 4
_OPEN = publication_pb2.PUBLICATION_STATE_OPEN
_COMMITTING = publication_pb2.PUBLICATION_STATE_COMMITTING
_COMMITTED = publication_pb2.PUBLICATION_STATE_COMMITTED
_ABORTED = publication_pb2.PUBLICATION_STATE_ABORTED


class Publisher:
    """Runs the publication protocol."""

    def __init__(
        self,
        backend: Backend,
        *,
        warehouse: Warehouse,
        passages: PassageIndexer,
        emitter: LineageEmitter,
        checks: CandidateChecks,
    ) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._passages = passages
        self._emitter = emitter
        self._port_writer = PortWriter(backend, warehouse, passages)
        self._leases = Leases(backend.database, clock=backend.now)
        self._parse = lru_cache(maxsize=_CONTRACTS_KEPT)(parse_contract)  # one publication parses its contract several times
        self._judge = Judge(backend, warehouse, checks, self._parse)
        self._gate = ContractGate(backend, self._parse)
        self._expectations = Expectations(backend)

    # -- begin -------------------------------------------------------------------------------------------------------

    def begin(self, request: pb.BeginPublicationRequest) -> publication_pb2.Publication:
        """An open publication with write locations. Raises: AccessDenied, InvalidContractText, IncompatibleContract."""
        domain, _ = parse_product(request.product)
        check_run_id(request.run_id)
        # Parsed before the command is queued, so that a large contract keeps no other writer waiting; decided again inside.
        self._backend.policy.authorise(current_caller(), "write", request.product)
        contract = check_servable(self._parse(request.contract_text), request.product)
        served = self._product(self._backend.catalog, request.product)
        warm(self._backend.catalog, served, request.contract_text)
        study = self._gate.study(self._backend.catalog, current_caller(), served, contract)
        publication_id = secrets.token_hex(16)
        ttl = timedelta(seconds=self._backend.settings.publication_ttl_seconds)

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "write", request.product)
            if tx.get(kinds.DOMAIN, domain) is None:
                raise denied("write", request.product)
            product = self._product(tx, request.product)
            known = None if request.validate_only or request.is_trial else begun_before(tx, request, caller.name)
            if known is not None:
                return Outcome("publication.begun", request.product, (), known.SerializeToString())
            wanted = described(product, contract)
            modes = wanted_modes(request.modes, contract, product, name=request.product)
            refuse_lost_tags(tx, product, wanted)
            impact = self._gate.check(tx, caller, product, contract, study)
            refuse_new_approvers(self._backend, tx, caller, (product, wanted), request.contract_text)
            publication = publication_pb2.Publication(
                id=publication_id, product=request.product, base_version=product.version,
                version=0 if request.is_trial else product.last_version + 1,
                state=_OPEN, principal=caller.name, create_time=stamp(tx.time), expire_time=stamp(tx.time, plus=ttl),
                contract_text=request.contract_text, is_trial=request.is_trial, run_id=request.run_id,
            )  # fmt: skip
            for port in wanted.ports:
                folder = self._warehouse.find_drop_folder(publication_id, port.name.rpartition(".")[2])
                publication.locations.append(write_location(port, folder, modes[port.name]))
            reply = publication_pb2.Publication()
            reply.CopyFrom(publication)
            reply.contract_impact.CopyFrom(impact)
            reply.expectation_count = len(expectations_on(tx, product.name))
            if request.validate_only:
                reply.ClearField("id")
                reply.ClearField("locations")
                return Outcome("publication.begun", request.product, (), reply.SerializeToString())
            product.last_version = max(product.last_version, publication.version)
            product.open_publications.append(publication_id)
            writes = (
                store(kinds.PUBLICATION, publication_id, publication), store(kinds.PRODUCT, product.name, product),
                *run_write(request, publication_id),
            )  # fmt: skip
            return Outcome("publication.begun", request.product, writes, reply.SerializeToString())

        receipt = self._backend.submit(request, request.request_id, run)
        publication = publication_pb2.Publication.FromString(receipt.reply)
        for location in publication.locations:
            self._warehouse.drop_folder(publication.id, location.port.rpartition(".")[2])
        fault_point("publish.begun")
        return publication

    def sign_uploads(self, request: pb.SignUploadsRequest, caller: Caller) -> pb.SignUploadsResponse:
        """How the publisher uploads each file. Raises: AccessDenied, Invalid, Precondition."""
        publication = self.get(request.id, caller, action="write")
        if publication.principal != caller.name:
            raise denied("deliver files of the publication", request.id)
        return sign_uploads(self._warehouse, publication, request, self._backend.now())

    # -- commit ------------------------------------------------------------------------------------------------------

    def commit(self, request: pb.CommitPublicationRequest, caller: Caller) -> product_pb2.Release:
        """All ports are visible together. Raises: AccessDenied, ContractViolated, Conflict, Precondition, Unavailable."""
        publication = self.get(request.id, caller, action="write")
        if publication.principal != caller.name:  # else it could be given another lineage than its publisher's
            raise denied("commit the publication", request.id)
        with product_lease(self._leases, publication.product, secrets.token_hex(8), patience_seconds=_PATIENCE_SECONDS):
            self._roll_forward_others(publication)
            publication = self.get(request.id, caller, action="write")
            if publication.state == _OPEN and request.validate_only:
                return self._tried(publication, request, caller)
            if publication.state == _OPEN:
                publication = self._intend(publication, request)
            if publication.state == _COMMITTING:
                return self._complete(publication)
        if publication.state == _COMMITTED:
            name = kinds.versioned_name(publication.product, publication.version)
            return read(self._backend.catalog, kinds.RELEASE, name, product_pb2.Release)
        self._warehouse.discard(publication.id)
        raise Precondition(
            f"Publication {publication.id} was given up: {publication.abort_reason} Begin a new one.", resource=publication.id
        )

    def _tried(
        self, publication: publication_pb2.Publication, request: pb.CommitPublicationRequest, caller: Caller
    ) -> product_pb2.Release:
        """What committing would find, broken rules among it; the publication is as open as before, without its files."""
        contract = self._parse(publication.contract_text)
        verified = verify_delivery(self._warehouse, publication, contract, request.ports)
        base = self._product(self._backend.catalog, publication.product)
        try:
            quality = self._judge.judged(publication, contract, verified, base, request.quality)
        except ContractViolated as error:
            quality = [*request.quality, *map(failed_key, error.problems)]
        expected = self._expected(publication, contract, verified, base)
        self._warehouse.discard_incoming(publication.id)
        return product_pb2.Release(
            product=publication.product, contract_version=contract.version, quality=quality, principal=caller.name,
            publication=publication.id, not_enforced=not_enforced(contract.document), expectations=expected,
        )  # fmt: skip

    def _expected(
        self,
        publication: publication_pb2.Publication,
        contract: Contract,
        verified: Sequence[publication_pb2.VerifiedPort],
        base: product_pb2.Product,
    ) -> Sequence[ExpectationResult]:
        """How consumers' expectations come out on what the tables are going to be. Raises: Conflict."""
        text = self._backend.catalog.get(kinds.CONTRACT, kinds.versioned_name(base.name, base.version))
        in_force = contract if text is None else self._parse(product_pb2.Contract.FromString(text).text)
        candidate = candidate_of(self._warehouse, publication, contract, verified, base)
        return self._expectations.judge(candidate, in_force=in_force)

    def _intend(
        self, publication: publication_pb2.Publication, request: pb.CommitPublicationRequest
    ) -> publication_pb2.Publication:
        """The publication is verified and will be rolled forward whatever happens.

        Raises: ContractViolated, Conflict, Invalid.
        """
        contract = self._parse(publication.contract_text)
        if publication.is_trial:
            raise Precondition("This publication is for a check only: begin one to publish.", resource=publication.id)
        check_quality(publication.product, request.quality)
        entry = described(product_pb2.Product(name=publication.product), contract)
        check_lineage(entry, request.lineage)
        base = self._product(self._backend.catalog, publication.product)
        refuse_overtaken(publication, base)
        verified = verify_delivery(self._warehouse, publication, contract, request.ports)
        self._passages.check(publication.id, verified)
        self._passages.mark(publication, verified, current_caller())
        self._refuse_taken_version(publication, base, verified)
        study = self._gate.study(self._backend.catalog, current_caller(), base, contract)
        quality = self._checked(publication, contract, verified, base, request.quality)
        expected = self._expected(publication, contract, verified, base)
        self._expectations.refuse_broken(publication.product, expected, current_caller())
        fault_point("publish.verified")

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "write", publication.product)
            current = read(tx, kinds.PUBLICATION, publication.id, publication_pb2.Publication)
            product = self._product(tx, publication.product)
            if current.state != _OPEN:
                return Outcome("publication.committing", current.product, (), current.SerializeToString())
            put_on_top(current, product, seen=base.version)
            wanted = described(product, contract)
            refuse_lost_tags(tx, product, wanted)
            self._gate.check(tx, caller, product, contract, study)
            refuse_new_approvers(self._backend, tx, caller, (product, wanted), publication.contract_text)
            current.state = _COMMITTING
            current.verified_ports.extend(verified)
            current.lineage.extend(request.lineage)
            current.quality.extend(quality)
            current.expectations.extend(expected)
            writes = (store(kinds.PUBLICATION, current.id, current), store(kinds.PRODUCT, product.name, product))
            return Outcome("publication.committing", current.product, writes, current.SerializeToString())

        receipt = self._backend.submit(request, "", run)
        fault_point("publish.intent")
        return publication_pb2.Publication.FromString(receipt.reply)

    def _checked(
        self,
        publication: publication_pb2.Publication,
        contract: Contract,
        verified: list[publication_pb2.VerifiedPort],
        base: product_pb2.Product,
        claimed: Sequence[product_pb2.QualityResult],
    ) -> list[product_pb2.QualityResult]:
        """Every result, ours among them; the verified ports say what their tables will be.

        Raises: ContractViolated; what was taken in is then gone. Conflict, Precondition.
        """
        try:
            quality = self._judge.judged(publication, contract, verified, base, claimed)
            check_quality(publication.product, quality)
        except ContractViolated:
            self._warehouse.discard_incoming(publication.id)
            raise
        return quality

    def _refuse_taken_version(
        self,
        publication: publication_pb2.Publication,
        base: product_pb2.Product,
        verified: Sequence[publication_pb2.VerifiedPort],
    ) -> None:
        """Returns if no table's log holds this version: one does after a backup of the database alone was restored.

        Raises: Conflict; the next publication takes the next number.
        """
        from governance_server.warehouse.delta_log import find_version

        if publication.base_version != base.version:  # it gets a new number anyway
            return
        for port in verified:
            if port.kind == product_pb2.PORT_KIND_TABLE:
                table = self._warehouse.port_location(port.port)
                try:
                    find_version(table, publication_id=publication.id, version=publication.version)
                except VersionConflict as error:
                    raise Conflict(f"Begin a new publication of {publication.product}: {error}", resource=port.port) from error

    def _complete(self, publication: publication_pb2.Publication) -> product_pb2.Release:
        """The publication is visible, or given up because it never can be: nothing of it ever was then. Raises: Conflict."""
        try:
            return self._roll_forward(publication)
        except (VersionConflict, DeliveryRejected) as error:
            _LOG.exception("publication cannot be completed publication=%s product=%s", publication.id, publication.product)
            self._passages.unstage(publication)
            self._give_up(publication, "it could not be completed.")
            message = f"Publication {publication.id} could not be completed: {error}"
            raise Conflict(message, resource=publication.product) from error

    def _roll_forward(self, publication: publication_pb2.Publication) -> product_pb2.Release:
        """A verified publication is visible; may be repeated after a crash at any point."""
        contract = self._parse(publication.contract_text)
        entry = described(product_pb2.Product(name=publication.product), contract)
        release = product_pb2.Release(
            product=publication.product, version=publication.version, contract_version=contract.version,
            quality=publication.quality, expectations=publication.expectations,
            principal=publication.principal, publication=publication.id, not_enforced=not_enforced(contract.document),
        )  # fmt: skip
        for port, verified in zip(contract.ports, publication.verified_ports, strict=True):
            release.ports.append(self._port_writer.write(publication, port, verified))
            fault_point("publish.port_written")
        served = self._product(self._backend.catalog, publication.product)
        self._passages.describe(entry, publication, served)
        date_ports(entry, publication.verified_ports, served)
        past = past_releases(self._backend.catalog, publication.product, publication.version)
        note_history(entry, release, past, self._backend.now())
        self._emitter.emit(publication, entry, release)
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
        product = self._product(tx, publication.product)
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
            *mention_writes(tx, publication),
        ]  # fmt: skip
        return Outcome("publication.committed", product.name, tuple(writes), release.SerializeToString())

    # -- abort and repair --------------------------------------------------------------------------------------------

    def abort(self, request: pb.AbortPublicationRequest, caller: Caller) -> publication_pb2.Publication:
        """The publication is given up and its files are gone. Raises: AccessDenied, Precondition."""
        self.get(request.id, caller, action="write")

        def run(tx: Transaction, caller: Caller) -> Outcome:
            publication = read(tx, kinds.PUBLICATION, request.id, publication_pb2.Publication)
            self._backend.policy.authorise(caller, "write", publication.product)
            if publication.state in (_COMMITTING, _COMMITTED):
                raise Precondition(f"Publication {request.id} is verified already and will become visible.", resource=request.id)
            return self._aborted(tx, publication, request.reason or "aborted by the publisher.")

        receipt = self._backend.submit(request, request.request_id, run)
        self._warehouse.discard(request.id)
        return publication_pb2.Publication.FromString(receipt.reply)

    def repair(self, product: str = "") -> tuple[list[str], list[str]]:
        """Ids of publications rolled forward and given up: COMMITTING ones, and OPEN ones past their time."""
        committed: list[str] = []
        aborted: list[str] = []
        for publication in self._unfinished(product):
            with product_lease(self._leases, publication.product, secrets.token_hex(8), patience_seconds=_PATIENCE_SECONDS):
                current = read(self._backend.catalog, kinds.PUBLICATION, publication.id, publication_pb2.Publication)
                if current.state == _COMMITTING:
                    (committed if self._ends_committed(current) else aborted).append(current.id)
                elif current.state == _OPEN and current.expire_time.ToDatetime(tzinfo=UTC) <= self._backend.now():
                    self._give_up(current, "its time ran out.")
                    aborted.append(current.id)
        self._sweep()
        return committed, aborted

    def _sweep(self) -> None:
        """Publications that ended have no files left, even if the server died before it could remove them."""
        for publication_id in self._warehouse.publications():
            body = self._backend.catalog.get(kinds.PUBLICATION, publication_id)
            if body is not None and publication_pb2.Publication.FromString(body).state in (_COMMITTED, _ABORTED):
                self._warehouse.discard(publication_id)

    def _roll_forward_others(self, publication: publication_pb2.Publication) -> None:
        for other in self._unfinished(publication.product):
            if other.id != publication.id and other.state == _COMMITTING:
                _LOG.warning("rolling forward publication=%s product=%s", other.id, other.product)
                self._ends_committed(other)

    def _ends_committed(self, publication: publication_pb2.Publication) -> bool:
        """True if the publication is visible now, False if it had to be given up; either way it stands in nobody's way."""
        try:
            self._complete(publication)
        except Conflict:
            return False
        return True

    def _unfinished(self, product: str) -> Iterator[publication_pb2.Publication]:
        for name, entry in list(self._backend.policy.facts().products.items()):
            if product in ("", name):
                for publication_id in list(entry.open_publications):
                    yield read(self._backend.catalog, kinds.PUBLICATION, publication_id, publication_pb2.Publication)

    def _give_up(self, publication: publication_pb2.Publication, reason: str) -> None:
        self._backend.journal_as(publication.principal, lambda tx: self._aborted(tx, publication, reason))
        self._warehouse.discard(publication.id)

    def _aborted(self, tx: Transaction, publication: publication_pb2.Publication, reason: str) -> Outcome:
        if publication.state == _ABORTED:
            return Outcome("publication.aborted", publication.product, (), publication.SerializeToString())
        product = self._product(tx, publication.product)
        publication.state, publication.abort_reason = _ABORTED, reason
        if publication.id in product.open_publications:
            product.open_publications.remove(publication.id)
        writes = (store(kinds.PUBLICATION, publication.id, publication), store(kinds.PRODUCT, product.name, product))
        return Outcome("publication.aborted", publication.product, writes, publication.SerializeToString())

    # -- shared ------------------------------------------------------------------------------------------------------

    def get(self, publication_id: str, caller: Caller, *, action: str) -> publication_pb2.Publication:
        """The publication, if the caller may act on its product. Raises: AccessDenied."""
        body = self._backend.catalog.get(kinds.PUBLICATION, publication_id)
        publication = publication_pb2.Publication.FromString(body) if body is not None else None
        if publication is None or not self._backend.policy.check(caller, action, publication.product).allowed:
            raise denied("use the publication", publication_id)
        return publication

    def _name_datasets(self, product: product_pb2.Product, contract: Contract) -> None:
        owners = self._backend.policy.facts().owners
        vectors = self._backend.settings.vectors_url
        name_datasets(product, contract, owners, place=lambda port: str(self._warehouse.port_location(port)), vectors=vectors)

    def _product(self, source: Reader, name: str) -> product_pb2.Product:
        body = source.get(kinds.PRODUCT, name)
        return product_pb2.Product.FromString(body) if body is not None else product_pb2.Product(name=name)
