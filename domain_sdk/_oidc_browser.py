"""Where the browser comes back to: a port of this machine that answers once, or an address that somebody pastes."""

from __future__ import annotations

import http.server
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from domain_sdk.errors import DeadlineExceeded

__all__ = ["catch_by_paste", "catch_by_port"]

_PAGE = (
    b"<!doctype html><meta charset=utf-8><title>Domain Mesh</title><p>You are logged in, or were refused: "
    b"the terminal says which. You may close this window.</p>"
)


def catch_by_port(begin: Callable[[str], str], open_browser: Callable[[str], object], *, seconds: float = 300.0) -> str:
    """The address at which the browser ended, caught by a port of 127.0.0.1. Raises: DeadlineExceeded."""
    landed: list[str] = []

    class Door(http.server.BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            is_callback = urlsplit(self.path).path == "/callback" and not landed
            if is_callback:
                landed.append(f"http://127.0.0.1{self.path}")
            self.send_response(200 if is_callback else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            if is_callback:
                self.wfile.write(_PAGE)

        def log_message(self, *_: object) -> None:
            """The address holds a code: it is not logged."""

    with http.server.HTTPServer(("127.0.0.1", 0), Door) as server:
        server.timeout = 1.0
        open_browser(begin(f"http://127.0.0.1:{server.server_port}/callback"))
        deadline = time.monotonic() + seconds
        while not landed:
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"Nobody logged in within {seconds:.0f} seconds: run `mesh login --oidc` again.")
            server.handle_request()
    return landed[0]


def catch_by_paste(begin: Callable[[str], str], ask: Callable[[str], str]) -> str:
    """The address at which a browser on another machine ended: it shows an error there, and its address is what counts."""
    return ask(begin(f"http://127.0.0.1:{secrets.randbelow(16_384) + 49_152}/callback")).strip()
