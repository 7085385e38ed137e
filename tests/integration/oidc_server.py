"""A real OpenID provider (node-oidc-provider) on loopback, its keys, and the scripted browser that logs people in there."""

from __future__ import annotations

import base64
import hashlib
import http.cookiejar
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.shared_data import ROOT

__all__ = ["AUDIENCE", "Browser", "OidcProvider", "SigningKey", "running_provider"]

AUDIENCE = "https://mesh.example"
_CLIENTS = [
    {
        "client_id": "mesh-cli", "token_endpoint_auth_method": "none", "application_type": "native",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "redirect_uris": ["http://127.0.0.1/callback"],
    },
    {
        "client_id": "etl", "client_secret": "a secret of the test", "grant_types": ["client_credentials"],
        "response_types": [], "redirect_uris": [],
    },
]  # fmt: skip


class SigningKey:
    """A key pair with a key id, as the provider holds it and as JWK."""

    def __init__(self, algorithm: str = "RS256", kid: str | None = None, *, bits: int = 2048) -> None:
        self.algorithm = algorithm
        self.kid = kid or f"{algorithm.lower()}-{secrets.token_hex(4)}"
        self.private: Any
        if algorithm.startswith("ES"):
            self.private = ec.generate_private_key(ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1())
        elif algorithm == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=bits)

    @property
    def jwk(self) -> dict[str, Any]:
        """Both halves."""
        return {**self._jwk(self.private), "kid": self.kid, "use": "sig", "alg": self.algorithm}

    @property
    def public_jwk(self) -> dict[str, Any]:
        return {**self._jwk(self.private.public_key()), "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def _jwk(self, key: Any) -> dict[str, Any]:
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        parts = json.loads(algorithm.to_jwk(key))
        parts.pop("key_ops", None)  # PyJWT's idea of it is the key's own use, `sign`; providers leave it out
        return dict(parts)


class OidcProvider:
    """The provider's process; what it is told changes without a restart."""

    def __init__(self, folder: Path, modules: Path) -> None:
        self._file = folder / "provider.json"
        self._modules = modules
        self.keys = [SigningKey("RS256")]
        self.accounts: dict[str, dict[str, Any]] = {}
        self.settings: dict[str, Any] = {"audience": AUDIENCE, "clients": _CLIENTS, "port": 0}
        self.issuer = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._write()
        script = ROOT / "tests" / "integration" / "oidc_provider" / "provider.mjs"
        with self._file.with_suffix(".log").open("a") as log:
            self._process = subprocess.Popen(
                ["node", str(script), str(self._file), str(self._modules)], stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.issuer = self._answer()["issuer"]
        self.settings["port"] = int(self.issuer.rpartition(":")[2])

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def change(
        self, *, keys: Sequence[SigningKey] | None = None, accounts: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        """The provider works with this from now on; a setting of None is as if it were not there."""
        self.keys = list(keys) if keys is not None else self.keys
        self.accounts.update(accounts or {})
        self.settings = {k: v for k, v in {**self.settings, **settings}.items() if v is not None}
        self._write()
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)
        self._answer()

    def requests(self) -> dict[str, int]:
        """How often each path was asked for."""
        with urllib.request.urlopen(f"{self.issuer}/test/requests", timeout=10) as response:
            return dict(json.load(response))

    def client_token(self) -> str:
        """An access token that the client `etl` gets for itself."""
        basic = base64.b64encode(b"etl:" + urllib.parse.quote_plus("a secret of the test").encode()).decode()
        form = {"grant_type": "client_credentials", "scope": "mesh", "resource": AUDIENCE}
        return str(self._post("/token", form, {"Authorization": f"Basic {basic}"})["access_token"])

    def user_tokens(self, user: str) -> dict[str, Any]:
        """What the token endpoint answers after the user has logged in with a browser: authorization code and PKCE."""
        verifier, redirect = secrets.token_urlsafe(40), "http://127.0.0.1:9/callback"
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "client_id": "mesh-cli", "response_type": "code", "redirect_uri": redirect, "scope": "openid offline_access mesh",
            "resource": AUDIENCE, "code_challenge": challenge, "code_challenge_method": "S256", "state": "s", "prompt": "consent",
        }  # fmt: skip
        landed = Browser(user).visit(f"{self.issuer}/auth?{urllib.parse.urlencode(query)}", until=redirect)
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(landed).query)["code"][0]
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
            "client_id": "mesh-cli",
        }
        return self._post("/token", form, {})

    def user_token(self, user: str) -> str:
        return str(self.user_tokens(user)["access_token"])

    def claims(self, **changed: Any) -> dict[str, Any]:
        """The claims of a good access token for `ana`, as the provider would write them, with changes; None leaves one out."""
        now = int(time.time())
        good = {
            "iss": self.issuer,
            "sub": "ana",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 300,
            "client_id": "mesh-cli",
            "jti": "j",
            "scope": "mesh",
        }
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    def _post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.issuer}{path}", urllib.parse.urlencode(form).encode(), dict(headers))
        with urllib.request.urlopen(request, timeout=20) as response:
            return dict(json.load(response))

    def _write(self) -> None:
        document = {**self.settings, "keys": [key.jwk for key in self.keys], "accounts": self.accounts}
        self._file.write_text(json.dumps(document))

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.startswith("{"):
                return dict(json.loads(line))
        raise AssertionError(f"the provider ended: {self._file.with_suffix('.log').read_text()[-2000:]}")


class Browser:
    """Follows links and fills in the provider's login and consent forms, like the person whose name it has."""

    def __init__(self, user: str) -> None:
        self._user = user
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies, _NoRedirects())

    def visit(self, url: str, *, until: str) -> str:
        """The address under `until` at which the provider's redirections end; it is not opened."""
        form: dict[str, str] | None = None
        for _ in range(20):
            if url.startswith(until):
                return url
            data = urllib.parse.urlencode(form).encode() if form is not None else None
            try:
                with self._opener.open(urllib.request.Request(url, data), timeout=20) as response:
                    page, location = response.read().decode(), None
            except urllib.error.HTTPError as answer:
                page, location = answer.read().decode(), answer.headers.get("Location")
                if not location:
                    raise AssertionError(f"{url} answered {answer.code}: {page[:2000]}") from None
            form = None
            if location:
                url = urllib.parse.urljoin(url, location)
                continue
            action = re.search(r'<form[^>]*action="([^"]+)"', page)
            prompt = re.search(r'name="prompt" value="([^"]+)"', page)
            assert action, page[:2000]
            assert prompt, page[:2000]
            url = urllib.parse.urljoin(url, action[1].replace("&amp;", "&"))
            form = {"prompt": prompt[1], **({"login": self._user, "password": "x"} if prompt[1] == "login" else {})}
        raise AssertionError(f"no end of redirections at {url}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Each step is taken by hand."""


@contextmanager
def running_provider(folder: Path) -> Iterator[OidcProvider]:
    """A provider of its own. Without Node the test skips; under CI=true it fails."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        message = "the OpenID provider needs Node and npm: install Node 20 or newer, then run scripts/build-oidc-provider"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    built = subprocess.run([ROOT / "scripts" / "build-oidc-provider"], check=True, stdout=subprocess.PIPE, text=True)
    provider = OidcProvider(folder, Path(built.stdout.strip()))
    provider.start()
    try:
        yield provider
    finally:
        provider.stop()
