"""A served shop for tests of the audit: an owner, a reader, a table, and what the decision log's database holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from domain_sdk import DecisionRecord, Mesh
from tests.integration.mesh_setup import contract
from tests.servers import RunningServer

__all__ = ["ORDERS", "Shop", "opened_shop"]

ORDERS = "shop.orders.orders"
_COLUMNS = ["id: integer", "mail: string", "amount: number"]


class Shop:
    """The shop as its people see it."""

    def __init__(self, server: RunningServer, rows: int) -> None:
        self.server = server
        self.admin = server.admin()
        self._meshes = [self.admin]
        self.owner = self.enter("user:olga")
        self.admin.admin.create_domain("shop", owners=["user:olga"])
        frame = pl.DataFrame({"id": range(rows), "mail": ["a@b.eu"] * rows, "amount": [1.5] * rows})
        product = self.owner.domain("shop").product("orders", contract("shop.orders", {"orders": _COLUMNS}))
        product.publish(orders=frame, accept_pii=["mail"], progress=False)
        self.reader = self.enter("user:bo")

    def enter(self, name: str) -> Mesh:
        """The mesh as a principal sees it."""
        self._meshes.append(self.server.user(name))
        return self._meshes[-1]

    def decisions(self, *, kinds: tuple[str, ...] = (), at_least: int = 1, **query: object) -> list[DecisionRecord]:
        """The decisions of these kinds (or all), oldest first; answers are logged milliseconds after they were given."""
        deadline = time.monotonic() + 40
        while True:
            found = reversed(self.admin.audit.decisions(limit=None, **query))  # type: ignore[arg-type]
            wanted = [it for it in found if not kinds or it.kind in kinds]
            if len(wanted) >= at_least or time.monotonic() > deadline:
                return wanted
            time.sleep(0.05)

    def close(self) -> None:
        """No connection is open."""
        for mesh in self._meshes:
            mesh.close()


@contextmanager
def opened_shop(server: RunningServer, *, rows: int = 1000) -> Iterator[Shop]:
    """The shop on this server, its connections closed at the end."""
    shop = Shop(server, rows)
    try:
        yield shop
    finally:
        shop.close()
