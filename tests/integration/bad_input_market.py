"""A small market to send bad input to, and the proof after each piece of it that nothing and nobody suffered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
import polars as pl
import pytest

from domain_sdk import InternalError, Mesh, MeshError, Release
from tests.servers import RunningServer

__all__ = ["CONTRACT", "PRODUCT", "Market", "contract", "lines", "orders", "refused"]

PRODUCT = "sales.orders"
_TELLTALES = re.compile(
    r"Traceback|File \"|\.py\b|sqlite|sqlalchemy|panicked|duckdb|pyarrow|polars(?! frame)|deltalake|casbin|sqlglot|0x[0-9a-f]{6}",
    re.IGNORECASE,
)
_Stub = TypeVar("_Stub")

CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
id: sales.orders
name: Orders
version: 1.0.0
status: active
schema:
  - name: orders
    logicalType: object
    physicalType: table
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: email, logicalType: string, required: true, tags: [pii.email], logicalTypeOptions: {format: email}}
      - {name: amount, logicalType: integer, logicalTypeOptions: {minimum: 0}}
      - {name: region, logicalType: string}
  - name: lines
    logicalType: object
    physicalType: table
    properties:
      - {name: line, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: sku, logicalType: string, required: true}
"""


def contract(name: str, columns: int = 1) -> str:
    """A contract of one table `rows` with columns c0, c1, …"""
    head = f"kind: DataContract\napiVersion: v3.1.0\nid: {name}\nversion: 1.0.0\nstatus: active\nschema:\n"
    table = "  - name: rows\n    logicalType: object\n    physicalType: table\n    properties:\n"
    return head + table + "".join(f"      - {{name: c{number}, logicalType: integer}}\n" for number in range(columns))


def orders(count: int = 20) -> pl.DataFrame:
    """Good orders."""
    number = pl.int_range(count, eager=True)
    mail = "buyer" + number.cast(pl.String) + "@example.com"
    return pl.DataFrame({"id": number, "email": mail, "amount": number * 3, "region": ["EMEA"] * count})


def lines(count: int = 30) -> pl.DataFrame:
    """Good lines."""
    return pl.DataFrame({"line": pl.int_range(count, eager=True), "sku": ["A-1"] * count})


class Market:
    """A server with `sales.orders` published once, an owner and a reader."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        with server.admin() as admin:
            admin.admin.create_domain("sales", owners=["user:olga"])
        self.owner = server.user("user:olga")
        self.reader = server.user("user:rita")
        self.stranger = server.user("user:stan")
        self.owner.grant("user:rita", "sales", actions=["discover", "read"])
        self.version = self.publish().version

    def publish(self, **ports: Any) -> Release:
        """The product, with other rows for the ports named."""
        product = self.owner.domain("sales").product("orders", contract=CONTRACT)
        return product.publish({"orders": orders(), "lines": lines(), **ports}, progress=False)

    def stub(self, kind: type[_Stub], mesh: Mesh | None = None) -> Any:
        """A service as that user, without what the SDK checks itself; a method is called with `sent`."""
        return (mesh or self.owner)._transport.control(kind)

    def sent(self, method: Any, request: Any, mesh: Mesh | None = None) -> Any:
        """The response to a request that is sent as it is."""
        return (mesh or self.owner)._transport.call(method, request)

    def assert_unharmed(self) -> None:
        """The same version is served whole to others, nothing is left of what was begun, and writing works."""
        assert self.owner.domain("sales").product("orders").release().version == self.version
        assert self.reader.read("sales.orders.orders").sort("id").equals(orders())
        assert self.reader.read("sales.orders.lines").sort("line").equals(lines())
        assert [path for path in self.drop.rglob("*") if path.is_file()] == []
        grant = self.owner.grant("user:stan", "sales.orders.lines", actions=["discover"])
        self.owner.revoke(grant.id)

    @property
    def drop(self) -> Path:
        """Where publishers deliver."""
        return self.server.home / "drop"

    def close(self) -> None:
        """Every connection is closed."""
        for mesh in (self.owner, self.reader, self.stranger):
            mesh.close()


@contextmanager
def refused(kind: type[MeshError], *words: str, hidden: tuple[str, ...] = ()) -> Iterator[None]:
    """The block fails with exactly this kind of error, which has the words, and tells nothing of the inside or the hidden."""
    with pytest.raises(MeshError) as caught:
        yield
    error = caught.value
    text = str(error)
    assert type(error) is kind, f"{type(error).__name__}: {text}"
    assert not isinstance(error, InternalError)
    assert [word for word in words if word not in text] == [], text
    assert not _TELLTALES.search(text), text
    assert [secret for secret in hidden if secret in text] == [], text
    cause = error.__cause__
    if isinstance(cause, grpc.Call):
        assert not _TELLTALES.search(cause.details() or ""), cause.details()
