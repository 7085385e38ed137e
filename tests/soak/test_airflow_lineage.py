"""A real Airflow runs a DAG of real tasks; its OpenLineage provider reports to the mesh by its default HTTP transport."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest

from tests.airflow_lineage import check_airflow_run, prepare_airflow
from tests.integration.journal_databases import postgres_url
from tests.servers import RunningServer
from tests.shared_data import ROOT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800, func_only=True)]


@pytest.fixture(scope="module")
def airflow() -> Path:
    """The command `airflow`, built once into the cache."""
    environment = {**os.environ, "PYTHON": sys.executable}
    built = subprocess.run([ROOT / "scripts" / "build-airflow"], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Path(built.stdout.strip()) / "bin" / "airflow"


def test_a_dag_arrives_with_runs_datasets_and_columns(server: RunningServer, airflow: Path, tmp_path: Path) -> None:
    dags = tmp_path / "airflow" / "dags"
    dags.mkdir(parents=True)
    (dags / "shop.py").write_bytes(Path(__file__).with_name("airflow_dag.py").read_bytes())
    (tmp_path / "in.csv").write_text("id\n1\n")
    with postgres_url() as url:
        connection = _connection(url)
        authority = f"{quote(connection['host'], safe='')}:{connection['port']}"
        database = f"postgres://{authority}|{connection['schema']}.public"
        token = prepare_airflow(server, database=database, files=str(tmp_path))
        environment = {
            **os.environ, "AIRFLOW_HOME": str(dags.parent), "AIRFLOW__CORE__LOAD_EXAMPLES": "false", "SHOP_FILES": str(tmp_path),
            "AIRFLOW_CONN_SHOP": json.dumps(connection), "OPENLINEAGE_URL": str(server.ready["http"]),
            "OPENLINEAGE_API_KEY": token, "AIRFLOW__OPENLINEAGE__NAMESPACE": "airflow-shop",
        }  # fmt: skip
        for command in (["db", "migrate"], ["dags", "test", "shop", "2026-01-01"]):
            done = subprocess.run(
                [airflow, *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
            )
            assert done.returncode == 0, done.stdout[-3000:]
        assert "Successfully emitted OpenLineage" in done.stdout
        check_airflow_run(server, token, database=database, files=str(tmp_path))


def _connection(url: str) -> dict[str, object]:
    """The database as an Airflow connection; the test session's own server is reached by a socket's folder."""
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query)["host"][0]
    known = {"conn_type": "postgres", "login": parts.username, "password": unquote(parts.password or "")}
    return {**known, "host": host, "port": parts.port or 5432, "schema": parts.path[1:]}
