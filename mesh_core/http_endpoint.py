"""Calls to a model behind HTTP: one POST of JSON with a key, a time limit, no redirects, and failures in words.

Shared by what speaks OpenAI's API: embeddings and chat. A redirect is a failure, since it would carry the key to another host.
"""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["EndpointAddress", "EndpointFailed", "endpoint_address", "posted"]

EndpointAddress = tuple[str, str, Mapping[str, str]]
"""The URL without options, the host to name in messages, and the options."""


_PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses of failures that may be over soon."""


class EndpointFailed(Exception):
    """What went wrong, as a phrase that follows the endpoint's name: `did not answer within 30 s: …`."""

    def __init__(self, what: str, *, is_passing: bool = False, wait_seconds: float | None = None) -> None:
        super().__init__(what)
        self.is_passing = is_passing
        """True if the endpoint refused for now: the same call may be answered later."""
        self.wait_seconds = wait_seconds
        """How long it asks to wait before that; None if it does not say."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: object, **named: object) -> None:
        """Nothing follows: the redirect is the failure."""


class _Watch:
    """Hangs up on a connection that is late: a socket's own limit begins anew with each byte that comes."""

    def __init__(self, seconds: float) -> None:
        self.is_late = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = self._begun(seconds)

    def take(self, connection: socket.socket) -> None:
        """This is what it hangs up on, at once if it is late already."""
        with self._lock:
            self._socket = connection
            if self.is_late:
                self._shut_down()

    def wait_anew(self, seconds: float) -> None:
        """It is late after so many seconds from now, and was not before."""
        self._timer.cancel()
        self._timer = self._begun(seconds)

    def end(self) -> None:
        """It does not hang up any more."""
        self._timer.cancel()
        with self._lock:
            self._socket = None

    def _begun(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(seconds, self._hang_up)
        timer.daemon = True
        timer.start()
        return timer

    def _hang_up(self) -> None:
        with self._lock:
            self.is_late = True
            self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # the other side was sooner
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # below TLS, which another thread is at work with


class _Connection(HTTPConnection):
    def __init__(self, host: str, *, watch: _Watch, **named: Any) -> None:  # noqa: ANN401
        super().__init__(host, **named)
        self._watch = watch

    def connect(self) -> None:
        """See HTTPConnection."""
        super().connect()
        self._watch.take(self.sock)


class _SecureConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Http(urllib.request.HTTPHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, request: urllib.request.Request) -> HTTPResponse:
        """See HTTPHandler."""
        return self.do_open(partial(_Connection, watch=self._watch), request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def https_open(self, request: urllib.request.Request) -> HTTPResponse:
        """See HTTPSHandler."""
        return self.do_open(partial(_SecureConnection, watch=self._watch), request)


def endpoint_address(url: str) -> EndpointAddress | None:
    """The parts of `https://host/v1?model=NAME`; None if it is no HTTP URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", parts.hostname, options


@contextmanager
def posted(
    address: str,
    body: Mapping[str, Any],
    *,
    api_key: str | None,
    key_setting: str,
    timeout_seconds: float,
    stream_seconds: float | None = None,
) -> Iterator[HTTPResponse]:
    """The answer, to be read within the block, where the connection ends after `timeout_seconds` in all.

    With `stream_seconds` they bound the wait for its head, and each one for more of it; so many may it take from its head on.

    Raises:
        EndpointFailed: it cannot be reached, does not answer in time or refuses, or what is read in the block is no answer. What
            the endpoint said is in no error, nor in its causes, which may be logged: it may repeat the key.
    """
    headers = {"Content-Type": "application/json"}
    if api_key:
        if not (api_key.isascii() and api_key.isprintable()):
            raise EndpointFailed(f"was not asked: {key_setting} holds a line break or a letter that no key has: set it anew")
        headers["Authorization"] = f"Bearer {api_key}"
    request = urllib.request.Request(address, data=json.dumps(body).encode(), headers=headers, method="POST")
    late = EndpointFailed(f"did not answer within {round(timeout_seconds, 2):g} s: repeat when it is well")
    watch = _Watch(timeout_seconds)
    opener = urllib.request.build_opener(_NoRedirects, _Http(watch), _Https(watch))
    try:
        with opener.open(request, timeout=timeout_seconds) as answer:
            if stream_seconds is not None:
                watch.wait_anew(stream_seconds)
            if watch.is_late:
                raise TimeoutError
            try:
                yield answer
            finally:
                watch.end()  # before the socket is closed, whose number may be another's then
    except (ValueError, OSError, HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        if watch.is_late or _is_late(error):
            raise late from None
        if isinstance(error, urllib.error.HTTPError):
            raise _refusal(error, key_setting) from None
        if isinstance(error, urllib.error.URLError):
            raise EndpointFailed("cannot be reached: repeat when it is well") from error
        raise EndpointFailed("answered with no JSON: check its address") from None
    finally:
        watch.end()


def _is_late(error: Exception) -> bool:
    return isinstance(error, TimeoutError) or (
        isinstance(error, urllib.error.URLError) and isinstance(error.reason, TimeoutError)
    )


def _refusal(error: urllib.error.HTTPError, key_setting: str) -> EndpointFailed:
    if error.code not in _PASSING:
        return EndpointFailed(f"refused with status {error.code}: check the model's name and {key_setting}")
    wait = _retry_after(error.headers)
    asked = "" if wait is None else f" and asks to wait {wait:g} s"
    return EndpointFailed(
        f"is too busy or not well (status {error.code}){asked}: repeat later", is_passing=True, wait_seconds=wait
    )


def _retry_after(headers: Message) -> float | None:
    """The seconds that `Retry-After` says, by number or by a date, which is compared with the answer's own.

    Source: RFC 9110 §10.2.3.
    """
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdecimal():
        return float(said[:9])
    try:
        return max(0.0, (parsedate_to_datetime(said) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
