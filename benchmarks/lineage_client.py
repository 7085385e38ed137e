"""A producer of OpenLineage events in a process of its own: plain HTTP, each event acknowledged before its connection's next.

One thread serves all connections: threads that take turns would need the core that the server's writer needs.

Prints one JSON line: how many events were acknowledged in how many seconds.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

__all__ = ["event_texts"]

EVENT_BYTES = 16 << 10
_COLUMNS = 20
_HEAD = (
    "Host: {host}\r\nUser-Agent: python-requests/2.34.2\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
    "Connection: keep-alive\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
)
"""What the official client's transport sends."""
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
    path = b"/api/v1/lineage/batch" if int(batch) > 1 else b"/api/v1/lineage"
    producers = [
        _Producer(_Connection(url, token, path), _Texts(int(first) + i * 10_000_001, int(jobs)), int(batch))
        for i in range(int(connections))
    ]
    begin = time.perf_counter()
    end, acknowledged = begin + float(seconds), 0
    with selectors.DefaultSelector() as waiting:
        for producer in producers:
            producer.send()
            waiting.register(producer.connection.socket, selectors.EVENT_READ, producer)
        while waiting.get_map():
            for key, _ in waiting.select():
                acknowledged += key.data.receive()
                if key.data.is_acknowledged and time.perf_counter() < end:
                    key.data.send()
                elif key.data.is_acknowledged:
                    waiting.unregister(key.fileobj)
    print(json.dumps({"events": acknowledged, "seconds": time.perf_counter() - begin}))


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

    def __init__(self, url: str, token: str, path: bytes) -> None:
        address = urlsplit(url)
        self.socket = socket.create_connection((str(address.hostname), int(address.port or 80)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = _HEAD.format(host=address.netloc, token=token)
        self._body = 0
        self._head = b"POST %b HTTP/1.1\r\n%bContent-Length: " % (path, head.encode())
        self._answer = b""
        self._length = 0
        """Of the whole answer; 0 while its head is not there."""

    def post(self, *parts: bytes) -> None:
        """The request is sent; nothing of its answer is there."""
        self._answer, self._length = b"", 0
        self.socket.sendall(b"".join((self._head, b"%d\r\n\r\n" % sum(map(len, parts)), *parts)))

    def receive(self) -> tuple[int, bytes] | None:
        """Status and body of the answer, once it is there whole. Raises: ConnectionError if nothing can be received any more."""
        received = self.socket.recv(1 << 18)
        if not received:
            raise ConnectionError("the server closed the connection")
        self._answer += received
        if not self._length and (end := self._answer.find(b"\r\n\r\n")) >= 0:
            head = self._answer[:end].lower()
            at = head.index(b"content-length:") + 15
            self._body, self._length = end + 4, end + 4 + int(head[at:].partition(b"\r\n")[0])
        if not self._length or len(self._answer) < self._length:
            return None
        return int(self._answer[9:12]), self._answer[self._body :]


class _Producer:
    """Sends the next events when the last ones are acknowledged."""

    def __init__(self, connection: _Connection, texts: _Texts, batch: int) -> None:
        self.connection = connection
        self.is_acknowledged = True
        self._texts = texts
        self._batch = batch

    def send(self) -> None:
        """The next request is on its way."""
        group = [next(self._texts) for _ in range(self._batch)]
        self.is_acknowledged = False
        self.connection.post(*(group if self._batch == 1 else (b"[", b",".join(group), b"]")))

    def receive(self) -> int:
        """How many events are acknowledged now that were not before. Raises: SystemExit if they are refused."""
        answer = self.connection.receive()
        if answer is None:
            return 0
        status, content = answer
        if status != 200 or (self._batch > 1 and json.loads(content)["status"] != "success"):
            raise SystemExit(content.decode()[:500])
        self.is_acknowledged = True
        return self._batch


if __name__ == "__main__":
    _main(sys.argv[1:])
