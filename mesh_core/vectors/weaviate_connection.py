"""A connection to one Weaviate server that says at once when nobody answers, and is back soon after the server is.

The only home of what is private in the client: it repeats a search or a batch for a minute while the server is away, and has no
setting for that. Loaded only with the Weaviate store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import weaviate
from weaviate.classes.init import AdditionalConfig, Auth, GrpcConfig, Timeout
from weaviate.connect import v4
from weaviate.exceptions import WeaviateBaseError, WeaviateConnectionError, WeaviateTimeoutError

__all__ = ["BROKEN_OFF", "connected", "has_no_answer", "in_words", "unusable"]

_QUERY_SECONDS, _INSERT_SECONDS = 20, 60
"""A client of the mesh waits half a minute for a search. A batch takes Weaviate seconds."""
_LONGEST_PAUSE_MILLISECONDS = 1000
_CALLS = ("Search", "Aggregate", "TenantsGet", "BatchObjects", "BatchDelete")
_MOST_LETTERS = 500
_LAST_KNOWN = (1, 35)
"""The last version of the server that is known to tell by its nodes whether vectors are indexed later."""
_GRPC: Any = v4
"""Through the client, as the core speaks no gRPC of its own; what HTTP is spoken by is the client's, too."""
_CALL_FAILED: type[Exception] = _GRPC.RpcError
BROKEN_OFF: type[Exception] = _GRPC.HTTPError
"""What a call over HTTP fails with whose server went away in the middle of it; the client lets most of that through."""


@contextmanager
def _understood() -> Iterator[None]:
    """What the client stumbles over if something else than Weaviate answers, leaves the block as an error of Weaviate's."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise WeaviateBaseError("what answers there is no Weaviate, or not on these ports") from error


@_understood()
def connected(*, host: str, http_port: int, grpc_port: int, secure: bool, api_key: str | None) -> Any:  # noqa: ANN401
    """A client. Raises: WeaviateBaseError."""
    pause = ("grpc.max_reconnect_backoff_ms", _LONGEST_PAUSE_MILLISECONDS)  # two minutes otherwise, after a long absence
    client = weaviate.connect_to_custom(
        http_host=host,
        http_port=http_port,
        http_secure=secure,
        grpc_host=host,
        grpc_port=grpc_port,
        grpc_secure=secure,
        auth_credentials=Auth.api_key(api_key) if api_key else None,
        additional_config=AdditionalConfig(
            timeout=Timeout(query=_QUERY_SECONDS, insert=_INSERT_SECONDS),
            trust_env=secure,
            grpc_config=GrpcConfig(channel_options=[pause]),
        ),
        skip_init_checks=True,  # they ask a package registry for a newer client
    )
    connection: Any = client._connection
    connection._grpc_stub = _SaysAtOnce(connection._grpc_stub)
    return client


@_understood()
def unusable(client: Any) -> str:  # noqa: ANN401
    """Why the server cannot be worked with, and what to do, in words; empty if it can. Raises: WeaviateBaseError."""
    if not client.is_ready():
        return "does not answer as ready: start it, or correct MESH_VECTORS"
    if _indexes_later(client):
        return "is run with ASYNC_INDEXING, so that passages it acknowledged are not found yet: start it without"
    return ""


def _indexes_later(client: Any) -> bool:  # noqa: ANN401
    """True if what is acknowledged need not be in the vector index; False also if the server does not tell.

    A node of such a server does not say how many batches wait to be indexed, others do (1.35.2, `localNodeBatchStats`).
    The client leaves that out.
    """
    try:
        answer = client._connection.get("/nodes", error_msg="ask for the nodes")
    except WeaviateBaseError:  # the key may not be allowed to ask
        return False
    nodes = answer.json().get("nodes") if answer.is_success else None
    return any(_is_known(node) and "queueLength" not in node["batchStats"] for node in nodes or ())


def _is_known(node: Mapping[str, Any]) -> bool:
    version = tuple(int(it) for it in str(node.get("version", "")).split(".")[:2] if it.isdecimal())
    return len(version) == len(_LAST_KNOWN) and version <= _LAST_KNOWN and "ratePerSecond" in (node.get("batchStats") or {})


def has_no_answer(error: WeaviateBaseError) -> bool:
    """True if nobody answered: asking something else would take as long and tell no more."""
    return isinstance(error, WeaviateConnectionError | WeaviateTimeoutError)


def in_words(error: WeaviateBaseError, address: str) -> str:
    """What went wrong and what to do, in one sentence without line breaks."""
    if isinstance(error, WeaviateConnectionError) or isinstance(error.__cause__, WeaviateConnectionError):
        return f"Weaviate at {address} cannot be reached: check that it runs, and MESH_VECTORS"
    if isinstance(error, WeaviateTimeoutError):
        return f"Weaviate at {address} is reached and does not answer: check that it is well, start it anew if it is not"
    said = " ".join(str(error).split()).rstrip(".")
    return f"Weaviate at {address} failed: {said[:_MOST_LETTERS]}: check that it is well, MESH_VECTORS and the API key"


class _SaysAtOnce:
    """The client's calls; one that nobody answers fails with an error that the client takes for no reason to repeat it."""

    def __init__(self, stub: Any) -> None:  # noqa: ANN401
        self._stub = stub

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401
        call = getattr(self._stub, method)
        return partial(_ended, call) if method in _CALLS else call


def _ended(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
    """The answer. Raises: WeaviateConnectionError, WeaviateTimeoutError."""
    try:
        return call(*arguments, **options)
    except _CALL_FAILED as error:
        call_error: Any = error
        if call_error.code() is _GRPC.StatusCode.UNAVAILABLE:
            raise WeaviateConnectionError(str(call_error.details())) from error
        if call_error.code() is _GRPC.StatusCode.DEADLINE_EXCEEDED:
            raise WeaviateTimeoutError(str(call_error.details())) from error
        raise
