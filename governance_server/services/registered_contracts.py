"""Contracts that are registered: kept and shown from the moment they are valid, before data is published with them.

A registered contract promises nothing yet: no reader has data of it, so it asks for no acceptance and decides no access.
It counts until a release follows, whichever contract that one has.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from domainmesh.v1 import product_pb2
from domainmesh.v1 import product_service_pb2 as pb
from governance_server.backend import Backend, Reader, store
from governance_server.caller import Caller, current_caller
from governance_server.contracts import parse_contract, unservable
from governance_server.journal.command import Outcome, Transaction
from governance_server.policy.projection import denied
from governance_server.publishing.entries import described
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from mesh_core.contract.coverage import not_enforced
from mesh_core.names import parse_product

if TYPE_CHECKING:
    from mesh_core.contract import Contract

__all__ = ["drafts", "pending", "register", "with_pending"]

_KEPT = 64
"""Parsed contracts, for lists of products."""
_KEPT_DRAFTS = 10_000


def register(backend: Backend, request: pb.RegisterContractRequest) -> pb.RegisterContractResponse:
    """The contract is kept as it is written. Raises: AccessDenied, InvalidContractText."""
    domain, _ = parse_product(request.product)
    backend.policy.authorise(current_caller(), "write", request.product)
    response = _judged(request) if request.text else pb.RegisterContractResponse()

    def run(tx: Transaction, caller: Caller) -> Outcome:
        backend.policy.authorise(caller, "write", request.product)
        if tx.get(kinds.DOMAIN, domain) is None:
            raise denied("write", request.product)
        kept = tx.get(kinds.REGISTERED_CONTRACT, request.product)
        if not request.text:
            write = ResourceWrite(kinds.REGISTERED_CONTRACT, request.product, None)
            writes = (write,) if kept is not None and not request.validate_only else ()
            return Outcome("contract.unregistered", request.product, writes, response.SerializeToString())
        product = product_pb2.Product.FromString(tx.get(kinds.PRODUCT, request.product) or b"")
        response.contract.base_version = product.version
        changed = kept != response.contract.SerializeToString(deterministic=True)
        writes = (store(kinds.REGISTERED_CONTRACT, request.product, response.contract),)
        is_written = changed and not request.validate_only
        return Outcome("contract.registered", request.product, writes if is_written else (), response.SerializeToString())

    receipt = backend.submit(request, request.request_id, run)
    return pb.RegisterContractResponse.FromString(receipt.reply)


def _judged(request: pb.RegisterContractRequest) -> pb.RegisterContractResponse:
    contract = parse_contract(request.text)
    return pb.RegisterContractResponse(
        contract=product_pb2.Contract(
            product=request.product, version=contract.version, api_version=contract.api_version, text=request.text
        ),
        recorded_only=[*not_enforced(contract.document), *contract.uncomputed],
        not_servable=[f"{problem.path}: {problem.message}" for problem in unservable(contract)],
    )


@lru_cache(maxsize=_KEPT)
def _parsed(text: str) -> Contract:
    return parse_contract(text)


@lru_cache(maxsize=_KEPT_DRAFTS)
def _draft(body: bytes) -> product_pb2.Product:
    contract = product_pb2.Contract.FromString(body)
    return with_pending(product_pb2.Product(name=contract.product), contract)


def drafts(backend: Backend) -> list[product_pb2.Product]:
    """The products of which only a contract is registered, as that describes them; not to be changed."""
    published = {name for name, product in backend.policy.facts().products.items() if product.version}
    return [_draft(body) for name, body in backend.catalog.list(kinds.REGISTERED_CONTRACT, limit=None) if name not in published]


def pending(reader: Reader, product: product_pb2.Product, *, as_of: int = 0) -> product_pb2.Contract | None:
    """The product's registered contract, unless a release followed it."""
    if isinstance(reader, Transaction):
        body = reader.get(kinds.REGISTERED_CONTRACT, product.name)
    else:
        body = reader.get(kinds.REGISTERED_CONTRACT, product.name, as_of=as_of or None)
    contract = product_pb2.Contract.FromString(body) if body is not None else None
    return contract if contract is not None and contract.base_version == product.version else None


def with_pending(product: product_pb2.Product, contract: product_pb2.Contract | None) -> product_pb2.Product:
    """The product as it is shown: before its first release as its registered contract describes it."""
    if contract is None:
        return product
    shown = product if product.version else described(product, _parsed(contract.text))
    shown.registered_contract_version = contract.version
    return shown
