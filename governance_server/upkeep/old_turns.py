"""Turns, and preferences made of them, whose time is over by the contract: gone from the version served, whoever publishes."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from domainmesh.v1 import product_pb2
from governance_server.backend import Backend, read, store
from governance_server.contracts import parse_contract
from governance_server.journal.command import Outcome, Transaction
from governance_server.rules import kinds
from governance_server.rules.conversations import ASKED_AT, ending_table
from governance_server.rules.errors import InvalidContractText
from governance_server.rules.retention import retention_of
from governance_server.upkeep.erased_releases import released_without
from governance_server.upkeep.upkeep import UPKEEP, Upkeep
from governance_server.upkeep.versions import find_release
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.layout import Warehouse

__all__ = ["OldTurns"]

_LOG = logging.getLogger(__name__)


class OldTurns:
    """Removes turns and pairs whose time is over."""

    def __init__(self, backend: Backend, warehouse: Warehouse, upkeep: Upkeep) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._upkeep = upkeep

    def products(self) -> list[str]:
        """Those that hold conversations or preferences."""
        known = self._backend.policy.facts().products
        return [name for name in sorted(known) if known[name].version and self._ending(known[name]) is not None]

    def remove(self, product: str) -> int:
        """How many rows left the version served. Then the product is maintained, which retires versions that are as old.

        May be lost at any point and done again. Raises: Conflict, Overloaded, StorageUnavailable, VersionConflict.
        """
        with self._upkeep.alone(product):
            removed = self._removed(self._upkeep.product(product))
        self._upkeep.maintain(product)
        return removed

    def _ending(self, product: product_pb2.Product) -> tuple[str, int] | None:
        """The port whose rows end, and after how many days; None if the product has none."""
        name = kinds.versioned_name(product.name, product.version)
        body = self._backend.catalog.get(kinds.CONTRACT, name)
        try:
            contract = parse_contract(product_pb2.Contract.FromString(body).text) if body else None
        except InvalidContractText:
            return None
        table = ending_table(contract.custom_properties) if contract else ""
        days = retention_of(contract.custom_properties).days if contract else None
        return (f"{product.name}.{table}", days) if table and days is not None else None

    def _removed(self, product: product_pb2.Product) -> int:
        ending = self._ending(product)
        if ending is None:
            return 0
        port, days = ending
        table = next((it for it in product.ports if it.name == port), None)
        if table is None:
            return 0
        moment = self._backend.now() - timedelta(days=days)
        count = self._count(port, table.delta_version, moment)
        if count:
            self._replace(product, port, moment, count)
        return count

    def _count(self, port: str, delta_version: int, moment: datetime) -> int:
        from governance_server.gateway.table_source import open_table
        from governance_server.warehouse.old_rows import count_before

        return count_before(open_table(port, self._warehouse.port_location(port), delta_version).frame, ASKED_AT, moment)

    def _replace(self, product: product_pb2.Product, port: str, moment: datetime, count: int) -> None:
        from governance_server.warehouse.subject_rows import holds_version

        root = self._warehouse.port_location(port)
        served = next(it.delta_version for it in product.ports if it.name == port)
        if not holds_version(root, served):
            _LOG.warning("old turns stay port=%s: its table holds something that is not served", port)
            return
        with self._upkeep.rewriting(product.name):
            self._rewrite(product, port, (moment, count))

    def _rewrite(self, product: product_pb2.Product, port: str, old: tuple[datetime, int]) -> None:
        """The table is written without so many rows before a moment, and served as a version of its own."""
        from governance_server.warehouse.old_rows import write_from

        moment, count = old
        root, version = self._warehouse.port_location(port), self._taken(product.name)
        fault_point("old_turns.begun")
        written = write_from(
            root, ASKED_AT, moment, removal=f"r-{self._backend.new_id()}", version=version, scratch=self._backend.settings.scratch
        )
        fault_point("old_turns.written")

        def run(tx: Transaction) -> Outcome:
            release = find_release(tx, product.name, product.version)
            contract = read(tx, kinds.CONTRACT, kinds.versioned_name(product.name, product.version), product_pb2.Contract)
            for it in release.ports:
                if it.port == port:
                    it.delta_version, it.row_count = written, it.row_count - count
                    it.mode = product_pb2.WRITE_MODE_OVERWRITE
            writes = released_without(tx, release, contract, (version, UPKEEP))
            return Outcome("product.old_rows_removed", product.name, tuple(writes), b"")

        self._backend.journal_as(UPKEEP, run)

    def _taken(self, name: str) -> int:
        """The number of the version that may follow."""
        taken: list[int] = []

        def run(tx: Transaction) -> Outcome:
            product = read(tx, kinds.PRODUCT, name, product_pb2.Product)
            product.last_version += 1
            taken.append(product.last_version)
            return Outcome("product.removing_old_rows", name, (store(kinds.PRODUCT, name, product),), b"")

        self._backend.journal_as(UPKEEP, run)
        return taken[-1]
