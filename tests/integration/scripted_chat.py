"""A chat endpoint on loopback that speaks OpenAI's protocol for real, streamed, and says what a test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Raw", "ScriptedChat", "Tool", "call", "scripted_chat"]

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Tool:
    """A tool that the model calls."""

    name: str
    arguments: str


def call(name: str, **arguments: object) -> Tool:
    return Tool(name, json.dumps(arguments))


@dataclass(frozen=True)
class Raw:
    """Lines of the stream as they are, behind `data: `."""

    lines: Sequence[str]


Say = str | Sequence[Tool] | bytes | Raw
"""What the model says: text, tools it calls, raw bytes instead of a stream, or a stream of its own."""


@dataclass
class ScriptedChat:
    """`script` is given each request's body and says the reply; `asked` are the bodies, `keys` the keys they came with."""

    url: str = ""
    script: Callable[[Body], Say] = lambda body: "Not found in what you may read."
    status: int = 200
    pause_seconds: float = 0.0
    """Before each event."""
    breaks_off: bool = False
    asked: list[Body] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    def tool_results(self) -> list[str]:
        """What the model was told by its tools."""
        return [message["content"] for message in self.asked[-1]["messages"] if message["role"] == "tool"]


def _events(said: Say) -> Iterator[Mapping[str, Any]]:
    """The reply in small pieces, as endpoints send it: text by a few characters, arguments in halves."""
    if isinstance(said, str):
        for start in range(0, len(said), 7):
            yield {"choices": [{"index": 0, "delta": {"content": said[start : start + 7]}}]}
        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        return
    assert not isinstance(said, bytes | Raw)
    for index, tool in enumerate(said):
        half = len(tool.arguments) // 2
        first = {"index": index, "id": f"c{index}", "type": "function"}
        for part in ({**first, "function": {"name": tool.name, "arguments": tool.arguments[:half]}},
                     {"index": index, "function": {"arguments": tool.arguments[half:]}}):  # fmt: skip
            yield {"choices": [{"index": 0, "delta": {"tool_calls": [part]}}]}
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}


@contextmanager
def scripted_chat() -> Iterator[ScriptedChat]:
    chat = ScriptedChat()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            chat.asked.append(body)
            chat.keys.append(self.headers.get("Authorization"))
            said = chat.script(body)
            self.send_response(chat.status if self.path == "/v1/chat/completions" else 404)
            self.send_header("Content-Type", "application/json" if isinstance(said, bytes) else "text/event-stream")
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # whoever asked may hang up
                self._send(said)

        def _send(self, said: Say) -> None:
            if isinstance(said, bytes):
                self.wfile.write(said)
                return
            if isinstance(said, Raw):
                for line in said.lines:
                    self.wfile.write(b"data: " + line.encode() + b"\n\n")
                return
            for number, event in enumerate(_events(said)):
                time.sleep(chat.pause_seconds)
                if chat.breaks_off and number == 2:
                    return
                self.wfile.write(b": a comment\n" if number == 0 else b"")
                self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
                self.wfile.flush()
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    chat.url = f"http://127.0.0.1:{server.server_port}/v1?model=scripted-1"
    try:
        yield chat
    finally:
        server.shutdown()
        server.server_close()
