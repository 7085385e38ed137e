"""Calls about emergency access, from the wire to values."""

from __future__ import annotations

from domain_sdk._paging import all_items
from domain_sdk._times import from_timestamp
from domain_sdk._transport import Transport
from domain_sdk.break_glass import BreakGlass
from domainmesh.v1 import break_glass_pb2
from domainmesh.v1.break_glass_service_pb2 import (
    AcknowledgeBreakGlassRequest,
    EndBreakGlassRequest,
    ListBreakGlassRequest,
    OpenBreakGlassRequest,
)
from domainmesh.v1.break_glass_service_pb2_grpc import BreakGlassServiceStub

__all__ = ["acknowledge", "end", "list_uses", "open_port"]


def open_port(transport: Transport, port: str, reason: str, minutes: int) -> BreakGlass:
    """The port is open for the caller."""
    request = OpenBreakGlassRequest(resource=port, reason=reason, minutes=minutes)
    return to_use(transport.call(transport.control(BreakGlassServiceStub).OpenBreakGlass, request))


def list_uses(transport: Transport, *, only_unacknowledged: bool) -> list[BreakGlass]:
    """The caller's own uses and those on what it may grant on, newest first."""
    request = ListBreakGlassRequest(only_unacknowledged=only_unacknowledged)
    method = transport.control(BreakGlassServiceStub).ListBreakGlass
    return [to_use(it) for it in all_items(transport, method, request, field="uses")]


def acknowledge(transport: Transport, id: str, acknowledgement: str) -> BreakGlass:
    """The use is taken note of."""
    request = AcknowledgeBreakGlassRequest(id=id, acknowledgement=acknowledgement)
    return to_use(transport.call(transport.control(BreakGlassServiceStub).AcknowledgeBreakGlass, request))


def end(transport: Transport, id: str, reason: str) -> BreakGlass:
    """The use gives access no more."""
    request = EndBreakGlassRequest(id=id, reason=reason)
    return to_use(transport.call(transport.control(BreakGlassServiceStub).EndBreakGlass, request))


def to_use(message: break_glass_pb2.BreakGlass) -> BreakGlass:
    return BreakGlass(
        id=message.id,
        principal=message.principal,
        resource=message.resource,
        reason=message.reason,
        grant=message.grant,
        create_time=from_timestamp(message, "create_time"),
        until=from_timestamp(message, "expire_time"),
        is_open=message.is_open,
        acknowledger=message.acknowledger,
        acknowledgement=message.acknowledgement,
        acknowledge_time=from_timestamp(message, "acknowledge_time"),
    )
