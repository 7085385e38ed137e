"""What is old is compacted: the stream still verifies, summaries count, and every edge stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from domain_sdk import Mesh
from governance_server.lineage.retention import compact
from governance_server.storage.engine import open_database
from governance_server.storage.events import EventLog
from tests.integration.journal_databases import postgres_url
from tests.integration.replicas import DatabaseKind
from tests.integration.test_openlineage import columns, dataset, run_event
from tests.servers import RunningServer


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_old_events_leave_digests_counts_and_edges(new_server: Callable[..., RunningServer], kind: DatabaseKind) -> None:
    with ExitStack() as stack:
        settings = {"MESH_DATABASE": stack.enter_context(postgres_url())} if kind == "postgresql" else {}
        server = new_server(**settings)
        stack.callback(server.stop)
        _compacted(server, settings.get("MESH_DATABASE") or f"sqlite:///{server.home}/mesh.db")


def _compacted(server: RunningServer, url: str) -> None:
    with server.admin() as mesh:
        events = []
        for number in range(30):
            told = columns(**{f"c{number % 3}": ("raw", "in", "x")})
            outputs = [dataset("lake", "out", columnLineage=told)]
            for state in ("START", "FAIL" if number % 10 == 9 else "COMPLETE"):
                time = f"2026-01-{number + 1:02}T00:00:00Z"
                more = {"inputs": [dataset("raw", "in")], "outputs": outputs}
                events.append(json.dumps(run_event(("spark", "load"), state, run=f"run-{number}", time=time, **more)))
        assert all(it.refusal is None for it in mesh.record_events(events))
        before = _edges(mesh)
        assert len(mesh.runs(namespace="spark", job="load")) == 30

    server.stop()
    database = open_database(url)
    compact(database, EventLog(database, "openlineage", clock=lambda: datetime.now(UTC)), datetime.now(UTC) + timedelta(days=1))
    database.close()
    server.start()

    with server.admin() as mesh:
        assert mesh.runs(namespace="spark", job="load") == []
        assert {it.state: it.runs for it in mesh.run_summaries("spark", "load")} == {"COMPLETE": 27, "FAIL": 3}
        assert {it.json for it in mesh.audit.lineage_events(limit=60)} == {""}
        assert _edges(mesh) == before
        assert mesh.audit.verify(include_tables=True).is_intact
        late = run_event(("spark", "load"), "COMPLETE", run="run-99", time="2026-02-01T00:00:00Z", outputs=[
            dataset("lake", "out", columnLineage=columns(c9=("raw", "in", "y")))])  # fmt: skip
        mesh.record_events([json.dumps(late)])
        assert {edge for edge in _edges(mesh) if "c9" not in edge[1]} == before, "what was told before compaction still counts"


def test_a_server_compacts_by_itself(new_server: Callable[..., RunningServer]) -> None:
    server = new_server()
    with server.admin() as mesh:
        mesh.record_events([json.dumps(run_event(("x", "y")))])
    server.stop()
    database = open_database(f"sqlite:///{server.home}/mesh.db")
    with database.write() as connection:
        connection.execute("UPDATE event SET received_at_us = 1 WHERE stream = 'openlineage'")
    database.close()
    server.start({"MESH_LINEAGE_EVENT_DAYS": "1", "MESH_MAINTENANCE_SECONDS": "1"})
    with server.admin() as mesh:
        for _ in range(100):
            if mesh.run_summaries("x", "y"):
                break
            import time

            time.sleep(0.1)
        assert mesh.audit.lineage_events()[0].json == ""


def _edges(mesh: Mesh) -> set[tuple[str, str]]:
    return {(edge.source, edge.target) for column in range(3) for edge in mesh.lineage(f"lake|out#c{column}").edges}
