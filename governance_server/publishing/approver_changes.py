"""Whether a release changes who approves access: that is delegated by who may grant, not by everybody who may publish."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from domainmesh.v1 import product_pb2
from governance_server.backend import Backend, Reader
from governance_server.caller import Caller
from governance_server.rules import kinds
from governance_server.rules.approvers import Level, levels_of
from governance_server.rules.errors import AccessDenied
from mesh_core.contract.roles import Role, read_roles

__all__ = ["refuse_new_approvers", "warm"]

_roles_of_text = lru_cache(maxsize=64)(read_roles)


def warm(reader: Reader, product: product_pb2.Product, contract_text: str) -> None:
    """The roles of both contracts are parsed, so that the journal's writer need not wait for it."""
    _roles_of_text(contract_text)
    _released_roles(reader, product)


def refuse_new_approvers(
    backend: Backend, tx: Reader, caller: Caller, products: tuple[product_pb2.Product, product_pb2.Product], contract_text: str
) -> None:
    """Returns if the release leaves the approvers of each port as they are, or the caller may grant. Raises: AccessDenied.

    Who a contract names gives what the domain holds (ADR 0010). `products` are the one of now and the wanted one; a new port is
    compared with what the contract of now would say of it.
    """
    product, wanted = products
    before, after = _released_roles(tx, product), _roles_of_text(contract_text)
    ports = [port.name.rpartition(".")[2] for port in wanted.ports]
    changed = [port for port in ports if _levels(before, port, wanted.name) != _levels(after, port, wanted.name)]
    if changed and not backend.policy.check(caller, "grant", wanted.name).allowed:
        raise AccessDenied(
            f"The contract of {wanted.name} changes who approves access to {', '.join(changed)} (`roles`): only who may grant "
            "there says that. Leave the roles as they are, or let an owner of the domain publish this contract.",
            resource=wanted.name,
        )


def _levels(roles: Sequence[Role], port: str, product: str) -> tuple[Level, ...]:
    return levels_of(roles, [port], product=product)


def _released_roles(reader: Reader, product: product_pb2.Product) -> tuple[Role, ...]:
    body = reader.get(kinds.CONTRACT, kinds.versioned_name(product.name, product.version)) if product.version else None
    return () if body is None else _roles_of_text(product_pb2.Contract.FromString(body).text)
