"""The composition root: the only place that wires parts; control server and gateway are two selections of the same ones."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from domainmesh.v1 import (
    access_request_service_pb2,
    access_request_service_pb2_grpc,
    decision_service_pb2,
    decision_service_pb2_grpc,
    domain_service_pb2,
    domain_service_pb2_grpc,
    grant_service_pb2,
    grant_service_pb2_grpc,
    journal_service_pb2,
    journal_service_pb2_grpc,
    lineage_service_pb2,
    lineage_service_pb2_grpc,
    principal_service_pb2,
    principal_service_pb2_grpc,
    product_service_pb2,
    product_service_pb2_grpc,
    publication_service_pb2,
    publication_service_pb2_grpc,
    read_service_pb2,
    read_service_pb2_grpc,
    retrieval_service_pb2,
    retrieval_service_pb2_grpc,
    server_service_pb2,
    server_service_pb2_grpc,
)
from governance_server.authentication import Authenticator
from governance_server.backend import Backend
from governance_server.bootstrap import ensure_administrator
from governance_server.config import Settings
from governance_server.gateway.tickets import Tickets
from governance_server.interceptors import CallInterceptor, StreamPool
from governance_server.journal.command import Outcome
from governance_server.journal.journal import Journal
from governance_server.keyring import Keyring
from governance_server.lineage.emit import LineageEmitter
from governance_server.maintenance import Maintenance
from governance_server.policy.projection import PolicyProjection
from governance_server.publishing.passages import PassageIndexer
from governance_server.publishing.publisher import Publisher
from governance_server.rules import kinds
from governance_server.search.index import SearchIndex
from governance_server.services.access_requests import AccessRequestService
from governance_server.services.decisions import DecisionService
from governance_server.services.domains import DomainService
from governance_server.services.grants import GrantService, GuardrailService
from governance_server.services.journal import JournalService
from governance_server.services.lineage import LineageService
from governance_server.services.principals import PrincipalService, TokenService
from governance_server.services.products import ProductService
from governance_server.services.publications import PublicationService
from governance_server.services.reads import ReadService
from governance_server.services.retrieval import RetrievalService
from governance_server.services.server_info import ServerService
from governance_server.storage.catalog import Catalog
from governance_server.storage.engine import open_database
from governance_server.storage.events import EventLog
from governance_server.storage.leases import Leases
from governance_server.vector_access import VectorAccess
from governance_server.warehouse.layout import Warehouse

if TYPE_CHECKING:
    from governance_server.http.files import FilesServer

__all__ = ["Control", "Gateway", "build_control", "build_gateway"]

_MAX_METADATA_BYTES = 16 << 10


@dataclass(frozen=True)
class Control:
    """The wired control server."""

    server: grpc.Server
    port: int
    backend: Backend
    publisher: Publisher
    maintenance: Maintenance
    is_first_start: bool

    def stop(self, grace_seconds: float = 2.0) -> None:
        """No call is served any more and everything acknowledged is durable."""
        self.server.stop(grace_seconds).wait()
        self.maintenance.stop()
        self.backend.journal.close()
        self.backend.database.close()


@dataclass(frozen=True)
class Gateway:
    """The wired gateway."""

    server: grpc.Server
    port: int
    files: FilesServer
    backend: Backend

    def stop(self, grace_seconds: float = 2.0) -> None:
        """No read is served any more."""
        self.server.stop(grace_seconds).wait()
        self.files.stop()
        self.backend.journal.close()
        self.backend.database.close()


def build_control(settings: Settings, *, gateway: Callable[[], str]) -> Control:
    """The control server, listening. Raises: OSError if a port or folder cannot be used, StorageError."""
    backend, authenticator = _backend(settings)
    is_first_start = ensure_administrator(backend.database, backend.journal, settings.administrator_token_file)
    warehouse = _warehouse(settings)
    vectors = _vectors(settings)
    events = EventLog(backend.database, "openlineage", clock=backend.now)
    publisher = Publisher(
        backend, warehouse=warehouse, passages=PassageIndexer(vectors, warehouse), emitter=LineageEmitter(events, backend.now)
    )
    server = _server(settings, backend, authenticator)
    domain_service_pb2_grpc.add_DomainServiceServicer_to_server(DomainService(backend), server)
    principal_service_pb2_grpc.add_PrincipalServiceServicer_to_server(PrincipalService(backend), server)
    principal_service_pb2_grpc.add_TokenServiceServicer_to_server(TokenService(backend), server)
    product_service_pb2_grpc.add_ProductServiceServicer_to_server(ProductService(backend, SearchIndex(backend.policy)), server)
    grant_service_pb2_grpc.add_GrantServiceServicer_to_server(GrantService(backend), server)
    grant_service_pb2_grpc.add_GuardrailServiceServicer_to_server(GuardrailService(backend), server)
    access_request_service_pb2_grpc.add_AccessRequestServiceServicer_to_server(AccessRequestService(backend), server)
    decision_service_pb2_grpc.add_DecisionServiceServicer_to_server(DecisionService(backend), server)
    lineage_service_pb2_grpc.add_LineageServiceServicer_to_server(LineageService(backend, events), server)
    journal_service_pb2_grpc.add_JournalServiceServicer_to_server(JournalService(backend), server)
    publication_service_pb2_grpc.add_PublicationServiceServicer_to_server(PublicationService(backend, publisher), server)
    server_service_pb2_grpc.add_ServerServiceServicer_to_server(ServerService(backend, gateway=gateway), server)
    names = [
        domain_service_pb2, principal_service_pb2, product_service_pb2, grant_service_pb2, access_request_service_pb2,
        decision_service_pb2, lineage_service_pb2, journal_service_pb2, publication_service_pb2, server_service_pb2,
    ]  # fmt: skip
    port = _open(server, settings, settings.port, names)
    maintenance = _maintenance(backend)
    maintenance.start()
    return Control(server, port, backend, publisher, maintenance, is_first_start)


def build_gateway(settings: Settings) -> Gateway:
    """The gateway, listening. Raises: OSError if a port or folder cannot be used, StorageError."""
    from governance_server.http.files import FilesServer  # half a second that only the gateway needs

    backend, authenticator = _backend(settings)
    tickets = Tickets(authenticator)
    files = FilesServer(tickets, port=settings.files_port)
    files.start()
    server = _server(settings, backend, authenticator)
    reads = ReadService(backend, warehouse=_warehouse(settings), tickets=tickets)
    read_service_pb2_grpc.add_ReadServiceServicer_to_server(reads, server)
    retrieval = RetrievalService(backend, _vectors(settings))
    retrieval_service_pb2_grpc.add_RetrievalServiceServicer_to_server(retrieval, server)
    port = _open(server, settings, settings.gateway_port, [read_service_pb2, retrieval_service_pb2])
    return Gateway(server, port, files, backend)


def _backend(settings: Settings) -> tuple[Backend, Authenticator]:
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.home.chmod(0o700)
    keys = Keyring.open(settings.keys, now=_now())
    database = open_database(settings.database_url)
    journal = Journal(database, clock=_now, touches_policy=_touches_policy)
    policy = PolicyProjection(database, now=_now)
    backend = Backend(settings, database, Catalog(database), journal, policy, _now, lambda: secrets.token_hex(8), keys)
    return backend, Authenticator(database, now=_now)


def _maintenance(backend: Backend) -> Maintenance:
    """The periodic work of a control server: register further tasks here."""
    leases = Leases(backend.database, clock=backend.now)
    maintenance = Maintenance(leases, holder=backend.new_id(), interval_seconds=backend.settings.maintenance_seconds)
    maintenance.register([])
    return maintenance


def _touches_policy(outcome: Outcome) -> bool:
    return any(write.kind in kinds.POLICY_KINDS for write in outcome.writes)


def _now() -> datetime:
    return datetime.now(UTC)


def _warehouse(settings: Settings) -> Warehouse:
    return Warehouse(settings.home / "warehouse", settings.drop)


def _vectors(settings: Settings) -> VectorAccess:
    return VectorAccess(settings.vectors_url, settings.embedder, api_key=settings.vectors_api_key)


def _server(settings: Settings, backend: Backend, authenticator: Authenticator) -> grpc.Server:
    streams = StreamPool(settings.max_streams)
    interceptor = CallInterceptor(database=backend.database, authenticator=authenticator, streams=streams)
    return grpc.server(
        ThreadPoolExecutor(max_workers=settings.call_threads, thread_name_prefix="call"),
        interceptors=[interceptor],
        maximum_concurrent_rpcs=settings.max_calls + settings.max_streams,
        options=[
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
            ("grpc.so_reuseport", 0),
        ],
    )


def _open(server: grpc.Server, settings: Settings, port: int, services: list) -> int:  # type: ignore[type-arg]  # modules
    """Health and reflection are on, and the server listens; returned is the real port."""
    names = [service.full_name for module in services for service in module.DESCRIPTOR.services_by_name.values()]
    status = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    for name in ["", *names]:
        status.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    address = f"{settings.host}:{port}"
    if settings.tls_certificate is not None and settings.tls_key is not None:
        credentials = grpc.ssl_server_credentials([(settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes())])
        listen = partial(server.add_secure_port, address, credentials)
    else:
        listen = partial(server.add_insecure_port, address)
    try:
        bound = listen()
    except RuntimeError as error:
        message = f"{address} cannot be listened on: another program has it. End that, or choose another port."
        raise OSError(message) from error
    server.start()
    return int(bound)
