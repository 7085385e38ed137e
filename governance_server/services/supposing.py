"""Changes that somebody only supposes, checked as if they were to be made: by the right they need, and for what they say."""

from __future__ import annotations

from collections.abc import Sequence

from domainmesh.v1 import change_set_pb2, grant_pb2
from governance_server.backend import Backend
from governance_server.policy.projection import denied
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import TooLarge
from governance_server.rules.grants import check_grant, check_guardrail, settle_resource
from governance_server.rules.supposed import Supposed, suppose
from governance_server.services.questioning import Questioning

__all__ = ["supposed_writes"]

_MAX_CHANGES = 1000


def supposed_writes(
    backend: Backend, asking: Questioning, changes: Sequence[change_set_pb2.DesiredResource]
) -> list[ResourceWrite]:
    """What the changes would write. Raises: AccessDenied before anything is said of what they name, Invalid, TooLarge."""
    if len(changes) > _MAX_CHANGES:
        raise TooLarge(f"{len(changes)} changes in one call: send at most {_MAX_CHANGES}.")
    as_of = asking.policy.revision
    found = suppose(changes, lambda kind, name: backend.catalog.get(kind, name, as_of=as_of))
    for one in found:
        if not asking.is_central and not all(asking.holds(one.action, resource) for resource in one.resources):
            raise denied(f"suppose a change of the {one.kind}", one.name)
    for one in found:
        _check(one, asking)
    return [one.write for one in found]


def _check(one: Supposed, asking: Questioning) -> None:
    message = one.message
    if isinstance(message, grant_pb2.Grant):
        product = asking.policy.product_of(message.resource)
        settle_resource(message, product)
        check_grant(message, product, now=asking.now)
    elif isinstance(message, grant_pb2.Guardrail):
        check_guardrail(message, asking.policy.product_of(message.resource))
