"""Tags that a port's data had when a version of it was released, whatever later releases say of it.

A version is read under today's policy, by today's tags, by those it was published with, *and* by those that today's tags of its
sources give it along the lineage it was made with: else a release that drops a tag, or the lineage a tag came by, would unmask
every release before it, and a source that is tagged later would leave them open.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from domainmesh.v1 import product_pb2
from governance_server.backend import Backend, store
from governance_server.policy.projection import PolicyProjection
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from mesh_core.names import column_object

__all__ = ["NOTHING", "PastTags", "past_tags"]


@dataclass(frozen=True, slots=True)
class PastTags:
    """What one released version of a port was tagged with."""

    columns: dict[str, frozenset[str]] = field(default_factory=dict)
    """Column → its tags, those of its port and product, and those that came along lineage."""
    types: dict[str, str] = field(default_factory=dict)
    """Its columns, in order, with their logical types."""
    passages: frozenset[str] = frozenset()
    """Every tag of some passage."""


NOTHING = PastTags()


def past_tags(backend: Backend, port: str, version: int) -> PastTags:
    """The tags of a released version of the port; nothing if it had no such port then."""
    product = port.rpartition(".")[0]
    released = _revision(backend, kinds.versioned_name(product, version))
    policy = backend.policy_at(released)
    found, entry = policy.find_port(port), policy.product_of(port)
    if found is None or entry is None:
        return NOTHING
    around = frozenset((*entry.tags, *found.tags))
    since = _as_made_then(backend, found, released)
    columns = {
        column.name: around.union(column.tags, *(_derived(seen, port, column.name) for seen in (policy, since)))
        for column in found.columns
    }
    types = {column.name: column.logical_type for column in found.columns}
    return PastTags(columns, types, frozenset(found.passage_tags))


def _as_made_then(backend: Backend, port: product_pb2.Port, released: int) -> PolicyProjection:
    """Today's policy if the port still had the lineage of that release, and only what rescans have shown of that."""
    lineage = backend.catalog.get(kinds.LINEAGE, port.name, as_of=released)
    writes = [ResourceWrite(kinds.LINEAGE, port.name, lineage)]
    today = backend.policy.product_of(port.name)
    if today is not None:
        product, rescans = product_pb2.Product(), {column.name: column.rescans for column in port.columns}
        product.CopyFrom(today)
        for column in (column for it in product.ports if it.name == port.name for column in it.columns):
            column.ClearField("rescans")
            column.rescans.extend(rescans.get(column.name, ()))
        if product != today:
            writes.append(store(kinds.PRODUCT, product.name, product))
    return backend.policy.with_changes(writes)


def _derived(policy: PolicyProjection, port: str, column: str) -> frozenset[str]:
    return frozenset(policy.facts().derived.get(column_object(port, column), ()))


def _revision(backend: Backend, release: str) -> int:
    """The revision at which the release, which exists, became visible: found by halving, as a release never changes."""
    low, high = 1, backend.database.head().revision
    while low < high:
        middle = (low + high) // 2
        if backend.catalog.get(kinds.RELEASE, release, as_of=middle) is None:
            low = middle + 1
        else:
            high = middle
    return low
