"""JSON over HTTPS from an identity provider: bounded in time and size, never by way of another host.

Both sides need it: the server for keys, the client for logging in. Plain HTTP is for this machine only.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

__all__ = ["Unfetched", "discover", "fetch_json", "is_safe_url", "post_form"]

_SECONDS, _CHUNK_BYTES = 5.0, 16 << 10
_MOST_BYTES = 256 << 10
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Unfetched(Exception):
    """The document cannot be had, or is not what it should be; the message says why."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follows nothing: what answers must be what was asked."""


def is_safe_url(url: str) -> bool:
    """True for https, and for http on this machine; without user, query or fragment."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.username is not None or parts.fragment or parts.query or not host or not url.isprintable() or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def fetch_json(url: str) -> dict[str, Any]:
    """The JSON object at the URL, within five seconds and 256 KiB, without a redirection. Raises: Unfetched."""
    return _asked(url, None)


def post_form(url: str, form: Mapping[str, str]) -> dict[str, Any]:
    """The JSON object that answers the form, also with an error status; bounded as `fetch_json`. Raises: Unfetched."""
    return _asked(url, urllib.parse.urlencode(form).encode())


def discover(issuer: str) -> dict[str, Any]:
    """What the issuer says of itself. Raises: Unfetched, also if it is another issuer that speaks.

    Source: OpenID Connect Discovery 1.0 §4.3.
    """
    document = fetch_json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if document.get("issuer") != issuer:
        raise Unfetched(f"the discovery document of {issuer} names another issuer, {document.get('issuer')!r}")
    return document


def _asked(url: str, data: bytes | None) -> dict[str, Any]:
    if not is_safe_url(url):
        raise Unfetched(f"{url} is neither https nor on this machine")
    is_local = urllib.parse.urlsplit(url).scheme == "http"
    handlers = [_NoRedirects(), *([urllib.request.ProxyHandler({})] if is_local else [])]
    request = urllib.request.Request(url, data, headers={"Accept": "application/json", "User-Agent": "domain-mesh"})
    try:
        document = json.loads(_answer(request, handlers))
    except urllib.error.HTTPError as error:
        error.close()
        raise Unfetched(f"{url} answered with status {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise Unfetched(f"{url} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise Unfetched(f"{url} holds no JSON object")
    return document


def _answer(request: urllib.request.Request, handlers: list[Any]) -> bytes:
    """The body; that of a refusal, too, if a form was sent, since it says why."""
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_SECONDS) as response:
            return _read(response)
    except urllib.error.HTTPError as error:
        if request.data is None or error.code not in (400, 401):
            raise
        with error:
            return _read(error)


def _read(response: Any) -> bytes:  # noqa: ANN401  # a response, or an error that is one
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
