"""What surrounds every call: identity, minimum revision, limits, errors and the log line. The only place that knows status codes.

Wraps unary handlers and the iteration of streams alike, so that an error in the middle of a stream arrives as what it is.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, TypeAlias, cast

import grpc

from domainmesh.v1 import error_reason_pb2 as pb
from governance_server.authentication import Authenticator
from governance_server.caller import Caller, current_caller, set_caller, set_recheck
from governance_server.journal.errors import Overloaded as JournalOverloaded
from governance_server.journal.errors import RequestIdReused as JournalRequestIdReused
from governance_server.keyring import UnusableKeys
from governance_server.quotas import Quotas
from governance_server.rules import errors
from governance_server.sparing_pool import SparingPool, standing_aside
from governance_server.storage.engine import Database
from governance_server.storage.errors import StorageUnavailable
from mesh_core.names import InvalidName

__all__ = ["CallInterceptor", "StreamPool", "error_detail"]

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
_LONG_CALLS = frozenset(
    {
        "/domainmesh.v1.PublicationService/CommitPublication",
        "/domainmesh.v1.PublicationService/RepairPublications",
        "/domainmesh.v1.MaintenanceService/MaintainProduct",
        "/domainmesh.v1.MaintenanceService/CompactProduct",
        "/domainmesh.v1.MaintenanceService/VacuumProduct",
        "/domainmesh.v1.MaintenanceService/EraseSubject",
        "/domainmesh.v1.AuditService/VerifyAudit",
        "/domainmesh.v1.AuditService/GetAuditReport",
        "/domainmesh.v1.ReadService/PrepareFiles",
        "/domainmesh.v1.QuestionService/ListVisible",
        "/domainmesh.v1.QuestionService/ListReaders",
        "/domainmesh.v1.QuestionService/Simulate",
        "/domainmesh.v1.QuestionService/Prove",
    }
)
"""Calls that may take minutes: they have threads of their own, so that the short ones never wait for them."""
_DECIDING = frozenset({"/domainmesh.v1.DecisionService/Check", "/domainmesh.v1.DecisionService/CheckMany"})
"""Calls that reflect the head at which they were admitted, or a later one that their response names."""
_BUSY_DECIDING, _SPARE_DECIDING = 2, 8
"""Threads of these calls that compute, and those kept for checks that wait for a revision or read the past."""
_MOST_LONG_CALLS = 16
_REVISION_WAIT_SECONDS = 2.0
_MOST_REVISION_WAITS = 2
_MAX_PROBLEMS = 100
_DETAIL_BYTES, _TEXT_BYTES, _STATUS_BYTES = 5000, 700, 400
"""Metadata is 8 KiB in all: the detail, and the status text, whose bytes may count threefold on the wire."""

Behaviour = Callable[[Any, grpc.ServicerContext], Any]
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class StreamPool:
    """Threads for streams, apart from those for calls, and a bound on how many run at once.

    A few threads more than the bound exist only to refuse the excess at once instead of letting it queue.
    """

    _SPARE = 8

    def __init__(self, limit: int, what: str = "streams are open") -> None:
        self.limit = limit
        self._what = what
        self.executor = ThreadPoolExecutor(max_workers=limit + self._SPARE, thread_name_prefix="stream")
        self._running = 0
        self._lock = threading.Lock()

    def enter(self) -> None:
        """One more stream runs. Raises: Overloaded."""
        with self._lock:
            if self._running >= self.limit:
                raise errors.Overloaded(f"{self.limit} {self._what} already: close one or try again later.")
            self._running += 1

    def leave(self) -> None:
        """One stream less runs."""
        with self._lock:
            self._running -= 1


class CallInterceptor(grpc.ServerInterceptor):
    """Authenticates, limits, translates errors and logs, for unary calls and response streams."""

    def __init__(self, *, database: Database, authenticator: Authenticator, streams: StreamPool, quotas: Quotas) -> None:
        self._database = database
        self._authenticator = authenticator
        self._streams = streams
        self._quotas = quotas
        self._long_calls = StreamPool(_MOST_LONG_CALLS, "long calls are running")
        self._deciding = SparingPool(busy=_BUSY_DECIDING, most=_BUSY_DECIDING + _SPARE_DECIDING, name="deciding")
        self._revision_waits = threading.BoundedSemaphore(_MOST_REVISION_WAITS)
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
        if handler is None or method.startswith(_OPEN_SERVICES):
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
        if method in _LONG_CALLS:
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

    def admit(self, context: grpc.ServicerContext, call_id: str) -> None:
        """Returns once the caller is known and its revision reached. Raises: Unauthenticated, RevisionNotReached."""
        metadata: Mapping[str, str | bytes] = dict(context.invocation_metadata())
        caller = self._authenticate(metadata, call_id)
        self._quotas.take_call(caller.name)
        wanted = str(metadata.get("mesh-min-revision", "0"))
        if not wanted.isdecimal() or len(wanted) > 19:
            raise errors.Invalid("mesh-min-revision is not a number: send the mesh-revision of an earlier response.")
        if caller.revision < int(wanted) and self._wait_for(int(wanted)):
            self._authenticate(metadata, call_id)  # what was waited for may have ended this token

    @contextmanager
    def _quota(self, principal: str) -> Iterator[None]:
        """One of the principal's streams runs within the block. Raises: Overloaded."""
        self._quotas.enter_stream(principal)
        try:
            yield
        finally:
            self._quotas.leave_stream(principal)

    def authenticate(self, context: grpc.ServicerContext, call_id: str) -> None:
        """The caller is the one whose token the call carries, as it is now. Raises: Unauthenticated."""
        self._authenticate(dict(context.invocation_metadata()), call_id)

    def _authenticate(self, metadata: Mapping[str, str | bytes], call_id: str) -> Caller:
        caller = self._authenticator.authenticate(str(metadata.get("authorization", "")), call_id=call_id)
        set_caller(caller)
        return caller

    def _wait_for(self, revision: int) -> bool:
        """True if it had to wait. Few may, as each holds a thread. Raises: RevisionNotReached."""
        if self._database.revision() >= revision:
            return False
        may_wait = self._revision_waits.acquire(blocking=False)
        try:
            deadline = time.monotonic() + (_REVISION_WAIT_SECONDS if may_wait else 0)
            with standing_aside():
                while self._database.revision() < revision:
                    if time.monotonic() >= deadline:
                        raise errors.RevisionNotReached(f"Revision {revision} is not here yet: try again, or ask another server.")
                    time.sleep(0.01)
            return True
        finally:
            if may_wait:
                self._revision_waits.release()

    def head_revision(self) -> int:
        """The journal's newest revision."""
        return self._database.revision()


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
        self._interceptor.admit(self._context, self.call_id)

    def authenticate(self) -> None:
        self._interceptor.authenticate(self._context, self.call_id)

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
        known = _as_governance_error(error)
        if known is None:
            _LOG.error("call failed rpc=%s request_id=%s", self._method, self.call_id, exc_info=error)
            message = f"The server failed; the details are in its log under request id {self.call_id}."
            known = errors.GovernanceError(message)
        status = _STATUS.get(known.reason, grpc.StatusCode.INTERNAL)
        self._log(status.name)
        detail = error_detail(known, self.call_id)
        self._context.set_trailing_metadata((("mesh-error-bin", detail.SerializeToString()),))
        self._context.abort(status, _cut(detail.message, _STATUS_BYTES))

    def _log(self, code: str) -> None:
        if not _LOG.isEnabledFor(logging.INFO):
            return
        elapsed = (time.perf_counter() - self._started) * 1000
        _LOG.info("call rpc=%s request_id=%s code=%s elapsed_ms=%.1f", self._method, self.call_id, code, elapsed)


def error_detail(error: errors.GovernanceError, call_id: str) -> pb.ErrorDetail:
    """The error as a message, cut so that it always fits into the 8 KiB of metadata that every gRPC client takes."""
    detail = pb.ErrorDetail(
        reason=error.reason,
        resource=_cut(error.resource, _TEXT_BYTES),
        message=_cut(error.message, 2 * _TEXT_BYTES),
        request_id=call_id,
    )
    for problem in error.problems[:_MAX_PROBLEMS]:
        violation = pb.Violation(path=_cut(problem.path, _TEXT_BYTES), message=_cut(problem.message, _TEXT_BYTES))
        if detail.ByteSize() + violation.ByteSize() > _DETAIL_BYTES:
            break
        detail.violations.append(violation)
    left = len(error.problems) - len(detail.violations)
    if left:
        detail.violations.add(path="…", message=f"and {left} more")
    return detail


def _cut(text: str, limit_bytes: int) -> str:
    """The text, shortened in its middle if its UTF-8 is longer than this, without unpaired surrogates."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit_bytes:
        return data.decode()
    half = (limit_bytes - 3) // 2
    return f"{data[:half].decode(errors='ignore')}…{data[-half:].decode(errors='ignore')}"


def _as_governance_error(error: Exception) -> errors.GovernanceError | None:
    if isinstance(error, errors.GovernanceError):
        return error
    if isinstance(error, InvalidName):
        return errors.Invalid(str(error))
    if isinstance(error, JournalRequestIdReused):
        return errors.RequestIdReused(str(error))
    if isinstance(error, JournalOverloaded):
        return errors.Overloaded(str(error))
    if isinstance(error, UnusableKeys):
        _LOG.error("keys unusable", exc_info=error)
        return errors.Unavailable("The server cannot use its keys: tell whoever runs it to look into its log.")
    if isinstance(error, StorageUnavailable):
        _LOG.error("storage unavailable", exc_info=error)
        return errors.Unavailable(
            "The mesh's storage did not take the change, and nothing of it was stored: try again, and check disk space."
        )
    return None
