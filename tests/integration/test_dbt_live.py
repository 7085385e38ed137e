"""A real dbt run sends its events to the mesh: models with their columns, tests and runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from domain_sdk import Mesh
from tests.integration.mesh_setup import token_of
from tests.servers import RunningServer
from tests.shared_data import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, func_only=True)]

PROJECT = {
    "dbt_project.yml": "name: shop\nversion: '1.0'\nprofile: shop\nflags: {send_anonymous_usage_stats: false}\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, threads: 1}}}\n",
    "seeds/raw_orders.csv": "id,customer,amount,day\n1,ana,10,2026-01-01\n2,ben,20,2026-01-01\n",
    "models/staged.sql": "select id, customer as buyer, amount from {{ ref('raw_orders') }}\n",
    "models/revenue.sql": "{{ config(materialized='table') }}\n"
    "select buyer, sum(amount) as total from {{ ref('staged') }} group by 1\n",
    "models/schema.yml": "models:\n  - name: revenue\n    columns:\n      - {name: buyer, data_tests: [not_null]}\n",
}


@pytest.fixture(scope="module")
def dbt() -> Path:
    """The folder with dbt, built once into the cache. Absent and not to be had: skipped, under CI=true a failure."""
    built = subprocess.run(
        [ROOT / "scripts" / "build-dbt"], env={**os.environ, "PYTHON": sys.executable}, stdout=subprocess.PIPE, text=True
    )
    if built.returncode:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("dbt is not built: run scripts/build-dbt")
    return Path(built.stdout.strip())


def test_a_dbt_build_arrives_with_its_columns(server: RunningServer, dbt: Path, tmp_path: Path) -> None:
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    space = f"duckdb://{tmp_path}/shop.duckdb"
    with server.admin() as mesh:
        mesh.admin.create_domain("shop", members=["service:dbt"], namespaces=["dbt-shop"])
    environment = {
        **os.environ, "PATH": f"{dbt}/bin:{os.environ['PATH']}", "OPENLINEAGE_URL": str(server.ready["http"]),
        "OPENLINEAGE_API_KEY": token_of(server, "service:dbt"), "OPENLINEAGE_NAMESPACE": "dbt-shop",
        "DBT_PROFILES_DIR": str(tmp_path), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }  # fmt: skip
    command = [shutil.which("dbt-ol", path=str(dbt / "bin")) or "dbt-ol", "build", "--project-dir", str(tmp_path)]
    _own(server, tmp_path, space)
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    with Mesh.connect(server.url, environment["OPENLINEAGE_API_KEY"]) as mesh, server.admin() as admin:
        events = admin.audit.lineage_events(limit=1000)
        assert events, done.stdout[-3000:]
        (table,) = {node for run in _runs(admin, events) for node in run if node.endswith("main.revenue")}
        graph = mesh.lineage(f"{table}#total", direction="upstream", depth=9)
        assert any(node.id.endswith("raw_orders#amount") for node in graph.nodes), graph.nodes
        assert {run.state for run in mesh.runs(table)} == {"COMPLETE"}


def _own(server: RunningServer, folder: Path, space: str) -> None:
    with server.admin() as mesh:
        mesh.admin.update_domain("shop", namespaces=["dbt-shop", space, f"duckdb://{folder}", "duckdb://shop.duckdb", "duckdb"])


def _runs(mesh: Mesh, events: object) -> list[list[str]]:
    import json

    found = []
    for event in events:  # type: ignore[attr-defined]
        content = json.loads(event.json)
        found.append([f"{it['namespace']}|{it['name']}" for it in content.get("outputs", [])])
    return found
