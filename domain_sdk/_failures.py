"""From a failed gRPC call to a `MeshError`.

Owns the mapping reason → class and, for answers that did not come from a mesh server, status → class. The reason is never
read out of a message.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError

from domain_sdk import errors
from domain_sdk.errors import MeshError, Violation
from domainmesh.v1.error_reason_pb2 import ErrorDetail, ErrorReason

__all__ = ["is_transient", "to_mesh_error", "trailing_metadata"]


_CONNECTION_FAILURES = (
    ("Connection refused", "nothing listens {place}"),
    ("No route to host", "no network leads {place}"),
    ("Network is unreachable", "no network leads {place}"),
    ("DNS resolution failed", "its name cannot be resolved"),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted; name the certificates to trust in MESH_CA"),
    ("WRONG_VERSION_NUMBER", "what answers {place} does not speak TLS"),
    ("Connection reset", "the connection was lost"),
    ("Socket closed", "the connection was lost"),
)
"""What gRPC says → what it means to a user; for the words only, never for the class of the error."""
_ADDRESS = re.compile(r"ipv[46]:(\S+?): ")


def is_transient(error: grpc.RpcError, failure: MeshError) -> bool:
    """True if the same call may succeed when made again: UNAVAILABLE or RESOURCE_EXHAUSTED, but never too large a message."""
    if isinstance(failure, errors.TooLarge):
        return False
    return isinstance(error, grpc.Call) and error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


def trailing_metadata(error: grpc.RpcError) -> Sequence[tuple[str, str | bytes]]:
    """The metadata that came with the failure; empty if nothing answered."""
    return (error.trailing_metadata() or ()) if isinstance(error, grpc.Call) else ()


def to_mesh_error(error: grpc.RpcError, url: str) -> MeshError:
    """The exception for a failed call to the URL; the caller raises it from the original."""
    packed = next((value for key, value in trailing_metadata(error) if key == "mesh-error-bin"), None)
    if isinstance(packed, bytes):
        with contextlib.suppress(DecodeError):
            return _from_detail(ErrorDetail.FromString(packed))
    return _from_status(error, url)


def _from_detail(detail: ErrorDetail) -> MeshError:
    known = detail.reason in ErrorReason.values()
    name = ErrorReason.Name(detail.reason).removeprefix("ERROR_REASON_") if known else f"UNKNOWN_{int(detail.reason)}"
    violations = [Violation(it.path, it.message) for it in detail.violations]
    kind = errors.error_class(name)
    failure = kind(detail.message, resource=detail.resource, violations=violations, request_id=detail.request_id)
    failure.reason = name
    if kind is errors.Unauthenticated:
        failure.next_step = ""  # the server's message says what to do
    return failure


def _why_unreachable(details: str, url: str) -> str:
    """What a user can do something with in gRPC's account of a failed connection; all of it stays in the cause."""
    known = next((words for sign, words in _CONNECTION_FAILURES if sign in details), None)
    if known is not None:
        found = _ADDRESS.search(details)
        address = unquote(found[1]) if found else ""  # of a gateway, or what the server's name was resolved to
        return known.format(place=f"at {address}" if address and address not in url else "there")
    is_own = "last error" in details or "ipv4:" in details or "ipv6:" in details  # gRPC's, not from a proxy in between
    return "" if is_own else details.rstrip(".")


def _from_status(error: grpc.RpcError, url: str) -> MeshError:
    if not isinstance(error, grpc.Call):
        return errors.ServerUnreachable(f"The call to {url} could not be made: {error}.")
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.UNAVAILABLE:
        why = _why_unreachable(details, url)
        return errors.ServerUnreachable(f"The mesh server at {url} does not answer{f': {why}' if why else ''}.")
    if code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
        return errors.DeadlineExceeded(f"The call to {url} was given up: {details or code.name}.")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        is_size = "larger than max" in details or "message size" in details.lower()
        kind = errors.TooLarge if is_size else errors.Overloaded
        return kind(f"{url}: {details}")
    by_code = {
        grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
        grpc.StatusCode.PERMISSION_DENIED: errors.AccessDenied,
        grpc.StatusCode.NOT_FOUND: errors.NotFound,
        grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
        grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
        grpc.StatusCode.FAILED_PRECONDITION: errors.WrongState,
        grpc.StatusCode.ABORTED: errors.Conflict,
    }
    return by_code.get(code, MeshError)(f"{url} answered {code.name}: {details}")
