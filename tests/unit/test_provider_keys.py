"""The provider's keys: asked for when they rotate, not for every stranger, and relied on for a bounded time while it is away."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from governance_server.identity.provider_keys import ProviderKeys, ProviderUnreachable
from governance_server.oidc_settings import InvalidOidcSettings, load_oidc_settings
from mesh_core.web_json import Unfetched, fetch_json
from tests.integration.oidc_server import SigningKey

ISSUER = "https://id.example/realm"
ONE, TWO = SigningKey("ES256", "one"), SigningKey("ES256", "two")


class FakeProvider:
    """Its documents, a clock, and how often it was asked."""

    def __init__(self) -> None:
        self.listed: Any = [ONE.public_jwk]
        self.discovery: dict[str, Any] = {"issuer": ISSUER, "jwks_uri": "https://id.example/keys"}
        self.time = 0.0
        self.is_down = False
        self.asked = 0
        self.keys = ProviderKeys(ISSUER, fetch=self.fetch, clock=lambda: self.time)

    def fetch(self, url: str) -> dict[str, Any]:
        if url.endswith("/.well-known/openid-configuration"):
            self.asked += 1
            if self.is_down:
                raise Unfetched("down")
            return self.discovery
        return {"keys": self.listed}


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


def test_keys_are_kept_for_five_minutes(provider: FakeProvider) -> None:
    for second in range(0, 300, 10):
        provider.time = second
        assert provider.keys.find("one") is not None
    assert provider.asked == 1
    provider.listed = [TWO.public_jwk]
    provider.time = 301
    assert provider.keys.find("one") is None
    assert provider.asked == 3  # the set was too old; then the key was not in it


def test_a_key_that_nobody_has_heard_of_makes_it_ask_again_at_once(provider: FakeProvider) -> None:
    assert provider.keys.find("one") is not None
    provider.listed = [ONE.public_jwk, TWO.public_jwk]
    assert provider.keys.find("two") is not None
    assert provider.asked == 2


def test_strangers_do_not_make_it_ask_without_end(provider: FakeProvider) -> None:
    for stranger in range(1000):
        assert provider.keys.find(f"unknown-{stranger}") is None
    assert provider.asked <= 10
    provider.time = 60
    for stranger in range(1000):
        provider.keys.find(f"unknown-{stranger}")
    assert provider.asked <= 20
    assert provider.keys.find("one") is not None


def test_while_the_provider_is_away_its_last_keys_are_good_for_an_hour_and_then_none_is(provider: FakeProvider) -> None:
    assert provider.keys.find("one") is not None
    provider.is_down = True
    for minute in range(1, 60):
        provider.time = minute * 60.0
        assert provider.keys.find("one") is not None, minute
    provider.time = 3601
    with pytest.raises(ProviderUnreachable):
        provider.keys.find("one")
    provider.is_down = False
    provider.time = 3700
    assert provider.keys.find("one") is not None


def test_without_any_answer_there_is_no_key(provider: FakeProvider) -> None:
    provider.is_down = True
    with pytest.raises(ProviderUnreachable):
        provider.keys.find("one")


@pytest.mark.parametrize("issuer", ["https://id.example/realm/", "https://evil.example", None, ["https://id.example/realm"]])
def test_a_discovery_document_of_another_issuer_is_not_believed(provider: FakeProvider, issuer: object) -> None:
    provider.discovery["issuer"] = issuer
    with pytest.raises(ProviderUnreachable):
        provider.keys.find("one")


@pytest.mark.parametrize(
    "entry",
    [
        {**ONE.public_jwk, "use": "enc"},
        {**ONE.public_jwk, "key_ops": ["encrypt"]},
        {**ONE.public_jwk, "kid": 1},
        {**ONE.public_jwk, "x": "AA"},
        ONE.jwk,
        {"kty": "oct", "k": "AAAA", "kid": "one", "alg": "HS256"},
        {"kty": "RSA", "kid": "one"},
        "one",
        None,
    ],
)
def test_an_entry_that_is_no_public_key_for_signatures_is_left_out(provider: FakeProvider, entry: object) -> None:
    provider.listed = [entry, TWO.public_jwk]
    assert provider.keys.find("one") is None
    assert provider.keys.find("two") is not None


def test_two_keys_of_one_id_are_both_left_out(provider: FakeProvider) -> None:
    provider.listed = [ONE.public_jwk, {**TWO.public_jwk, "kid": "one"}]
    assert provider.keys.find("one") is None


@pytest.mark.parametrize("listed", [None, {}, "x", [ONE.public_jwk] * 51])
def test_a_key_set_that_is_none_is_no_answer(provider: FakeProvider, listed: object) -> None:
    provider.listed = listed
    with pytest.raises(ProviderUnreachable):
        provider.keys.find("one")


@contextmanager
def answering(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/x"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def body(data: bytes, status: int = 200, **headers: str) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def test_a_document_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # no proxy stands between a machine and itself
    with answering(body(json.dumps({"a": 1}).encode())) as url:
        assert fetch_json(url) == {"a": 1}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (body(b"", 302, Location="http://127.0.0.1:9/evil"), "302"),
        (body(b"", 307, Location="https://evil.example"), "307"),
        (body(b"", 404), "404"),
        (body(b'{"a": "' + b"a" * 300_000 + b'"}'), "longer"),
        (body(b"[1]"), "no JSON object"),
        (body(b"{"), "cannot be read"),
        (body(b"[" * 100_000), "cannot be read"),
        (body(b"\xff"), "cannot be read"),
    ],
)
def test_what_is_no_plain_bounded_json_object_is_refused(
    answer: Callable[[http.server.BaseHTTPRequestHandler], None], said: str
) -> None:
    with answering(answer) as url, pytest.raises(Unfetched, match=said):
        fetch_json(url)


def test_an_answer_that_drips_is_given_up() -> None:
    def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
        body(b'{"a": "')(handler)
        for _ in range(100):
            try:
                handler.wfile.write(b"a")
            except OSError:
                return
            time.sleep(0.2)

    with answering(drip) as url, pytest.raises(Unfetched, match="longer"):
        fetch_json(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example/x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "https://u:p@id.example",
        "data:,{}",
        "",
        "https://",
        "None",
    ],
)
def test_no_other_kind_of_address_is_opened(url: str) -> None:
    with pytest.raises(Unfetched, match="neither"):
        fetch_json(url)


GOOD = {"MESH_OIDC_ISSUER": ISSUER, "MESH_OIDC_AUDIENCE": "mesh"}


def test_the_settings_have_safe_defaults() -> None:
    settings = load_oidc_settings(GOOD)
    assert settings is not None
    assert settings.algorithms == ("RS256", "ES256", "PS256", "EdDSA")
    assert (settings.token_type, settings.name_claim, settings.groups_claim, settings.leeway_seconds) == ("at+jwt", "sub", "", 30)
    assert load_oidc_settings({}) is None


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"MESH_OIDC_ISSUER": "http://id.example"}, "MESH_OIDC_ISSUER"),
        ({"MESH_OIDC_ISSUER": "id.example"}, "MESH_OIDC_ISSUER"),
        ({"MESH_OIDC_ISSUER": ""}, "MESH_OIDC_AUDIENCE without MESH_OIDC_ISSUER"),
        ({"MESH_OIDC_AUDIENCE": ""}, "MESH_OIDC_AUDIENCE"),
        ({"MESH_OIDC_ALGORITHMS": "none"}, "MESH_OIDC_ALGORITHMS"),
        ({"MESH_OIDC_ALGORITHMS": "RS256 HS256"}, "MESH_OIDC_ALGORITHMS"),
        ({"MESH_OIDC_ALGORITHMS": " , "}, "MESH_OIDC_ALGORITHMS"),
        ({"MESH_OIDC_TOKEN_TYPE": "jwt"}, "MESH_OIDC_TOKEN_TYPE"),
        ({"MESH_OIDC_LEEWAY_SECONDS": "301"}, "MESH_OIDC_LEEWAY_SECONDS"),
        ({"MESH_OIDC_LEEWAY_SECONDS": "-1"}, "MESH_OIDC_LEEWAY_SECONDS"),
        ({"MESH_OIDC_TOKEN_DAYS": "x"}, "MESH_OIDC_TOKEN_DAYS"),
    ],
)
def test_settings_that_would_be_unsafe_or_wrong_are_refused_by_name(changed: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidOidcSettings, match=named):
        load_oidc_settings({**GOOD, **changed})
