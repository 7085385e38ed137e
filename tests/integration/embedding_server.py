"""A stand-in for an embedding endpoint of OpenAI's kind: it counts texts, and something happens after so many."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mesh_core.embedding import HashingEmbedder

__all__ = ["DIMENSIONS", "EmbeddingServer", "running_embeddings"]

DIMENSIONS = 256


class EmbeddingServer:
    """What was asked of it, and what is to happen."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: Counter[str] = Counter()
        """How often each text was."""
        self._lock = threading.Lock()
        self._embedder = HashingEmbedder(DIMENSIONS)
        self._left = 0
        self._happening: Callable[[], None] | None = None

    def after(self, count: int, happening: Callable[[], None]) -> None:
        """It happens once, before the answer that makes it more than so many further texts."""
        self._left, self._happening = count, happening

    def answered(self, texts: list[str]) -> list[list[float]]:
        """Their vectors."""
        with self._lock:
            self.asked.update(texts)
            self._left -= len(texts)
            if self._happening is not None and self._left < 0:
                happening, self._happening = self._happening, None
                happening()
        return [[float(it) for it in vector] for vector in self._embedder.embed(texts)]


@contextmanager
def running_embeddings() -> Iterator[EmbeddingServer]:
    """The server, on loopback."""
    served = EmbeddingServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
            data = [{"index": place, "embedding": vector} for place, vector in enumerate(served.answered(texts))]
            content = json.dumps({"data": data}).encode()
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}/v1?model=counted&dimensions={DIMENSIONS}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
