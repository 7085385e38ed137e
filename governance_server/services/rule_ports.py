"""Ports of other products, for checks at publish: governed for queries, with the server's own rights for foreign keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from domainmesh.v1 import decision_log_pb2 as log_pb2
from domainmesh.v1 import product_pb2
from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.gateway.query_processes import QueryProcesses
from governance_server.publishing.candidate import CandidateChecks
from governance_server.publishing.candidate_files import NotRunnable, OtherTable, WholeTable
from governance_server.publishing.sql_rules import SqlRules
from governance_server.rules.errors import GovernanceError
from governance_server.services.pinned_reads import PinnedReads
from governance_server.warehouse.layout import Warehouse

if TYPE_CHECKING:
    from governance_server.publishing.foreign_keys import ForeignKeys

__all__ = ["RulePorts", "candidate_checks"]


class RulePorts:
    """Opens ports as they are served now."""

    def __init__(self, backend: Backend, warehouse: Warehouse) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._reads = PinnedReads(backend, warehouse)

    def table(self, caller: Caller, port: str, version: int, needed: Callable[[list[str]], list[str]]) -> OtherTable:
        """What a query can scan, of the rows and columns that the caller may see for no purpose; recorded as a read.

        Raises: AccessDenied, NotFound, Invalid, Unavailable.
        """
        from governance_server.gateway.sql_jobs import TableRead

        with self._backend.recording(log_pb2.DECISION_KIND_SQL, resource=port, purpose="") as recording:
            read = self._reads.pin(caller, port, "", version)
            columns = needed([column.name for column in read.plan.columns])
            recording.decided(read.plan, version=read.version, columns=columns)
        asked = TableRead(read.plan, tuple(columns), read.table_root, read.delta_version)
        return OtherTable(asked, self._reads.watch(caller, read))

    def whole(self, caller: Caller, port: str) -> WholeTable:
        """All its rows, to be read. Raises: NotRunnable if there is none, it is no table, or the caller may not know of it."""
        from governance_server.gateway.scan_errors import ScanFailed
        from governance_server.gateway.sql_jobs import WholeRead
        from governance_server.gateway.table_source import open_table

        self._refuse_unknown(caller, port)
        found, root = self._backend.policy.find_port(port), self._warehouse.port_location(port)
        assert found is not None
        try:
            schema = open_table(port, root, found.delta_version).schema
        except ScanFailed as error:
            raise NotRunnable(str(error)) from error
        return WholeTable(WholeRead(port, root, found.delta_version), schema, lambda: self._refuse_unknown(caller, port))

    def _refuse_unknown(self, caller: Caller, port: str) -> None:
        found = self._backend.policy.find_port(port)
        may_know = self._backend.policy.check(caller, "discover", port).allowed
        if found is None or not may_know or found.kind != product_pb2.PORT_KIND_TABLE:
            raise NotRunnable(f"there is no table {port} that you may discover")

    def shows(self, caller: Caller, port: str, columns: list[str]) -> bool:
        """Whether the caller sees every row of these columns clear, without a purpose."""
        from mesh_core.expressions.tree import TRUE

        try:
            plan = self._backend.policy.plan(caller, port, "")
        except GovernanceError:
            return False
        clear = {column.name for column in plan.columns if column.is_clear}
        return plan.row_filter == TRUE and clear.issuperset(columns)


def candidate_checks(backend: Backend, warehouse: Warehouse, processes: QueryProcesses) -> CandidateChecks:
    """The checks that the server runs on what is to be published; their queries run in these processes."""
    others = RulePorts(backend, warehouse)

    def keys() -> ForeignKeys:
        from governance_server.publishing.foreign_keys import ForeignKeys

        return ForeignKeys(processes, others)

    return CandidateChecks(SqlRules(processes, others), keys)
