"""Reads that are decided: what one caller may see of one table, and which version of it lies where.

Every way to read a table (streams, files, SQL) starts here and asks here whether it may go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from domainmesh.v1 import product_pb2
from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.ages import age_warnings
from governance_server.rules.errors import AccessDenied, Invalid, InvalidFilter, NotFound, Precondition, Unavailable
from governance_server.rules.read_plans import ReadPlan
from governance_server.services.past_tags import past_tags
from governance_server.services.registered_contracts import pending
from governance_server.upkeep.versions import find_release, refuse_retired
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.layout import Warehouse
from mesh_core.expressions.errors import InvalidExpression
from mesh_core.expressions.tree import TRUE
from mesh_core.names import parse_port

__all__ = ["PinnedRead", "PinnedReads", "understood"]

_RECHECK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PinnedRead:
    """What a read is about: the plan, cut to the columns the pinned version has, and where that version lies."""

    plan: ReadPlan
    port: product_pb2.Port
    version: int
    table_root: Folder
    delta_version: int
    digest: str
    """Of the whole plan, before it was cut: while the caller's plan has this digest, what is served is still its due."""
    past: Mapping[str, Collection[str]]
    """Tags by column that the version was released with, if it is not the newest."""
    then: Mapping[str, str] = field(default_factory=dict)
    """Its columns with their logical types, if it is not the newest."""


class PinnedReads:
    """Decides reads of tables."""

    def __init__(self, backend: Backend, warehouse: Warehouse) -> None:
        self._backend = backend
        self._warehouse = warehouse

    def pin(self, caller: Caller, port: str, purpose: str, version: int) -> PinnedRead:
        """The read of a version (0: the one served now). Raises: AccessDenied, PurposeNotHeld, NotFound, Precondition."""
        name = parse_port(port)
        policy = self._backend.policy
        with policy.pinned():  # rights and version belong together
            product, found = policy.product_of(port), policy.find_port(port)
            if found is None:
                self._refuse_unpublished(caller, name.product_name)
            plan = policy.plan(caller, port, purpose)
        if product is None or found is None:
            raise denied("read", port)
        if found.kind != product_pb2.PORT_KIND_TABLE:
            raise Invalid(f'{port} is a collection: ask it with `mesh retrieve {port} "…"`.', resource=port)
        table_root = self._warehouse.port_location(str(name))
        if version in (0, product.version):
            return PinnedRead(plan, found, product.version, table_root, found.delta_version, plan.digest(), {})
        delta_version = self._delta_version(product.name, port, version)
        past = past_tags(self._backend, port, version)
        plan = policy.plan(caller, port, purpose, past=past.columns, then=past.types)
        cut = _cut(plan, port, table_root, delta_version)
        return PinnedRead(cut, found, version, table_root, delta_version, plan.digest(), past.columns, past.types)

    def _refuse_unpublished(self, caller: Caller, name: str) -> None:
        """Raises: Precondition if the product has a contract and no release yet, and the caller may know that."""
        if not self._backend.policy.check(caller, "discover", name).allowed:
            return
        product = product_pb2.Product.FromString(self._backend.catalog.get(kinds.PRODUCT, name) or b"")
        product.name = name
        if not product.version and pending(self._backend.catalog, product) is not None:
            raise Precondition(
                f"Nothing of {name} is published yet: read it once its owner has run `mesh publish {name} …`.", resource=name
            )

    def watch(self, caller: Caller, read: PinnedRead) -> Callable[[], None]:
        """A check that costs microseconds while nothing has changed. It raises AccessDenied once the plan is another one.

        Grants also end by the clock, without any change: so the plan is made anew every second, too.
        """
        policy, revision, checked = self._backend.policy, read.plan.revision, time.monotonic()

        def check() -> None:
            nonlocal revision, checked
            newest = policy.revision
            if newest == revision and time.monotonic() - checked < _RECHECK_SECONDS:
                return
            if not self.is_due(caller, read):
                raise AccessDenied(
                    f"Your access to {read.plan.port} changed while it was read: read it again.", resource=read.plan.port
                )
            revision, checked = newest, time.monotonic()

        return check

    def is_due(self, caller: Caller, read: PinnedRead) -> bool:
        """True if the caller's plan is still the read's. Raises: AccessDenied, PurposeNotHeld, Precondition if it was retired."""
        plan = self._backend.policy.plan(caller, read.plan.port, read.plan.purpose, past=read.past, then=read.then)
        refuse_retired(find_release(self._backend.catalog, read.plan.port.rpartition(".")[0], read.version))
        return plan.digest() == read.digest

    def age_warnings(self, read: PinnedRead, asked: int) -> list[str]:
        """What is older than promised; nothing of a version that was asked for by number, which nobody promised to be fresh.

        How old the newest value is, is told to who sees it: every row, and that column clear.
        """
        product = self._backend.policy.product_of(read.plan.port)
        if asked or product is None or not read.port.age_limits:
            return []
        clear = {column.name for column in read.plan.columns if column.is_clear} if read.plan.row_filter == TRUE else set()
        return list(age_warnings(product, read.port, self._backend.now(), clear=clear))

    def _delta_version(self, product: str, port: str, version: int) -> int:
        release = find_release(self._backend.catalog, product, version)
        refuse_retired(release)
        for released in release.ports:
            if released.port == port:
                return released.delta_version
        raise NotFound(f"{port} has no version {version}: list versions with `mesh show {product}`.", resource=port)


def _cut(plan: ReadPlan, port: str, table_root: Folder, delta_version: int) -> ReadPlan:
    """The plan for an older version: columns the table did not have then are left out."""
    from governance_server.gateway.table_source import open_table

    with understood(port):
        schema = open_table(port, table_root, delta_version).schema
    columns = tuple(column for column in plan.columns if column.name in schema)
    visible = {column.name for column in columns}
    return replace(plan, columns=columns, hidden_columns=tuple(name for name in schema if name not in visible))


class understood:
    """Turns what a scan raises into the server's errors."""

    def __init__(self, port: str) -> None:
        self._port = port

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Raises: AccessDenied, InvalidFilter, Precondition, Unavailable, in place of what the scan raised."""
        from governance_server.gateway.scan_errors import HiddenColumn, PlanOutdated, ScanFailed

        if isinstance(error, HiddenColumn):
            raise AccessDenied(str(error), resource=self._port) from error
        if isinstance(error, InvalidExpression):
            raise InvalidFilter(f"The predicate cannot be used on {self._port}: {error}", resource=self._port) from error
        if isinstance(error, PlanOutdated):
            raise Precondition(str(error), resource=self._port) from error
        if isinstance(error, ScanFailed):
            raise Unavailable(str(error), resource=self._port) from error
