"""What surrounds every call: identity, minimum revision, limits, errors and the log line. The only place that knows status codes.

Wraps unary handlers and the iteration of streams alike, so that an error in the middle of a stream arrives as what it is.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, TypeAlias, cast

import grpc

from domainmesh.v1 import error_reason_pb2 as pb
from governance_server.admission import Admission
from governance_server.authentication import Authenticator
from governance_server.call_pools import LONG_CALLS, StreamPool
from governance_server.caller import current_caller, set_recheck
from governance_server.error_details import as_governance_error, cut_text, error_detail
from governance_server.quotas import Quotas
from governance_server.rules import errors
from governance_server.sparing_pool import SparingPool
from governance_server.storage.engine import Database
from governance_server.storage.errors import StorageUnavailable

__all__ = ["CallInterceptor"]

_LOG = logging.getLogger(__name__)

_STATUS: dict[pb.ErrorReason.ValueType, grpc.StatusCode] = {
    pb.ERROR_REASON_UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    pb.ERROR_REASON_ACCESS_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    pb.ERROR_REASON_PURPOSE_NOT_HELD: grpc.StatusCode.PERMISSION_DENIED,
    pb.ERROR_REASON_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    pb.ERROR_REASON_ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    pb.ERROR_REASON_REQUEST_ID_REUSED: grpc.StatusCode.ALREADY_EXISTS,
    pb.ERROR_REASON_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    pb.ERROR_REASON_INVALID_CONTRACT: grpc.StatusCode.INVALID_ARGUMENT,
    pb.ERROR_REASON_INVALID_EXPRESSION: grpc.StatusCode.INVALID_ARGUMENT,
    pb.ERROR_REASON_CONTRACT_VIOLATED: grpc.StatusCode.FAILED_PRECONDITION,
    pb.ERROR_REASON_INCOMPATIBLE_CONTRACT: grpc.StatusCode.FAILED_PRECONDITION,
    pb.ERROR_REASON_SECOND_PERSON_NEEDED: grpc.StatusCode.FAILED_PRECONDITION,
    pb.ERROR_REASON_WRONG_STATE: grpc.StatusCode.FAILED_PRECONDITION,
    pb.ERROR_REASON_CONFLICT: grpc.StatusCode.ABORTED,
    pb.ERROR_REASON_OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    pb.ERROR_REASON_DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
    pb.ERROR_REASON_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    pb.ERROR_REASON_STORAGE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    pb.ERROR_REASON_REVISION_NOT_REACHED: grpc.StatusCode.UNAVAILABLE,
}

_OPEN_SERVICES = ("/grpc.health.v1.Health/", "/domainmesh.v1.ServerService/GetLoginInfo")
_DECIDING = frozenset({"/domainmesh.v1.DecisionService/Check", "/domainmesh.v1.DecisionService/CheckMany"})
"""Calls that reflect the head at which they were admitted, or a later one that their response names."""
_BUSY_DECIDING, _SPARE_DECIDING = 2, 8
"""Threads of these calls that compute, and those kept for checks that wait for a revision or read the past."""
_MOST_LONG_CALLS = 16
_ELSEWHERE = (
    "No such call here: AskService, ConversationService, ReadService, RetrievalService and SqlService are served by the gateway, "
    "whose address ServerService.GetServerInfo gives; all others by the control server. Calls are written as in docs/api.md."
)
_STATUS_BYTES = 400
"""Of the status text; the detail in the metadata beside it says more."""

Behaviour = Callable[[Any, grpc.ServicerContext], Any]
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class CallInterceptor(grpc.ServerInterceptor):
    """Authenticates, limits, translates errors and logs, for unary calls and response streams."""

    def __init__(self, *, database: Database, authenticator: Authenticator, streams: StreamPool, quotas: Quotas) -> None:
        self._database = database
        self.admission = Admission(database, authenticator, quotas)
        self._streams = streams
        self._quotas = quotas
        self._long_calls = StreamPool(_MOST_LONG_CALLS, "long calls are running")
        self._deciding = SparingPool(busy=_BUSY_DECIDING, most=_BUSY_DECIDING + _SPARE_DECIDING, name="deciding")
        self._handlers: dict[str, _Handler] = {}
        self.ids = random.Random(random.SystemRandom().getrandbits(128))  # tells calls apart: no secret

    def wait_for_handlers(self, calls: ThreadPoolExecutor, timeout_seconds: float) -> bool:
        """True once no handler runs any more: a stopped server lets go of a call before its handler's thread has noticed."""

        def wait() -> None:
            for pool in (calls, self._deciding, self._streams.executor, self._long_calls.executor):
                pool.shutdown(wait=True, cancel_futures=True)

        waiting = threading.Thread(target=wait, name="handlers-end", daemon=True)
        waiting.start()
        waiting.join(timeout_seconds)
        return not waiting.is_alive()

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], _Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        """The handler, wrapped once; health and how to log in stay open to everyone."""
        method = str(handler_call_details.method)
        known = self._handlers.get(method)
        if known is not None:
            return known
        handler: Any = continuation(handler_call_details)
        if handler is None:
            return grpc.unary_unary_rpc_method_handler(_refuse_unknown)
        if method.startswith(_OPEN_SERVICES):
            return cast(_Handler, handler)
        return self._handlers.setdefault(method, self._wrap(handler, method))

    def _wrap(self, handler: Any, method: str) -> _Handler:  # noqa: ANN401  # grpc's handlers are untyped
        if handler.response_streaming:
            stream = self._wrap_stream(handler.stream_stream or handler.unary_stream, method)
            # grpc runs a behaviour that carries this attribute on that pool instead of the server's own.
            stream.experimental_thread_pool = self._streams.executor  # type: ignore[attr-defined]
            make = grpc.stream_stream_rpc_method_handler if handler.request_streaming else grpc.unary_stream_rpc_method_handler
            return make(stream, handler.request_deserializer, _serialised(handler.response_serializer))
        call = self._wrap_unary(handler.unary_unary, method)
        if method in _DECIDING:
            call.experimental_thread_pool = self._deciding  # type: ignore[attr-defined]
        if method in LONG_CALLS:
            call = self._wrap_long(handler.unary_unary, method)
            call.experimental_thread_pool = self._long_calls.executor  # type: ignore[attr-defined]
        return grpc.unary_unary_rpc_method_handler(call, handler.request_deserializer, handler.response_serializer)

    def _wrap_unary(self, behaviour: Behaviour, method: str) -> Behaviour:
        def call(request: object, context: grpc.ServicerContext) -> object:
            with _Observed(self, method, context) as observed:
                observed.admit()
                response = behaviour(request, context)
                if method in _DECIDING:
                    observed.revision = max(current_caller().revision, cast(Any, response).revision)
                return response

        return call

    def _wrap_long(self, behaviour: Behaviour, method: str) -> Behaviour:
        def call(request: object, context: grpc.ServicerContext) -> object:
            with _Observed(self, method, context) as observed:
                self._long_calls.enter()
                try:
                    observed.admit()
                    return behaviour(request, context)
                finally:
                    self._long_calls.leave()

        return call

    def _wrap_stream(self, behaviour: Behaviour, method: str) -> Behaviour:
        def stream(request: object, context: grpc.ServicerContext) -> Iterator[object]:
            with _Observed(self, method, context) as observed:
                self._streams.enter()
                try:
                    observed.admit()
                    set_recheck(observed.authenticate)
                    with self._quota(current_caller().name), closing(behaviour(request, context)) as messages:
                        for message in messages:
                            observed.authenticate()  # a stream lives no longer than the token it began with
                            yield message
                finally:
                    self._streams.leave()

        return stream

    @contextmanager
    def _quota(self, principal: str) -> Iterator[None]:
        """One of the principal's streams runs within the block. Raises: Overloaded."""
        self._quotas.enter_stream(principal)
        try:
            yield
        finally:
            self._quotas.leave_stream(principal)

    def head_revision(self) -> int:
        """The journal's newest revision."""
        return self._database.revision()


def _refuse_unknown(request: object, context: grpc.ServicerContext) -> object:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, _ELSEWHERE)


def _serialised(serializer: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """The serializer, for streams whose larger responses are bytes already."""
    return lambda response: response if isinstance(response, bytes) else serializer(response)


class _Observed:
    """One call: times it, adds the revision, and turns whatever it raises into a status."""

    def __init__(self, interceptor: CallInterceptor, method: str, context: grpc.ServicerContext) -> None:
        self._interceptor = interceptor
        self._method = method
        self._context = context
        self.call_id = f"{interceptor.ids.getrandbits(64):016x}"
        self.revision: int | None = None
        self._started = time.perf_counter()

    def admit(self) -> None:
        self._interceptor.admission.admit(dict(self._context.invocation_metadata()), self.call_id)

    def authenticate(self) -> None:
        self._interceptor.admission.authenticate(dict(self._context.invocation_metadata()), self.call_id)

    def __enter__(self) -> _Observed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            revision = self._interceptor.head_revision() if self.revision is None else self.revision
            self._context.set_trailing_metadata((("mesh-revision", str(revision)),))
            self._log("OK")
        elif isinstance(error, GeneratorExit):
            self._log("CANCELLED")
        elif isinstance(error, Exception):
            self._abort(error)

    def _abort(self, error: Exception) -> None:
        if not self._context.is_active() and isinstance(error, errors.GovernanceError | StorageUnavailable):
            # The client is gone or the server stops: nobody is left to tell, and what a closing database says is no failure.
            self._log("CANCELLED")
            self._context.abort(grpc.StatusCode.CANCELLED, "The call was cancelled.")
        known = as_governance_error(error)
        if known is None:
            _LOG.error("call failed rpc=%s request_id=%s", self._method, self.call_id, exc_info=error)
            message = f"The server failed; the details are in its log under request id {self.call_id}."
            known = errors.GovernanceError(message)
        status = _STATUS.get(known.reason, grpc.StatusCode.INTERNAL)
        self._log(status.name)
        detail = error_detail(known, self.call_id)
        self._context.set_trailing_metadata((("mesh-error-bin", detail.SerializeToString()),))
        self._context.abort(status, cut_text(detail.message, _STATUS_BYTES))

    def _log(self, code: str) -> None:
        if not _LOG.isEnabledFor(logging.INFO):
            return
        elapsed = (time.perf_counter() - self._started) * 1000
        _LOG.info("call rpc=%s request_id=%s code=%s elapsed_ms=%.1f", self._method, self.call_id, code, elapsed)
