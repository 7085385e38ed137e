"""Which products and ports a caller may read now, and for which purposes: what the catalog says of each thing that is found."""

from __future__ import annotations

from collections.abc import Iterator

from domainmesh.v1 import product_pb2
from governance_server.caller import Caller
from governance_server.policy.projection import PolicyProjection
from governance_server.rules.collection_plans import finds_all, gives_something
from governance_server.rules.errors import AccessDenied
from governance_server.rules.read_plans import ReadPlan
from mesh_core.names import column_object

__all__ = ["Readable", "finds_every_passage"]


def finds_every_passage(policy: PolicyProjection, caller: Caller, port: product_pb2.Port, purpose: str) -> bool:
    """True if the caller may find every passage of the collection for the purpose, though some with data masked."""
    try:
        plan = policy.explain(caller, port.name, purpose)
    except AccessDenied:
        return False
    if not isinstance(plan, ReadPlan) or not finds_all(plan, port):
        return False
    bound = policy.bound_tags(caller, port.name, port.passage_tags, purpose)
    return not bound.withheld and bound.masked <= set(port.located_tags)


class Readable:
    """One caller's answers."""

    def __init__(self, policy: PolicyProjection, caller: Caller) -> None:
        self._policy, self._caller = policy, caller
        self._is_visible = policy.readable(caller)

    def now(self, name: str) -> bool:
        """True if the caller may read some of the product or port without stating a purpose."""
        return any(self._is_visible(port.name) and self._gives(port, "") for port in self._ports(name))

    def purposes(self, name: str) -> list[str]:
        """Purposes of grants that the caller may state to read some of the product or port, by name."""
        found = {purpose for port in self._ports(name) for purpose in self._named(port) if self._gives(port, purpose)}
        return sorted(found)

    def whole(self, port: product_pb2.Port) -> bool:
        """True if the caller may find every passage of the collection, as it is or was, for some purpose or for none."""
        return any(finds_every_passage(self._policy, self._caller, port, it) for it in ("", *sorted(self._named(port))))

    def whole_now(self, name: str) -> bool:
        """True if the caller may find every passage of the collection that is served now, for some purpose or for none."""
        port = self._policy.find_port(name)
        return port is not None and self.whole(port)

    def _ports(self, name: str) -> Iterator[product_pb2.Port]:
        product = self._policy.product_of(name)
        return (port for port in product.ports if name in (port.name, product.name)) if product else iter(())

    def _named(self, port: product_pb2.Port) -> frozenset[str]:
        objects = [port.name, *(column_object(port.name, column.name) for column in port.columns)]
        return self._policy.purposes_on(objects, "read")

    def _gives(self, port: product_pb2.Port, purpose: str) -> bool:
        if not purpose and port.kind == product_pb2.PORT_KIND_TABLE:
            return True  # what is visible of a table is readable; a page of tables is told without a plan for each
        try:
            return gives_something(port, self._policy.explain(self._caller, port.name, purpose))
        except AccessDenied:
            return False
