"""What a caller is told of a failure: as which error, and how much of its words fits into the metadata of an answer.

Knows no status: that belongs to `interceptors.py`.
"""

from __future__ import annotations

import logging

from domainmesh.v1 import error_reason_pb2 as pb
from governance_server.journal.errors import Overloaded as JournalOverloaded
from governance_server.journal.errors import RequestIdReused as JournalRequestIdReused
from governance_server.keyring import UnusableKeys
from governance_server.rules import errors
from governance_server.storage.errors import StorageUnavailable
from mesh_core.names import InvalidName

__all__ = ["as_governance_error", "cut_text", "error_detail"]

_LOG = logging.getLogger(__name__)
_MAX_PROBLEMS = 100
_DETAIL_BYTES, _TEXT_BYTES = 5000, 700
"""Metadata is 8 KiB in all: the detail, and the status text, whose bytes may count threefold on the wire."""


def error_detail(error: errors.GovernanceError, call_id: str) -> pb.ErrorDetail:
    """The error as a message, cut so that it always fits into the 8 KiB of metadata that every gRPC client takes."""
    detail = pb.ErrorDetail(
        reason=error.reason,
        resource=cut_text(error.resource, _TEXT_BYTES),
        message=cut_text(error.message, 2 * _TEXT_BYTES),
        request_id=call_id,
    )
    for problem in error.problems[:_MAX_PROBLEMS]:
        violation = pb.Violation(path=cut_text(problem.path, _TEXT_BYTES), message=cut_text(problem.message, _TEXT_BYTES))
        if detail.ByteSize() + violation.ByteSize() > _DETAIL_BYTES:
            break
        detail.violations.append(violation)
    left = len(error.problems) - len(detail.violations)
    if left:
        detail.violations.add(path="…", message=f"and {left} more")
    return detail


def cut_text(text: str, limit_bytes: int) -> str:
    """The text, shortened in its middle if its UTF-8 is longer than this, without unpaired surrogates."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit_bytes:
        return data.decode()
    half = (limit_bytes - 3) // 2
    return f"{data[:half].decode(errors='ignore')}…{data[-half:].decode(errors='ignore')}"


def as_governance_error(error: Exception) -> errors.GovernanceError | None:
    """The failure as one that the caller is told of; None if only the log may have it."""
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
