"""A shop with products whose contracts name approvers, and people who ask and decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import polars as pl

from domain_sdk import Mesh
from tests.integration.mesh_setup import contract
from tests.servers import RunningServer

__all__ = ["COLUMNS", "Market", "open_market", "orders", "role"]

COLUMNS = ("id: integer, required: true", "region: string", "mail: string", "amount: integer")


def orders() -> pl.DataFrame:
    """Eight rows, half of them of each region."""
    return pl.DataFrame(
        {
            "id": range(8),
            "region": [("EU", "US")[i % 2] for i in range(8)],
            "mail": [f"c{i}@example.com" for i in range(8)],
            "amount": [10 * i for i in range(8)],
        }
    )


def role(first: str = "", second: str = "", **custom: object) -> str:
    """A `roles` entry of a contract, as YAML."""
    lines = ["  - role: reader", "    access: read"]
    if first:
        lines.append(f"    firstLevelApprovers: '{first}'")
    if second:
        lines.append(f"    secondLevelApprovers: '{second}'")
    if custom:
        lines.append("    customProperties:")
        lines += [f"      - {{property: {name}, value: {value}}}" for name, value in custom.items()]
    return "\n".join(lines) + "\n"


class Market:
    """The people, each with a connection that is kept, and the products they deal with."""

    def __init__(self, server: RunningServer, stack: ExitStack) -> None:
        self.server = server
        self._stack = stack
        self._people: dict[str, Mesh] = {}
        self.admin = stack.enter_context(server.admin())

    def __getitem__(self, name: str) -> Mesh:
        return self.person(name)

    def person(self, name: str, **principal: Any) -> Mesh:
        """The person's connection; `user:` may be left out."""
        full = name if ":" in name else f"user:{name}"
        if full not in self._people:
            self._people[full] = self._stack.enter_context(self.server.user(full, **principal))
        return self._people[full]

    def publish(
        self, product: str, *roles: str, ports: Sequence[str] = (), columns: Sequence[str] = COLUMNS, version: str = "1.0.0"
    ) -> str:
        """The product exists with these roles in its contract; its name."""
        names = ports or (product,)
        text = contract(f"shop.{product}", dict.fromkeys(names, columns), version=version)
        if roles:
            text += "roles:\n" + "".join(roles)
        frames: Mapping[str, pl.DataFrame] = dict.fromkeys(names, orders())
        self["olga"].domain("shop").product(product, text).publish(frames, accept_pii=["mail"], progress=False)
        return f"shop.{product}"


@contextmanager
def open_market(server: RunningServer) -> Iterator[Market]:
    """A shop of olga and otto in which everybody may see and ask."""
    with ExitStack() as stack:
        market = Market(server, stack)
        market.admin.admin.create_domain("shop", owners=["user:olga", "user:otto"])
        market.admin.admin.create_purpose("analytics")
        market.admin.admin.create_purpose("forecasting", parent="analytics")
        for name in ("olga", "otto", "ana", "kim", "lee", "max"):
            market.person(name)
        market.person("stu", groups=["group:stewards"])
        market.person("sue", groups=["group:stewards"])
        market.person("ann", groups=["group:analysts"])
        market["olga"].grant("*", "shop", actions=["discover", "request"])
        yield market
