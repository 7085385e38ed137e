"""Mentions that tell of an erased subject: of its records wherever they are, and of passages that are taken out. They go."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from domainmesh.v1 import erasure_pb2, mention_pb2, product_pb2
from governance_server.backend import stamp, store
from governance_server.journal.command import Transaction
from governance_server.publishing.kept_mentions import leave_out, mentioned_version
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite

__all__ = ["Gone", "mentions_without", "note_records"]


@dataclass(frozen=True, slots=True)
class Gone:
    """What an erasure takes away."""

    records: Collection[bytes] = ()
    """Keyed hashes of the records, as mentions have them."""
    passages: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Ids of passages by collection."""


def mentions_without(tx: Transaction, gone: Gone) -> Iterator[ResourceWrite]:
    """The writes after which no mention tells of what is gone, in whichever product's documents."""
    for name, body in tx.list(kinds.MENTIONS):
        found = mention_pb2.DocumentMentions.FromString(body)
        if leave_out(found, records=gone.records, passages=gone.passages.get(mentioned_version(name)[0], ())):
            yield store(kinds.MENTIONS, name, found) if found.mentions else ResourceWrite(kinds.MENTIONS, name, None)


def note_records(tx: Transaction, receipt: erasure_pb2.Erasure, gone: Gone) -> None:
    """The receipt says when, and by keyed hashes which records, if a publication runs that may have found them before."""
    receipt.erase_time.CopyFrom(stamp(tx.time))
    if any(product_pb2.Product.FromString(body).open_publications for _, body in tx.list(kinds.PRODUCT)):
        receipt.records.extend(sorted(gone.records))
