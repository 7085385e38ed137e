"""Rewrites of tables beside publications (compaction, erasure): noted while they last, undone by who comes next otherwise.

Until the journal has it, a rewrite is nothing: no version names its files or its log entry. The note is a lease that nobody
renews; losing it loses nothing but the time until a vacuum removes those files, or an erasure is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from domainmesh.v1 import product_pb2
from governance_server.backend import Backend, read
from governance_server.rules import kinds
from governance_server.storage.leases import Leases
from governance_server.warehouse.layout import Warehouse

__all__ = ["Rewrites"]

_NOTE, _HOLDER = "rewrite:", "upkeep"


class Rewrites:
    """Notes rewrites, and undoes what broke off. Every method but `broken_off` only under the product's lease."""

    def __init__(self, backend: Backend, warehouse: Warehouse) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._leases = Leases(backend.database, clock=backend.now)

    @contextmanager
    def noted(self, product: str) -> Iterator[None]:
        """Within the block tables are rewritten and the journal is told; if the block breaks off, that stays noted."""
        self._leases.acquire(f"{_NOTE}{product}", _HOLDER, 0)
        yield
        self._leases.release(f"{_NOTE}{product}", _HOLDER)

    def broken_off(self, product: str = "") -> list[str]:
        """Products with a rewrite that broke off, or runs: this one, or any."""
        found = [name.removeprefix(_NOTE) for name in self._leases.left(f"{_NOTE}{product}")]
        return [name for name in found if product in ("", name)]

    def undo(self, product: str) -> None:
        """Each table holds what is served, and nothing else. Only while no publication of it is being completed.

        Raises: StorageUnavailable.
        """
        if not self.broken_off(product):
            return
        from governance_server.warehouse.undoing import undo_rewrite

        entry = read(self._backend.catalog, kinds.PRODUCT, product, product_pb2.Product)
        for port in entry.ports if entry.version else ():
            if port.kind == product_pb2.PORT_KIND_TABLE:
                undo_rewrite(self._warehouse.port_location(port.name), port.delta_version)
        self._leases.release(f"{_NOTE}{product}", _HOLDER)
