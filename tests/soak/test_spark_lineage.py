"""A real Spark job with the OpenLineage listener: from a published port through a Delta table to another published port."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import Mesh
from tests.integration.mesh_setup import contract, token_of
from tests.servers import RunningServer
from tests.shared_data import ROOT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800, func_only=True)]


@pytest.fixture(scope="module")
def spark() -> Path:
    """The folder with Spark, Delta and the listener, built once into the cache; needs Java and Maven."""
    environment = {**os.environ, "PYTHON": sys.executable}
    built = subprocess.run([ROOT / "scripts" / "build-spark"], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Path(built.stdout.strip())


def test_columns_reach_from_port_to_port_through_spark(server: RunningServer, spark: Path, tmp_path: Path) -> None:
    target = tmp_path / "lake" / "scores"
    with server.admin() as mesh:
        mesh.admin.create_domain("shop", owners=["service:shop"])
        mesh.admin.create_domain("risk", owners=["service:risk"], namespaces=["spark-risk", f"file|{tmp_path}/lake/"])
    with Mesh.connect(server.url, token_of(server, "service:shop")) as shop:
        _publish(shop, tmp_path, "shop.orders", ["email: string, tags: [pii.email]", "amount: integer"], _orders())
    token = token_of(server, "service:risk")
    source = server.home / "warehouse" / "shop" / "orders" / "t"
    job = Path(__file__).with_name("spark_job.py")
    command = [spark / "venv" / "bin" / "python", job, spark, source, target, str(server.ready["http"]), token]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]

    with Mesh.connect(server.url, token) as risk:
        columns = ["contact: string, tags: [pii.email]", "spent: integer", "orders: integer"]
        frame = pl.read_delta(str(target)).select("contact", "spent", "orders")
        servers = f"servers:\n  - {{server: lake, type: local, path: '{tmp_path}/lake/{{model}}', format: delta}}\n"
        _publish(risk, tmp_path, "risk.scores", columns, frame, port="scores", servers=servers)
        (run,) = [it for it in risk.runs("risk.scores.scores") if it.outputs and it.namespace == "spark-risk"][:1]
        assert (run.state, [it.dataset for it in run.outputs]) == ("COMPLETE", ["risk.scores.scores"])
    with server.admin() as mesh:
        upstream = {
            (edge.source, edge.target, edge.type)
            for edge in mesh.lineage("risk.scores.scores", direction="upstream", depth=3).edges
        }
        assert ("shop.orders.t", "risk.scores.scores", "") in upstream
        found = mesh.lineage("risk.scores.scores.contact", direction="upstream", depth=3)
        assert "shop.orders.t#email" in {node.id for node in found.nodes}
        spent = mesh.lineage("risk.scores.scores.spent", direction="upstream", depth=1)
        assert ("shop.orders.t#amount", "AGGREGATION") in {(edge.source, edge.subtype) for edge in spent.edges}
    with server.admin() as mesh:
        entry = mesh.show("risk.scores.scores")
        tags = {column.name: {it.tag for it in column.derived_tags} for column in entry.columns}  # type: ignore[union-attr]
    assert "pii.email" not in tags["spent"]


def _orders() -> pl.DataFrame:
    return pl.DataFrame({"email": ["ana@example.org", "ben@example.org"], "amount": [3, 4]})


def _publish(
    mesh: Mesh, folder: Path, product: str, columns: list[str], frame: pl.DataFrame, *, port: str = "t", servers: str = ""
) -> None:
    path = folder / f"{product}.yaml"
    path.write_text(contract(product, {port: columns}) + servers)
    domain, _, name = product.partition(".")
    mesh.domain(domain).product(name, contract=str(path)).publish(**{port: frame})
