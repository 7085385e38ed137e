"""Mentions that tell of an erased subject: of its records wherever they are, and of passages that are taken out. They go."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from domainmesh.v1 import mention_pb2
from governance_server.backend import store
from governance_server.journal.command import Transaction
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite

__all__ = ["Gone", "mentions_without"]


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
        passages = gone.passages.get(name, ())
        kept = [it for it in found.mentions if it.record not in gone.records and it.passage not in passages]
        if len(kept) == len(found.mentions):
            continue
        lost = {it.document for it in found.mentions} - {it.document for it in kept}
        found.mention_count -= len(found.mentions) - len(kept)
        found.document_count -= len(lost)
        del found.mentions[:]
        found.mentions.extend(kept)
        yield store(kinds.MENTIONS, name, found) if kept else ResourceWrite(kinds.MENTIONS, name, None)
