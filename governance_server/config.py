"""Settings: read once from `MESH_*` at start, validated, frozen and passed in."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from governance_server.oidc_settings import InvalidOidcSettings, OidcSettings, load_oidc_settings

__all__ = ["InvalidSettings", "Settings", "load_settings"]


class InvalidSettings(ValueError):
    """A setting that cannot be used; the message names the variable and what would be right."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the server can be told."""

    home: Path
    """`MESH_HOME`, default `~/.domain-mesh`. Holds database, warehouse, vectors and the administrator's token; mode 0700."""
    host: str
    """`MESH_HOST`, default 127.0.0.1. Any address that is not loopback needs TLS. Does not affect the gateway's files port."""
    port: int
    """`MESH_PORT`, default 50051; 0 takes a free one. The control server's gRPC port."""
    gateway_port: int
    """`MESH_GATEWAY_PORT`, default 50052; 0 takes a free one. The gateway's gRPC port."""
    files_port: int
    """`MESH_FILES_PORT`, default 50053; 0 takes a free one. The gateway's HTTP port for governed files, on loopback."""
    http_port: int
    """`MESH_HTTP_PORT`, default 50054, or a free one if `port` is 0; 0 takes a free one. The control server's HTTP port, for
    OpenLineage and uploads to a local warehouse; speaks TLS if the gRPC ports do."""
    database_url: str
    """`MESH_DATABASE`, default SQLite in `home`. A SQLAlchemy URL."""
    vectors_url: str
    """`MESH_VECTORS`, default LanceDB in `home`. `lancedb:///path` or `weaviate://host:port?grpc_port=n`."""
    vectors_api_key: str | None
    """`MESH_VECTORS_API_KEY`: the vector store's key, held by the server alone."""
    embedder: str
    """`MESH_EMBEDDER`, default `minilm`. What turns questions into vectors; must be what collections were published with.

    `minilm`, or an endpoint of OpenAI's kind with model and dimension: `https://host/v1?model=NAME&dimensions=1536`.
    """
    embedder_api_key: str | None
    """`MESH_EMBEDDER_API_KEY`: the embedding endpoint's key."""
    chat: str | None
    """`MESH_CHAT`, default none. The chat model that writes answers: an endpoint of OpenAI's kind, `https://host/v1?model=NAME`.

    What an asker may read and its question concerns is sent there. Without one, answers are put together from the passages.
    """
    chat_api_key: str | None
    """`MESH_CHAT_API_KEY`: the chat endpoint's key."""
    chat_seconds: int
    """`MESH_CHAT_SECONDS`, default 60. How long the model may take for one answer; then it is put together without it."""
    answer_days: int
    """`MESH_ANSWER_DAYS`, default 90. For so long an answer can be given again; 0 keeps it for ever. Not of the audit."""
    warehouse: str
    """`MESH_WAREHOUSE`, default `<home>/warehouse`. Where tables lie: a local folder, or `s3://bucket/prefix` of an S3-compatible
    store, reached by the standard `AWS_*` variables. Control server and gateway must name the same."""
    drop: Path
    """`MESH_DROP`, default `<home>/drop`. Where publishers deliver files to a local warehouse, by path or through the HTTP port;
    one in a bucket has its own."""
    keys: Path
    """`MESH_KEYS`, default `<home>/keys.json`. The mesh's own keys, mode 0600; made at the first start."""
    tls_certificate: Path | None
    """`MESH_TLS_CERTIFICATE`: PEM chain. With the key, both gRPC ports speak TLS."""
    tls_key: Path | None
    """`MESH_TLS_KEY`: PEM private key."""
    tls_client_ca: Path | None
    """`MESH_TLS_CLIENT_CA`: PEM certificates. With it, both gRPC ports take only clients whose certificate one of them signed."""
    call_threads: int
    """`MESH_CALL_THREADS`, default 8. Threads for unary calls."""
    max_calls: int
    """`MESH_MAX_CALLS`, default 256. Unary calls at once, waiting ones included; excess gets RESOURCE_EXHAUSTED."""
    max_streams: int
    """`MESH_MAX_STREAMS`, default 128. Streams at once (watchers, reads); excess gets RESOURCE_EXHAUSTED."""
    calls_per_second: int
    """`MESH_CALLS_PER_SECOND`, default 10000. Calls a second of one principal to one server; excess gets RESOURCE_EXHAUSTED."""
    principal_streams: int
    """`MESH_PRINCIPAL_STREAMS`, default 100. Streams at once of one principal to one server; excess gets RESOURCE_EXHAUSTED."""
    max_message_bytes: int
    """`MESH_MAX_MESSAGE_BYTES`, default 16 MiB. Larger requests get RESOURCE_EXHAUSTED."""
    oidc: OidcSettings | None
    """`MESH_OIDC_…`: the identity provider whose access tokens are accepted; see `oidc_settings`."""
    max_queries: int
    """`MESH_MAX_QUERIES`, default 4. SQL queries at once; excess gets RESOURCE_EXHAUSTED."""
    query_memory_bytes: int
    """`MESH_QUERY_MEMORY_BYTES`, default 1 GiB. What one SQL query may hold in memory; beyond it spills to `<home>/sql`."""
    publication_ttl_seconds: int
    """`MESH_PUBLICATION_TTL_SECONDS`, default 86400. After this an uncommitted publication is given up."""
    impact_days: int
    """`MESH_IMPACT_DAYS`, default 90. Who read within so many days is asked before a contract that breaks it is published."""
    log_checks: int
    """`MESH_LOG_CHECKS`, default 1. Of answers to questions about rights that allow, one in so many is logged; 0 logs none of
    them. Does not affect refusals, reads, files and retrieval: every one of these is logged."""
    decision_log_days: int
    """`MESH_DECISION_LOG_DAYS`, default 0. Decisions older than this are pruned; 0 keeps them for ever."""
    lineage_event_days: int
    """`MESH_LINEAGE_EVENT_DAYS`, default 0. OpenLineage events older than this leave their digests, their runs a count per job;
    edges and their evidence stay. 0 keeps them for ever."""
    checkpoints: Path
    """`MESH_CHECKPOINTS`, default `<home>/checkpoints.jsonl`. Signed checkpoints are appended to it: keep it elsewhere."""
    checkpoint_seconds: int
    """`MESH_CHECKPOINT_SECONDS`, default 300. A log that has grown gets a checkpoint when its last is this old."""
    checkpoint_entries: int
    """`MESH_CHECKPOINT_ENTRIES`, default 1000. It gets one at the next round of periodic work when it has grown by so many."""
    maintenance_seconds: int
    """`MESH_MAINTENANCE_SECONDS`, default 60. From one round of periodic work to the next; 0 for none by this server."""
    upkeep_hours: int
    """`MESH_UPKEEP_HOURS`, default 0 (never). Once in so many hours each product is maintained as by `mesh maintain`."""
    shadow_check: int
    """`MESH_SHADOW_CHECK`, default 0 (none). Every n-th decision is also asked of stock casbin, in the background."""

    @property
    def has_tls(self) -> bool:
        """True if both ports speak TLS."""
        return self.tls_certificate is not None

    @property
    def scratch(self) -> Path:
        """Where rows lie while they are written anew; emptied when a server starts and no other one has the home."""
        return self.home / "scratch"

    @property
    def administrator_token_file(self) -> Path:
        """Where the first administrator's token is written, mode 0600."""
        return self.home / "admin.token"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this environment. Raises: InvalidSettings."""
    env = os.environ if environ is None else environ
    home = Path(env.get("MESH_HOME", "~/.domain-mesh")).expanduser().resolve()
    settings = Settings(
        home=home,
        host=env.get("MESH_HOST", "127.0.0.1"),
        port=_integer(env, "MESH_PORT", 50051, maximum=65535),
        gateway_port=_integer(env, "MESH_GATEWAY_PORT", 50052, maximum=65535),
        files_port=_integer(env, "MESH_FILES_PORT", 50053, maximum=65535),
        http_port=_integer(env, "MESH_HTTP_PORT", 50054 if env.get("MESH_PORT", "") != "0" else 0, maximum=65535),
        database_url=env.get("MESH_DATABASE", f"sqlite:///{home}/mesh.db"),
        vectors_url=env.get("MESH_VECTORS", f"lancedb://{home}/vectors"),
        vectors_api_key=_key(env, "MESH_VECTORS_API_KEY"),
        embedder=env.get("MESH_EMBEDDER", "minilm"),
        embedder_api_key=_key(env, "MESH_EMBEDDER_API_KEY"),
        chat=_chat(env),
        chat_api_key=_key(env, "MESH_CHAT_API_KEY"),
        chat_seconds=_integer(env, "MESH_CHAT_SECONDS", 60, minimum=1, maximum=600),
        answer_days=_integer(env, "MESH_ANSWER_DAYS", 90, maximum=36_500),
        warehouse=_warehouse(env, home),
        drop=Path(env.get("MESH_DROP", str(home / "drop"))).expanduser().resolve(),
        keys=Path(env.get("MESH_KEYS", str(home / "keys.json"))).expanduser().absolute(),
        tls_certificate=_path(env, "MESH_TLS_CERTIFICATE"),
        tls_key=_path(env, "MESH_TLS_KEY"),
        tls_client_ca=_path(env, "MESH_TLS_CLIENT_CA"),
        call_threads=_integer(env, "MESH_CALL_THREADS", 8, minimum=1, maximum=256),
        max_calls=_integer(env, "MESH_MAX_CALLS", 256, minimum=1),
        max_streams=_integer(env, "MESH_MAX_STREAMS", 128, minimum=1),
        calls_per_second=_integer(env, "MESH_CALLS_PER_SECOND", 10_000, minimum=1),
        principal_streams=_integer(env, "MESH_PRINCIPAL_STREAMS", 100, minimum=1),
        max_message_bytes=_integer(env, "MESH_MAX_MESSAGE_BYTES", 16 << 20, minimum=1 << 16),
        oidc=_oidc(env),
        max_queries=_integer(env, "MESH_MAX_QUERIES", 4, minimum=1, maximum=256),
        query_memory_bytes=_integer(env, "MESH_QUERY_MEMORY_BYTES", 1 << 30, minimum=64 << 20, maximum=1 << 40),
        publication_ttl_seconds=_integer(env, "MESH_PUBLICATION_TTL_SECONDS", 86_400, minimum=1),
        impact_days=_integer(env, "MESH_IMPACT_DAYS", 90, maximum=36_500),
        log_checks=_integer(env, "MESH_LOG_CHECKS", 1),
        decision_log_days=_integer(env, "MESH_DECISION_LOG_DAYS", 0, maximum=36_500),
        lineage_event_days=_integer(env, "MESH_LINEAGE_EVENT_DAYS", 0, maximum=36_500),
        checkpoints=Path(env.get("MESH_CHECKPOINTS", str(home / "checkpoints.jsonl"))).expanduser().absolute(),
        checkpoint_seconds=_integer(env, "MESH_CHECKPOINT_SECONDS", 300, minimum=1),
        checkpoint_entries=_integer(env, "MESH_CHECKPOINT_ENTRIES", 1000, minimum=1),
        maintenance_seconds=_integer(env, "MESH_MAINTENANCE_SECONDS", 60, maximum=86_400),
        upkeep_hours=_integer(env, "MESH_UPKEEP_HOURS", 0, maximum=8760),
        shadow_check=_integer(env, "MESH_SHADOW_CHECK", 0),
    )
    _check(settings)
    return settings


def _key(env: Mapping[str, str], name: str) -> str | None:
    """A key that can be sent; others would be quoted by whoever fails to send them."""
    text = env.get(name) or ""
    if not (text.isascii() and text.isprintable()):
        raise InvalidSettings(f"{name} holds a line break or a letter that no key has: set it anew.")
    return text or None


def _chat(env: Mapping[str, str]) -> str | None:
    text = env.get("MESH_CHAT") or ""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or not parse_qs(parts.query).get("model")):
        raise InvalidSettings(f"MESH_CHAT={text!r} cannot be used: give address and model, like https://host/v1?model=NAME.")
    return text or None


def _warehouse(env: Mapping[str, str], home: Path) -> str:
    text = env.get("MESH_WAREHOUSE") or str(home / "warehouse")
    if "://" not in text:
        return str(Path(text).expanduser().resolve())
    parts = urlsplit(text)
    names = parts.path.strip("/").split("/") if parts.path.strip("/") else []
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment or not set(names).isdisjoint({"", ".", ".."}):
        raise InvalidSettings(f"MESH_WAREHOUSE={text!r} cannot be used: give a local folder or s3://bucket/prefix.")
    return text


def _oidc(env: Mapping[str, str]) -> OidcSettings | None:
    try:
        return load_oidc_settings(env)
    except InvalidOidcSettings as error:
        raise InvalidSettings(str(error)) from None


def _check(settings: Settings) -> None:
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise InvalidSettings("MESH_TLS_CERTIFICATE and MESH_TLS_KEY belong together: set both or none.")
    if settings.tls_client_ca is not None and not settings.has_tls:
        raise InvalidSettings("MESH_TLS_CLIENT_CA needs TLS: set MESH_TLS_CERTIFICATE and MESH_TLS_KEY, too.")
    if not settings.has_tls and not _is_loopback(settings.host):
        raise InvalidSettings(
            f"MESH_HOST={settings.host} is not loopback and TLS is off: tokens would travel in the clear. "
            "Set MESH_TLS_CERTIFICATE and MESH_TLS_KEY, or listen on 127.0.0.1."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _integer(env: Mapping[str, str], name: str, default: int, *, minimum: int = 0, maximum: int = 2**31 - 1) -> int:
    text = env.get(name, str(default))
    try:
        value = int(text)
    except ValueError:
        raise InvalidSettings(f"{name}={text!r} is not a number: use {minimum} to {maximum}.") from None
    if not minimum <= value <= maximum:
        raise InvalidSettings(f"{name}={value} is out of range: use {minimum} to {maximum}.")
    return value


def _path(env: Mapping[str, str], name: str) -> Path | None:
    text = env.get(name)
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.is_file():
        raise InvalidSettings(f"{name}={text!r} is not a file: give the path of a PEM file.")
    return path
