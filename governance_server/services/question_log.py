"""Questions about many in the decision log: who asked, about what and whom. What was answered is not kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from domainmesh.v1.decision_log_pb2 import DECISION_KIND_QUESTION
from governance_server.backend import Backend

__all__ = ["logged"]

_Response = TypeVar("_Response", bound=Message)


class _Service(Protocol):
    _backend: Backend


def logged(
    action: str, resource: str = "", *, subject: str = ""
) -> Callable[[Callable[[Any, Any, grpc.ServicerContext], _Response]], Callable[[Any, Any, grpc.ServicerContext], _Response]]:
    """The RPC leaves a record; `resource` and `subject` name the request's fields that say what and whom it is about."""

    def decorate(
        call: Callable[[Any, Any, grpc.ServicerContext], _Response],
    ) -> Callable[[Any, Any, grpc.ServicerContext], _Response]:
        @wraps(call)
        def answered(self: _Service, request: Message, context: grpc.ServicerContext) -> _Response:
            with self._backend.answering(
                DECISION_KIND_QUESTION,
                action=action,
                resource=getattr(request, resource, "") if resource else "",
                subject=getattr(request, subject, "") if subject else "",
                purpose=getattr(request, "purpose", ""),
            ) as recording:
                response = call(self, request, context)
                recording.answered(True, revision=getattr(response, "revision", 0))
            return response

        return answered

    return decorate
