"""What the contracts of a folder would meet if somebody published with them now, and their registration. Publishes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from domain_sdk.errors import AccessDenied, IncompatibleContract, InvalidRequest, MeshError, NotFound, Violation, WrongState

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domain_sdk.contract_changes import ContractImpact
    from domain_sdk.folder.tree import ContractFile, Source

__all__ = ["ContractCheck", "check_contracts", "register"]

Verdict = Literal["served", "new", "compatible", "incompatible", "not servable", "not compared"]


@dataclass(frozen=True, slots=True)
class ContractCheck:
    """How the contract in the folder stands to the one that is served."""

    product: str
    path: str
    """Of the file, relative to the tree."""
    verdict: Verdict
    """`served` is the very contract that is served; `new` and `compatible` can become law with the product's next release."""
    violations: tuple[Violation, ...] = ()
    """What a reader of the old contract would lose, or why it cannot be served."""
    impact: ContractImpact | None = None
    """What it would change and whom that breaks, if it could be published as it stands."""
    is_registered: bool = False
    """True if the mesh keeps this very contract already, until a release follows."""

    @property
    def is_to_register(self) -> bool:
        """Whether applying the folder registers it."""
        return not self.is_registered and self.verdict not in ("served", "not compared")


def check_contracts(transport: Transport, source: Source) -> Iterator[ContractCheck]:
    """The check of each contract of the source, by product."""
    for contract in source.contracts:
        yield _check(transport, contract)


def _check(transport: Transport, contract: ContractFile) -> ContractCheck:
    text = contract.text.decode("utf-8")
    served, registered = _kept(transport, contract.product)
    if served == text and registered is None:
        return ContractCheck(contract.product, contract.place.path, "served")
    check = _judged(transport, contract, "new" if served is None else "compatible")
    return replace(check, is_registered=registered == text)


def _kept(transport: Transport, product: str) -> tuple[str | None, str | None]:
    """The contract that is served and the one that is registered, as far as they may be seen."""
    from domain_sdk import _catalog_calls
    from domain_sdk.catalog import ProductEntry

    try:
        entry = _catalog_calls.show(transport, product)
        assert isinstance(entry, ProductEntry)
        served = _catalog_calls.get_contract(transport, product) if entry.version else None
        is_kept = bool(entry.registered_contract_version)
        return served, _catalog_calls.get_contract(transport, product, prefer_registered=True) if is_kept else None
    except (AccessDenied, NotFound):
        return None, None


def register(transport: Transport, contract: ContractFile) -> bool:
    """True if the mesh keeps the contract from now on; False if it did or serves it, or the caller may not write the product."""
    from domain_sdk import _catalog_calls

    text = contract.text.decode("utf-8")
    served, registered = _kept(transport, contract.product)
    if text == (served if registered is None else registered):
        return False
    try:
        _catalog_calls.register_contract(transport, contract.product, text)
    except AccessDenied:
        return False
    return True


def _judged(transport: Transport, contract: ContractFile, verdict: Verdict) -> ContractCheck:
    text = contract.text.decode("utf-8")
    try:
        impact = _begin(transport, contract.product, text)
    except IncompatibleContract as error:
        return ContractCheck(contract.product, contract.place.path, "incompatible", _told(error))
    except AccessDenied:
        return ContractCheck(contract.product, contract.place.path, "not compared")
    except (InvalidRequest, WrongState) as error:
        return ContractCheck(contract.product, contract.place.path, "not servable", _told(error))
    return ContractCheck(contract.product, contract.place.path, verdict, impact=impact)


def _begin(transport: Transport, product: str, text: str) -> ContractImpact:
    from domain_sdk._contract_change_calls import to_impact
    from domainmesh.v1.publication_service_pb2 import BeginPublicationRequest
    from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub

    request = BeginPublicationRequest(product=product, contract_text=text, validate_only=True)
    return to_impact(transport.call(transport.control(PublicationServiceStub).BeginPublication, request).contract_impact)


def _told(error: MeshError) -> tuple[Violation, ...]:
    return error.violations or (Violation("", error.message),)
