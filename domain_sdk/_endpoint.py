"""Where a server is and whether the way there is encrypted.

Owns the rule that a token never travels unencrypted to another machine. Knows nothing of gRPC.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from domain_sdk.errors import InvalidRequest

__all__ = ["Endpoint", "parse_endpoint"]

DEFAULT_PORT = 50051
_TLS_PORT = 443


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and whether it is spoken to over TLS."""

    address: str
    """`host:port`, an IPv6 host in brackets."""
    is_tls: bool
    """True unless the server is on this machine and no `https://` was asked for."""
    is_loopback: bool
    """True if it is this machine."""


def parse_endpoint(url: str) -> Endpoint:
    """The endpoint of `https://host[:port]`, `http://loopback[:port]` or `host:port` (TLS unless it is this machine).

    Raises:
        InvalidRequest: the URL is malformed, or would send the token unencrypted to another machine.
    """
    parts = urlsplit(url if "://" in url else f"//{url}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidRequest(f"{url!r} is no server address: {error}.") from error
    if not host or parts.scheme not in ("", "http", "https") or parts.path.strip("/") or parts.query:
        raise InvalidRequest(f"{url!r} is no server address: write https://host:port, or http://127.0.0.1:port here.")
    is_loopback = _is_loopback(host)
    if parts.scheme == "http" and not is_loopback:
        raise InvalidRequest(f"{url!r} would send your token unencrypted to another machine: use https://.")
    is_tls = parts.scheme == "https" or not is_loopback
    shown = f"[{host}]" if ":" in host else host
    return Endpoint(f"{shown}:{port or (_TLS_PORT if is_tls else DEFAULT_PORT)}", is_tls=is_tls, is_loopback=is_loopback)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
