"""Changes that are only supposed: desired resources as the writes they would be, and the right that making each would need.

Owns what a desired resource means for policy. Knows nothing of who asks, of journaling or of two persons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from google.protobuf.message import Message

from domainmesh.v1 import change_set_pb2, grant_pb2, principal_pb2
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import Invalid
from mesh_core.names import MESH, check_domain

__all__ = ["Find", "Supposed", "suppose"]

Find = Callable[[str, str], bytes | None]
"""The stored state of a resource by kind and name; None if there is none."""


@dataclass(frozen=True, slots=True)
class Supposed:
    """One resource as it is supposed to be, and what one must be allowed to do on what to make it so."""

    kind: str
    name: str
    message: Message | None
    """None: it is gone."""
    action: str
    resources: tuple[str, ...]

    @property
    def write(self) -> ResourceWrite:
        """The write it would be."""
        body = None if self.message is None else self.message.SerializeToString(deterministic=True)
        return ResourceWrite(self.kind, self.name, body)


def suppose(changes: Iterable[change_set_pb2.DesiredResource], find: Find) -> list[Supposed]:
    """The resources that decisions depend on, as the changes want them, in their order. Raises: Invalid."""
    found: dict[tuple[str, str], Supposed] = {}
    for number, desired in enumerate(changes, start=1):
        kind = desired.WhichOneof("resource")
        if kind is None:
            raise Invalid(f"Change {number} names no resource: set one.")
        if kind not in kinds.POLICY_KINDS:
            continue
        one = _grant(desired, number, find) if kind == kinds.GRANT else _other(desired, kind)
        if not one.name:
            raise Invalid(f"Change {number}, a {kind}, has no name: say which one is meant.")
        if (one.kind, one.name) in found:
            raise Invalid(f"The {kind} {one.name!r} is changed twice: say once how it shall be.", resource=one.name)
        found[one.kind, one.name] = one
    return list(found.values())


def _grant(desired: change_set_pb2.DesiredResource, number: int, find: Find) -> Supposed:
    """A grant that shall be another or end needs the right to grant on what it is on now, or on everything if it is unknown."""
    made = grant_pb2.Grant()
    made.CopyFrom(desired.grant)
    body = find(kinds.GRANT, made.id) if made.id else None
    known = grant_pb2.Grant.FromString(body) if body is not None else None
    if desired.is_absent:
        return Supposed(kinds.GRANT, made.id, None, "grant", (known.resource if known else MESH,))
    made.id = made.id or f"g-supposed-{number}"
    made.ClearField("revoke_time")
    return Supposed(kinds.GRANT, made.id, made, "grant", (made.resource, known.resource) if known else (made.resource,))


def _other(desired: change_set_pb2.DesiredResource, kind: str) -> Supposed:
    message: Message = getattr(desired, kind)
    name: str = getattr(message, "id" if kind == kinds.GUARDRAIL else "name")
    if kind == kinds.DOMAIN:
        check_domain(name)  # else an owner's right on what is inside its domain would do for a domain of that name
        return Supposed(kind, name, None if desired.is_absent else message, "administer", (name,))
    if kind == kinds.PRINCIPAL and desired.is_absent:
        message = principal_pb2.Principal(name=name, is_disabled=True)
    elif desired.is_absent:
        return Supposed(kind, name, None, "administer", (MESH,))
    return Supposed(kind, name, message, "administer", (MESH,))
