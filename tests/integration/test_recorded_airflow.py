"""The events of a real Airflow run, as recorded: what is live in `soak/test_airflow_lineage.py`, in every order."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.airflow_lineage import check_airflow_run, prepare_airflow
from tests.integration.test_openlineage import post
from tests.servers import RunningServer
from tests.shared_data import ROOT

RECORDED = ROOT / "tests" / "recorded" / "airflow_3.3.2.jsonl"
"""Airflow 3.3.2 with its OpenLineage provider 2.20.3 and PostgreSQL; host, database and folder have other names."""
DATABASE, FILES = "postgres://db.example:5432|shopdb.public", "/srv/shop"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [None, 1], ids=["as sent", "shuffled and repeated"])
def test_recorded_events_of_airflow_arrive_as_live_ones(seed: int | None, tmp_path: Path) -> None:
    events = RECORDED.read_text().splitlines()
    sent = events if seed is None else random.Random(seed).sample(events * 2, 2 * len(events))
    server = RunningServer(tmp_path / "mesh")
    try:
        token = prepare_airflow(server, database=DATABASE, files=FILES)
        for event in sent:
            status, receipt = post(server, token, event.encode())
            assert (status, receipt.get("claims", [])) == (200, [])
        check_airflow_run(server, token, database=DATABASE, files=FILES)
    finally:
        server.stop()
