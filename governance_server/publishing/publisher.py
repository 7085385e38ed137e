"""Publications: each step of the protocol.

A publication is OPEN until its delivery is verified, COMMITTING once the intent is journaled (from then on it is rolled
forward whatever happens), COMMITTED when all ports became visible in one change. Readers are pinned by the catalog and see none
of this (ADR 0001).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import lru_cache

from domainmesh.v1 import lineage_pb2, product_pb2, publication_pb2
from domainmesh.v1 import publication_service_pb2 as pb
from domainmesh.v1.expectation_pb2 import ExpectationResult
from governance_server.backend import Backend, read, stamp, store
from governance_server.caller import Caller, current_caller
from governance_server.contracts import parse_contract
from governance_server.journal.command import Outcome, Transaction
from governance_server.lineage.emit import LineageEmitter
from governance_server.policy.names import may_know
from governance_server.policy.projection import denied
from governance_server.publishing.approver_changes import refuse_new_approvers, warm
from governance_server.publishing.candidate import CandidateChecks
from governance_server.publishing.candidate_files import candidate_of
from governance_server.publishing.completion import PATIENCE_SECONDS, Completion, product_of
from governance_server.publishing.contract_gate import ContractGate
from governance_server.publishing.delivery import check_lineage, check_quality, sources_of, verify_delivery
from governance_server.publishing.entries import (
    check_servable,
    described,
)
from governance_server.publishing.expectations import Expectations, expectations_on
from governance_server.publishing.judging import Judge, failed_key
from governance_server.publishing.lease import is_committed_now, product_lease
from governance_server.publishing.modes import put_on_top, refuse_overtaken, wanted_modes
from governance_server.publishing.passages import PassageIndexer
from governance_server.publishing.runs import begun_before, check_run_id, run_write
from governance_server.publishing.tag_consent import refuse_lost_tags
from governance_server.publishing.upload_tickets import UploadTickets
from governance_server.publishing.uploads import sign_uploads, write_location
from governance_server.rules import kinds
from governance_server.rules.errors import Conflict, ContractViolated, Precondition
from governance_server.storage.leases import Leases
from governance_server.warehouse.errors import VersionConflict
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.layout import Warehouse
from mesh_core.contract import Contract
from mesh_core.contract.coverage import not_enforced
from mesh_core.names import parse_product

__all__ = ["Publisher"]

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
        uploads: UploadTickets,
    ) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._uploads = uploads
        self._passages = passages
        self._leases = Leases(backend.database, clock=backend.now)
        self._parse = lru_cache(maxsize=_CONTRACTS_KEPT)(parse_contract)  # one publication parses its contract several times
        self._judge = Judge(backend, warehouse, checks, self._parse)
        self._gate = ContractGate(backend, self._parse)
        self._expectations = Expectations(backend)
        self._completion = Completion(backend, warehouse=warehouse, passages=passages, emitter=emitter, parse=self._parse)

    # -- begin -------------------------------------------------------------------------------------------------------

    def begin(self, request: pb.BeginPublicationRequest) -> publication_pb2.Publication:
        """An open publication with write locations. Raises: AccessDenied, InvalidContractText, IncompatibleContract."""
        domain, _ = parse_product(request.product)
        check_run_id(request.run_id)
        # Parsed before the command is queued, so that a large contract keeps no other writer waiting; decided again inside.
        self._backend.policy.authorise(current_caller(), "write", request.product)
        contract = check_servable(self._parse(request.contract_text), request.product)
        served = product_of(self._backend.catalog, request.product)
        warm(self._backend.catalog, served, request.contract_text)
        study = self._gate.study(self._backend.catalog, current_caller(), served, contract)
        is_busy = is_committed_now(self._leases, request.product)
        publication_id = secrets.token_hex(16)
        ttl = timedelta(seconds=self._backend.settings.publication_ttl_seconds)

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "write", request.product)
            if tx.get(kinds.DOMAIN, domain) is None:
                raise denied("write", request.product)
            product = product_of(tx, request.product)
            known = None if request.validate_only or request.is_trial else begun_before(tx, request, caller.name)
            if known is not None:
                return Outcome("publication.begun", request.product, (), known.SerializeToString())
            wanted = described(product, contract)
            modes = wanted_modes(request.modes, contract, product, name=request.product)
            refuse_lost_tags(tx, product, wanted)
            impact = self._gate.check(tx, caller, product, contract, study)
            refuse_new_approvers(self._backend, tx, caller, (product, wanted), request.contract_text)
            publication = publication_pb2.Publication(
                id=publication_id, product=request.product,
                base_version=product.version if is_busy else self._completion.version_to_be(tx, product),
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
        return sign_uploads((self._warehouse, self._uploads), publication, request, self._backend.now())

    # -- commit ------------------------------------------------------------------------------------------------------

    def commit(self, request: pb.CommitPublicationRequest, caller: Caller) -> product_pb2.Release:
        """All ports are visible together. Raises: AccessDenied, ContractViolated, Conflict, Precondition, Unavailable."""
        publication = self.get(request.id, caller, action="write")
        if publication.principal != caller.name:  # else it could be given another lineage than its publisher's
            raise denied("commit the publication", request.id)
        with product_lease(self._leases, publication.product, secrets.token_hex(8), patience_seconds=PATIENCE_SECONDS):
            self._completion.roll_forward_others(publication)
            self._completion.undo_rewrites(publication.product)
            publication = self.get(request.id, caller, action="write")
            if publication.state == _OPEN and request.validate_only:
                return self._tried(publication, request, caller)
            if publication.state == _OPEN:
                publication = self._intend(publication, request)
            if publication.state == _COMMITTING:
                return self._completion.complete(publication)
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
        base = product_of(self._backend.catalog, publication.product)
        try:
            quality = self._judge.judged(publication, contract, verified, base, request.quality)
        except ContractViolated as error:
            quality = [*request.quality, *map(failed_key, error.problems)]
        expected = self._expected(publication, contract, verified, base)
        self._warehouse.discard_incoming(publication.id)
        return product_pb2.Release(
            product=publication.product, contract_version=contract.version, quality=quality, principal=caller.name,
            publication=publication.id, expectations=expected,
            not_enforced=[*not_enforced(contract.document), *contract.uncomputed],
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

    def _refuse_hidden_sources(self, caller: Caller, lineages: Iterable[lineage_pb2.PortLineage]) -> None:
        """Returns if the publisher may know its sources: the tags that flow here would tell of them. Raises: AccessDenied."""
        for source in sources_of(lineages):
            if not may_know(self._backend.policy, caller, source):
                raise denied("derive data from", source)

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
        base = product_of(self._backend.catalog, publication.product)
        refuse_overtaken(publication, base)
        verified = verify_delivery(self._warehouse, publication, contract, request.ports)
        self._passages.check(publication, contract, verified)
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
            product = product_of(tx, publication.product)
            if current.state != _OPEN:
                return Outcome("publication.committing", current.product, (), current.SerializeToString())
            self._refuse_hidden_sources(caller, request.lineage)
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
                    find_version(table, publication_id=publication.id, version=publication.version, tables=self._warehouse.tables)
                except VersionConflict as error:
                    raise Conflict(f"Begin a new publication of {publication.product}: {error}", resource=port.port) from error

    # -- abort --------------------------------------------------------------------------------------------

    def abort(self, request: pb.AbortPublicationRequest, caller: Caller) -> publication_pb2.Publication:
        """The publication is given up and its files are gone. Raises: AccessDenied, Precondition."""
        self.get(request.id, caller, action="write")

        def run(tx: Transaction, caller: Caller) -> Outcome:
            publication = read(tx, kinds.PUBLICATION, request.id, publication_pb2.Publication)
            self._backend.policy.authorise(caller, "write", publication.product)
            if publication.state in (_COMMITTING, _COMMITTED):
                raise Precondition(f"Publication {request.id} is verified already and will become visible.", resource=request.id)
            return self._completion.aborted(tx, publication, request.reason or "aborted by the publisher.")

        receipt = self._backend.submit(request, request.request_id, run)
        self._warehouse.discard(request.id)
        return publication_pb2.Publication.FromString(receipt.reply)

    # -- shared ------------------------------------------------------------------------------------------------------

    def get(self, publication_id: str, caller: Caller, *, action: str) -> publication_pb2.Publication:
        """The publication, if the caller may act on its product. Raises: AccessDenied."""
        body = self._backend.catalog.get(kinds.PUBLICATION, publication_id)
        publication = publication_pb2.Publication.FromString(body) if body is not None else None
        if publication is None or not self._backend.policy.check(caller, action, publication.product).allowed:
            raise denied("use the publication", publication_id)
        return publication

    def repair(self, product: str = "") -> tuple[list[str], list[str]]:
        """As `Completion.repair`."""
        return self._completion.repair(product)
