"""Calls about expectations, from the wire to values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from domain_sdk._arguments import checked_text
from domain_sdk._enums import enum_member
from domain_sdk._paging import all_items
from domain_sdk._times import from_timestamp
from domain_sdk._transport import Transport
from domain_sdk.expectations import Expectation, ExpectationResult, ExpectationStatus
from domainmesh.v1 import expectation_pb2
from domainmesh.v1 import expectation_service_pb2 as pb
from domainmesh.v1.expectation_service_pb2_grpc import ExpectationServiceStub

__all__ = ["create", "delete", "list_expectations", "rule_text", "to_result"]


def create(transport: Transport, request: pb.CreateExpectationRequest) -> Expectation:
    """The expectation, registered."""
    return _expectation(transport.call(transport.control(ExpectationServiceStub).CreateExpectation, request))


def rule_text(rule: str | Mapping[str, Any]) -> str:
    """The rule as it is sent: a mapping as JSON."""
    return checked_text(rule if isinstance(rule, str) else json.dumps(rule), "rule", example="amount >= 0")


def list_expectations(transport: Transport, resource: str, *, only_own: bool, limit: int | None) -> list[Expectation]:
    """The caller's own and those on products it may write, by port."""
    request = pb.ListExpectationsRequest(resource=resource, only_own=only_own)
    method = transport.control(ExpectationServiceStub).ListExpectations
    return [_expectation(it) for it in all_items(transport, method, request, field="expectations", limit=limit)]


def delete(transport: Transport, id: str) -> None:
    """The expectation is gone."""
    transport.call(transport.control(ExpectationServiceStub).DeleteExpectation, pb.DeleteExpectationRequest(id=id))


def to_result(message: expectation_pb2.ExpectationResult) -> ExpectationResult:
    """The value of the message."""
    return ExpectationResult(
        expectation=message.expectation,
        port=message.port,
        principal=message.principal,
        rule=message.rule,
        status=enum_member(ExpectationStatus, message.status),
        failing_rows=message.failing_rows,
        total_rows=message.total_rows,
        message=message.message,
        is_blocking=message.is_blocking,
        version=message.version,
    )


def _expectation(message: expectation_pb2.Expectation) -> Expectation:
    return Expectation(
        id=message.id,
        port=message.port,
        principal=message.principal,
        rule=message.rule,
        column=message.column,
        columns=tuple(message.columns),
        purpose=message.purpose,
        reason=message.reason,
        create_time=from_timestamp(message, "create_time"),
        last_result=to_result(message.last_result) if message.HasField("last_result") else None,
    )
