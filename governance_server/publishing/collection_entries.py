"""What the catalog says of a published collection: its model, the tags of its passages, what its documents are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domainmesh.v1 import product_pb2, publication_pb2
from governance_server.publishing.modes import KEEP

__all__ = ["Staged", "describe_collections", "is_delivered"]


@dataclass(frozen=True, slots=True)
class Staged:
    """What was found of a version's passages while all of them went into the store."""

    added: int
    """How many of them are new."""
    tags: frozenset[str]
    """Every tag that some passage has."""
    located_tags: frozenset[str]
    """Those of them that stand for data at known places wherever they are."""


def is_delivered(port: publication_pb2.VerifiedPort) -> bool:
    """True for a collection that the publication writes."""
    return port.kind == product_pb2.PORT_KIND_COLLECTION and port.mode != KEEP


def describe_collections(
    entry: product_pb2.Product,
    before: product_pb2.Product,
    publication: publication_pb2.Publication,
    staged: Mapping[str, Staged],
) -> None:
    """The entry's collections say their model, dimensions and passage tags; those that are kept what they said before."""
    verified = {port.port: port for port in publication.verified_ports}
    kept = {port.name: port for port in before.ports}
    for port in entry.ports:
        if port.kind != product_pb2.PORT_KIND_COLLECTION:
            continue
        found = verified[port.name]
        if is_delivered(found):
            _describe(port, found, staged[port.name])
        else:
            _keep(port, kept[port.name])


def _describe(port: product_pb2.Port, found: publication_pb2.VerifiedPort, staged: Staged) -> None:
    port.embedding_model, port.dimensions = found.embedding_model, found.dimensions
    port.passage_tags.extend(sorted(staged.tags))
    port.located_tags.extend(sorted(staged.located_tags))
    if found.HasField("facets"):
        port.facets.CopyFrom(found.facets)
        port.facets.mentioning_documents = found.mentions.document_count
        port.facets.known_values = found.mentions.value_count


def _keep(port: product_pb2.Port, was: product_pb2.Port) -> None:
    port.embedding_model, port.dimensions = was.embedding_model, was.dimensions
    port.passage_tags.extend(was.passage_tags)
    port.located_tags.extend(was.located_tags)
    if was.HasField("facets"):
        port.facets.CopyFrom(was.facets)
