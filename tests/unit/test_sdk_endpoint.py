"""Where a server is, and that a token never travels unencrypted to another machine."""

from __future__ import annotations

import pytest

from domain_sdk._endpoint import Endpoint, parse_endpoint
from domain_sdk.errors import InvalidRequest


@pytest.mark.parametrize(
    ("url", "address", "is_tls", "is_loopback"),
    [
        ("http://127.0.0.1:50051", "127.0.0.1:50051", False, True),
        ("127.0.0.1:4", "127.0.0.1:4", False, True),
        ("localhost:4", "localhost:4", False, True),
        ("http://localhost", "localhost:50051", False, True),
        ("http://[::1]:4", "[::1]:4", False, True),
        ("https://127.0.0.1:4", "127.0.0.1:4", True, True),
        ("https://mesh.example.com", "mesh.example.com:443", True, False),
        ("mesh.example.com:50051", "mesh.example.com:50051", True, False),
        ("https://mesh.example.com/", "mesh.example.com:443", True, False),
    ],
)
def test_an_address_is_spoken_to_over_tls_unless_it_is_this_machine(
    url: str, address: str, is_tls: bool, is_loopback: bool
) -> None:
    assert parse_endpoint(url) == Endpoint(address, is_tls=is_tls, is_loopback=is_loopback)


@pytest.mark.parametrize(
    "url", ["http://mesh.example.com", "http://10.0.0.1:50051", "http://0.0.0.0:1", "http://localhost.evil.example"]
)
def test_unencrypted_to_another_machine_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="unencrypted"):
        parse_endpoint(url)


@pytest.mark.parametrize(
    "url", ["", "ftp://127.0.0.1", "https://", "https://a:notaport", "https://a/path", "https://a?x=1", "unix:/x"]
)
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(InvalidRequest, match="no server address"):
        parse_endpoint(url)
