"""The composition root: the only place that wires parts; control server and gateway are two selections of the same ones."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from domainmesh.v1.ask_service_pb2_grpc import add_AskServiceServicer_to_server
from domainmesh.v1.conversation_service_pb2_grpc import add_ConversationServiceServicer_to_server
from domainmesh.v1.read_service_pb2_grpc import add_ReadServiceServicer_to_server
from domainmesh.v1.retrieval_service_pb2_grpc import add_RetrievalServiceServicer_to_server
from domainmesh.v1.sql_service_pb2_grpc import add_SqlServiceServicer_to_server
from governance_server.asking.answering import Answering
from governance_server.asking.evidence import Readers
from governance_server.asking.writing import ExtractiveWriter
from governance_server.audit.checkpoints import CheckpointMaker
from governance_server.audit.decision_log import DecisionLog
from governance_server.audit.tasks import answer_tasks, audit_tasks, sign_last_checkpoints
from governance_server.authentication import Authenticator
from governance_server.backend import Backend
from governance_server.bootstrap import check_keys_are_there, ensure_administrator, ensure_token_owners
from governance_server.call_pools import StreamPool
from governance_server.config import Settings
from governance_server.editing.central import TwoAdministrators
from governance_server.editing.ending import with_consequences
from governance_server.gateway.query_processes import QueryProcesses
from governance_server.gateway.tickets import Tickets
from governance_server.http.openlineage import OpenLineageApi
from governance_server.http.server import HttpServer
from governance_server.http.uploads import UploadsApi
from governance_server.identity.provider_keys import ProviderKeys
from governance_server.identity.provisioning import Provisioning
from governance_server.identity.sign_in import SignIn
from governance_server.interceptors import CallInterceptor
from governance_server.journal.journal import Journal
from governance_server.keyring import Keyring
from governance_server.lineage.emit import LineageEmitter
from governance_server.lineage.intake import STREAM, LineageIntake
from governance_server.lineage.retention import lineage_tasks
from governance_server.listening import check_port, server_certificates
from governance_server.maintenance import Maintenance, Task
from governance_server.oidc_settings import OidcSettings
from governance_server.policy.projection import PolicyProjection
from governance_server.policy.shadow import ShadowCheck
from governance_server.publishing.known_people import KnownPeople
from governance_server.publishing.passages import PassageIndexer
from governance_server.publishing.publisher import Publisher
from governance_server.publishing.upload_tickets import UploadTickets
from governance_server.quotas import Quotas
from governance_server.reminders import Reminders
from governance_server.search.index import SearchIndex
from governance_server.services.asking import AskService
from governance_server.services.conversations import ConversationService
from governance_server.services.pinned_reads import PinnedReads
from governance_server.services.queries import SqlService
from governance_server.services.reads import ReadService
from governance_server.services.retrieval import RetrievalService
from governance_server.services.rule_ports import candidate_checks
from governance_server.storage.catalog import Catalog
from governance_server.storage.engine import open_database
from governance_server.storage.events import EventLog
from governance_server.storage.leases import Leases
from governance_server.upkeep.erasure import Eraser
from governance_server.upkeep.old_turns import OldTurns
from governance_server.upkeep.tasks import upkeep_tasks
from governance_server.upkeep.upkeep import Upkeep
from governance_server.vector_access import VectorAccess
from governance_server.warehouse.layout import Warehouse
from governance_server.warehouse.opening import open_warehouse
from governance_server.wiring import ControlParts, Registration, control_services, register
from mesh_core.chat_endpoint import ChatEndpoint

if TYPE_CHECKING:
    from governance_server.http.files import FilesServer

__all__ = ["Control", "Gateway", "build_control", "build_gateway"]

_MAX_METADATA_BYTES = 16 << 10
_HANDLERS_SECONDS = 5.0
_REMINDER_SECONDS = 600


@dataclass(frozen=True)
class Control:
    """The wired control server."""

    server: grpc.Server
    port: int
    backend: Backend
    publisher: Publisher
    maintenance: Maintenance
    checkpoints: CheckpointMaker
    http: HttpServer
    intake: LineageIntake
    rules: QueryProcesses
    handlers_ended: Callable[[], bool]
    is_first_start: bool

    def stop(self, grace_seconds: float = 2.0) -> None:
        """No call is served any more and everything acknowledged is durable."""
        self.server.stop(grace_seconds).wait()
        self.http.stop()
        self.rules.close()
        self.maintenance.stop()
        self.intake.close()
        self.backend.journal.close()
        self.backend.log.close()
        sign_last_checkpoints(self.checkpoints)
        if self.handlers_ended():  # a connection that is closed under a thread that uses it brings the process down
            self.backend.database.close()


@dataclass(frozen=True)
class Gateway:
    """The wired gateway."""

    server: grpc.Server
    port: int
    files: FilesServer
    backend: Backend
    handlers_ended: Callable[[], bool]
    queries: SqlService

    def stop(self, grace_seconds: float = 2.0) -> None:
        """No read is served any more."""
        self.server.stop(grace_seconds).wait()
        self.queries.close()
        self.files.stop()
        self.backend.journal.close()
        self.backend.log.close()
        if self.handlers_ended():
            self.backend.database.close()


def build_control(settings: Settings, *, gateway: Callable[[], str]) -> Control:
    """The control server, listening. Raises: OSError if a port or folder cannot be used, StorageError."""
    backend, authenticator = _backend(settings, is_control=True)
    token_file = settings.administrator_token_file
    is_first_start = ensure_administrator(backend.database, backend.journal, token_file, keys=backend.keys)
    ensure_token_owners(backend.database, backend.journal)
    warehouse = _warehouse(settings)
    vectors = _vectors(settings)
    events = EventLog(backend.database, STREAM, clock=backend.now)
    intake = LineageIntake(backend, events)
    uploads = UploadTickets(backend.keys)
    people = KnownPeople(backend, warehouse)
    rules = QueryProcesses(settings.home / "rules", settings.query_memory_bytes)
    publisher = Publisher(
        backend,
        warehouse=warehouse,
        passages=PassageIndexer(vectors, warehouse, people),
        emitter=LineageEmitter(intake, backend.now),
        checks=candidate_checks(backend, warehouse, rules),
        uploads=uploads,
    )
    http = HttpServer(settings, authenticator, OpenLineageApi(intake).mount, UploadsApi(backend, warehouse, uploads).mount)
    uploads.port = http.port
    server, handlers_ended = _server(settings, backend, authenticator)
    checkpoints = CheckpointMaker(backend.database, backend.keys, path=settings.checkpoints, clock=backend.now)
    upkeep = Upkeep(backend, warehouse, vectors)
    eraser = Eraser(backend, warehouse=warehouse, vectors=vectors, upkeep=upkeep, people=people)
    parts = ControlParts(
        backend=backend,
        publisher=publisher,
        upkeep=upkeep,
        eraser=eraser,
        events=events,
        intake=intake,
        checkpoints=checkpoints,
        gateway=gateway,
    )
    names = register(control_services(parts), server)
    port = _open(server, settings, "MESH_PORT", names)
    maintenance = _maintenance(backend, checkpoints)
    maintenance.register(upkeep_tasks(backend, upkeep, OldTurns(backend, warehouse, upkeep)))
    maintenance.register(lineage_tasks(settings, backend.database, events, backend.now))
    maintenance.start()
    http.start()
    return Control(
        server, port, backend, publisher, maintenance, checkpoints, http, intake, rules, handlers_ended, is_first_start
    )


def build_gateway(settings: Settings) -> Gateway:
    """The gateway, listening. Raises: OSError if a port or folder cannot be used, StorageError."""
    from governance_server.http.files import FilesServer  # half a second that only the gateway needs

    backend, authenticator = _backend(settings)
    tickets = Tickets(authenticator, backend.log)
    files = FilesServer(tickets, port=settings.files_port)
    files.start()
    server, handlers_ended = _server(settings, backend, authenticator)
    reads = PinnedReads(backend, _warehouse(settings))
    vectors = _vectors(settings)
    readers = Readers(backend, RetrievalService(backend, vectors), SqlService(backend, reads))
    services: list[Registration] = [
        (add_ReadServiceServicer_to_server, ReadService(backend, reads, tickets=tickets)),
        (add_SqlServiceServicer_to_server, readers.sql),
        (add_RetrievalServiceServicer_to_server, readers.retrieval),
        (add_AskServiceServicer_to_server, AskService(_answering(readers, vectors))),
        (add_ConversationServiceServicer_to_server, ConversationService(readers)),
    ]
    port = _open(server, settings, "MESH_GATEWAY_PORT", register(services, server))
    return Gateway(server, port, files, backend, handlers_ended, readers.sql)


def _answering(readers: Readers, vectors: VectorAccess) -> Answering:
    """What answers questions: with the model that is configured, if one is."""
    settings, model = readers.backend.settings, None
    if settings.chat:
        from governance_server.asking.model_writer import ModelWriter

        chat = ChatEndpoint(settings.chat, api_key=settings.chat_api_key, timeout_seconds=settings.chat_seconds)
        model = ModelWriter(chat, SearchIndex(readers.backend.policy), seconds=settings.chat_seconds)
    return Answering(readers, ExtractiveWriter(vectors), model, readers.backend.new_id)


def _backend(settings: Settings, *, is_control: bool = False) -> tuple[Backend, Authenticator]:
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.home.chmod(0o700)
    settings.scratch.mkdir(mode=0o700, exist_ok=True)
    database = open_database(settings.database_url)
    check_keys_are_there(database, settings.keys)
    keys = Keyring.open(settings.keys, now=_now())
    shadow = ShadowCheck(settings.shadow_check) if settings.shadow_check else None
    policy = PolicyProjection(database, now=_now, shadow=shadow)
    journal = Journal(database, clock=_now, follower=policy)
    log = DecisionLog(database, clock=_now, log_checks=settings.log_checks)
    backend = Backend(settings, database, Catalog(database), journal, policy, _now, lambda: secrets.token_hex(8), keys, log)
    sign_in = _sign_in(settings.oidc, backend)
    if not is_control:  # what is unconfirmed may read
        return backend, Authenticator(database, now=_now, keys=keys, sign_in=sign_in)
    two = TwoAdministrators(policy)
    return backend, Authenticator(database, now=_now, keys=keys, sign_in=sign_in, has_two=two, recall_two=two.recall)


def _sign_in(settings: OidcSettings | None, backend: Backend) -> SignIn | None:
    if settings is None:
        return None
    provisioning = Provisioning(backend, settings, partial(with_consequences, backend))
    return SignIn(settings, keys=ProviderKeys(settings.issuer), provisioning=provisioning, now=_now)


def _maintenance(backend: Backend, checkpoints: CheckpointMaker) -> Maintenance:
    """The periodic work of a control server: register further tasks here."""
    leases = Leases(backend.database, clock=backend.now)
    maintenance = Maintenance(leases, holder=backend.new_id(), interval_seconds=backend.settings.maintenance_seconds)
    maintenance.register([Task("reminders", Reminders(backend).run, every_seconds=_REMINDER_SECONDS)])
    maintenance.register(audit_tasks(checkpoints, backend.settings, backend.now))
    maintenance.register(answer_tasks(backend.database, backend.settings, backend.now))
    return maintenance


def _now() -> datetime:
    return datetime.now(UTC)


def _warehouse(settings: Settings) -> Warehouse:
    return open_warehouse(settings.warehouse, settings.drop, settings.scratch)


def _vectors(settings: Settings) -> VectorAccess:
    return VectorAccess(
        settings.vectors_url, settings.embedder, api_key=settings.vectors_api_key, embedder_api_key=settings.embedder_api_key
    )


def _server(settings: Settings, backend: Backend, authenticator: Authenticator) -> tuple[grpc.Server, Callable[[], bool]]:
    """The server, and what waits for its handlers once it was stopped."""
    streams = StreamPool(settings.max_streams)
    quotas = Quotas(calls_per_second=settings.calls_per_second, streams=settings.principal_streams, monotonic=monotonic)
    interceptor = CallInterceptor(database=backend.database, authenticator=authenticator, streams=streams, quotas=quotas)
    calls = ThreadPoolExecutor(max_workers=settings.call_threads, thread_name_prefix="call")
    server = grpc.server(
        calls,
        interceptors=[interceptor],
        maximum_concurrent_rpcs=settings.max_calls + settings.max_streams,
        options=[
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
            ("grpc.so_reuseport", 0),
        ],
    )
    return server, partial(interceptor.wait_for_handlers, calls, _HANDLERS_SECONDS)


def _open(server: grpc.Server, settings: Settings, setting: str, names: list[str]) -> int:
    """Health and reflection are on, and the server listens; returned is the real port."""
    status = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    for name in ["", *names]:
        status.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    port = settings.port if setting == "MESH_PORT" else settings.gateway_port
    address = f"{settings.host}:{port}"
    check_port(settings.host, port, setting)
    server_certificates(settings)
    if settings.tls_certificate is not None and settings.tls_key is not None:
        own = (settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes())
        clients = settings.tls_client_ca.read_bytes() if settings.tls_client_ca else None
        credentials = grpc.ssl_server_credentials([own], root_certificates=clients, require_client_auth=clients is not None)
        listen = partial(server.add_secure_port, address, credentials)
    else:
        listen = partial(server.add_insecure_port, address)
    try:
        bound = listen()
    except RuntimeError as error:
        message = f"{address} cannot be listened on: another program has it. End that, or set {setting}."
        raise OSError(message) from error
    server.start()
    return int(bound)
