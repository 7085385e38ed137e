"""Which physical datasets a release says back its ports: their own place, and what the contract's servers name."""

from __future__ import annotations

from collections.abc import Callable

from domainmesh.v1 import product_pb2
from governance_server.lineage.naming import file_node, port_datasets
from governance_server.rules.namespace_owners import NamespaceOwners
from mesh_core.contract import Contract
from mesh_core.dataset_names import is_outside, job_node, parse_node
from mesh_core.vectors.identifiers import collection_identifier

__all__ = ["name_datasets"]


def name_datasets(
    product: product_pb2.Product, contract: Contract, owners: NamespaceOwners, *, place: Callable[[str], str], vectors: str
) -> None:
    """The product's ports say which datasets back them; what another domain owns is left out.

    `place` is a table's folder, `vectors` the URL of the vector store.
    """
    domain = product.name.partition(".")[0]
    named = port_datasets(contract) if contract.document.get("servers") else {}
    for port in product.ports:
        del port.datasets[:], port.claimed_datasets[:]
        is_collection = port.kind == product_pb2.PORT_KIND_COLLECTION
        own = _collection(vectors, port.name) if is_collection else file_node(place(port.name))
        port.datasets.append(own)
        for node in named.get(port.name.rpartition(".")[2], ()):
            owner = owners.owner_of(*parse_node(node)) if is_outside(node) else "mesh"
            if node != own and owner in ("", domain):
                (port.datasets if owner else port.claimed_datasets).append(node)


def _collection(vectors: str, port: str) -> str:
    """The collection in its store; Weaviate's by host and port, without what its URL says besides."""
    return job_node(vectors.partition("?")[0].rstrip("/"), collection_identifier(port))
