"""The step from the contract that is served to the one that is to follow: reads both, and tells their storage types apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from domainmesh.v1 import product_pb2
from governance_server.rules import kinds
from governance_server.rules.compatibility import ContractStep
from governance_server.rules.contract_changes import CompatibilityMode
from governance_server.rules.contract_diff import diff, mode_of
from governance_server.rules.stored_types import StoredType
from mesh_core.contract import Column, Contract

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Resource", "contract_step", "stored_type"]


class Resource(Protocol):
    """Where a resource's current state is found."""

    def get(self, kind: str, name: str) -> bytes | None:
        """The message of one resource, or None."""
        ...


def contract_step(
    reader: Resource, product: product_pb2.Product, contract: Contract, parse: Callable[[str], Contract]
) -> ContractStep:
    """The step to this contract. `parse` gives the contract of a text and may keep it."""
    body = reader.get(kinds.CONTRACT, kinds.versioned_name(product.name, product.version)) if product.version else None
    if body is None:
        return ContractStep(product.name, "", contract.version, CompatibilityMode.NONE, ())
    served = parse(product_pb2.Contract.FromString(body).text)
    changes = () if served.text == contract.text else diff(served, contract, stored_type)
    return ContractStep(product.name, served.version, contract.version, mode_of(served), changes)


def stored_type(column: Column) -> StoredType:
    """The storage type of a column or of a part of one."""
    from mesh_core.types.target import Shape, integer_range, target_of

    target = target_of(column)
    if target.shape is Shape.OPEN:
        return StoredType("open")
    if target.shape is Shape.STRUCT:
        return StoredType("object")
    if target.shape is Shape.LIST:
        inner = target.inner if column.logical_type == "vector" else None
        element = f"({_word(inner.dtype)})" if inner is not None and inner.dtype is not None else ""
        return StoredType(f"{column.logical_type or 'array'}{element}")
    if target.is_time:
        return StoredType("time")
    word = _word(target.dtype)
    return StoredType(word, None if target.bounds == integer_range(word.replace("int", "i")) else target.bounds)


def _word(dtype: pl.DataType | None) -> str:
    import polars as pl

    match dtype:
        case pl.Decimal():
            return f"decimal({dtype.precision or 38},{dtype.scale})"
        case pl.Datetime():
            return "timestamp" if dtype.time_zone else "timestamp_ntz"
        case pl.Float32():
            return "float"
        case pl.Float64():
            return "double"
    return str(dtype).lower()
