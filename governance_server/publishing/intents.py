"""Intents: what was delivered is verified and judged, and the publication will be rolled forward whatever happens.

Runs under the product's lease. Until the intent is journaled nothing has happened: whatever could stop the publication later must
be found here (ADR 0001).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from domainmesh.v1 import lineage_pb2, product_pb2, publication_pb2
from domainmesh.v1 import publication_service_pb2 as pb
from domainmesh.v1.expectation_pb2 import ExpectationResult
from governance_server.backend import Backend, read, store
from governance_server.caller import Caller, current_caller
from governance_server.journal.command import Outcome, Transaction
from governance_server.policy.names import may_know
from governance_server.policy.projection import denied
from governance_server.publishing.approver_changes import refuse_new_approvers
from governance_server.publishing.candidate import CandidateChecks
from governance_server.publishing.candidate_files import candidate_of
from governance_server.publishing.completion import product_of
from governance_server.publishing.contract_gate import ContractGate
from governance_server.publishing.delivery import check_lineage, check_quality, sources_of, verify_delivery
from governance_server.publishing.entries import described
from governance_server.publishing.expectations import Expectations
from governance_server.publishing.judging import Judge, failed_key
from governance_server.publishing.modes import put_on_top, refuse_overtaken
from governance_server.publishing.passages import PassageIndexer
from governance_server.publishing.tag_consent import refuse_lost_tags
from governance_server.rules import kinds
from governance_server.rules.errors import Conflict, ContractViolated, Precondition
from governance_server.warehouse.errors import VersionConflict
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.layout import Warehouse
from mesh_core.contract import Contract
from mesh_core.contract.coverage import not_enforced

__all__ = ["Intents"]

_OPEN = publication_pb2.PUBLICATION_STATE_OPEN
_COMMITTING = publication_pb2.PUBLICATION_STATE_COMMITTING


class Intents:
    """Verifies deliveries."""

    def __init__(
        self,
        backend: Backend,
        stores: tuple[Warehouse, PassageIndexer],
        *,
        checks: CandidateChecks,
        gate: ContractGate,
        parse: Callable[[str], Contract],
    ) -> None:
        self._backend = backend
        self._warehouse, self._passages = stores
        self._gate = gate
        self._parse = parse
        self._judge = Judge(backend, self._warehouse, checks, parse)
        self._expectations = Expectations(backend)

    def intended(
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

    def tried(
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
