"""One JSON document from the identity provider: bounded in time and size, never by way of another host."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from governance_server.oidc_settings import is_safe_url

__all__ = ["Unfetched", "fetch_json"]

_SECONDS, _CHUNK_BYTES = 5.0, 16 << 10
_MOST_BYTES = 256 << 10


class Unfetched(Exception):
    """The document cannot be had, or is not what it should be; the message says why."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follows nothing: what answers must be what was asked."""


def fetch_json(url: str) -> dict[str, Any]:
    """The JSON object at the URL, within five seconds and 256 KiB, without a redirection. Raises: Unfetched."""
    if not is_safe_url(url):
        raise Unfetched(f"{url} is neither https nor on this machine")
    is_local = urlsplit(url).scheme == "http"
    handlers = [_NoRedirects(), *([urllib.request.ProxyHandler({})] if is_local else [])]
    request = urllib.request.Request(url, headers={"Accept": "application/json", "User-Agent": "domain-mesh"})
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_SECONDS) as response:
            document = json.loads(_read(response))
    except urllib.error.HTTPError as error:
        error.close()
        raise Unfetched(f"{url} answered with status {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise Unfetched(f"{url} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise Unfetched(f"{url} holds no JSON object")
    return document


def _read(response: http.client.HTTPResponse) -> bytes:
    """All of it. Raises: ValueError if it is too long, TimeoutError if it drips."""
    deadline = time.monotonic() + _SECONDS
    data = b""
    while chunk := response.read1(_CHUNK_BYTES):
        data += chunk
        if len(data) > _MOST_BYTES:
            raise ValueError(f"it is longer than {_MOST_BYTES} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError(f"it takes longer than {_SECONDS:.0f} seconds")
    return data
