"""ProductService: the catalog. Shows only what the caller may discover; columns carry their declared and derived tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import grpc

from domainmesh.v1 import product_pb2, product_service_pb2_grpc
from domainmesh.v1 import product_service_pb2 as pb
from governance_server.backend import Backend, Page
from governance_server.caller import current_caller
from governance_server.contracts import parse_contract, unservable
from governance_server.policy.engine import Visibility
from governance_server.policy.projection import PolicyProjection, denied
from governance_server.policy.readable import Readable
from governance_server.publishing.facets import outdate_facets, shown_facets
from governance_server.rules import kinds
from governance_server.rules.errors import NotFound
from governance_server.search.index import SearchHit, SearchIndex
from governance_server.services import registered_contracts
from governance_server.services.seen_releases import seen_release
from governance_server.upkeep.whole_collections import erased_since
from mesh_core.contract.coverage import not_enforced
from mesh_core.names import column_object, parse_product

__all__ = ["ProductService", "with_derived_tags"]


class ProductService(product_service_pb2_grpc.ProductServiceServicer):
    """Serves the catalog."""

    def __init__(self, backend: Backend, search: SearchIndex) -> None:
        self._backend = backend
        self._search = search

    def GetProduct(self, request: pb.GetProductRequest, context: grpc.ServicerContext) -> product_pb2.Product:
        """Returns one product with its ports."""
        parse_product(request.name)
        policy, sights = self._sights(request.as_of)
        body = self._backend.catalog.get(kinds.PRODUCT, request.name, as_of=request.as_of or None)
        product = _seen(self._entry(request.name, body, request.as_of), sights, self._is_whole(policy))
        if product is None:
            raise denied("discover", request.name)
        return with_derived_tags(policy, product, sights[-1])

    def ListProducts(self, request: pb.ListProductsRequest, context: grpc.ServicerContext) -> pb.ListProductsResponse:
        """Lists products by name."""
        page = Page.of(request.page_size, request.page_token)
        policy, sights = self._sights(request.as_of)
        rows = self._backend.catalog.list(
            kinds.PRODUCT, domain=request.domain or None, limit=None, after_name=page.after, as_of=request.as_of or None
        )
        entries = self._with_registered(dict(rows), request, page.after)
        is_whole = self._is_whole(policy)
        every = (_seen(self._entry(name, body, request.as_of), sights, is_whole) for name, body in entries)
        found = list(islice((product for product in every if product is not None), page.size + 1))
        products = [with_derived_tags(policy, product, sights[-1]) for product in found[: page.size]]
        more = Page.token(products[-1].name) if len(found) > page.size else ""
        return pb.ListProductsResponse(products=products, next_page_token=more)

    def Discover(self, request: pb.DiscoverRequest, context: grpc.ServicerContext) -> pb.DiscoverResponse:
        """Finds products and ports; an exact name is always first."""
        page = Page.of(request.page_size, request.page_token)
        caller = current_caller()
        visible = self._backend.policy.visibility(caller)
        readable = Readable(self._backend.policy, caller)
        start = page.position
        found = self._search.find(
            request.query, visible=visible, is_whole=readable.whole_now, tag=request.tag, domain=request.domain,
            limit=start + page.size + 1,
        )  # fmt: skip
        hits = [_hit(hit, readable) for hit in found[start : start + page.size]]
        more = Page.token(str(start + page.size)) if len(found) > start + page.size else ""
        return pb.DiscoverResponse(hits=hits, next_page_token=more)

    def GetContract(self, request: pb.GetContractRequest, context: grpc.ServicerContext) -> product_pb2.Contract:
        """Returns a contract, byte for byte as published: to who may discover each of its ports."""
        policy, product = self._visible(request.product, request.as_of)
        if not request.version and (request.prefer_registered or not product.version):
            kept = registered_contracts.pending(self._backend.catalog, product, as_of=request.as_of)
            if kept is not None:
                return self._registered(kept, policy)
        name = kinds.versioned_name(product.name, request.version or product.version)
        body = self._backend.catalog.get(kinds.CONTRACT, name, as_of=request.as_of or None)
        if body is None:
            raise NotFound(
                f"{product.name} has no version {request.version}: list them with `mesh show {product.name}`.",
                resource=product.name,
            )
        ports = product_pb2.Release.FromString(self._backend.catalog.get(kinds.RELEASE, name) or b"").ports
        if not all(self._may_discover(port.port, policy) for port in ports):
            raise denied("see the whole contract of", product.name)
        return product_pb2.Contract.FromString(body)

    def RegisterContract(self, request: pb.RegisterContractRequest, context: grpc.ServicerContext) -> pb.RegisterContractResponse:
        """Keeps a valid contract until a release follows."""
        return registered_contracts.register(self._backend, request)

    def ValidateContract(self, request: pb.ValidateContractRequest, context: grpc.ServicerContext) -> pb.ValidateContractResponse:
        """Checks a contract without storing it."""
        contract = parse_contract(request.text)
        return pb.ValidateContractResponse(
            api_version=contract.api_version, id=contract.id, version=contract.version,
            recorded_only=[*not_enforced(contract.document), *contract.uncomputed],
            not_servable=[f"{problem.path}: {problem.message}" for problem in unservable(contract)],
        )  # fmt: skip

    def GetRelease(self, request: pb.GetReleaseRequest, context: grpc.ServicerContext) -> product_pb2.Release:
        """Returns one release."""
        _, product = self._visible(request.product, 0)
        body = self._backend.catalog.get(kinds.RELEASE, kinds.versioned_name(product.name, request.version or product.version))
        if body is None:
            raise NotFound(f"{product.name} has no version {request.version}.", resource=product.name)
        return seen_release(self._backend, body)

    def ListReleases(self, request: pb.ListReleasesRequest, context: grpc.ServicerContext) -> pb.ListReleasesResponse:
        """Lists releases, newest first."""
        _, product = self._visible(request.product, 0)
        page = Page.of(request.page_size, request.page_token)
        newest = self._backend.catalog.list(
            kinds.RELEASE, prefix=f"{product.name}/", limit=page.size + 1, after_name=page.after, is_descending=True
        )
        releases = [seen_release(self._backend, body) for _, body in newest[: page.size]]
        last = newest[page.size - 1][0] if len(newest) > page.size else ""
        return pb.ListReleasesResponse(releases=releases, next_page_token=Page.token(last) if last else "")

    def _entry(self, name: str, body: bytes | None, as_of: int) -> product_pb2.Product:
        product = product_pb2.Product.FromString(body or b"")
        product.name = name
        erased = erased_since(self._backend.catalog, name, as_of) if as_of else frozenset()
        for port in (it for it in product.ports if it.name in erased):
            outdate_facets(port)
        return registered_contracts.with_pending(
            product, registered_contracts.pending(self._backend.catalog, product, as_of=as_of)
        )

    def _with_registered(
        self, products: dict[str, bytes], request: pb.ListProductsRequest, after: str
    ) -> list[tuple[str, bytes | None]]:
        """The products by name, those that have but a registered contract among them."""
        kept = self._backend.catalog.list(
            kinds.REGISTERED_CONTRACT,
            domain=request.domain or None,
            limit=None,
            after_name=after,
            as_of=request.as_of or None,
        )
        return [(name, products.get(name)) for name in sorted({*products, *(name for name, _ in kept)}, key=str.encode)]

    def _registered(self, contract: product_pb2.Contract, policy: PolicyProjection) -> product_pb2.Contract:
        """The registered contract, for who may discover each port that it describes. Raises: AccessDenied."""
        entry = registered_contracts.with_pending(product_pb2.Product(name=contract.product), contract)
        if not all(self._may_discover(port.name, policy) for port in entry.ports):
            raise denied("see the whole contract of", contract.product)
        return contract

    def _may_discover(self, port: str, *others: PolicyProjection) -> bool:
        """True if the caller may discover the port today, and by the other policies too."""
        caller = current_caller()
        return all(policy.check(caller, "discover", port).allowed for policy in {self._backend.policy, *others})

    def _sights(self, as_of: int) -> tuple[PolicyProjection, list[Visibility]]:
        """The policy asked about, and what the caller may discover today and then."""
        then = self._backend.policy_at(as_of)
        policies = [self._backend.policy, then] if as_of else [then]
        return then, [policy.visibility(current_caller()) for policy in policies]

    def _is_whole(self, then: PolicyProjection) -> Callable[[product_pb2.Port], bool]:
        """Tells of a collection whether the caller may find every passage of it, today and then."""
        readers = [Readable(policy, current_caller()) for policy in {self._backend.policy, then}]
        return lambda port: all(it.whole(port) for it in readers)

    def _visible(self, name: str, as_of: int) -> tuple[PolicyProjection, product_pb2.Product]:
        parse_product(name)
        policy = self._backend.policy_at(as_of)
        for needed in (self._backend.policy, policy):  # now, not only then
            needed.authorise(current_caller(), "discover", name)
        body = self._backend.catalog.get(kinds.PRODUCT, name, as_of=as_of or None)
        product = product_pb2.Product.FromString(body or b"")
        product.name = name
        if not product.version and registered_contracts.pending(self._backend.catalog, product, as_of=as_of) is None:
            raise denied("discover", name)
        return policy, product


def _hit(hit: SearchHit, readable: Readable) -> pb.DiscoverHit:
    is_readable = not hit.is_only_registered and readable.now(hit.name)
    return pb.DiscoverHit(
        name=hit.name, kind=hit.kind, description=hit.description, matched=hit.matched, tags=hit.tags, is_readable=is_readable,
        update_time=hit.update_time, is_only_registered=hit.is_only_registered,
        readable_purposes=[] if is_readable or hit.is_only_registered else readable.purposes(hit.name),
    )  # fmt: skip


def _seen(
    product: product_pb2.Product, sights: Sequence[Visibility], is_whole: Callable[[product_pb2.Port], bool]
) -> product_pb2.Product | None:
    """The product with the ports the caller may discover; None if there is nothing of it: no release, no registered contract.

    What else is registered for a released product is told to who may discover all of it.
    """
    ports = [port for port in product.ports if all(sight.allows(port.name) for sight in sights)]
    is_there = product.version or product.registered_contract_version
    if not is_there or not (ports or all(sight.allows(product.name) for sight in sights)):
        return None
    if len(ports) < len(product.ports) and product.version:
        product.ClearField("registered_contract_version")
    del product.ports[:]
    product.ports.extend(ports)
    for port in product.ports:  # where it lies stays with the server
        port.ClearField("datasets")
        port.ClearField("claimed_datasets")
        if port.HasField("facets"):
            port.facets.CopyFrom(shown_facets(port.facets, is_whole=is_whole(port)))
        for kept in ("located_tags", "newest_version", "newest_count"):
            port.ClearField(kept)
    product.ClearField("warnings")  # QualityService shows them
    product.ClearField("overdue_after_seconds")
    product.ClearField("open_contract_changes")
    return product


def with_derived_tags(policy: PolicyProjection, product: product_pb2.Product, visible: Visibility) -> product_pb2.Product:
    """The product with the tags that flowed into its columns; what the caller may not discover on a path is `?`."""
    derived = policy.facts().derived
    for port in product.ports:
        for column in port.columns:
            for tag, path in sorted(derived.get(column_object(port.name, column.name), {}).items()):
                shown = [step if visible.allows(step) else "?" for step in path]
                column.derived_tags.add(tag=tag, path=shown)
    return product
