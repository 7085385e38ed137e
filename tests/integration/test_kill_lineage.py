"""SIGKILL of the server while events come in: what was acknowledged is there, once, with its edges."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from tests.integration.test_openlineage import columns, dataset, post, run_event
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400, func_only=True)]


def test_no_acknowledged_event_is_lost(new_server: Callable[..., RunningServer]) -> None:
    server = new_server()
    for attempt in range(3):
        acknowledged: list[tuple[str, int]] = []
        token = server.admin_token

        def send(worker: int, attempt: int = attempt, token: str = token, told: list[tuple[str, int]] = acknowledged) -> None:
            for number in range(1000):
                name = f"{attempt}-{worker}-{number}"
                output = dataset("out", name, columnLineage=columns(x=("in", name, "y")))
                try:
                    status, receipt = post(server, token, run_event(("jobs", name), run=name, outputs=[output]))
                except OSError:
                    return
                if status != 200:
                    return
                told.append((name, receipt["sequence"]))

        threads = [threading.Thread(target=send, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        while len(acknowledged) < 60:
            threading.Event().wait(0.02)
        server.kill()
        for thread in threads:
            thread.join()
        server.start()
        with server.admin() as mesh:
            kept = {it.sequence: json.loads(it.json)["run"]["runId"] for it in mesh.audit.lineage_events(limit=100_000)}
            assert {name: kept[sequence] for name, sequence in acknowledged} == {name: name for name, _ in acknowledged}
            for name, _ in acknowledged[-20:]:
                assert [edge.source for edge in mesh.lineage(f"out|{name}#x").edges] == [f"in|{name}#y"]
            due = threading.Event()
            for name in set(kept.values()):  # what was stored and not acknowledged has its edges, too
                for _ in range(100):
                    if mesh.lineage(f"out|{name}#x").edges:
                        break
                    due.wait(0.1)
                else:
                    pytest.fail(f"{name} is stored and has no edge")
            if attempt == 2:
                assert mesh.audit.verify(include_tables=True).is_intact
