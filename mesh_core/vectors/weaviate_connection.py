"""A connection to one Weaviate server that says at once when nobody answers, and is back soon after the server is.

The only home of what is private in the client: it repeats a search or a batch for a minute while the server is away, and has no
setting for that. Loaded only with the Weaviate store.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import weaviate
from weaviate.classes.init import AdditionalConfig, Auth, GrpcConfig, Timeout
from weaviate.connect import v4
from weaviate.exceptions import WeaviateBaseError, WeaviateConnectionError, WeaviateTimeoutError

__all__ = ["connected", "has_no_answer", "in_words"]

_QUERY_SECONDS, _INSERT_SECONDS = 20, 60
"""A client of the mesh waits half a minute for a search. A batch takes Weaviate seconds."""
_LONGEST_PAUSE_MILLISECONDS = 1000
_CALLS = ("Search", "Aggregate", "TenantsGet", "BatchObjects", "BatchDelete")
_MOST_LETTERS = 500
_GRPC: Any = v4
"""Through the client, as the core speaks no gRPC of its own."""
_CALL_FAILED: type[Exception] = _GRPC.RpcError


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


def has_no_answer(error: WeaviateBaseError) -> bool:
    """True if nobody answered: asking something else would take as long and tell no more."""
    return isinstance(error, WeaviateConnectionError | WeaviateTimeoutError)


def in_words(error: WeaviateBaseError, address: str) -> str:
    """What went wrong and what to do, in one sentence without line breaks."""
    if isinstance(error, WeaviateConnectionError):
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
