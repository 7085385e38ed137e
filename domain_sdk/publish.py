"""Publishing: begin, deliver every port's files in one checked pass, commit; or give the publication up, whatever went wrong.

Owns the client's half of the publication protocol (design §4). The server decides whether to accept; nothing is visible before.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from domain_sdk._arguments import checked_names
from domain_sdk._catalog_calls import get_release, to_release
from domain_sdk._contract_change_calls import to_impact
from domain_sdk._delivery import Delivered, Writing, deliver, not_yet_run, whole_port_checks
from domain_sdk._facet_wire import facets_to_wire
from domain_sdk._modes import Mode, Modes, port_modes
from domain_sdk._personal_columns import PersonalDataGate
from domain_sdk._places import Places
from domain_sdk._port_lineage import DeclaredColumns, declared_lineage, planned_lineage, with_late_reads
from domain_sdk._progress import Progress, ProgressHook, reporting
from domain_sdk._quarantine import Quarantine
from domain_sdk._transport import Transport
from domain_sdk._unread_values import broken_check
from domain_sdk._write import DeliveredFile
from domain_sdk.errors import ContractViolated, InvalidContract, InvalidRequest, MeshError, Overloaded, Violation
from domain_sdk.expectations import ExpectationResult
from domain_sdk.read import ScanFrame
from domain_sdk.release import Preview, QualityResult, Release
from domainmesh.v1 import product_pb2, publication_pb2, publication_service_pb2
from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub
from mesh_core.contract import Contract, Port, PortKind, load_contract
from mesh_core.contract import InvalidContract as InvalidContractText
from mesh_core.contract.coverage import not_enforced
from mesh_core.lineage import PortLineage
from mesh_core.lineage_wire import lineage_to_wire
from mesh_core.quality.check import Kind
from mesh_core.quality.compile import compile_checks

__all__ = ["DeclaredLineage", "Publishing"]

_LOG = logging.getLogger(__name__)

_COMMIT_SECONDS = 1800.0
_ABORT_SECONDS = 5.0
_BUSY_PAUSE_SECONDS = 1.0
_NO_TABLE = frozenset({Kind.SCHEMA, Kind.TYPE, Kind.REQUIRED})
"""Without these there is no table that other rules could be judged on."""
_MODES: Mapping[Mode, product_pb2.WriteMode.ValueType] = {
    "overwrite": product_pb2.WRITE_MODE_OVERWRITE,
    "append": product_pb2.WRITE_MODE_APPEND,
    "merge": product_pb2.WRITE_MODE_MERGE,
    "replace-partitions": product_pb2.WRITE_MODE_REPLACE_PARTITIONS,
    "keep": product_pb2.WRITE_MODE_KEEP,
}

DeclaredLineage = Mapping[str, PortLineage | DeclaredColumns]
"""Port → its lineage, or column → source columns."""


class Publishing:
    """One product and its contract, ready to be previewed or published."""

    def __init__(
        self,
        transport: Transport,
        product: str,
        contract_text: str,
        *,
        lineage: DeclaredLineage | None = None,
        inputs: Sequence[str] = (),
        scans: Sequence[ScanFrame] = (),
        job: str = "",
        accept_pii: Sequence[str] = (),
        modes: Modes = "overwrite",
        delete_flag: str | None = None,
        run_id: str = "",
    ) -> None:
        self._transport = transport
        self._product = product
        self._contract = _loaded(contract_text, product)
        self._personal = PersonalDataGate(transport, self._contract, checked_names(accept_pii, "accept_pii"))
        self._declared = lineage or {}
        self._inputs = inputs
        self._scans = scans
        self._job = job or product
        self._said_modes = modes
        self._modes: dict[str, Mode] = {}
        self._delete_flag = delete_flag
        self._run_id = run_id

    def port_names(self) -> list[str]:
        """The contract's ports, in order; not those that quarantine the rows of others."""
        return [port.name for port in self._contract.ports if not port.quarantine_of]

    def key_of(self, port: str) -> list[str]:
        """The columns of the port's primary key, in its order."""
        return [column.name for column in self._contract.port(port).primary_key]

    def serves_contract(self) -> bool:
        """True if the release now served was published with this very contract."""
        from domain_sdk._catalog_calls import get_contract

        try:
            return get_contract(self._transport, self._product, 0) == self._contract.text
        except MeshError:
            return False

    def publish(self, frames: Mapping[str, Any], progress: Progress = None) -> Release:
        """All ports are released together, or none; see `Product.publish` for what is raised."""
        self._check_ports(frames)
        lineage, cautious = self._lineage(frames), self._lineage(frames, is_cautious=True)
        publication = self._begin(validate_only=False)
        if publication.state == publication_pb2.PUBLICATION_STATE_COMMITTED:
            return get_release(self._transport, self._product, publication.version)
        try:
            with reporting(progress) as hook, Places(self._transport, publication) as places:
                written = self._deliver(frames, places, hook)
            lineage = with_late_reads(lineage, cautious, self._scans)
            delivered = self._personal.judged(written, lineage)
            _refuse_violations(self._product, self._found(publication.id, delivered, lineage))
            return self._commit(publication.id, delivered, lineage)
        except BaseException as error:
            if isinstance(error, MeshError) and (made := self._made_by_another(publication.id)):
                return made
            self._abort(publication.id, error.reason if isinstance(error, MeshError) else type(error).__name__)  # no data values
            raise

    def preview(self, frames: Mapping[str, Any], progress: Progress = None) -> Preview:
        """What publishing would find, with nothing made visible.

        Rules over whole ports, and what consumers expect, are judged by the server on files that go again.
        """
        self._check_ports(frames)
        lineage, cautious = self._lineage(frames), self._lineage(frames, is_cautious=True)
        whole = [(port, check) for port in self._contract.ports for check in whole_port_checks(port)]
        theirs = [(self._name(port.name), check) for port, check in whole if check.kind is not Kind.CUSTOM]
        is_partial = any(mode != "overwrite" for mode in self._modes.values())
        is_trial = bool(whole) or is_partial
        publication = self._begin(validate_only=not is_trial, is_trial=is_trial)
        if publication.expectation_count and not is_trial:
            is_trial = True
            publication = self._begin(is_trial=True)
        is_judged = bool(theirs) or is_partial or publication.expectation_count > 0
        expected: tuple[ExpectationResult, ...] = ()
        try:
            with reporting(progress) as hook, Places(self._transport, publication) as places:
                written = self._deliver(frames, places if is_trial else None, hook)
            lineage = with_late_reads(lineage, cautious, self._scans)
            delivered = self._personal.judged(written, lineage)
            quality = tuple(result for port in delivered for result in port.quality)
            if is_judged and self._can_be_judged(delivered):
                tried = self._commit(publication.id, delivered, lineage, validate_only=True)
                quality, expected = tried.quality, tried.expectations
            elif theirs:
                quality += tuple(not_yet_run(name, check) for name, check in theirs)
        finally:
            if is_trial:
                self._abort(publication.id, "a preview")
        recorded = (*not_enforced(self._contract.document), *self._contract.uncomputed)
        impact = to_impact(publication.contract_impact)
        return Preview(self._product, quality, tuple(lineage), recorded, impact, expected)

    def _found(self, id: str, delivered: Sequence[Delivered], lineage: Sequence[PortLineage]) -> Sequence[QualityResult]:
        """What was found; if that stops the publication already, with what the server finds over whole ports."""
        quality = [result for port in delivered for result in port.quality]
        has_more = any(check.kind is not Kind.CUSTOM for port in self._contract.ports for check in whole_port_checks(port))
        if has_more and any(result.stops for result in quality) and self._can_be_judged(delivered):
            with contextlib.suppress(MeshError):  # it is refused anyway, for what is known
                return self._commit(id, delivered, lineage, validate_only=True).quality
        return quality

    def _can_be_judged(self, delivered: Sequence[Delivered]) -> bool:
        """True if what was delivered can be tables at all, whatever other rules it breaks."""
        kinds = {
            (self._name(port.name), check.name): check.kind for port in self._contract.ports for check in compile_checks(port)
        }
        broken = (result for port in delivered for result in port.quality if result.stops)
        return all(kinds.get((it.port, it.check)) not in _NO_TABLE for it in broken)

    def _name(self, port: str) -> str:
        return f"{self._product}.{port}"

    def _check_ports(self, frames: Mapping[str, Any]) -> None:
        expected = self.port_names()
        written = [port for port in self._contract.ports if not port.quarantine_of]
        tables = [port.name for port in written if port.kind is PortKind.TABLE]
        self._modes = port_modes(self._said_modes, given=frames, tables=tables, ports=expected, product=self._product)
        for port in self._contract.ports:
            if port.quarantine_of:
                mode = self._modes[port.quarantine_of]
                self._modes[port.name] = mode if mode in ("keep", "overwrite") else "append"
        kept = {name for name, mode in self._modes.items() if mode == "keep"}
        wrong = [Violation(name, "nothing was given for this port.") for name in expected if name not in {*frames, *kept}]
        named = {*frames, *self._declared}
        wrong += [
            Violation(name, "None was given for this port: give rows, if need be a frame without any.")
            for name in expected
            if name in frames and frames[name] is None and name not in kept
        ]
        wrong += [Violation(name, "the contract has no such port.") for name in sorted(named - set(expected))]
        if wrong:
            raise InvalidRequest(
                f"What was given does not match the ports of {self._product}: {', '.join(expected) or 'none'}.",
                resource=self._product,
                violations=wrong,
            )

    def _lineage(self, frames: Mapping[str, Any], *, is_cautious: bool = False) -> list[PortLineage]:
        found = {port: self._port_lineage(port, frames[port], is_cautious) for port in self.port_names() if port in frames}
        aside = [port for port in self._contract.ports if port.quarantine_of in found]
        copies = [replace(found[port.quarantine_of], target_port=self._name(port.name)) for port in aside]
        return [*found.values(), *copies]

    def _port_lineage(self, port: str, given: Any, is_cautious: bool) -> PortLineage:  # noqa: ANN401 # any kind of rows
        declared = self._declared.get(port)
        if isinstance(declared, PortLineage):
            return declared
        if declared is not None:
            return declared_lineage(declared, port=self._name(port), inputs=self._inputs)
        name = self._name(port)
        return planned_lineage(given, port=name, scans=self._scans, inputs=self._inputs, is_cautious=is_cautious)

    def _begin(self, *, validate_only: bool = False, is_trial: bool = False) -> publication_pb2.Publication:
        request = publication_service_pb2.BeginPublicationRequest(
            product=self._product,
            contract_text=self._contract.text,
            validate_only=validate_only,
            is_trial=is_trial,
            run_id="" if is_trial else self._run_id,
        )
        for port, mode in self._modes.items():
            request.modes.add(port=self._name(port), mode=_MODES[mode])
        return self._transport.call(self._transport.control(PublicationServiceStub).BeginPublication, request)

    def _deliver(self, frames: Mapping[str, Any], places: Places | None, hook: ProgressHook) -> list[Delivered]:
        """Every port in order; bad rows of a port, which come before it, are what its quarantine is made from.

        One that nothing can be made of does not hide what is wrong with the others.
        """
        delivered: list[Delivered] = []
        refused: list[MeshError] = []
        aside: dict[str, Quarantine] = {}
        try:
            for port in self._contract.ports:
                given = aside[port.quarantine_of].frame() if port.quarantine_of in aside else frames.get(port.name)
                try:
                    made = self._deliver_port(port, given, None if refused else places, hook)
                except (InvalidRequest, ContractViolated) as error:
                    refused.append(error)
                    continue
                if made.quarantine:
                    aside[port.name] = made.quarantine
                delivered.append(made)
        finally:
            for quarantine in aside.values():
                quarantine.close()
        if refused:
            raise _refused(self._product, refused, delivered)
        return delivered

    def _deliver_port(self, port: Port, given: Any, places: Places | None, hook: ProgressHook) -> Delivered:  # noqa: ANN401 # any rows
        name = self._name(port.name)
        if given is None:
            return Delivered(name, (), ())
        made = deliver(
            port,
            name,
            given,
            folder=places.folder(name) if places else None,
            hook=lambda done, total: hook(name, done, total),
            writing=Writing(self._modes[port.name], self._delete_flag if not port.quarantine_of else None),
        )
        if places:
            places.send(name, [*made.files, *made.deleted_keys], partial(hook, f"{name} upload"))
        return replace(made, quality=(), personal=()) if port.quarantine_of else made  # told of with the port it is of

    def _commit(
        self, id: str, delivered: Sequence[Delivered], lineage: Sequence[PortLineage], *, validate_only: bool = False
    ) -> Release:
        run_id = str(uuid.uuid4())
        request = publication_service_pb2.CommitPublicationRequest(
            id=id,
            ports=[_delivered_message(port) for port in delivered],
            quality=[_quality_message(result) for port in delivered for result in port.quality],
            lineage=[lineage_to_wire(it, job=self._job, run_id=run_id) for it in lineage],
            validate_only=validate_only,
        )
        return to_release(self._committed(request), lineage)

    def _committed(self, request: publication_service_pb2.CommitPublicationRequest) -> product_pb2.Release:
        """The release; while other publications keep the server busy, it is asked again."""
        deadline = time.monotonic() + _COMMIT_SECONDS
        while True:
            try:
                method = self._transport.control(PublicationServiceStub).CommitPublication
                return self._transport.call(method, request, timeout_seconds=_COMMIT_SECONDS)
            except Overloaded:
                if time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.1, _BUSY_PAUSE_SECONDS))

    def _made_by_another(self, id: str) -> Release | None:
        """The release, if this run is being made twice at once and the other has come first; None otherwise.

        Both deliver to one publication, and the files of who comes last are in nobody's folder any more.
        """
        request = publication_service_pb2.GetPublicationRequest(id=id)
        deadline = time.monotonic() + _COMMIT_SECONDS
        with contextlib.suppress(MeshError):
            while self._run_id and time.monotonic() < deadline:
                found = self._transport.call(self._transport.control(PublicationServiceStub).GetPublication, request)
                if found.state == publication_pb2.PUBLICATION_STATE_COMMITTED:
                    return get_release(self._transport, self._product, found.version)
                if found.state != publication_pb2.PUBLICATION_STATE_COMMITTING:
                    return None
                time.sleep(_BUSY_PAUSE_SECONDS / 4)
        return None

    def _abort(self, id: str, reason: str) -> None:
        """The publication is given up if the server can be told; else it expires there."""
        request = publication_service_pb2.AbortPublicationRequest(id=id, reason=reason)
        method = self._transport.control(PublicationServiceStub).AbortPublication
        with contextlib.suppress(MeshError):
            self._transport.call(method, request, timeout_seconds=_ABORT_SECONDS, is_retried=False)
            return
        _LOG.warning("abort_not_delivered publication=%s product=%s", id, self._product)


def _loaded(text: str, product: str) -> Contract:
    try:
        return load_contract(text)
    except InvalidContractText as error:
        violations = [Violation(it.path, it.message) for it in error.violations]
        raise InvalidContract(f"The contract of {product} is not valid ODCS.", resource=product, violations=violations) from error


def _refuse_violations(product: str, quality: Sequence[QualityResult]) -> None:
    broken = [result for result in quality if result.stops]
    if broken:
        raise ContractViolated(
            f"The data breaks the contract of {product} in {len(broken)} {'way' if len(broken) == 1 else 'ways'}.",
            resource=product,
            violations=[_violation(result) for result in broken],
        )


def _refused(product: str, errors: Sequence[MeshError], delivered: Sequence[Delivered]) -> MeshError:
    """What could not be made of some ports, and what else the data breaks; the error alone if that is all."""
    broken = [_violation(result) for port in delivered for result in port.quality if result.stops]
    if len(errors) == 1 and not broken:
        return errors[0]
    told = [it for error in errors for it in error.violations or [Violation(error.resource, error.message)]]
    kind = InvalidRequest if any(isinstance(error, InvalidRequest) for error in errors) else ContractViolated
    return kind(" ".join(error.message for error in errors), resource=product, violations=[*told, *broken])


def _violation(result: QualityResult) -> Violation:
    return broken_check(result.port, result.check, result.message, result.samples)


def _delivered_message(delivered: Delivered) -> publication_pb2.DeliveredPort:
    return publication_pb2.DeliveredPort(
        port=delivered.port,
        files=[_file_message(file) for file in delivered.files],
        embedding_model=delivered.embedding_model,
        dimensions=delivered.dimensions,
        deleted_keys=[_file_message(file) for file in delivered.deleted_keys],
        facets=facets_to_wire(delivered.facets) if delivered.facets else None,
    )


def _file_message(file: DeliveredFile) -> publication_pb2.DeliveredFile:
    return publication_pb2.DeliveredFile(name=file.name, size_bytes=file.size, row_count=file.rows)


def _quality_message(result: QualityResult) -> product_pb2.QualityResult:
    return product_pb2.QualityResult(
        port=result.port,
        column=result.column,
        check=result.check,
        status=product_pb2.QualityStatus.Value(f"QUALITY_STATUS_{result.status.name}"),
        is_blocking=result.is_blocking,
        failing_rows=result.failing_rows,
        total_rows=result.total_rows,
        message=result.message,
        samples=result.samples,
        measured=result.measured,
        filled_columns=result.filled_columns,
    )
