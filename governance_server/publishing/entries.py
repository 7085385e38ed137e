"""What the catalog says of a contract and of a release of it: product and ports as messages; no storage, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from domainmesh.v1 import lineage_pb2, product_pb2, publication_pb2
from governance_server.contracts import unservable
from governance_server.rules.errors import InvalidContractText
from mesh_core.contract import Column, Contract, Port, PortKind
from mesh_core.contract.freshness import age_limits
from mesh_core.contract.semantics import Dimension, Measure

__all__ = [
    "check_servable",
    "describe",
    "described",
    "port_entry",
    "released_lineages",
    "settle",
    "without_delivery",
]

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
    by_name = {port.name: port for port in entry.ports}
    for limit in age_limits(contract):
        port = by_name[f"{entry.name}.{limit.port}"]
        port.age_limits.add(column=limit.column, seconds=limit.seconds, promise=limit.words)


def port_entry(product: str, port: Port) -> product_pb2.Port:
    """The catalog's entry of a port, without what a release fills in."""
    return product_pb2.Port(
        name=f"{product}.{port.name}", kind=_KINDS[port.kind], is_quarantine=bool(port.quarantine_of),
        description=port.description or "", tags=port.tags,
        columns=[_column(column) for column in port.columns], synonyms=port.synonyms,
        measures=[_measure(port, it) for it in port.measures], measure_dimensions=[_dimension(it) for it in port.dimensions],
    )  # fmt: skip


def _measure(port: Port, measure: Measure) -> product_pb2.Measure:
    return product_pb2.Measure(
        name=measure.name, title=measure.title, description=measure.description, synonyms=measure.synonyms,
        expression=measure.expression, unit=measure.unit, time_dimension=port.time_dimension(measure),
    )  # fmt: skip


def _dimension(dimension: Dimension) -> product_pb2.Dimension:
    return product_pb2.Dimension(
        name=dimension.name, title=dimension.title, description=dimension.description, synonyms=dimension.synonyms,
        expression=dimension.expression, logical_type=dimension.logical_type,
    )  # fmt: skip


def _column(column: Column) -> product_pb2.Column:
    return product_pb2.Column(
        name=column.name, logical_type=column.logical_type or "", physical_type=column.physical_type or "",
        description=column.description or "", is_required=column.required,
        primary_key_position=column.primary_key_position or 0, tags=dict.fromkeys(_all_tags(column)),
        synonyms=column.synonyms, unit=column.unit, is_unique=column.unique,
        allowed_values=[str(value) for value in column.enum], pattern=str(column.options.get("pattern") or ""),
    )  # fmt: skip


def _all_tags(column: Column) -> Iterator[str]:
    """The column's tags and those of everything nested in it: policy decides on whole columns, so the strictest part counts."""
    yield from column.tags
    for part in (*column.columns, column.items, column.map_key, column.map_value):
        if part is not None:
            yield from _all_tags(part)


def check_servable(contract: Contract, product: str) -> Contract:
    """The contract, if the mesh can serve it. Raises: InvalidContractText with every reason why not."""
    problems = unservable(contract)
    if problems:
        raise InvalidContractText(
            f"The mesh cannot serve the contract of {product}: mend what is listed.", resource=product, problems=problems
        )
    return contract


def described(product: product_pb2.Product, contract: Contract) -> product_pb2.Product:
    """A copy of the product as the contract describes it."""
    entry = product_pb2.Product()
    entry.CopyFrom(product)
    describe(entry, contract)
    return entry


def settle(
    product: product_pb2.Product, entry: product_pb2.Product, contract: Contract, release: product_pb2.Release, time: Timestamp
) -> None:
    """The product is what the release made of it."""
    describe(product, contract)
    del product.ports[:]
    product.ports.extend(entry.ports)
    del product.warnings[:]
    product.warnings.extend(entry.warnings)
    product.overdue_after_seconds = entry.overdue_after_seconds
    released = {port.port: port for port in release.ports}
    for port in product.ports:
        made = released[port.name]
        port.row_count, port.delta_version = made.row_count, made.delta_version
        port.newest_version, port.newest_count = made.newest_version, made.newest_count
    if not product.version:
        product.create_time.CopyFrom(time)
    product.update_time.CopyFrom(time)
    product.version = release.version


def released_lineages(
    publication: publication_pb2.Publication, before: Mapping[str, lineage_pb2.PortLineage]
) -> Iterator[lineage_pb2.PortLineage]:
    """The publication's lineage, marked with its version; it is the publication's word, whatever the message says.

    Where rows of before stay in a port, they came from where they came from, so that lineage (`before`, by port) stays, too.
    """
    delivered = {lineage.port: lineage for lineage in publication.lineage}
    for port in publication.verified_ports:
        keeps_rows = port.mode not in (product_pb2.WRITE_MODE_UNSPECIFIED, product_pb2.WRITE_MODE_OVERWRITE)
        found = [it for it in (before.get(port.port) if keeps_rows else None, delivered.get(port.port)) if it is not None]
        if found:
            lineage = _joined(found)
            lineage.version, lineage.source, lineage.basis = publication.version, "", ""
            yield lineage


def _joined(lineages: Sequence[lineage_pb2.PortLineage]) -> lineage_pb2.PortLineage:
    """One lineage with every source of all of them, of each input the newest version; run and job are the last one's."""
    joined = lineage_pb2.PortLineage()
    joined.CopyFrom(lineages[-1])
    for field in ("edges", "row_edges", "unknown_inputs"):
        every = {str(it): it for lineage in lineages for it in getattr(lineage, field)}
        joined.ClearField(field)
        getattr(joined, field).extend(every.values())
    newest = {it.port: it for lineage in lineages for it in lineage.inputs}
    joined.ClearField("inputs")
    joined.inputs.extend(newest.values())
    return joined


def without_delivery(publication: publication_pb2.Publication) -> publication_pb2.Publication:
    """The publication without what its release holds already."""
    settled = publication_pb2.Publication()
    settled.CopyFrom(publication)
    for field in ("verified_ports", "lineage", "quality", "expectations", "contract_text", "locations"):
        settled.ClearField(field)
    return settled
