"""The mentions that a release keeps: those that its publication found, but for records that were erased before it ended.

They come with a change of their own, just before the one with the release: an erasure takes that away, and no release with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from domainmesh.v1 import erasure_pb2, mention_pb2, publication_pb2
from governance_server.backend import store
from governance_server.journal.command import Transaction
from governance_server.publishing.modes import KEEP
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite

__all__ = ["former_mentions", "found_mentions", "given_up_mentions", "leave_out", "mentioned_version"]


def found_mentions(tx: Transaction, publication: publication_pb2.Publication) -> Iterator[ResourceWrite]:
    """The writes after which the mentions that this publication found are kept; nobody is told of them before its release."""
    found = {port.port: port.mentions for port in publication.verified_ports if port.mentions.mentions}
    erased = _erased_since_begun(tx, publication) if found else frozenset()
    for port, mentions in found.items():
        lean = mention_pb2.DocumentMentions()
        lean.CopyFrom(mentions)
        lean.ClearField("tagged")  # the passages carry them
        leave_out(lean, records=erased)
        if lean.mentions:
            yield store(kinds.MENTIONS, kinds.versioned_name(port, publication.version), lean)


def former_mentions(tx: Transaction, publication: publication_pb2.Publication) -> Iterator[ResourceWrite]:
    """The writes after which the mentions in the product's collections are those of this publication."""
    untouched = {port.port for port in publication.verified_ports if port.mode == KEEP}
    for name, _ in tx.list(kinds.MENTIONS, prefix=f"{publication.product}."):
        port, version = mentioned_version(name)
        if port not in untouched and version != publication.version:
            yield ResourceWrite(kinds.MENTIONS, name, None)


def given_up_mentions(tx: Transaction, publication: publication_pb2.Publication) -> Iterator[ResourceWrite]:
    """The writes after which no mentions of this publication are kept."""
    for port in publication.verified_ports:
        name = kinds.versioned_name(port.port, publication.version)
        if tx.get(kinds.MENTIONS, name) is not None:
            yield ResourceWrite(kinds.MENTIONS, name, None)


def mentioned_version(name: str) -> tuple[str, int]:
    """The collection of mentions of that name, and the version they were found in; 0 in journals of before this was kept."""
    port, _, version = name.partition("/")
    return port, int(version or 0)


def leave_out(found: mention_pb2.DocumentMentions, *, records: Collection[bytes], passages: Collection[str] = ()) -> bool:
    """True if there were mentions of these records or in these passages; they are gone and no longer counted."""
    kept = [it for it in found.mentions if it.record not in records and it.passage not in passages]
    if len(kept) == len(found.mentions):
        return False
    lost = {it.document for it in found.mentions} - {it.document for it in kept}
    found.mention_count -= len(found.mentions) - len(kept)
    found.document_count -= len(lost)
    del found.mentions[:]
    found.mentions.extend(kept)
    return True


def _erased_since_begun(tx: Transaction, publication: publication_pb2.Publication) -> frozenset[bytes]:
    """The records that may have been found in tables before they were erased from them."""
    receipts = (erasure_pb2.Erasure.FromString(body) for _, body in tx.list(kinds.SUBJECT_ERASURE))
    begun = publication.create_time.ToNanoseconds()
    return frozenset(record for it in receipts if it.erase_time.ToNanoseconds() >= begun for record in it.records)
