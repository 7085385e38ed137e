"""Erasures that broke off: what they took from collections is counted, so that these are held to what was published again.

Without that nobody could tell what an erasure took from what was lost, until it is repeated; only who repeats it knows of whom.
"""

from __future__ import annotations

from domainmesh.v1 import product_pb2
from governance_server.backend import Backend, read, store
from governance_server.journal.command import Outcome, Transaction
from governance_server.rules import kinds
from governance_server.rules.errors import Unavailable
from governance_server.upkeep.whole_collections import collections_of, corrected_counts, counts_after, uncounted
from governance_server.vector_access import VectorAccess

__all__ = ["BrokenErasures"]


class BrokenErasures:
    """Counts in the name of `principal`."""

    def __init__(self, backend: Backend, vectors: VectorAccess, principal: str) -> None:
        self._backend = backend
        self._vectors = vectors
        self._principal = principal

    def products(self) -> list[str]:
        """Those with collections from which an erasure takes passages, or took them and broke off."""
        return sorted({receipt.product for receipt in uncounted(self._backend.catalog) if collections_of([receipt])})

    def count(self, product: str) -> None:
        """Releases have as many passages as they were left with. Raises: Unavailable.

        Only within `alone`, which an erasure is in from begin to end: one that is not complete broke off.
        """
        from mesh_core.vectors.store import VectorStoreError

        receipts = uncounted(self._backend.catalog, f"{product}/")
        if not receipts:
            return
        try:
            counts = counts_after(self._backend.catalog, self._vectors, collections_of(receipts), receipts)
        except VectorStoreError as error:
            raise Unavailable(f"What an erasure took from {product} was not counted: {error}", resource=product) from error

        def run(tx: Transaction) -> Outcome:
            for receipt in receipts:
                receipt.is_counted = True
            kept = (store(kinds.SUBJECT_ERASURE, f"{product}/{it.id}", it) for it in receipts)
            entry = read(tx, kinds.PRODUCT, product, product_pb2.Product)
            return Outcome("subject.erasure_counted", product, (*kept, *corrected_counts(tx, entry, counts)), b"")

        self._backend.journal_as(self._principal, run)
