"""Catalog calls: domains, products, contracts, releases and search, from the wire to values."""

from __future__ import annotations

from collections.abc import Sequence

from domain_sdk._enums import enum_member
from domain_sdk._expectation_calls import to_result
from domain_sdk._facet_wire import facets_from_wire
from domain_sdk._paging import all_items
from domain_sdk._times import from_timestamp
from domain_sdk._transport import Transport
from domain_sdk.catalog import (
    ColumnEntry,
    DerivedTag,
    DimensionEntry,
    DomainEntry,
    Hit,
    MeasureEntry,
    PortEntry,
    PortKind,
    ProductEntry,
    Registration,
    TagRescan,
)
from domain_sdk.errors import NotFound
from domain_sdk.release import QualityResult, QualityStatus, Release, ReleasedPort
from domainmesh.v1 import domain_pb2, domain_service_pb2, product_pb2, product_service_pb2
from domainmesh.v1.domain_service_pb2_grpc import DomainServiceStub
from domainmesh.v1.product_service_pb2_grpc import ProductServiceStub
from mesh_core.lineage import PortLineage

__all__ = [
    "create_domain",
    "discover",
    "get_contract",
    "get_domain",
    "get_release",
    "list_domains",
    "list_products",
    "list_releases",
    "register_contract",
    "show",
    "to_release",
    "update_domain",
    "validate_contract",
]


def list_domains(transport: Transport) -> list[DomainEntry]:
    """Every domain the caller may discover, by name."""
    method = transport.control(DomainServiceStub).ListDomains
    return [_domain(it) for it in all_items(transport, method, domain_service_pb2.ListDomainsRequest(), field="domains")]


def get_domain(transport: Transport, name: str, as_of: int = 0) -> DomainEntry:
    """The domain. Raises: AccessDenied."""
    request = domain_service_pb2.GetDomainRequest(name=name, as_of=as_of)
    return _domain(transport.call(transport.control(DomainServiceStub).GetDomain, request))


def create_domain(transport: Transport, domain: domain_pb2.Domain) -> DomainEntry:
    """The domain exists."""
    request = domain_service_pb2.CreateDomainRequest(domain=domain)
    return _domain(transport.call(transport.control(DomainServiceStub).CreateDomain, request))


def update_domain(transport: Transport, domain: domain_pb2.Domain, fields: Sequence[str]) -> DomainEntry:
    """The named fields of the domain have the new values."""
    request = domain_service_pb2.UpdateDomainRequest(domain=domain)
    request.update_mask.paths.extend(fields)
    return _domain(transport.call(transport.control(DomainServiceStub).UpdateDomain, request))


def list_products(transport: Transport, domain: str = "") -> list[ProductEntry]:
    """Every product the caller may discover, by name; of one domain if it is given."""
    method = transport.control(ProductServiceStub).ListProducts
    request = product_service_pb2.ListProductsRequest(domain=domain)
    return [_product(it) for it in all_items(transport, method, request, field="products")]


def show(transport: Transport, name: str, as_of: int = 0) -> DomainEntry | ProductEntry | PortEntry:
    """The domain, product or port of that name, told apart by its parts."""
    parts = name.split(".")
    if len(parts) == 1:
        return get_domain(transport, name, as_of)
    request = product_service_pb2.GetProductRequest(name=".".join(parts[:2]), as_of=as_of)
    product = _product(transport.call(transport.control(ProductServiceStub).GetProduct, request))
    if len(parts) == 2:
        return product
    for port in product.ports:
        if port.name == name:
            return port
    known = ", ".join(port.name for port in product.ports) or "none you may see"
    raise NotFound(f"{product.name} has no port {name}; its ports: {known}.", resource=name)


def discover(transport: Transport, query: str, *, tag: str = "", domain: str = "", limit: int = 20) -> list[Hit]:
    """What was found, best first."""
    method = transport.control(ProductServiceStub).Discover
    request = product_service_pb2.DiscoverRequest(query=query, tag=tag, domain=domain)
    return [_hit(it) for it in all_items(transport, method, request, field="hits", limit=limit)]


def get_contract(transport: Transport, product: str, version: int = 0, *, prefer_registered: bool = False) -> str:
    """The contract, byte for byte; of the version now served when it is 0, or the registered one if that is preferred."""
    request = product_service_pb2.GetContractRequest(product=product, version=version, prefer_registered=prefer_registered)
    return transport.call(transport.control(ProductServiceStub).GetContract, request).text


def validate_contract(transport: Transport, text: str) -> tuple[list[str], list[str]]:
    """What the mesh would record without enforcing it, and what keeps it from being served. Raises: InvalidContract."""
    request = product_service_pb2.ValidateContractRequest(text=text)
    response = transport.call(transport.control(ProductServiceStub).ValidateContract, request)
    return list(response.recorded_only), list(response.not_servable)


def register_contract(transport: Transport, product: str, text: str) -> Registration:
    """The contract is kept for the product until a release follows. Raises: InvalidContract, AccessDenied."""
    request = product_service_pb2.RegisterContractRequest(product=product, text=text)
    response = transport.call(transport.control(ProductServiceStub).RegisterContract, request)
    return Registration(product, response.contract.version, tuple(response.recorded_only), tuple(response.not_servable))


def get_release(transport: Transport, product: str, version: int = 0) -> Release:
    """The release; the one now served when the version is 0."""
    request = product_service_pb2.GetReleaseRequest(product=product, version=version)
    return to_release(transport.call(transport.control(ProductServiceStub).GetRelease, request))


def list_releases(transport: Transport, product: str, limit: int | None = None) -> list[Release]:
    """The releases, newest first."""
    method = transport.control(ProductServiceStub).ListReleases
    request = product_service_pb2.ListReleasesRequest(product=product)
    return [to_release(it) for it in all_items(transport, method, request, field="releases", limit=limit)]


def to_release(message: product_pb2.Release, lineage: Sequence[PortLineage] = ()) -> Release:
    """The release as a value."""
    return Release(
        product=message.product,
        version=message.version,
        contract_version=message.contract_version,
        ports=tuple(ReleasedPort(it.port, _kind(it.kind), it.row_count, it.size_bytes) for it in message.ports),
        quality=tuple(to_quality(it) for it in message.quality),
        lineage=tuple(lineage),
        publish_time=from_timestamp(message, "publish_time"),
        principal=message.principal,
        publication=message.publication,
        not_enforced=tuple(message.not_enforced),
        expectations=tuple(to_result(it) for it in message.expectations),
    )


def to_quality(message: product_pb2.QualityResult) -> QualityResult:
    """The result as a value."""
    return QualityResult(
        port=message.port,
        column=message.column,
        check=message.check,
        status=enum_member(QualityStatus, message.status),
        is_blocking=message.is_blocking,
        failing_rows=message.failing_rows,
        total_rows=message.total_rows,
        message=message.message,
        samples=tuple(message.samples),
        measured=message.measured,
        filled_columns=tuple(message.filled_columns),
    )


def _kind(value: int) -> PortKind:
    return enum_member(PortKind, value)


def _domain(message: domain_pb2.Domain) -> DomainEntry:
    return DomainEntry(
        name=message.name,
        title=message.title,
        description=message.description,
        owners=tuple(message.owners),
        members=tuple(message.members),
        roles={role.name: tuple(role.members) for role in message.roles},
        namespaces=tuple(message.namespaces),
        create_time=from_timestamp(message, "create_time"),
        etag=message.etag,
    )


def _product(message: product_pb2.Product) -> ProductEntry:
    return ProductEntry(
        name=message.name,
        title=message.title,
        description=message.description,
        status=message.status,
        version=message.version,
        contract_version=message.contract_version,
        tags=tuple(message.tags),
        ports=tuple(_port(it) for it in message.ports),
        create_time=from_timestamp(message, "create_time"),
        update_time=from_timestamp(message, "update_time"),
        registered_contract_version=message.registered_contract_version,
    )


def _port(message: product_pb2.Port) -> PortEntry:
    return PortEntry(
        name=message.name,
        kind=_kind(message.kind),
        description=message.description,
        columns=tuple(_column(it) for it in message.columns),
        tags=tuple(message.tags),
        row_count=message.row_count,
        embedding_model=message.embedding_model,
        dimensions=message.dimensions,
        passage_tags=tuple(message.passage_tags),
        facets=facets_from_wire(message.facets) if message.HasField("facets") else None,
        synonyms=tuple(message.synonyms),
        measures=tuple(
            MeasureEntry(it.name, it.title, it.description, it.expression, it.unit, it.time_dimension, tuple(it.synonyms))
            for it in message.measures
        ),
        measure_dimensions=tuple(
            DimensionEntry(it.name, it.title, it.description, it.expression, it.logical_type, tuple(it.synonyms))
            for it in message.measure_dimensions
        ),
    )


def _column(message: product_pb2.Column) -> ColumnEntry:
    return ColumnEntry(
        name=message.name,
        logical_type=message.logical_type,
        physical_type=message.physical_type,
        description=message.description,
        is_required=message.is_required,
        primary_key_position=message.primary_key_position,
        tags=tuple(message.tags),
        derived_tags=tuple(DerivedTag(it.tag, tuple(it.path)) for it in message.derived_tags),
        synonyms=tuple(message.synonyms),
        unit=message.unit,
        rescans=tuple(TagRescan(it.tag, it.rows, it.version) for it in message.rescans),
    )


def _hit(message: product_service_pb2.DiscoverHit) -> Hit:
    return Hit(
        name=message.name,
        kind=message.kind,
        description=message.description,
        matched=tuple(message.matched),
        tags=tuple(message.tags),
        is_readable=message.is_readable,
        update_time=from_timestamp(message, "update_time"),
        is_only_registered=message.is_only_registered,
        readable_purposes=tuple(message.readable_purposes),
    )
