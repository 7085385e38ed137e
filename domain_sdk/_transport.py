"""The one way to the server: channels, bearer token, deadlines, retries, revisions, and failures as `MeshError`.

Owns both endpoints (the control server, and the gateway it names) and what every call carries. Knows no resource: callers bring
the stub. Imported on first use, because gRPC is not cheap to load.
"""

from __future__ import annotations

import os
import random
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from domain_sdk import errors
from domain_sdk._calling_thread import IN_CALLING_THREAD, CallingThread, streaming
from domain_sdk._endpoint import Endpoint, parse_endpoint
from domain_sdk._failures import is_transient, to_mesh_error, trailing_metadata
from domain_sdk.errors import MeshError
from domainmesh.v1.server_service_pb2 import GetServerInfoRequest
from domainmesh.v1.server_service_pb2_grpc import ServerServiceStub

__all__ = ["Transport"]

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.enable_retries", 0),  # retries are decided here, by reason
    IN_CALLING_THREAD,
)

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Part = TypeVar("Part")
Stub = TypeVar("Stub")


class _Link:
    """A lazily opened channel and the stubs made on it; opened anew in a forked process, whose parent's channel is dead."""

    def __init__(self, open_channel: Callable[[], grpc.Channel]) -> None:
        self._open = open_channel
        self._lock = threading.RLock()  # opening the gateway asks the control server, whose failure forgets the gateway
        self._pid = 0
        self._channel: grpc.Channel | None = None
        self._stubs: dict[type, Any] = {}

    def stub(self, kind: type[Stub]) -> Stub:
        if self._pid != os.getpid():
            self._lock = threading.RLock()  # the inherited one may be held by a thread that does not exist here
            self._channel, self._stubs, self._pid = None, {}, os.getpid()
        with self._lock:
            if self._channel is None:
                self._channel = self._open()
            if kind not in self._stubs:
                self._stubs[kind] = kind(CallingThread(self._channel))  # type: ignore[call-arg] # every generated stub takes one
            stub: Stub = self._stubs[kind]
            return stub

    def forget(self) -> None:
        """The next stub is made on a new channel; calls that run go on."""
        with self._lock:
            self._channel, self._stubs = None, {}

    def close(self) -> None:
        with self._lock:
            if self._channel is not None and self._pid == os.getpid():
                self._channel.close()
            self._channel, self._stubs = None, {}


class Transport:
    """Calls to one mesh as one principal; safe to share between threads. Nothing is opened before the first call."""

    def __init__(
        self, url: str, token: str | Callable[[], str], *, ca_file: str | None = None, timeout_seconds: float = 30.0
    ) -> None:
        self.url = url
        self._endpoint = parse_endpoint(url)
        self._token = _checked(token) if callable(token) else _constant(_checked_token(token))
        self._ca_file = ca_file
        self._timeout_seconds = timeout_seconds
        self._revision = 0
        self._revision_lock = threading.Lock()
        self._control = _Link(lambda: self._channel(self._endpoint))
        self._gateway = _Link(lambda: self._channel(self._gateway_endpoint()))

    def __repr__(self) -> str:
        """The address, without the token."""
        return f"Transport({self.url!r})"

    @property
    def revision(self) -> int:
        """The newest journal revision this client has seen; 0 before the first call."""
        return self._revision

    def control(self, kind: type[Stub]) -> Stub:
        """The stub of a service of the control server."""
        return self._control.stub(kind)

    @property
    def is_local(self) -> bool:
        """True if the mesh is on this machine, so that its loopback-only door for files can be reached."""
        return self._endpoint.is_loopback

    def door(self, url: str) -> tuple[str, ssl.SSLContext | None]:
        """An HTTP address that the control server named, and how to trust it; `:port/path` is on the host it is reached by.

        Any other URL is given back as it is, with None: it is trusted like any web server.
        """
        if not url.startswith(":"):
            return url, None
        host = self._endpoint.address.rpartition(":")[0]
        if not self._endpoint.is_tls:
            return f"http://{host}{url}", None
        context = ssl.create_default_context(cafile=self._ca_file)
        own = os.environ.get("MESH_CLIENT_CERTIFICATE")
        if own:
            context.load_cert_chain(Path(own).expanduser())
        return f"https://{host}{url}", context

    def gateway(self, kind: type[Stub]) -> Stub:
        """The stub of a service of the gateway, whose address the control server is asked for once."""
        return self._gateway.stub(kind)

    def close(self) -> None:
        """Both channels are closed and running calls are cancelled; a later call opens new ones."""
        self._control.close()
        self._gateway.close()

    def call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        timeout_seconds: float | None = None,
        is_retried: bool = True,
    ) -> Response:
        """The response. A request with an empty `request_id` gets one, so that every call may be retried.

        Raises:
            MeshError: the call failed; its class says why.
        """
        sent = _with_request_id(request)
        deadline = time.monotonic() + (timeout_seconds or self._timeout_seconds)
        failure: MeshError | None = None
        for pause in _pauses(_ATTEMPTS if is_retried else 1):
            left = max(deadline - time.monotonic(), 0.001)
            call = streaming(method)(sent, timeout=left, metadata=self._metadata())
            try:
                responses = list(call)
                self._remember(call.trailing_metadata())
                if len(responses) != 1:
                    raise errors.InternalError(f"{self.url} answered with {len(responses)} messages: it is no mesh server.")
                return responses[0]
            except grpc.RpcError as error:
                self._remember(trailing_metadata(error))
                failure = _telling(to_mesh_error(error, self.url), before=failure)
                if not is_transient(error, failure) or pause is None or time.monotonic() + pause > deadline:
                    self._forget_lost_gateway(failure)
                    raise failure from error
                time.sleep(pause)
            finally:
                call.cancel()  # Ctrl-C ends it at the server, too; what has ended stays as it is
        raise AssertionError("unreachable: the last attempt returns or raises")

    def stream(
        self,
        method: grpc.UnaryStreamMultiCallable[Request, Part],
        request: Request,
        *,
        timeout_seconds: float | None = None,
    ) -> Generator[Part, None, None]:
        """The responses as they come. Closing the generator, an error and Ctrl-C cancel what is left of the call.

        Raises:
            MeshError: while iterating, if the call failed. It is retried only while nothing has come yet.
        """
        has_begun = False
        for pause in _pauses(_ATTEMPTS):
            call = method(request, timeout=timeout_seconds, metadata=self._metadata())
            try:
                for response in call:
                    has_begun = True
                    yield response
                self._remember(call.trailing_metadata())
                return
            except grpc.RpcError as error:
                self._remember(trailing_metadata(error))
                failure = to_mesh_error(error, self.url)
                if has_begun or not is_transient(error, failure) or pause is None:
                    self._forget_lost_gateway(failure)
                    raise failure from error
                time.sleep(pause)
            finally:
                call.cancel()

    def _channel(self, endpoint: Endpoint) -> grpc.Channel:
        if not endpoint.is_tls:
            return grpc.insecure_channel(endpoint.address, options=(*_OPTIONS, ("grpc.enable_http_proxy", 0)))
        roots = _pem(self._ca_file, "MESH_CA")
        own = _pem(os.environ.get("MESH_CLIENT_CERTIFICATE"), "MESH_CLIENT_CERTIFICATE")  # key and certificate in one file
        credentials = grpc.ssl_channel_credentials(roots, private_key=own, certificate_chain=own)
        return grpc.secure_channel(endpoint.address, credentials, options=_OPTIONS)

    def _gateway_endpoint(self) -> Endpoint:
        named = self.call(self.control(ServerServiceStub).GetServerInfo, GetServerInfoRequest()).gateway
        if not named:
            raise errors.WrongState(f"The server at {self.url} has no gateway, so nothing can be read: start one.")
        if named.startswith(":"):  # it listens on every address: the one the control server is reached by is as good
            named = self._endpoint.address.rpartition(":")[0] + named
        is_bare = "://" not in named
        endpoint = parse_endpoint(f"https://{named}" if is_bare and self._endpoint.is_tls else named)
        if endpoint.is_loopback and not self._endpoint.is_loopback:
            raise errors.WrongState(
                f"The server at {self.url} names {named} as its gateway, an address of this machine: correct it there."
            )
        return endpoint

    def _forget_lost_gateway(self, failure: MeshError) -> None:
        """A gateway that came back elsewhere is found by the next call."""
        if isinstance(failure, errors.ServerUnreachable):
            self._gateway.forget()

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        bearer = ("authorization", f"Bearer {self._token()}")
        return (bearer, ("mesh-min-revision", str(self._revision))) if self._revision else (bearer,)

    def _remember(self, trailing: Sequence[tuple[str, str | bytes]] | None) -> None:
        seen = next((value for key, value in trailing or () if key == "mesh-revision"), None)
        if seen is None:
            return
        with self._revision_lock:
            self._revision = max(self._revision, int(seen))


def _pem(path: str | None, setting: str) -> bytes | None:
    """The file's content; None without one. Raises: NotConfigured."""
    try:
        return Path(path).expanduser().read_bytes() if path else None
    except OSError as error:
        raise errors.NotConfigured(f"The certificate file {path} ({setting}) cannot be read: {error}.") from error


def _constant(token: str) -> Callable[[], str]:
    return lambda: token


def _checked(token: Callable[[], str]) -> Callable[[], str]:
    return lambda: _checked_token(token())


def _checked_token(token: str) -> str:
    """The token without surrounding white space. Its text is in no error: gRPC would print it."""
    stripped = token.strip()
    if not stripped or not stripped.isascii() or not stripped.isprintable():
        raise errors.Unauthenticated("The token is empty or holds characters that no token has: copy it again.")
    return stripped


def _with_request_id(request: Request) -> Request:
    if "request_id" not in request.DESCRIPTOR.fields_by_name or request.request_id:  # type: ignore[attr-defined] # looked up above
        return request
    sent = type(request)()
    sent.CopyFrom(request)
    sent.request_id = uuid.uuid4().hex  # type: ignore[attr-defined] # looked up above
    return sent


def _telling(failure: MeshError, *, before: MeshError | None) -> MeshError:
    """The failure to report: why a call had to be retried says more than that the last try had no time left."""
    return before if before is not None and isinstance(failure, errors.DeadlineExceeded) else failure


def _pauses(attempts: int) -> Generator[float | None, None, None]:
    """Exponential pauses with full jitter, one before each further attempt; None for the last."""
    longest = _FIRST_PAUSE_SECONDS
    for _ in range(attempts - 1):
        yield random.uniform(longest / 2, longest)
        longest = min(longest * 4, _LONGEST_PAUSE_SECONDS)
    yield None
