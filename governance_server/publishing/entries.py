"""What the catalog says of a contract: product and ports as messages."""

from __future__ import annotations

from collections.abc import Iterator

from domainmesh.v1 import product_pb2
from mesh_core.contract import Column, Contract, Port, PortKind

__all__ = ["describe", "port_entry"]

_KINDS = {PortKind.TABLE: product_pb2.PORT_KIND_TABLE, PortKind.COLLECTION: product_pb2.PORT_KIND_COLLECTION}


def describe(entry: product_pb2.Product, contract: Contract) -> None:
    """The entry's title, description, status, tags and ports are the contract's; counters and times stay."""
    description = contract.document.get("description")
    entry.title = contract.name or entry.name
    entry.description = str(description.get("purpose", "")) if isinstance(description, dict) else ""
    entry.status = contract.status or ""
    entry.contract_version = contract.version
    del entry.tags[:]
    entry.tags.extend(contract.tags)
    del entry.ports[:]
    entry.ports.extend(port_entry(entry.name, port) for port in contract.ports)


def port_entry(product: str, port: Port) -> product_pb2.Port:
    """The catalog's entry of a port, without what a release fills in."""
    return product_pb2.Port(
        name=f"{product}.{port.name}", kind=_KINDS[port.kind], description=port.description or "", tags=port.tags,
        columns=[_column(column) for column in port.columns],
    )  # fmt: skip


def _column(column: Column) -> product_pb2.Column:
    return product_pb2.Column(
        name=column.name, logical_type=column.logical_type or "", physical_type=column.physical_type or "",
        description=column.description or "", is_required=column.required,
        primary_key_position=column.primary_key_position or 0, tags=dict.fromkeys(_all_tags(column)),
    )  # fmt: skip


def _all_tags(column: Column) -> Iterator[str]:
    """The column's tags and those of everything nested in it: policy decides on whole columns, so the strictest part counts."""
    yield from column.tags
    for part in (*column.columns, column.items, column.map_key, column.map_value):
        if part is not None:
            yield from _all_tags(part)
