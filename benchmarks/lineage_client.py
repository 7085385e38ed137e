"""A producer of OpenLineage events in a process of its own: plain HTTP, each event acknowledged before its connection's next.

Prints one JSON line: how many events were acknowledged in how many seconds.
"""

from __future__ import annotations

import json
import socket
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


class _Texts:
    """Events one after the other, of one connection; of few jobs made once, and then only given a new run's id.

    Making 16 KiB of JSON anew for each would measure this process.
    """

    def __init__(self, first: int, jobs: int) -> None:
        self._texts = event_texts(first, jobs=jobs)
        self._prepared = [_around_run(next(self._texts)) for _ in range(64)] if jobs <= 1000 else []
        self._position, self._run = 0, b""

    def __next__(self) -> bytes:
        if not self._prepared:
            return next(self._texts)
        before, after = self._prepared[self._position % len(self._prepared)]
        if self._position % 2 == 0:
            self._run = str(uuid.uuid4()).encode()
        self._position += 1
        return b"".join((before, self._run, after))


def _around_run(text: bytes) -> tuple[bytes, bytes]:
    at = text.index(b'"runId": "') + 10
    return text[:at], text[at + 36 :]


class _Connection:
    """HTTP/1.1 over one kept connection: requests as any client sends them, without what a general client does besides."""

    def __init__(self, url: str, token: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((str(address.hostname), int(address.port or 80)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"Host: {address.netloc}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n".encode()

    def post(self, path: bytes, parts: list[bytes]) -> tuple[int, bytes]:
        """Status and body of the answer, read whole."""
        length = sum(map(len, parts))
        head = b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (path, self._head, length)
        self._socket.sendall(b"".join((head, *parts)))
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._receive()
        begin = answer[:end].lower()
        at = begin.index(b"content-length:") + 15
        wanted = end + 4 + int(begin[at:].partition(b"\r\n")[0])
        while len(answer) < wanted:
            answer += self._receive()
        return int(answer[9:12]), answer[end + 4 :]

    def _receive(self) -> bytes:
        received = self._socket.recv(1 << 18)
        if not received:
            raise ConnectionError("the server closed the connection")
        return received


def _send(
    url: str, token: str, end: float, batch: int, jobs: int, first: int, counts: list[int], index: int, failed: list[str]
) -> None:
    connection, texts = _Connection(url, token), _Texts(first + index, jobs)
    path = b"/api/v1/lineage/batch" if batch > 1 else b"/api/v1/lineage"
    while time.perf_counter() < end and not failed:
        group = [next(texts) for _ in range(batch)]
        parts = group if batch == 1 else [b"[", b",".join(group), b"]"]
        status, content = connection.post(path, parts)
        if status != 200 or (batch > 1 and json.loads(content)["status"] != "success"):
            failed.append(content.decode()[:500])
            return
        counts[index] += len(group)


if __name__ == "__main__":
    _main(sys.argv[1:])
