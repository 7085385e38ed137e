"""A producer of OpenLineage events in a process of its own: plain HTTP, each event acknowledged before its connection's next.

Prints one JSON line: how many events were acknowledged in how many seconds.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

__all__ = ["event_texts"]

EVENT_BYTES = 16 << 10
_COLUMNS = 20
_BASE = {"_producer": "https://bench.example/spark", "_schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json"}


def event_texts(number: int, *, jobs: int) -> Iterator[bytes]:
    """START and COMPLETE of one run after the other, of so many jobs in turn, 16 KiB each, as Spark would send them."""
    while True:
        job, run = number % jobs, str(uuid.uuid4())
        for state in ("START", "COMPLETE"):
            yield _event(job, run, state)
        number += 1


def _event(job: int, run: str, state: str) -> bytes:
    fields = [{"name": f"column_{i}", "type": "string"} for i in range(_COLUMNS)]
    source = f"raw/table_{job % 100}"
    lineage = {
        f"column_{i}": {
            "inputFields": [
                {
                    "namespace": "s3://bench", "name": source, "field": f"column_{i}",
                    "transformations": [{"type": "DIRECT", "subtype": "IDENTITY", "description": "", "masking": False}],
                }
            ]
        }
        for i in range(_COLUMNS)
    }  # fmt: skip
    schema = {"schema": {**_BASE, "fields": fields}}
    told = {**schema, "columnLineage": {**_BASE, "fields": lineage}}
    event: dict[str, Any] = {
        "eventType": state, "eventTime": "2026-01-01T00:00:00Z" if state == "START" else "2026-01-01T00:01:00Z",
        "run": {"runId": run, "facets": {"spark.logicalPlan": {**_BASE, "plan": ""}}},
        "job": {"namespace": "bench-spark", "name": f"job_{job}"},
        "inputs": [{"namespace": "s3://bench", "name": source, "facets": schema}],
        "outputs": [{"namespace": "s3://bench", "name": f"gold/table_{job}", "facets": told}],
        "producer": "https://bench.example/spark",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }  # fmt: skip
    plan = "x" * max(0, EVENT_BYTES - len(json.dumps(event)))
    event["run"]["facets"]["spark.logicalPlan"]["plan"] = plan
    return json.dumps(event).encode()


def _main(arguments: list[str]) -> None:
    url, token, seconds, connections, batch, jobs, first = arguments
    counts = [0] * int(connections)
    failed: list[str] = []
    begin = time.perf_counter()
    end = begin + float(seconds)
    shared = (url, token, end, int(batch), int(jobs))
    threads = [
        threading.Thread(target=_send, args=(*shared, int(first) + i * 10_000_000, counts, i, failed))
        for i in range(int(connections))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(failed[0])
    print(json.dumps({"events": sum(counts), "seconds": time.perf_counter() - begin}))


def _send(
    url: str, token: str, end: float, batch: int, jobs: int, first: int, counts: list[int], index: int, failed: list[str]
) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    texts = event_texts(first + index, jobs=jobs)
    prepared = [next(texts) for _ in range(64)] if jobs <= 1000 else []
    position = 0
    while time.perf_counter() < end and not failed:
        group = []
        for _ in range(batch):
            # A prepared event gets a new run's id: making 16 KiB of JSON anew would measure the client.
            text = prepared[position % len(prepared)] if prepared else next(texts)
            if prepared and position % 2 == 0:
                run = str(uuid.uuid4()).encode()
            if prepared:
                at = text.index(b'"runId": "') + 10
                text = text[:at] + run + text[at + 36 :]
            group.append(text)
            position += 1
        path, body = ("/api/v1/lineage/batch", b"[" + b",".join(group) + b"]") if batch > 1 else ("/api/v1/lineage", group[0])
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200 or (batch > 1 and json.loads(content)["status"] != "success"):
            failed.append(content.decode()[:500])
            return
        counts[index] += len(group)


if __name__ == "__main__":
    _main(sys.argv[1:])
