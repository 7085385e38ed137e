"""Write modes: how each port of a publication is written, decided when it begins; and who was overtaken by whom when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from domainmesh.v1 import product_pb2, publication_pb2
from governance_server.rules.errors import Conflict, Invalid, Problem
from mesh_core.contract import Contract, Port, PortKind

__all__ = [
    "KEEP",
    "MERGE",
    "OVERWRITE",
    "REPLACE_PARTITIONS",
    "is_rebasable",
    "mode_of",
    "put_on_top",
    "refuse_overtaken",
    "wanted_modes",
]

OVERWRITE = product_pb2.WRITE_MODE_OVERWRITE
APPEND = product_pb2.WRITE_MODE_APPEND
MERGE = product_pb2.WRITE_MODE_MERGE
REPLACE_PARTITIONS = product_pb2.WRITE_MODE_REPLACE_PARTITIONS
KEEP = product_pb2.WRITE_MODE_KEEP

Mode: TypeAlias = product_pb2.WriteMode.ValueType


def wanted_modes(
    modes: Sequence[publication_pb2.PortMode], contract: Contract, product: product_pb2.Product, *, name: str
) -> dict[str, Mode]:
    """Port → how it is written; overwrite where nothing is said. Raises: Invalid with everything that cannot be done."""
    wanted = {mode.port: mode.mode or OVERWRITE for mode in modes}
    ports = {f"{name}.{port.name}": port for port in contract.ports}
    released = {port.name: port for port in product.ports} if product.version else {}
    problems = [Problem(port, "the contract has no such port") for port in sorted(set(wanted) - set(ports))]
    if len(wanted) < len(modes):
        problems.append(Problem("modes", "a port is named twice"))
    for port, mode in wanted.items():
        if port in ports and (text := _problem(ports[port], mode, released.get(port))):
            problems.append(Problem(port, text))
    if problems:
        raise Invalid(f"{name} cannot be written like that.", resource=name, problems=problems)
    return {port: wanted.get(port, OVERWRITE) for port in ports}


def _problem(port: Port, mode: Mode, released: product_pb2.Port | None) -> str:
    if port.kind is PortKind.COLLECTION and mode not in (OVERWRITE, KEEP):
        return "a collection is published whole: overwrite or keep it"
    if mode == KEEP and released is None:
        return "it was never published, so there is nothing to keep: deliver it"
    if mode == MERGE and not port.primary_key:
        return "rows are merged by primary key, and the contract declares none: add primaryKey, or append"
    if mode == REPLACE_PARTITIONS and not port.partition_key:
        return "the contract declares no partition columns: add partitioned, or overwrite"
    return ""


def mode_of(publication: publication_pb2.Publication, port: str) -> Mode:
    """How the publication writes the port."""
    modes: Mapping[str, Mode] = {location.port: location.mode for location in publication.locations}
    return modes.get(port) or OVERWRITE


def is_rebasable(publication: publication_pb2.Publication) -> bool:
    """True if what is delivered can be put on top of a release that came meanwhile: no port is overwritten."""
    return all((location.mode or OVERWRITE) != OVERWRITE for location in publication.locations)


def put_on_top(publication: publication_pb2.Publication, product: product_pb2.Product, *, seen: int) -> None:
    """The publication is the next version of the product as it is now; one that was overtaken has got a new number.

    Raises: Conflict if the product is not at the version that what was delivered was combined with, or cannot be overtaken.
    """
    if product.version != seen:
        raise Conflict(
            f"{product.name} was published meanwhile (version {product.version}): commit again.", resource=product.name
        )
    refuse_overtaken(publication, product)
    if product.version != publication.base_version:
        product.last_version += 1
        publication.version, publication.base_version = product.last_version, product.version


def refuse_overtaken(publication: publication_pb2.Publication, product: product_pb2.Product) -> None:
    """Returns if the product is what the publication was begun on, or may be put on top of what it is now. Raises: Conflict.

    A version that was still to be ended when this one was begun on it may have been given up since: nothing overtook then.
    """
    if product.version > publication.base_version and not is_rebasable(publication):
        message = f"{product.name} was published meanwhile (version {product.version}): begin a new publication."
        raise Conflict(message, resource=product.name)
