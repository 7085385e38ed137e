"""Two whole servers (control and gateway each) on one database and one warehouse, for tests of what replicas promise.

Owns starting them, and clients of both. Knows nothing of what is asserted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

from domain_sdk import AccessDenied, Mesh, Unauthenticated
from tests.integration.journal_databases import postgres_url
from tests.integration.mesh_setup import contract
from tests.servers import RunningServer

__all__ = [
    "ORDERS",
    "PAGES",
    "DatabaseKind",
    "Replicas",
    "has_answer",
    "orders",
    "publish_guide",
    "publish_orders",
    "replicas_on",
]

DatabaseKind = Literal["sqlite", "postgresql"]
ORDERS = "shop.orders.orders"
PAGES = "shop.guide.pages"
_COLUMNS = ["id: integer, required: true", "region: string", "mail: string", "epoch: string"]
_GUIDE = """kind: DataContract
apiVersion: v3.2.0
id: shop.guide
name: Guide
version: 1.0.0
status: active
schema:
  - name: pages
    logicalType: object
    physicalType: collection
    properties:
      - {name: document, logicalType: string, required: true}
      - {name: title, logicalType: string}
      - {name: heading, logicalType: string}
      - {name: text, logicalType: string, required: true}
      - {name: embedding, logicalType: vector, logicalTypeOptions: {dimensions: 256}}
"""


@dataclass
class Replicas:
    """The servers, and one connection of each principal to each of them."""

    servers: tuple[RunningServer, ...]
    _tokens: dict[str, str] = field(default_factory=dict)
    _meshes: dict[tuple[str, int], Mesh] = field(default_factory=dict)

    def token(self, name: str, **principal: Any) -> str:
        """A token of the principal, which is created if it does not exist."""
        if name not in self._tokens:
            admin = self.admin(0)
            if name not in {known.name for known in admin.admin.principals()}:
                admin.admin.create_principal(name, **principal)
            self._tokens[name] = admin.admin.create_token(name).secret
        return self._tokens[name]

    def admin(self, side: int) -> Mesh:
        """The administrator at one server."""
        self._tokens.setdefault("user:admin", self.servers[0].admin_token)
        return self.user("user:admin", side)

    def user(self, name: str, side: int, **principal: Any) -> Mesh:
        """The principal at one server; the connection is kept."""
        key = (name, side)
        if key not in self._meshes:
            self._meshes[key] = Mesh.connect(self.servers[side].url, self.token(name, **principal))
        return self._meshes[key]

    def close(self) -> None:
        """No connection is open."""
        for mesh in self._meshes.values():
            mesh.close()
        self._meshes.clear()


@contextmanager
def replicas_on(kind: DatabaseKind, folder: Path, *, ports: Sequence[Mapping[str, str]] = ({}, {})) -> Iterator[Replicas]:
    """Two running servers with the domain `shop`, owned by `user:olga` and `user:otto`; `ports` are settings of each."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESH_EMBEDDER", "hashing")  # for what this process publishes
        settings = {"MESH_EMBEDDER": "hashing"}
        if kind == "postgresql":
            settings["MESH_DATABASE"] = stack.enter_context(postgres_url())
        servers = []
        for own in ports:
            servers.append(RunningServer(folder / "mesh", **settings, **own))
            stack.callback(servers[-1].stop)
        replicas = Replicas(tuple(servers))
        stack.callback(replicas.close)
        replicas.admin(0).admin.create_domain("shop", owners=["user:olga", "user:otto"])
        yield replicas


def orders(epoch: str, regions: tuple[str, ...] = ("EMEA", "AMER")) -> pl.DataFrame:
    """Twenty orders that say which epoch they are of."""
    return pl.DataFrame(
        {
            "id": range(20),
            "region": [regions[i % len(regions)] for i in range(20)],
            "mail": [f"c{i}@example.com" for i in range(20)],
            "epoch": [epoch] * 20,
        }
    )


def publish_orders(mesh: Mesh, frame: pl.DataFrame, *, product: str = "orders", mail_tags: str = "") -> int:
    """The product's new version; its `mail` carries the tags if any are given."""
    columns = [f"{column}, tags: [{mail_tags}]" if mail_tags and column.startswith("mail") else column for column in _COLUMNS]
    text = contract(f"shop.{product}", {product: columns}, version=f"1.0.{_served(mesh, product)}")
    accepted = ["mail"] if "mail" in frame.columns else []
    return mesh.domain("shop").product(product, text).publish({product: frame}, accept_pii=accepted, progress=False).version


def _served(mesh: Mesh, product: str) -> int:
    """The version now served, 0 before the first."""
    try:
        return mesh.domain("shop").product(product).releases(1)[0].version
    except AccessDenied:
        return 0


def publish_guide(mesh: Mesh, folder: Path, epoch: str) -> int:
    """The guide's new version: two pages that say which epoch they are of."""
    target = folder / f"guide-{epoch}"
    target.mkdir(exist_ok=True)
    (target / "refunds.md").write_text(f"# Refunds\n\nGoods may be sent back. epoch={epoch} of this page.\n")
    (target / "parcels.md").write_text(f"# Parcels\n\nParcels leave on the same day. epoch={epoch} of this page.\n")
    return mesh.domain("shop").product("guide", _GUIDE).publish({"pages": target}, progress=False).version


def has_answer(path: str, mesh: Mesh) -> bool:
    """Whether the caller is given anything of the orders (or of the guide) on this path."""
    try:
        if path == "check":
            return bool(mesh.check("read", ORDERS))
        if path == "explain":
            return mesh.explain(ORDERS).is_allowed
        if path == "retrieval":
            return bool(mesh.retrieve(PAGES, "sending goods back"))
        return mesh.read(ORDERS, via=path).height > 0  # type: ignore[arg-type]
    except (AccessDenied, Unauthenticated):
        return False
