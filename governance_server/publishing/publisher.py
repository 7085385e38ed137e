"""Publications: each step of the protocol.

A publication is OPEN until its delivery is verified, COMMITTING once the intent is journaled (from then on it is rolled
forward whatever happens), COMMITTED when all ports became visible in one change. Readers are pinned by the catalog and see none
of this (ADR 0001).
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from functools import lru_cache

from domainmesh.v1 import product_pb2, publication_pb2
from domainmesh.v1 import publication_service_pb2 as pb
from governance_server.backend import Backend, read, stamp, store
from governance_server.caller import Caller, current_caller
from governance_server.contracts import parse_contract
from governance_server.journal.command import Outcome, Transaction
from governance_server.lineage.emit import LineageEmitter
from governance_server.policy.projection import denied
from governance_server.publishing.approver_changes import refuse_new_approvers, warm
from governance_server.publishing.candidate import CandidateChecks
from governance_server.publishing.completion import PATIENCE_SECONDS, Completion, product_of
from governance_server.publishing.contract_gate import ContractGate
from governance_server.publishing.entries import check_servable, described
from governance_server.publishing.expectations import expectations_on
from governance_server.publishing.intents import Intents
from governance_server.publishing.lease import is_committed_now, product_lease
from governance_server.publishing.modes import wanted_modes
from governance_server.publishing.passages import PassageIndexer
from governance_server.publishing.runs import begun_before, check_run_id, run_write
from governance_server.publishing.tag_consent import refuse_lost_tags
from governance_server.publishing.upload_tickets import UploadTickets
from governance_server.publishing.uploads import sign_uploads, write_location
from governance_server.rules import kinds
from governance_server.rules.errors import Precondition
from governance_server.storage.leases import Leases
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.layout import Warehouse
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
        self._leases = Leases(backend.database, clock=backend.now)
        self._parse = lru_cache(maxsize=_CONTRACTS_KEPT)(parse_contract)  # one publication parses its contract several times
        self._gate = ContractGate(backend, self._parse)
        self._intents = Intents(backend, (warehouse, passages), checks=checks, gate=self._gate, parse=self._parse)
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
                return self._intents.tried(publication, request, caller)
            if publication.state == _OPEN:
                publication = self._intents.intended(publication, request)
            if publication.state == _COMMITTING:
                return self._completion.complete(publication)
        if publication.state == _COMMITTED:
            name = kinds.versioned_name(publication.product, publication.version)
            return read(self._backend.catalog, kinds.RELEASE, name, product_pb2.Release)
        self._warehouse.discard(publication.id)
        raise Precondition(
            f"Publication {publication.id} was given up: {publication.abort_reason} Begin a new one.", resource=publication.id
        )

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
