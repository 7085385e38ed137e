"""A physical dataset is the port it backs, whether the event or the publication came first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain_sdk import AccessDenied, Mesh
from tests.integration.mesh_setup import contract, token_of
from tests.integration.test_openlineage import columns, dataset, run_event
from tests.servers import RunningServer

FRAME = pl.DataFrame({"id": [1], "email": ["x"]})
SERVERS = """servers:
  - {server: lake, type: s3, location: "s3://shop-lake/gold/{model}/*.parquet", format: parquet}
  - {server: bus, type: kafka, host: "broker:9092", format: json}
  - {server: db, type: postgres, host: db.example, port: 5432, database: shop, schema: gold}
  - {server: vectors, type: custom, location: "weaviate://vectors:8080"}
"""


@pytest.fixture(scope="module")
def meshes(server: RunningServer) -> Any:
    with server.admin() as admin:
        admin.admin.create_domain("shop", owners=["service:shop"], namespaces=["s3://shop-lake", "spark"])
        admin.admin.create_domain("other", owners=["service:other"])
    found = {name: Mesh.connect(server.url, token_of(server, f"service:{name}")) for name in ("shop", "other")}
    yield found
    for mesh in found.values():
        mesh.close()


def publish(mesh: Mesh, folder: Path, product: str, *, servers: str = "", tags: str = "") -> None:
    text = contract(product, {"t": [f"id: integer{tags}", f"email: string{tags}"]}) + servers
    path = folder / f"{product}.yaml"
    path.write_text(text)
    domain, _, name = product.partition(".")
    mesh.domain(domain).product(name, contract=str(path)).publish(t=FRAME)


@pytest.mark.parametrize("is_event_first", [True, False])
@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ("s3a://shop-lake", "/gold/t/"),
        ("kafka://broker:9092", "t"),
        ("postgres://db.example:5432", "shop.gold.t"),
        ("weaviate://vectors:8080", "t"),
        ("file", "{place}"),
    ],
)
def test_what_backs_a_port_is_the_port(
    server: RunningServer, meshes: dict[str, Mesh], tmp_path: Path, is_event_first: bool, namespace: str, name: str
) -> None:
    product = f"shop.{namespace.partition(':')[0]}{int(is_event_first)}"
    place = name.format(place=f"{server.home}/warehouse/{product.replace('.', '/')}/t")
    servers = SERVERS.replace("gold", product.replace(".", "-")).replace("broker", product.replace(".", "-"))
    servers = servers.replace("vectors:", product.replace(".", "-") + ":") if "weaviate" in namespace else servers
    for word in ("gold", "broker", "vectors"):
        namespace, place = (text.replace(word, product.replace(".", "-")) for text in (namespace, place))
    event = run_event(
        ("spark", product),
        inputs=[dataset(namespace, place)],
        outputs=[dataset("s3://shop-lake", f"out/{product}", columnLineage=columns(mail=(namespace, place, "email")))],
    )

    def send() -> None:
        assert meshes["shop"].record_events([json.dumps(event)])[0].refusal is None

    steps = [send, lambda: publish(meshes["shop"], tmp_path, product, servers=servers)]
    for step in steps if is_event_first else reversed(steps):
        step()
    graph = meshes["shop"].lineage(f"{product}.t.email", direction="downstream")
    assert f"s3://shop-lake|out/{product}#mail" in {node.id for node in graph.nodes}
    assert product in {run.job for run in meshes["shop"].runs(f"{product}.t")}


def test_nobody_takes_anothers_dataset_by_contract_or_alias(meshes: dict[str, Mesh], tmp_path: Path) -> None:
    publish(meshes["other"], tmp_path, "other.taken", servers=SERVERS)
    event = run_event(("spark", "x"), outputs=[dataset("s3://shop-lake", "gold/t")], inputs=[dataset("a", "b")])
    (found,) = meshes["shop"].record_events([json.dumps(event)])
    assert found.receipt is not None
    assert [edge.target for edge in found.receipt.edges] == ["s3://shop-lake|gold/t"]
    with pytest.raises(AccessDenied):
        meshes["other"].set_dataset_alias("s3://shop-lake|gold/t", "other.taken.t")


def test_an_alias_and_a_symlink_lead_to_the_port_and_can_be_taken_back(meshes: dict[str, Mesh], tmp_path: Path) -> None:
    shop = meshes["shop"]
    publish(shop, tmp_path, "shop.aliased")
    told = columns(email=("s3://shop-lake", "raw", "mail"))
    links = {"identifiers": [{"namespace": "hive://meta", "name": "gold.aliased", "type": "TABLE"}]}
    event = run_event(
        ("spark", "alias"), inputs=[dataset("s3://shop-lake", "raw")],
        outputs=[dataset("s3://shop-lake", "al", columnLineage=told, symlinks=links)],
    )  # fmt: skip
    later = run_event(
        ("spark", "later"), inputs=[dataset("hive://meta", "gold.aliased")],
        outputs=[dataset("s3://shop-lake", "later", columnLineage=columns(x=("hive://meta", "gold.aliased", "email")))],
    )  # fmt: skip
    shop.record_events([json.dumps(event), json.dumps(later)])
    shop.set_dataset_alias("s3://shop-lake|al", "shop.aliased.t")
    graph = shop.lineage("shop.aliased.t.email")
    assert {n.id for n in graph.nodes} == {"shop.aliased.t#email", "s3://shop-lake|raw#mail", "s3://shop-lake|later#x"}
    shop.set_dataset_alias("s3://shop-lake|al")
    assert {n.id for n in shop.lineage("shop.aliased.t.email").nodes} == {"shop.aliased.t#email"}
