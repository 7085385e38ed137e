"""How refusals look over HTTP: one JSON object, the same whoever refuses. Knows nothing of the library that serves."""

from __future__ import annotations

from typing import Any

from domainmesh.v1 import error_reason_pb2 as pb
from governance_server.rules.errors import GovernanceError

__all__ = ["refusal", "status_of", "words_of"]

_STATUS: dict[pb.ErrorReason.ValueType, int] = {
    pb.ERROR_REASON_UNAUTHENTICATED: 401,
    pb.ERROR_REASON_ACCESS_DENIED: 403,
    pb.ERROR_REASON_NOT_FOUND: 404,
    pb.ERROR_REASON_INVALID: 400,
    pb.ERROR_REASON_WRONG_STATE: 409,
    pb.ERROR_REASON_TOO_LARGE: 413,
    pb.ERROR_REASON_OVERLOADED: 503,
    pb.ERROR_REASON_STORAGE_UNAVAILABLE: 503,
}
_WORDS = {
    400: ("INVALID", "This cannot be read as an HTTP request: send one as RFC 9112 has it."),
    404: ("NOT_FOUND", "Nothing is served at this path: it is misspelt, or another port serves it."),
    405: ("INVALID", "This path does not take this method."),
    413: ("TOO_LARGE", "The body is longer than this server takes (MESH_MAX_MESSAGE_BYTES): send less at once."),
    415: (
        "INVALID",
        "The Content-Encoding of the body is not known here: send it as it is, or compressed once, by gzip or deflate.",
    ),
    417: ("INVALID", "What the header Expect asks for is not known here: leave it out."),
    431: ("TOO_LARGE", "A header or the address is longer than this server takes: send shorter ones."),
    500: ("INTERNAL", "The server failed; its log says why."),
}


def refusal(error: GovernanceError) -> dict[str, Any]:
    """The error as JSON: what failed, on what, and every violation."""
    reason = pb.ErrorReason.Name(error.reason).removeprefix("ERROR_REASON_")
    violations = [{"path": it.path, "message": it.message} for it in error.problems[:100]]
    return {"error": reason, "message": error.message, "resource": error.resource, "violations": violations}


def status_of(error: GovernanceError) -> int:
    """The status that goes with the error."""
    return _STATUS.get(error.reason, 500)


def words_of(status: int, allowed: str = "") -> dict[str, Any]:
    """As `refusal`, of what the library that serves refuses by itself; nothing of the request is in it.

    Args:
        status: What it refuses with.
        allowed: The methods that a path takes.
    """
    error, message = _WORDS.get(status) or _WORDS[500 if status >= 500 else 400]
    told = f"{message[:-1]}: it takes {allowed}." if allowed else message
    return {"error": error, "message": told, "resource": "", "violations": []}
