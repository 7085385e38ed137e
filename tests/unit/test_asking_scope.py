"""What answers may use of a product whose contract this release cannot read: nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from domainmesh.v1 import product_pb2
from governance_server.asking.scope import look
from governance_server.caller import Caller

READABLE = """kind: DataContract
apiVersion: v3.1.0
id: shop.sales
version: 1.0.0
status: active
schema: [{name: orders, properties: [{name: id, logicalType: string}]}]
"""


def backend_with(contract: str | None) -> Any:
    """A backend in which everybody may read one port; its contract is damaged as no publication would leave it."""
    port = product_pb2.Port(name="shop.sales.orders")
    product = product_pb2.Product(name="shop.sales", version=1, ports=[port])
    policy = SimpleNamespace(
        product_of=lambda name: product, find_port=lambda name: port, plan=lambda *asked: "plan", wider_purposes=lambda it: {it}
    )
    body = None if contract is None else product_pb2.Contract(text=contract).SerializeToString()
    return SimpleNamespace(policy=policy, catalog=SimpleNamespace(get=lambda *named, **more: body))


@pytest.mark.parametrize(("contract", "is_used"), [(READABLE, True), ("schema: [", False), (None, False)])
def test_a_product_is_used_only_if_its_contract_can_be_read(contract: str | None, is_used: bool) -> None:
    found = look(backend_with(contract), Caller("user:ana"), "shop.sales.orders", "")
    assert (found is not None) is is_used
