"""Calls to a model behind HTTP: one POST of JSON with a key, a time limit, no redirects, and failures in words.

Shared by what speaks OpenAI's API: embeddings and chat. A redirect is a failure, since it would carry the key to another host.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
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


def endpoint_address(url: str) -> EndpointAddress | None:
    """The parts of `https://host/v1?model=NAME`; None if it is no HTTP URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", parts.hostname, options


@contextmanager
def posted(
    address: str, body: Mapping[str, Any], *, api_key: str | None, key_setting: str, timeout_seconds: float
) -> Iterator[HTTPResponse]:
    """The answer, to be read within the block. `timeout_seconds` bounds each wait, not their sum.

    Raises:
        EndpointFailed: it cannot be reached, does not answer in time or refuses, or what is read in the block is no answer.
    """
    headers = {"Content-Type": "application/json"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    request = urllib.request.Request(address, data=json.dumps(body).encode(), headers=headers, method="POST")
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=timeout_seconds) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        error.close()
        raise _refusal(error, key_setting) from error
    except TimeoutError as error:
        raise EndpointFailed(f"did not answer within {timeout_seconds:g} s: repeat when it is well") from error
    except urllib.error.URLError as error:
        is_late = isinstance(error.reason, TimeoutError)
        what = f"did not answer within {timeout_seconds:g} s" if is_late else "cannot be reached"
        raise EndpointFailed(f"{what}: repeat when it is well") from error
    except (ValueError, OSError, HTTPException) as error:
        raise EndpointFailed("answered with no JSON: check its address") from error


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
    except (ValueError, TypeError):
        return None
