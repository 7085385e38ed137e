"""A mesh in this process: real services, journal, policy, publisher and scanner, without gRPC, and a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
import polars as pl
from google.protobuf.message import Message

from domain_sdk._delivery import deliver
from domain_sdk.publish import _delivered_message
from domainmesh.v1 import lineage_pb2, product_pb2
from domainmesh.v1.principal_service_pb2 import CreatePrincipalRequest, CreateTokenRequest, UpdatePrincipalRequest
from domainmesh.v1.publication_pb2 import PortMode
from domainmesh.v1.publication_service_pb2 import BeginPublicationRequest, CommitPublicationRequest
from governance_server import app, wiring
from governance_server.backend import Backend
from governance_server.caller import Caller, set_caller
from governance_server.config import load_settings
from governance_server.contracts import parse_contract
from governance_server.gateway.governed_frame import govern
from governance_server.gateway.scan import PolarsScanner
from governance_server.gateway.table_source import TableSource
from governance_server.rules.errors import AccessDenied, Unauthenticated
from governance_server.rules.read_plans import ReadPlan
from governance_server.warehouse.opening import open_warehouse
from governance_server.wiring import Registration

__all__ = ["ADMIN", "START", "InnerMesh", "inner_mesh"]

ADMIN = "user:admin"
START = datetime(2026, 11, 23, 12, tzinfo=UTC)


class InnerMesh:
    """One control server's parts; `call` acts as anybody, `see` reads as the gateway reads."""

    def __init__(self, home: Path) -> None:
        self.now = START
        settings = load_settings(
            {"MESH_HOME": str(home), "MESH_EMBEDDER": "hashing", "MESH_PORT": "0", "MESH_MAINTENANCE_SECONDS": "0"}
        )
        services: list[Registration] = []

        def register(made: list[Registration], server: grpc.Server) -> list[str]:
            services.extend(made)
            return wiring.register(made, server)

        with mock.patch.object(app, "_now", self._moment), mock.patch.object(app, "register", register):
            self._control = app.build_control(settings, gateway=lambda: "")
        self._servicers = [servicer for _, servicer in services]
        self.backend: Backend = self._control.backend
        self.warehouse = open_warehouse(settings.warehouse, settings.drop)

    def close(self) -> None:
        """Nothing is left open."""
        self._control.stop(0)

    def _moment(self) -> datetime:
        return self.now

    def tick(self, **delta: float) -> None:
        """The clock moves on."""
        self.now += timedelta(**delta)

    def caller(self, who: str) -> Caller:
        """The principal as its token would prove it. Raises: Unauthenticated if it is disabled."""
        known = self.backend.policy.facts().principals.get(who)
        if known is not None and known.is_disabled:
            raise Unauthenticated("disabled")
        return self.backend.policy.caller_of(who) or Caller(who)

    def call(self, who: str, method: str, request: Message) -> Any:
        """The reply of the service that has the method."""
        set_caller(self.caller(who))
        servicer = next(it for it in self._servicers if method in vars(type(it)))
        return getattr(servicer, method)(request, None)

    def seat(self, name: str) -> None:
        """A second administrator, who has a token of its own."""
        self.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal={"name": name}))
        self.call(ADMIN, "CreateToken", CreateTokenRequest(principal=name))
        given = {"name": name, "is_administrator": True}
        self.call(ADMIN, "UpdatePrincipal", UpdatePrincipalRequest(principal=given, update_mask={"paths": ["is_administrator"]}))

    def publish(
        self,
        who: str,
        product: str,
        text: str,
        frames: Mapping[str, pl.DataFrame],
        lineage: Sequence[lineage_pb2.PortLineage] = (),
        modes: Sequence[PortMode] = (),
    ) -> product_pb2.Release:
        """A release of the product; frames by port."""
        begun = self.call(who, "BeginPublication", BeginPublicationRequest(product=product, contract_text=text, modes=modes))
        contract = parse_contract(text)
        ports = []
        for port, location in zip(contract.ports, begun.locations, strict=True):
            made = deliver(port, location.port, frames[port.name], folder=Path(location.path), hook=lambda done, total: None)
            ports.append(_delivered_message(made))
        request = CommitPublicationRequest(id=begun.id, ports=ports, lineage=lineage)
        return self.call(who, "CommitPublication", request)  # type: ignore[no-any-return]

    def see(self, who: str, port: str, purpose: str = "") -> pl.DataFrame | None:
        """What the principal reads of the port, by plan and scan as in the gateway; None if nothing."""
        try:
            with self.backend.policy.pinned():
                plan = self.backend.policy.plan(self.caller(who), port, purpose)
                found = self.backend.policy.find_port(port)
        except (AccessDenied, Unauthenticated):
            return None
        assert isinstance(plan, ReadPlan)
        assert found is not None
        batches = PolarsScanner().scan(
            plan,
            table_root=self.warehouse.port_location(port),
            delta_version=found.delta_version,
            columns=None,
            predicate=None,
            limit=None,
        )
        return pl.concat([pl.DataFrame(batch) for batch in batches])

    def glimpse(self, who: str, port: str, rows: pl.DataFrame, purpose: str = "") -> list[dict[str, Any] | None]:
        """Row by row what the principal would see if the port's table were that row: by the gateway's own governed frame.

        None for a row it does not see.
        """
        try:
            plan = self.backend.policy.plan(self.caller(who), port, purpose)
        except (AccessDenied, Unauthenticated):
            return [None] * rows.height
        names = [column.name for column in plan.columns]
        sources = [TableSource(mock.Mock(), row.lazy(), row.schema) for row in rows.iter_slices(1)]
        frames = pl.collect_all([govern(source, plan, names, joined=None, salt=b"salt").frame for source in sources])
        return [next(iter(frame.to_dicts()), None) for frame in frames]


@contextmanager
def inner_mesh(home: Path) -> Iterator[InnerMesh]:
    """A mesh that ends with the block."""
    mesh = InnerMesh(home)
    try:
        yield mesh
    finally:
        mesh.close()
