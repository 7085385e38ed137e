"""What the contracts of a folder would meet if somebody published with them now. Publishes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from domain_sdk.errors import AccessDenied, IncompatibleContract, InvalidRequest, MeshError, NotFound, Violation, WrongState

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domain_sdk.contract_changes import ContractImpact
    from domain_sdk.folder.tree import ContractFile, Source

__all__ = ["ContractCheck", "check_contracts"]

Verdict = Literal["served", "new", "compatible", "incompatible", "not servable", "not compared"]


@dataclass(frozen=True, slots=True)
class ContractCheck:
    """How the contract in the folder stands to the one that is served."""

    product: str
    path: str
    """Of the file, relative to the tree."""
    verdict: Verdict
    """`served` is the very contract that is served; `new` and `compatible` become law with the product's next release."""
    violations: tuple[Violation, ...] = ()
    """What a reader of the old contract would lose, or why it cannot be served."""
    impact: ContractImpact | None = None
    """What it would change and whom that breaks, if it could be published as it stands."""


def check_contracts(transport: Transport, source: Source) -> Iterator[ContractCheck]:
    """The check of each contract of the source, by product."""
    for contract in source.contracts:
        yield _check(transport, contract)


def _check(transport: Transport, contract: ContractFile) -> ContractCheck:
    from domain_sdk import _catalog_calls

    text = contract.text.decode("utf-8")
    try:
        served = _catalog_calls.get_contract(transport, contract.product)
    except (AccessDenied, NotFound):
        served = None
    if served == text:
        return ContractCheck(contract.product, contract.place.path, "served")
    verdict: Verdict = "new" if served is None else "compatible"
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
